package numa

import (
	"errors"
	"runtime"
	"time"
)

// Phase is a way of waiting. The later ones cost the machine less and react later.
type Phase uint8

const (
	Park  Phase = iota // sleep in the kernel until woken or until the nap is over
	Yield              // give the CPU to another thread that is ready to run
	Spin               // look again after one pause instruction
)

// String is "park", "yield" or "spin".
func (p Phase) String() string {
	switch p {
	case Yield:
		return "yield"
	case Spin:
		return "spin"
	}
	return "park"
}

// Idle says how a loop waits while its workers find nothing to do. It spins for some cycles, yields for some, then parks; the first
// cycle that did something starts over. The zero Idle spins and yields for about as long as waking a parked thread takes, tens of
// microseconds, so that parking at most doubles a wait, and is right for machines with few cores.
type Idle struct {
	Deepest Phase         // the last phase the loop reaches; Spin and Yield keep a core busy for ever
	Spins   int           // cycles of Spin first; 0 is 100 (none on one CPU), negative none
	Yields  int           // cycles of Yield then; 0 is 100, negative none
	Nap     time.Duration // longest sleep of Park; 0 is 100 ms when every worker can be woken, else 1 ms
}

const (
	idleSpins  = 100
	idleYields = 100
	napWoken   = 100 * time.Millisecond
	napBlind   = time.Millisecond
	napMax     = 24 * time.Hour
)

// ErrNap is returned for an Idle whose Nap is negative or longer than a day.
var ErrNap = errors.New("nap is not between 0 and 24 hours")

func (i Idle) check() error {
	if i.Nap < 0 || i.Nap > napMax {
		return ErrNap
	}
	return nil
}

// settled replaces what is unset by its default. all says whether every worker can be woken.
func (i Idle) settled(all bool) Idle {
	if i.Spins == 0 && runtime.NumCPU() > 1 {
		i.Spins = idleSpins
	}
	if i.Yields == 0 {
		i.Yields = idleYields
	}
	i.Spins, i.Yields = max(i.Spins, 0), max(i.Yields, 0)
	switch {
	case i.Nap > 0:
	case all:
		i.Nap = napWoken
	default:
		i.Nap = napBlind
	}
	return i
}

// phase says how to wait after so many empty cycles.
func (i Idle) phase(empty int) Phase {
	switch {
	case i.Deepest == Spin, empty < i.Spins:
		return Spin
	case i.Deepest == Yield, empty-i.Spins < i.Yields:
		return Yield
	}
	return Park
}

// spins reports whether the loop never gives its core back.
func (i Idle) spins() bool { return i.Deepest != Park }
