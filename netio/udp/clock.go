package udp

import "time"

// clock is the time since a worker opened. A loop lends it; without a loop it is read every so many cycles, since whoever
// runs a worker inline shall not pay for it each time.
type clock struct {
	opened time.Time
	now    time.Duration
	lent   bool
	cycles int
}

func newClock() clock { return clock{opened: time.Now()} }

func (c *clock) lend(now time.Time) { c.now, c.lent = now.Sub(c.opened), true }

func (c *clock) read() time.Duration {
	if c.lent {
		return c.now
	}
	if c.cycles--; c.cycles < 0 {
		c.cycles = chores
		c.now = time.Since(c.opened)
	}
	return c.now
}
