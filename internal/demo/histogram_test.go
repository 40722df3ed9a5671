package demo

import (
	"math/rand/v2"
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/alphapulse/transport/internal/sys"
)

func TestBookCountsLikeAnHDRHistogram(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	values := []uint64{0, 1, 2047, 2048, 2049, 4095, 4096, histHighest - 1, histHighest, histHighest + 1, 1 << 62, ^uint64(0)}
	for range 20_000 {
		values = append(values, rng.Uint64()>>rng.UintN(64))
	}
	mapped := sys.Heap(histLen * 8)
	twin := hdrhistogram.New(histLowest, histHighest, histDigits)
	for _, v := range values {
		record(mapped, v)
		if err := twin.RecordValue(int64(min(v, histHighest))); err != nil {
			t.Fatal(v, err)
		}
	}
	got := histogramOf(loadCounts(mapped), nil)
	if !got.Equals(twin) {
		t.Errorf("p50 %d, twin %d; max %d, twin %d; count %d, twin %d", got.ValueAtQuantile(50), twin.ValueAtQuantile(50),
			got.Max(), twin.Max(), got.TotalCount(), twin.TotalCount())
	}
}

func TestHistogramIsWhatCameBetweenTwoCopies(t *testing.T) {
	m := sys.Heap(histLen * 8)
	record(m, 100)
	before := loadCounts(m)
	record(m, 100)
	record(m, 7000)
	h := histogramOf(loadCounts(m), before)
	if h.TotalCount() != 2 || h.Min() != 100 || !h.ValuesAreEquivalent(h.Max(), 7000) {
		t.Errorf("%d values from %d to %d", h.TotalCount(), h.Min(), h.Max())
	}
}

func TestClockAgreesWithTheMachines(t *testing.T) {
	c := newClock()
	before := sys.Monotonic()
	mine := c.now()
	after := sys.Monotonic()
	// Each of the two readings newClock tied together is off by at most half its own time; so is the sum.
	slack := after - before + 1_000_000
	if mine+slack < before || mine > after+slack {
		t.Errorf("%d is not between %d and %d", mine, before, after)
	}
}
