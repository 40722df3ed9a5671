package udp

import (
	"fmt"

	"github.com/alphapulse/transport/internal/sys"
)

// Reason says why a receiver or a sender dropped something it was given.
type Reason uint8

// The reasons. Envelopes are counted but for Duplicate, Full and Missing, which count frames.
const (
	Malformed      Reason = iota // no envelope, or one that contradicts itself
	Truncated                    // larger than the room a datagram has
	ForeignChannel               // another channel's
	ForeignSource                // a source beyond the inbox's bound, or of a ring that somebody else writes
	Misplaced                    // a kind that does not go this way, or sealed where it must not be, or not sealed where it must
	OldEpoch                     // an earlier life of the source, after a later one
	NoSession                    // sealed, and its session is not open yet
	Forged                       // a tag or mac that is not right
	Replayed                     // a packet number that was there before, or an announce that nobody asked for
	OldKey                       // a key epoch that is not open
	Undecodable                  // a body that its codec refuses
	TooLarge                     // a frame larger than a mirror takes
	Duplicate                    // frames that were there before: repeated, or from the other line
	Late                         // frames that came after they were counted as missing
	StashFull                    // too early, and no room to keep it
	Full                         // frames without room in the mirror: its gating reader is behind
	Missing                      // frames that never came
	OverBudget                   // a receiver that asks for more than its share
	Unsendable                   // envelopes the network refused: too big for the path, no route, no buffers
	reasons
)

var reasonNames = [reasons]string{"malformed", "truncated", "foreign_channel", "foreign_source", "misplaced", "old_epoch", "no_session", "forged",
	"replayed", "old_key", "undecodable", "too_large", "duplicate", "late", "stash_full", "full", "missing", "over_budget", "unsendable"}

// String names the reason as metrics do.
func (r Reason) String() string {
	if r < reasons {
		return reasonNames[r]
	}
	return fmt.Sprintf("reason %d", uint8(r))
}

// Reasons lists all reasons.
func Reasons() []Reason {
	all := make([]Reason, reasons)
	for i := range all {
		all[i] = Reason(i)
	}
	return all
}

// Stats is what a Sender or a Receiver has done since it opened.
type Stats struct {
	Datagrams uint64 // carried, or arrived
	Bytes     uint64 // of UDP payload
	Frames    uint64 // carried once, or delivered
	Again     uint64 // frames a sender carried again
	Naks      uint64 // ranges asked for: by this receiver, or of this sender
	Lost      uint64 // frames declared lost: said or heard
	Dropped   [reasons]uint64
}

// Drops returns how much was dropped for a reason.
func (s *Stats) Drops(r Reason) uint64 {
	if r < reasons {
		return s.Dropped[r]
	}
	return 0
}

// tally counts on the worker's own thread; publish lets others see, once per Do, with plain stores: atomic ones would each be a full fence.
type tally struct {
	Stats
	dirty   bool
	dropped bool
	seen    sys.Mem // the counts in the order of Stats
}

func newTally() tally { return tally{seen: sys.Heap(8 * (6 + int(reasons)))} }

func (t *tally) drop(r Reason, n uint64) {
	t.Dropped[r] += n
	t.dirty, t.dropped = true, true
}

func (t *tally) publish() {
	if !t.dirty {
		return
	}
	t.dirty = false
	t.seen.Store64(0, t.Datagrams)
	t.seen.Store64(8, t.Bytes)
	t.seen.Store64(16, t.Frames)
	t.seen.Store64(24, t.Again)
	t.seen.Store64(32, t.Naks)
	t.seen.Store64(40, t.Stats.Lost)
	if !t.dropped {
		return
	}
	t.dropped = false
	for i, v := range t.Dropped {
		t.seen.Store64(48+8*uint64(i), v)
	}
}

// snapshot is for other threads.
func (t *tally) snapshot() (s Stats) {
	for i, to := range [...]*uint64{&s.Datagrams, &s.Bytes, &s.Frames, &s.Again, &s.Naks, &s.Lost} {
		*to = t.seen.Load64(8 * uint64(i))
	}
	for i := range s.Dropped {
		s.Dropped[i] = t.seen.Load64(48 + 8*uint64(i))
	}
	return s
}
