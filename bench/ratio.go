package bench

import (
	"math"
	"slices"
)

// The quantiles of a Spread's ends. They are part of the JSON contract ("ratio_quantiles").
const (
	spreadLo = 0.10
	spreadHi = 0.90
)

// Spread is the middle of a set of quotients and how far they lie apart: median, 10th and 90th percentile, over Pairs rounds.
type Spread struct {
	Median float64 `json:"median"`
	Lo     float64 `json:"lo"`
	Hi     float64 `json:"hi"`
	Pairs  int     `json:"pairs"`

	// The median of many more rounds is between SureLo and SureHi, 95 times of a hundred: order statistics, which suppose no distribution. Fewer
	// than six pairs cannot say so much; then both are 0.
	SureLo float64 `json:"sure_lo"`
	SureHi float64 `json:"sure_hi"`
}

// Ratio is one lane divided by another, round by round. A field is nil where a lane does not have the figure.
// Below 1 is faster for P50 and P99, above 1 is more for PerSec.
type Ratio struct {
	P50    *Spread `json:"p50,omitempty"`
	P99    *Spread `json:"p99,omitempty"`
	PerSec *Spread `json:"per_sec,omitempty"`
}

// sample is what one slice of one lane left behind. Zero means the lane does not have the figure.
type sample struct {
	round  int
	p50    float64 // nanoseconds
	p99    float64
	perSec float64
	allocs float64 // per message, both sides
}

// ratioOf divides the slices of a by those of b of the same round.
func ratioOf(a, b []sample) Ratio {
	return Ratio{
		P50:    spreadOf(a, b, func(s sample) float64 { return s.p50 }),
		P99:    spreadOf(a, b, func(s sample) float64 { return s.p99 }),
		PerSec: spreadOf(a, b, func(s sample) float64 { return s.perSec }),
	}
}

// spreadOf pairs a and b by round and returns the spread of the quotients, or nil when no round has both.
func spreadOf(a, b []sample, figure func(sample) float64) *Spread {
	of := make(map[int]float64, len(b))
	for _, s := range b {
		if v := figure(s); v > 0 {
			of[s.round] = v
		}
	}
	var quotients []float64
	for _, s := range a {
		if v, base := figure(s), of[s.round]; v > 0 && base > 0 {
			quotients = append(quotients, v/base)
		}
	}
	if len(quotients) == 0 {
		return nil
	}
	slices.Sort(quotients)
	s := &Spread{
		Median: quantile(quotients, 0.5),
		Lo:     quantile(quotients, spreadLo),
		Hi:     quantile(quotients, spreadHi),
		Pairs:  len(quotients),
	}
	if k := outside(len(quotients)); k >= 0 {
		s.SureLo, s.SureHi = quotients[k], quotients[len(quotients)-1-k]
	}
	return s
}

// outside is how many of n sorted values may be left out at each end for the rest to hold their median with 95 % certainty: the largest k for
// which at most k of n fair coins show heads in less than 2.5 % of all cases. -1: there is none.
func outside(n int) int {
	k, sum, log := -1, 0.0, -float64(n)*math.Ln2 // of the chance of exactly 0 heads
	for i := range n {
		if sum += math.Exp(log); sum > 0.025 {
			return k
		}
		k = i
		log += math.Log(float64(n-i)) - math.Log(float64(i+1))
	}
	return k
}

// quantile reads the q-quantile (0 to 1) out of sorted, between neighbours where it falls between them. Zero for nothing.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	at := q * float64(len(sorted)-1)
	i := int(math.Floor(at))
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}

// quantileOf is quantile over one figure of a set of slices, leaving out those that do not have it.
func quantileOf(s []sample, q float64, figure func(sample) float64) float64 {
	var v []float64
	for _, x := range s {
		if f := figure(x); f > 0 {
			v = append(v, f)
		}
	}
	slices.Sort(v)
	return quantile(v, q)
}
