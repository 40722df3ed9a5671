package demo

import (
	"math/bits"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/alphapulse/transport/internal/sys"
)

// The histogram in a book has the buckets of an HDR histogram of 1 ns to 10 s at three digits, so that what one process
// counts in mapped memory another reads as such a histogram: 25 runs of 1024 counts, each run twice as coarse as the one
// before it, the first at a nanosecond.
const (
	histLowest  = 1
	histHighest = 10_000_000_000
	histDigits  = 3
	histHalf    = 1024 // counts per run
	histBits    = 11   // of the numbers that are counted exactly
	histLen     = 25 * histHalf
)

// bucket is where ns is counted.
func bucket(ns uint64) uint64 {
	ns = min(ns, histHighest)
	run := uint64(bits.Len64(ns|(1<<histBits-1)) - histBits)
	return run*histHalf + ns>>run
}

// record counts ns in the histogram at m.
func record(m sys.Mem, ns uint64) {
	at := bucket(ns) * 8
	m.Store64(at, m.Load64(at)+1)
}

// loadCounts copies the histogram at m.
func loadCounts(m sys.Mem) []int64 {
	counts := make([]int64, histLen)
	for i := range counts {
		counts[i] = int64(m.Load64(uint64(i) * 8))
	}
	return counts
}

// histogramOf is what was counted between two copies; from may be nil.
func histogramOf(counts, from []int64) *hdrhistogram.Histogram {
	s := hdrhistogram.Snapshot{LowestTrackableValue: histLowest, HighestTrackableValue: histHighest, SignificantFigures: histDigits,
		Counts: append([]int64(nil), counts...)}
	for i := range from {
		s.Counts[i] -= from[i]
	}
	return hdrhistogram.Import(&s)
}
