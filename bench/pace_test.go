package bench

import "testing"

// stepped is a clock of 1 GHz that moves by one tick per reading and jumps when told.
func stepped() (c *clock, jump func(uint64)) {
	var now uint64
	c = clockFrom(clockFacts{Kind: clockMonotonic, Hz: 1e9, Step: 1})
	c.now = func() uint64 { now++; return now }
	return c, func(by uint64) { now += by }
}

func TestStallDoesNotMoveTheInstantsBehindIt(t *testing.T) {
	c, jump := stepped()
	s := &slice{clock: c, hist: newHistogram(), end: 100_000}
	var intended, waited []uint64
	err := pace(s, 1e6, func(_ *slice, at uint64) error {
		intended = append(intended, at)
		waited = append(waited, c.now()-at)
		if len(intended) == 10 {
			jump(20_000)
		}
		return nil
	}, pause)
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i < len(intended); i++ {
		if d := intended[i] - intended[i-1]; d != 1000 {
			t.Fatalf("message %d was meant for %d ns after its forerunner", i, d)
		}
	}
	if n := len(intended); n < 99 || n > 101 {
		t.Errorf("%d messages in 100 µs at one per µs", n)
	}
	// The twenty messages whose instants fell into the stall carry it, each less than the one before.
	if waited[10] < 18_000 || waited[15] < 13_000 || waited[9] > 100 || waited[40] > 100 {
		t.Errorf("waits %v", waited)
	}
}

func TestWarmUpIsNotCounted(t *testing.T) {
	c, _ := stepped()
	s := &slice{clock: c, hist: newHistogram(), warm: 50_000, end: 100_000}
	if err := pace(s, 1e6, func(*slice, uint64) error { return nil }, pause); err != nil {
		t.Fatal(err)
	}
	if s.ops < 48 || s.ops > 51 || s.sent < 99 {
		t.Errorf("%d of %d messages counted", s.ops, s.sent)
	}
	if rate := s.perSec(); rate < 0.98e6 || rate > 1.02e6 {
		t.Errorf("%g per second", rate)
	}
	for t0 := uint64(0); s.lap(t0, t0+500); t0 += 1000 {
	}
	if n := s.hist.TotalCount(); n != 51 {
		t.Errorf("%d round trips recorded of the 51 that begin between warm-up and end", n)
	}
}
