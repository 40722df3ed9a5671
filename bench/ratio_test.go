package bench

import (
	"math"
	"testing"
)

func samples(values ...float64) (s []sample) {
	for round, v := range values {
		s = append(s, sample{round: round, p50: v, p99: 2 * v, perSec: 1 / v})
	}
	return s
}

func TestRatioDividesSlicesOfTheSameRound(t *testing.T) {
	// The machine changes pace under way: the quotient of medians would be 3, every quotient of a round is 1.5.
	a := samples(15, 15, 15, 150, 150)
	b := samples(10, 10, 100, 100, 100)
	b[2].round, a[2].round = 7, 8 // a round that only one of them has does not count
	r := ratioOf(a, b)
	if r.P50.Median != 1.5 || r.P50.Lo != 1.5 || r.P50.Hi != 1.5 || r.P50.Pairs != 4 {
		t.Errorf("%+v", *r.P50)
	}
	if math.Abs(r.PerSec.Median-1/1.5) > 1e-12 {
		t.Errorf("%+v", *r.PerSec)
	}
}

func TestRatioSpreadIsTenthToNinetiethPercentile(t *testing.T) {
	var a, b []float64
	for i := range 101 {
		a, b = append(a, float64(100+(i*37)%101)), append(b, 100)
	}
	s := ratioOf(samples(a...), samples(b...)).P50
	for _, c := range []struct{ got, want float64 }{{s.Lo, 1.1}, {s.Median, 1.5}, {s.Hi, 1.9}} {
		if math.Abs(c.got-c.want) > 1e-9 {
			t.Errorf("%g instead of %g", c.got, c.want)
		}
	}
}

func TestRatioWithoutFigureIsAbsent(t *testing.T) {
	a, b := samples(1, 2), samples(3, 4)
	for i := range b {
		b[i].p50, b[i].p99 = 0, 0
	}
	r := ratioOf(a, b)
	if r.P50 != nil || r.P99 != nil || r.PerSec == nil || r.PerSec.Pairs != 2 {
		t.Errorf("%+v", r)
	}
	if ratioOf(nil, b).PerSec != nil {
		t.Error("a ratio of nothing")
	}
}

func TestQuantileFallsBetweenNeighbours(t *testing.T) {
	for _, c := range []struct {
		sorted  []float64
		q, want float64
	}{{nil, 0.5, 0}, {[]float64{4}, 0.9, 4}, {[]float64{1, 2}, 0.5, 1.5}, {[]float64{1, 2, 3}, 0, 1}, {[]float64{1, 2, 3}, 1, 3}, {[]float64{1, 2, 3}, 0.75, 2.5}} {
		if got := quantile(c.sorted, c.q); got != c.want {
			t.Errorf("quantile(%v, %g) = %g instead of %g", c.sorted, c.q, got, c.want)
		}
	}
}
