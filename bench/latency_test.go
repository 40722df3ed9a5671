package bench

import (
	"math"
	"testing"
	"time"
)

func TestRarePercentileNeedsAMillionSamples(t *testing.T) {
	h := newHistogram()
	if latencyOf(h) != nil {
		t.Error("figures of nothing")
	}
	for range rareNeeds - 1 {
		record(h, 100)
	}
	if l := latencyOf(h); l.P9999 != 0 || l.Samples != rareNeeds-1 {
		t.Errorf("%+v", l)
	}
	record(h, 5000)
	if l := latencyOf(h); l.P9999 != 100 || l.Max < 5000 || l.Max > 5005 {
		t.Errorf("%+v", l)
	}
}

func TestStallBeyondTheRangeStillCounts(t *testing.T) {
	h := newHistogram()
	record(h, math.MaxUint64)
	if l := latencyOf(h); l.Samples != 1 || l.Max < highestNS {
		t.Errorf("%+v", l)
	}
}

func TestMedianOfACoarseClockIsNotAStep(t *testing.T) {
	// Round trips of 97 to 106 ns under a clock of 10 ns: with a random phase the readings are 90, 100 or 110 apart.
	h := newHistogram()
	var truth float64
	const trips = 10_000
	for i := range trips {
		length, phase := 97+float64(i%10), float64(i*7919%1000)/100
		truth += length / trips
		record(h, uint64(math.Floor((phase+length)/10)*10))
	}
	if got := quantised(h, 50, 10); math.Abs(got-truth) > 1 {
		t.Errorf("%g instead of %g", got, truth)
	}
	if got := quantised(h, 50, 1); got != 100 {
		t.Errorf("a fine clock's median is moved to %g", got)
	}
	if quantised(newHistogram(), 50, 10) != 0 {
		t.Error("a median of nothing")
	}
}

func TestClockAgreesWithTheMonotonicOne(t *testing.T) {
	c := newClock()
	if f := c.facts; f.Hz < 1e6 || f.Step <= 0 || f.Step > 1000 {
		t.Fatalf("%+v", f)
	}
	for _, d := range []time.Duration{time.Microsecond, time.Second, time.Hour} {
		if got := float64(c.ns(c.ticks(d))); math.Abs(got/float64(d)-1) > 0.01 {
			t.Errorf("%v comes back as %v ns", d, got)
		}
	}
	far := clockFrom(c.facts)
	if a, b := c.now(), far.now(); b < a || c.ns(b-a) > uint64(time.Second) {
		t.Errorf("the two sides' clocks read %d and %d", a, b)
	}
}

func TestMonotonicClockServesWhereTicksDoNot(t *testing.T) {
	f := clockFacts{Kind: clockMonotonic, Hz: 1e9, Step: 1, Base: time.Now().UnixNano()}
	near, far := clockFrom(f), clockFrom(f)
	a := near.now()
	b := far.now()
	if d := int64(b - a); d < -int64(time.Millisecond) || d > int64(time.Second) {
		t.Errorf("two sides of one process are %d ns apart", d)
	}
	if near.ns(12345) != 12345 || near.ticks(time.Microsecond) != 1000 {
		t.Error("a tick is not a nanosecond")
	}
}

func TestClockStepIsTheGapOfItsReadings(t *testing.T) {
	for _, c := range []struct {
		seen map[uint64]int
		want uint64
	}{
		{map[uint64]int{52: 800, 78: 1100, 4001: 1}, 26},
		{map[uint64]int{26: 1000}, 26},
		{map[uint64]int{25: 100, 26: 1000, 1: 100, 52: 100}, 24},
		{map[uint64]int{7: 1}, 1},
		{nil, 1},
	} {
		if got := commonGap(c.seen, 10); got != c.want {
			t.Errorf("%v: %d instead of %d", c.seen, got, c.want)
		}
	}
}
