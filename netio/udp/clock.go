package udp

import (
	"time"

	"github.com/alphapulse/transport/internal/sys"
)

// clock is the time since a worker opened. A loop lends it. Whoever runs a worker inline shall not pay for it each time: then it is
// read every so many cycles, as many as go into about clockEvery.
type clock struct {
	opened time.Time
	base   time.Duration // CLOCK_MONOTONIC then
	now    time.Duration
	lent   bool
	cycles int // until it is read again
	skip   int // cycles between two readings

	exact  time.Duration // what stamp read last
	looked bool          // in this cycle
}

const (
	clockEvery = 100 * time.Microsecond
	clockSkip  = 32 // cycles at most
)

func newClock() clock { return clock{opened: time.Now(), base: time.Duration(sys.Monotonic())} }

// stamp is now as stamps of records count: of the loop's clock, or else read once in a cycle, and only when somebody wants to know.
func (c *clock) stamp() time.Duration {
	switch {
	case c.lent:
		return c.base + c.now
	case !c.looked:
		c.looked, c.exact = true, c.base+time.Since(c.opened)
	}
	return c.exact
}

func (c *clock) lend(now time.Time) { c.now, c.lent = now.Sub(c.opened), true }

func (c *clock) read() time.Duration {
	c.looked = false
	if c.lent {
		return c.now
	}
	if c.cycles--; c.cycles < 0 {
		before := c.now
		if c.now = time.Since(c.opened); c.now-before > clockEvery {
			c.skip = 0
		} else {
			c.skip = min(2*c.skip+1, clockSkip)
		}
		c.cycles = c.skip
	}
	return c.now
}
