package udp

import (
	"math/rand/v2"
	"time"

	"github.com/alphapulse/transport/seal"
)

const (
	askAgainMin = 2 * time.Millisecond  // between two requests for the same, at first
	askAgainMax = 64 * time.Millisecond // and after several in vain
	statusIdle  = 25 * time.Millisecond // between two statuses of a stream that stands
	statusSoon  = 5 * time.Millisecond  // of one that moves
)

// asking is when a stream asks for what it misses, and when it says where it stands.
type asking struct {
	askAt    time.Duration // 0: nothing is missing
	settled  uint64        // numbers below it were missing at the last look already
	asked    uint64        // next when it asked last
	backOff  time.Duration
	ranges   [seal.MaxRanges]seal.Range
	statusAt time.Duration
	said     uint64 // next of the last status
	bytes    int    // delivered since
}

// chores is what depends on time: holes, requests, statuses, silence. It runs every choresEvery at most.
func (r *Receiver) chores(now time.Duration) error {
	r.turnSecrets()
	r.lines[0].alike = r.options.Reliability == BestEffort && r.options.Secret == nil && len(r.lines) == 1 && len(r.all) == 1 && r.all[0].connected
	for _, l := range r.lines {
		if err := r.answered(l); err != nil {
			return err
		}
	}
	for _, s := range r.all {
		if s.connected && now-s.heardAt > r.options.Liveness {
			s.connected = false
			r.tell(Event{Kind: Disconnected, Source: s.source, Peer: s.peer.AddrPort()})
		}
		if r.shared {
			r.look(s, now)
		}
		if !s.joined {
			continue
		}
		if !s.stash.empty() { // the mirror may have room again
			r.drain(s)
		}
		switch {
		case r.options.Reliability != Repaired:
			r.giveUp(s, now)
		case s.connected: // else the sender shall miss this receiver, and not go by one that hears nothing
			r.ask(s, now)
			r.status(s, now)
		}
	}
	return nil
}

// giveUp passes the hole at next once it cannot be on its way any more: every line that lives is past it, or Reorder is over.
func (r *Receiver) giveUp(s *stream, now time.Duration) {
	for s.next < s.top {
		if s.holeAt < 0 {
			s.holeAt = now
		}
		end := s.top
		if !s.stash.empty() {
			end = max(s.stash.pieces[0].first, s.next+1)
			if s.stash.pieces[0].first == s.next && s.stash.pieces[0].total == 0 {
				return // there, and the mirror is full
			}
		}
		wait := r.options.Reorder
		if !s.stash.empty() && s.stash.pieces[0].first == s.next {
			wait = max(wait, DefaultReorder) // since its last part
		}
		if len(r.lines) > 1 {
			if !r.allPast(s, end, now) {
				wait = max(wait, r.options.Apart)
			}
		}
		if now-s.holeAt < wait {
			return
		}
		since := s.holeAt
		r.pass(s, end)
		r.drain(s)
		if s.next < s.top && !s.stash.empty() { // what lies behind it has waited as long
			s.holeAt = since
		}
	}
	s.holeAt = -1
}

// allPast reports whether every line that lives has brought something from end on.
func (r *Receiver) allPast(s *stream, end uint64, now time.Duration) bool {
	for i := range r.lines {
		p := &s.paths[i]
		at := p.at
		if !p.heard { // it may be about to be
			at = s.metAt
		}
		if now-at <= r.options.Liveness && p.top < end {
			return false
		}
	}
	return true
}

// ask asks for what is missing and was missing at the last look already.
func (r *Receiver) ask(s *stream, now time.Duration) {
	if s.next >= s.top {
		s.askAt = 0
		return
	}
	if s.askAt == 0 {
		s.askAt, s.settled, s.backOff, s.asked = now+r.options.Reorder, s.top, askAgainMin, s.next
	}
	if now < s.askAt {
		return
	}
	n := s.stash.missing(s.next, min(s.top, s.settled), s.ranges[:])
	if n > 0 {
		body := seal.AppendNak(r.scratch[:0:512], s.ranges[:n])
		r.answer(s, seal.Nak, body)
		r.Naks += uint64(n)
		r.dirty = true
	}
	if s.next != s.asked {
		s.backOff = askAgainMin
	} else {
		s.backOff = min(2*s.backOff, askAgainMax)
	}
	s.asked, s.settled = s.next, s.top
	s.askAt = now + s.backOff
	if r.options.Lines[0].Group.IsValid() { // not all receivers at once: the first to ask may spare the others
		s.askAt += time.Duration(rand.Int64N(int64(s.backOff)))
	}
}

// status tells the sender where the stream stands: often while it moves, and before half of what it may run ahead is used.
func (r *Receiver) status(s *stream, now time.Duration) {
	every := statusIdle
	if s.next != s.said {
		every = statusSoon
	}
	if s.bytes < r.options.Stash/4 && now-s.statusAt < every && s.statusAt != 0 {
		return
	}
	if s.staged { // what is confirmed is seen, and outlives this process, whatever ends it
		s.flush()
	}
	s.statusAt, s.said, s.bytes = now, s.next, 0
	body := r.scratch[:seal.StatusSize]
	(&seal.StatusBody{Next: s.next, Window: uint64(r.options.Stash / 2), Tag: r.options.Tag, Receiver: r.id}).Put(body)
	r.answer(s, seal.Status, body)
}

// answer sends an envelope to where the stream was heard last.
func (r *Receiver) answer(s *stream, kind seal.Kind, body []byte) {
	if s.at == nil {
		return
	}
	h := seal.Header{Kind: kind, Channel: r.channel, Source: s.source, Epoch: s.epoch, Length: len(body), Seq: r.id}
	out := r.scratch[512:512]
	if r.options.Secret != nil {
		out = r.sealed(s, &h, body, out)
	} else {
		out = out[:seal.HeaderSize+len(body)]
		h.Put(out)
		copy(out[seal.HeaderSize:], body)
	}
	if len(out) > 0 && s.at.say(out, &s.peer) != nil {
		r.drop(Unsendable, 1)
	}
}
