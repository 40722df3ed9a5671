package udp

import "time"

// sharing is what a stream knows of a mirror into which other links bring the same source.
type sharing struct {
	inside bool          // entered, until the flush
	taken  bool          // another link was in it; what came meanwhile waits in the stash until the next Do
	looked time.Duration // when the stream last asked whether another link opened the mirror
}

const lookEvery = 5 * time.Millisecond

// enter takes the mirror for this batch and returns the number that is due in it, first if none of what comes is there; 0: another link is at
// work on it.
func (r *Receiver) enter(s *stream, first uint64) uint64 {
	if !s.inside {
		if s.taken = !s.mirror.Enter(); s.taken {
			return 0
		}
		s.inside, s.staged = true, true
	}
	due := s.mirror.Seq()
	if due < first {
		if s.fresh { // another link opened it, and this one knows no more than that
			s.fresh = false
			r.drop(Missing, first-due)
			r.miss(s, due, first-1)
		}
		return first
	}
	r.advance(s, due)
	return due
}

// advance goes on behind what another link brought.
func (r *Receiver) advance(s *stream, due uint64) {
	if due > s.next {
		s.next, s.top = due, max(s.top, due)
		s.joined, s.fresh, s.holeAt = true, false, -1
	}
}

// follow goes on where another link left the mirror.
func (r *Receiver) follow(s *stream) {
	if s.mirror != nil && !s.inside {
		r.advance(s, s.mirror.Stood())
	}
}

// look follows, and finds a mirror that another link opened.
func (r *Receiver) look(s *stream, now time.Duration) {
	if s.mirror == nil && now-s.looked >= lookEvery {
		s.looked = now
		if m, err := r.inbox.Held(s.source); err != nil {
			r.told(s.source, err)
		} else if m != nil {
			r.adopt(s, m)
		}
	}
	r.follow(s)
}

// again brings what waits for mirrors that were taken.
func (r *Receiver) again() {
	for _, s := range r.all {
		if s.taken {
			s.taken = false
			r.drain(s)
			if s.staged {
				s.flush()
			}
		}
	}
}
