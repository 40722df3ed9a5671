package bench

import (
	"math"
	"math/rand/v2"
	"testing"
)

// slowRankTest splits the values in every way there is and compares each pair, as the test is defined.
func slowRankTest(a, b []float64) float64 {
	all := append(append([]float64{}, a...), b...)
	distance := func(in []bool) float64 {
		u := 0.0
		for i, x := range all {
			for j, y := range all {
				switch {
				case !in[i] || in[j]:
				case x > y:
					u++
				case x == y:
					u += 0.5
				}
			}
		}
		return math.Abs(u - float64(len(a)*len(b))/2)
	}
	in := make([]bool, len(all))
	for i := range a {
		in[i] = true
	}
	seen := distance(in)
	far, splits := 0, 0
	for bits := range 1 << len(all) {
		taken := 0
		for i := range in {
			in[i] = bits>>i&1 == 1
			if in[i] {
				taken++
			}
		}
		if taken != len(a) {
			continue
		}
		splits++
		if distance(in) >= seen {
			far++
		}
	}
	return float64(far) / float64(splits)
}

func TestRankTestCountsWhatEnumerationCounts(t *testing.T) {
	const seed = 11
	r := rand.New(rand.NewPCG(seed, seed))
	for range 150 {
		a, b := make([]float64, 1+r.IntN(5)), make([]float64, 1+r.IntN(6))
		spread := 1 + r.IntN(20) // few different values: ties
		for _, v := range [][]float64{a, b} {
			for i := range v {
				v[i] = float64(r.IntN(spread))
			}
		}
		if got, want := rankTest(a, b), slowRankTest(a, b); math.Abs(got-want) > 1e-12 {
			t.Fatalf("seed %d: %v and %v: p %g, by enumeration %g", seed, a, b, got, want)
		}
	}
}

func TestRankTestGivesPublishedValues(t *testing.T) {
	for _, c := range []struct {
		a, b []float64
		want float64
	}{
		{[]float64{1, 2, 3, 4, 5}, []float64{6, 7, 8, 9, 10}, 2.0 / 252},
		{[]float64{1, 2, 3}, []float64{4, 5, 6}, 0.1},
		{[]float64{1, 2, 3, 4}, []float64{5, 6, 7, 8}, 2.0 / 70},
		{[]float64{3, 3, 3}, []float64{3, 3, 3}, 1},
		{nil, []float64{1}, 1},
	} {
		if got := rankTest(c.a, c.b); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%v and %v: p %g, not %g", c.a, c.b, got, c.want)
		}
		if n, m := len(c.a), len(c.b); n == m && c.a[0] != c.b[0] && math.Abs(leastP(n, m)-c.want) > 1e-12 {
			t.Errorf("%d and %d runs: least p %g, not %g", n, m, leastP(n, m), c.want)
		}
	}
}

func TestRankTestOfManyRunsIsCloseToTheExactOne(t *testing.T) {
	const seed = 5
	r := rand.New(rand.NewPCG(seed, seed))
	for range 20 {
		a, b := make([]float64, 24), make([]float64, 26)
		for i := range a {
			a[i] = math.Round(20 * (r.NormFloat64() + 0.5))
		}
		for i := range b {
			b[i] = math.Round(20 * r.NormFloat64())
		}
		ranks, sum := doubledRanks(a, b)
		exact, normal := exactRankTest(ranks, len(a), sum), normalRankTest(ranks, len(a), sum)
		if math.Abs(exact-normal) > 0.01 {
			t.Errorf("seed %d: exact %g, normal %g", seed, exact, normal)
		}
	}
	if p := normalRankTest([]int{4, 4, 4}, 1, 4); p != 1 {
		t.Errorf("equal values differ with p %g", p)
	}
}

// TestMiddleHoldsTheMedianAsOftenAsItSays draws runs of a known median.
func TestMiddleHoldsTheMedianAsOftenAsItSays(t *testing.T) {
	const seed, trials = 3, 4000
	r := rand.New(rand.NewPCG(seed, seed))
	for _, n := range []int{1, 2, 5, 6, 9, 15, 40} {
		held, confidence := 0, 0.0
		for range trials {
			v := make([]float64, n)
			for i := range v {
				v[i] = r.ExpFloat64()
			}
			m := middleOf(v)
			if confidence = m.Confidence; m.Lo <= math.Ln2 && math.Ln2 <= m.Hi {
				held++
			}
			if m.Median < m.Lo || m.Median > m.Hi || m.Runs != n {
				t.Fatalf("%+v of %v", m, v)
			}
		}
		if share := float64(held) / trials; math.Abs(share-confidence) > 0.02 {
			t.Errorf("seed %d: of %d runs the interval holds the median in %.3f of all cases and says %.3f", seed, n, share, confidence)
		}
		if n >= 6 && (confidence < 0.95 || confidence > 0.99) {
			t.Errorf("%d runs: confidence %.3f", n, confidence)
		}
	}
}
