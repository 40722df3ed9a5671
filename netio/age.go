package netio

import (
	"time"

	"github.com/alphapulse/transport/internal/tally"
	"github.com/alphapulse/transport/ring"
)

// Spread is a histogram of durations in nanoseconds that any process may read. It belongs to one goroutine at a time; a nil Spread records nothing.
type Spread = tally.Spread

// oldest is the age from which on a stamp is taken to be of another clock.
const oldest = 60 * time.Second

// AgeOf records how old the first record of a run is. A nil Spread costs no more than the look at it.
func AgeOf(s *Spread, now time.Duration, run []byte) {
	if s != nil && len(run) >= ring.HeaderSize {
		Age(s, now, ring.Record(run).Stamp())
	}
}

// Age records how long ago a stamp was taken. now and stamp are nanoseconds of the same clock, which is CLOCK_MONOTONIC where publishers stamp by
// custom. Clocks of two machines begin when they boot, so between machines the figure is right only for stamps of synchronised clocks, or with
// the offset of the control link taken off. No stamp, one of the future and one of a minute ago or more say nothing, and are not recorded.
func Age(s *Spread, now time.Duration, stamp uint64) {
	if age := time.Duration(uint64(now) - stamp); stamp != 0 && age > 0 && age < oldest {
		s.Record(uint64(age))
	}
}
