package bench

import "github.com/HdrHistogram/hdrhistogram-go"

// The stall lane carries nothing. Each side reads the clock as fast as it can and records how far two readings lie apart: whatever takes
// the processor away shows as a gap, so the curve says how much of a tail belongs to the machine and not to any lane.

// gaps records the gaps between readings until stop says so; stop is asked every few microseconds.
func gaps(c *clock, h *hdrhistogram.Histogram, stop func(now uint64) bool) {
	for last := c.now(); ; {
		for range 256 {
			now := c.now()
			record(h, c.ns(now-last))
			last = now
		}
		if stop(last) {
			return
		}
		last = c.now()
	}
}

type stallNear struct{}

func (*stallNear) run(s *slice) error {
	gaps(s.clock, s.hist, func(now uint64) bool { return now >= s.end })
	return nil
}

func (*stallNear) close() error { return nil }

type stallFar struct{}

func (*stallFar) serve(t *turn) error {
	gaps(t.clock, t.hist, func(uint64) bool { return t.board.stopped() })
	return nil
}

func (*stallFar) close() error { return nil }
