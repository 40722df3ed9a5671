package tcp

import (
	"time"

	"github.com/alphapulse/transport/internal/sys"
)

// clock is CLOCK_MONOTONIC, which stamps are of, so that two nodes compare what stamps mean. A loop lends it. Whoever runs a worker inline
// shall not pay for it each time: then it is read every so many cycles, as many as go into about clockEvery.
type clock struct {
	opened time.Time
	base   time.Duration // CLOCK_MONOTONIC then
	now    time.Duration
	lent   bool
	cycles int // until it is read again
	skip   int // cycles between two readings
}

const (
	clockEvery = 100 * time.Microsecond
	clockSkip  = 32 // cycles at most
)

func newClock() clock {
	c := clock{opened: time.Now(), base: time.Duration(sys.Monotonic())}
	c.now = c.base
	return c
}

func (c *clock) lend(now time.Time) { c.now, c.lent = c.base+now.Sub(c.opened), true }

// exact is read of a clock that is not lent and that has to be right.
func (c *clock) exact() time.Duration {
	if !c.lent {
		c.now = c.base + time.Since(c.opened)
	}
	return c.now
}

func (c *clock) read() time.Duration {
	if c.lent {
		return c.now
	}
	if c.cycles--; c.cycles < 0 {
		before := c.now
		if c.now = c.base + time.Since(c.opened); c.now-before > clockEvery {
			c.skip = 0
		} else {
			c.skip = min(2*c.skip+1, clockSkip)
		}
		c.cycles = c.skip
	}
	return c.now
}
