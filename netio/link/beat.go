package link

import (
	"time"

	"github.com/alphapulse/transport/seal"
)

// beats is what signs of life tell of the way and of the other clock.
type beats struct {
	theirs uint64        // Sent of their last
	at     time.Duration // when it came
	last   [beatsKept]sample
	n      int
}

// beatsKept is how many round trips are looked at: the quickest of them says most of the clocks.
const beatsKept = 16

type sample struct{ trip, offset time.Duration }

// beat says that this node lives, and when it heard the other say so.
func (p *Peer) beat(now time.Duration) {
	b := seal.BeatBody{Sent: uint64(max(now, 1))}
	if p.beats.theirs != 0 {
		b.Echo, b.Held = p.beats.theirs, uint64(now-p.beats.at)
	}
	out := p.out.place(seal.HeaderSize + seal.BeatSize)
	(&seal.Header{Kind: seal.Beat, Length: seal.BeatSize}).Put(out)
	b.Put(out[seal.HeaderSize:])
}

func (p *Peer) heardBeat(body []byte) error {
	var b seal.BeatBody
	if b.Parse(body) != nil || b.Sent == 0 {
		return p.broken(Malformed)
	}
	now, s := p.clock, &p.beats
	s.theirs, s.at = b.Sent, now
	if trip := now - time.Duration(b.Echo) - time.Duration(b.Held); b.Echo != 0 && trip >= 0 && trip <= now {
		s.last[s.n%beatsKept] = sample{trip, time.Duration(b.Sent) - (now - trip/2)}
		s.n++
	}
	return nil
}

// Way returns what the quickest of the last round trips took, and by how much the other node's clock is ahead of the own, to within half
// of that: of both the instant is the caller's. ok is false before the first.
func (p *Peer) Way() (trip, offset time.Duration, ok bool) {
	s := &p.beats
	for i := range min(s.n, beatsKept) {
		if one := s.last[i]; !ok || one.trip < trip {
			trip, offset, ok = one.trip, one.offset, true
		}
	}
	return trip, offset, ok
}
