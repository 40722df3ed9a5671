package bench

import (
	"github.com/HdrHistogram/hdrhistogram-go"
)

const (
	lowestNS   = 1
	highestNS  = 10_000_000_000
	digits     = 3
	rareNeeds  = 1_000_000 // samples below which p99.99 is one or two accidents
	hgrmTicks  = 5
	nsPerMicro = 1000
)

// newHistogram returns an empty histogram of 1 ns to 10 s at three digits. It must not be copied.
func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(lowestNS, highestNS, digits) }

// record notes ns, held to the histogram's range, so that a stall of a minute counts as ten seconds instead of as nothing.
func record(h *hdrhistogram.Histogram, ns uint64) {
	if ns > highestNS {
		ns = highestNS
	}
	// Cannot fail: the range is held above, and the counts of a run are far from the limit of an int64.
	_ = h.RecordValue(int64(ns))
}

// Latency is a distribution in nanoseconds. P9999 is zero, and absent from JSON, below a million samples.
type Latency struct {
	P50     int64 `json:"p50_ns"`
	P90     int64 `json:"p90_ns"`
	P99     int64 `json:"p99_ns"`
	P999    int64 `json:"p999_ns"`
	P9999   int64 `json:"p9999_ns,omitempty"`
	Max     int64 `json:"max_ns"`
	Samples int64 `json:"samples"`
}

// latencyOf reads the quoted percentiles out of h, or nil when h is empty.
func latencyOf(h *hdrhistogram.Histogram) *Latency {
	n := h.TotalCount()
	if n == 0 {
		return nil
	}
	v := h.ValueAtPercentilesSlice([]float64{50, 90, 99, 99.9, 99.99})
	l := &Latency{P50: v[0], P90: v[1], P99: v[2], P999: v[3], Max: h.Max(), Samples: n}
	if n >= rareNeeds {
		l.P9999 = v[4]
	}
	return l
}

// quantised returns the median of h to a fraction of the clock's step.
//
// A time-stamp counter that moves in steps of some ten nanoseconds makes every sample a multiple of the step, so the plain median of
// a hundred-nanosecond round trip jumps by a tenth when the truth moves by a hair. The median of grouped data takes the bin the
// median falls in as evenly filled and goes as far into it as the rank does.
func quantised(h *hdrhistogram.Histogram, q, step float64) float64 {
	total := float64(h.TotalCount())
	if total == 0 {
		return 0
	}
	mid := float64(h.ValueAtQuantile(q))
	if step <= 1 || mid > 100*step {
		return mid
	}
	lo, hi := mid-step/2, mid+step/2
	var below, within float64
	for _, b := range h.Distribution() {
		if b.Count == 0 {
			continue
		}
		switch at := float64(b.From+b.To) / 2; {
		case at < lo:
			below += float64(b.Count)
		case at < hi:
			within += float64(b.Count)
		}
	}
	if within == 0 {
		return mid
	}
	return lo + step*(total*q/100-below)/within
}
