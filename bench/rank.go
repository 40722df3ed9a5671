package bench

import (
	"math"
	"slices"
)

// exactRuns is up to how many values of both groups together the rank test counts every split; above, the normal
// distribution is close enough, and the counting would take seconds.
const exactRuns = 50

// rankTest is the two-sided test of Mann and Whitney: the share of all ways to split the values of both groups into groups
// of these sizes that lie at least as far apart as a and b do. It asks for no distribution. Equal values share the mean of
// their ranks. A group without values is no evidence: 1.
func rankTest(a, b []float64) float64 {
	if len(a) == 0 || len(b) == 0 {
		return 1
	}
	ranks, sum := doubledRanks(a, b)
	if len(ranks) > exactRuns {
		return normalRankTest(ranks, len(a), sum)
	}
	return exactRankTest(ranks, len(a), sum)
}

// doubledRanks returns twice the rank of every value of both groups, so that the mean of two ranks is whole, and a's sum.
func doubledRanks(a, b []float64) (ranks []int, sum int) {
	all := slices.Sorted(slices.Values(slices.Concat(a, b)))
	rank := make(map[float64]int)
	for i := 0; i < len(all); {
		j := i
		for ; j < len(all) && all[j] == all[i]; j++ {
		}
		twice := i + 1 + j // the first rank and the last, counted from one
		rank[all[i]] = twice
		for range j - i {
			ranks = append(ranks, twice)
		}
		i = j
	}
	for _, v := range a {
		sum += rank[v]
	}
	return ranks, sum
}

// exactRankTest counts, for every sum, in how many ways n of the ranks come to it.
func exactRankTest(ranks []int, n, sum int) float64 {
	total := 0
	for _, r := range ranks {
		total += r
	}
	ways := make([][]float64, n+1) // by how many were taken, by their sum
	for k := range ways {
		ways[k] = make([]float64, total+1)
	}
	ways[0][0] = 1
	for i, r := range ranks {
		for k := min(n, i+1); k > 0; k-- {
			for s := total; s >= r; s-- {
				ways[k][s] += ways[k-1][s-r]
			}
		}
	}
	far, all := 0.0, 0.0
	for s, w := range ways[n] {
		all += w
		if apart(s, n, total, len(ranks)) >= apart(sum, n, total, len(ranks)) {
			far += w
		}
	}
	return far / all
}

// apart is how far a sum of n of the ranks is from what n of them come to on average, in whole numbers.
func apart(sum, n, total, ranks int) int {
	d := sum*ranks - n*total
	return max(d, -d)
}

// normalRankTest takes the sum of ranks as normally distributed, with the corrections for ties and for being whole.
func normalRankTest(ranks []int, n, sum int) float64 {
	size := float64(len(ranks))
	total, squares := 0.0, 0.0
	for _, r := range ranks {
		total += float64(r)
		squares += float64(r) * float64(r)
	}
	mean := total / size
	variance := float64(n) * (size - float64(n)) / (size - 1) * (squares/size - mean*mean)
	if variance <= 0 {
		return 1 // all values are equal
	}
	z := max(0, math.Abs(float64(sum)-float64(n)*mean)-1) / math.Sqrt(variance)
	return math.Erfc(z / math.Sqrt2)
}

// leastP is the smallest p the rank test can give for groups of these sizes.
func leastP(n, m int) float64 {
	ways := 1.0
	for i := 1; i <= n; i++ {
		ways *= float64(m+i) / float64(i)
	}
	return min(1, 2/ways)
}

// Middle is the median of a figure over runs and the interval its true value lies in with the stated confidence.
type Middle struct {
	Median     float64 `json:"median"`
	Lo         float64 `json:"lo"`
	Hi         float64 `json:"hi"`
	Runs       int     `json:"runs"`
	Confidence float64 `json:"confidence,omitempty"` // of lo and hi; 0: they are a single run's own, between its slices
}

// middleOf orders the values and leaves out as many at each end as certainty allows; below six, none. At least one value.
func middleOf(values []float64) Middle {
	v := slices.Sorted(slices.Values(values))
	n, k := len(v), max(outside(len(v)), 0)
	chance, below := math.Pow(0.5, float64(n)), 0.0 // that exactly i of n fair coins show heads; that at most k do
	for i := range k + 1 {
		below += chance
		chance *= float64(n-i) / float64(i+1)
	}
	return Middle{Median: quantile(v, 0.5), Lo: v[k], Hi: v[n-1-k], Runs: n, Confidence: 1 - 2*below}
}
