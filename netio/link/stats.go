package link

import "fmt"

// Reason says why a peer dropped something.
type Reason uint8

// The reasons. Envelopes are counted up to Undecodable, frames from Duplicate on. What is Malformed, Misplaced, OldEpoch or Undecodable ends
// the connection: a stream of bytes that lied once is not believed again.
const (
	Malformed      Reason = iota // no envelope, or one that contradicts itself
	Misplaced                    // a kind that does not go here
	OldEpoch                     // an earlier life of the source, after a later one
	Undecodable                  // a body that its codec refuses
	ForeignChannel               // of a channel that does not flow
	ForeignSource                // a source beyond the inbox's bound, or of a ring that somebody else writes
	Duplicate                    // there before: by another link, or before the connection ended
	Ahead                        // on its way when its mirror turned out to be full; sent again
	Full                         // best effort: without room in the mirror
	Missing                      // best effort: never came
	Unsent                       // best effort: written while there was no connection
	TooLarge                     // larger than the other node takes
	reasons
)

var reasonNames = [reasons]string{"malformed", "misplaced", "old_epoch", "undecodable", "foreign_channel", "foreign_source", "duplicate", "ahead",
	"full", "missing", "unsent", "too_large"}

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

// Stats is what a peer has done since it was made.
type Stats struct {
	Connections     uint64
	BytesOut        uint64
	BytesIn         uint64
	FramesOut       uint64 // put into envelopes, those that were sent again counted again
	FramesIn        uint64 // delivered
	Rewinds         uint64 // times that a source went back to an earlier frame
	LostOut, LostIn uint64 // frames that were said to be lost, and heard to be
	Dropped         [reasons]uint64
}

// Drops returns how much was dropped for a reason.
func (s Stats) Drops(r Reason) uint64 {
	if r < reasons {
		return s.Dropped[r]
	}
	return 0
}
