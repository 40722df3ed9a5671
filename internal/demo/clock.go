package demo

import (
	"time"

	"github.com/alphapulse/transport/internal/sys"
)

// clock counts nanoseconds of the machine's monotonic clock, which all its processes share, and knows what time that is.
type clock struct {
	base time.Time
	mono uint64 // at base
	wall uint64 // ns since the Unix epoch at base
}

// newClock ties the runtime's quick clock to the shared one. Of a few tries the one least interrupted counts.
func newClock() clock {
	var best clock
	shortest := time.Duration(1<<63 - 1)
	for range 16 {
		before := time.Now()
		mono := sys.Monotonic()
		if took := time.Since(before); took < shortest {
			at := before.Add(took / 2)
			shortest, best = took, clock{at, mono, uint64(at.UnixNano())}
		}
	}
	return best
}

// now reads the clock.
func (c *clock) now() uint64 { return c.mono + uint64(time.Since(c.base)) }

// unix is the wall clock's time at a reading.
func (c *clock) unix(at uint64) uint64 { return c.wall + at - c.mono }
