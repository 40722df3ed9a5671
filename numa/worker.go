package numa

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/alphapulse/transport/internal/sys"
)

// Worker is a duty cycle: a link, a bridge, an adapter, a strategy. A worker that is a fmt.Stringer is named by it in errors.
type Worker interface {
	// Do carries at most one batch, never blocks, and says how much it did; 0 is nothing to do. An error stops the loop.
	Do() (n int, err error)
}

// Clocked is a worker that borrows the loop's clock.
type Clocked interface {
	// SetNow gives the time, wall clock and monotonic, at which the cycle began, before its first Do. The loop reads the clock once
	// for all its workers, and not at all when none is Clocked.
	SetNow(now time.Time)
}

// Sleeper is a worker that can be woken: it, or what it reads, has a word that whoever brings it work changes and wakes.
type Sleeper interface {
	// Arm announces that the caller is about to sleep. It returns the word to sleep on and the value the word must still have; ok
	// is false when there is work already. The announcement stands until the next wake-up, and one too many does no harm. The word
	// is valid until the next Do or Arm.
	Arm() (word *uint32, value uint32, ok bool)
}

// Group is a worker that can be woken from several places, such as a subscriber of several rings. It takes the place of Sleeper.
type Group interface {
	// Sleepers returns what to arm; the slice is the worker's own and may be another one after each Do.
	Sleepers() []Sleeper
}

// Wake changes a word that loops may sleep on and wakes all of them, in whatever process. The work must be visible before the call,
// and a Sleeper's Arm must read the word before it looks for work. It costs a system call; a waker that knows that nobody sleeps
// leaves it out.
func Wake(word *uint32) error {
	atomic.AddUint32(word, 1)
	_, err := sys.FutexWake(word, math.MaxInt32)
	return err
}
