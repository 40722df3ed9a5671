package bench

import "time"

// Waits are bounded in time during which this side was awake. Virtual machines stand still for seconds now and then, with all their
// processors and clocks; afterwards every deadline has passed at once and nobody has been silent. So a wait is cut into steps, and a
// step counts no more than its own length however late it ends.
const boundSteps = 8

// bound is what is left of a wait inside a spinning loop.
type bound struct {
	clock *clock
	step  uint64 // ticks that one look counts at most
	left  uint64
	last  uint64 // reading of the last look
}

// newBound begins a wait of d.
func newBound(c *clock, d time.Duration) bound {
	return bound{clock: c, step: c.ticks(d)/boundSteps + 1, left: c.ticks(d), last: c.now()}
}

// passed counts the time since the last look and says whether none is left.
func (b *bound) passed() bool {
	now := b.clock.now()
	spent := min(now-b.last, b.step)
	b.last = now
	if spent >= b.left {
		b.left = 0
		return true
	}
	b.left -= spent
	return false
}

// within receives from c, for at most d. timely is false when there was nothing; ok is false when c is closed.
func within[T any](c <-chan T, d time.Duration) (v T, ok, timely bool) {
	tick := time.NewTicker(d/boundSteps + 1)
	defer tick.Stop()
	for range boundSteps {
		select {
		case v, ok = <-c:
			return v, ok, true
		case <-tick.C:
		}
	}
	return v, false, false
}
