package transport

import (
	"sync/atomic"
	"time"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/route/watch"
)

// timeEvery is how many batches a subscriber takes between two of which it says how old they are. One is due besides whenever the node has put
// the last figures into its stats file, so that a channel with few messages has figures, too.
const timeEvery = 64

// watched is what a subscriber says of itself. Per batch it stores how many messages there were and looks at a word that seldom changes; the
// clock is read, and locks are taken, for one batch in timeEvery.
type watched struct {
	told      bool          // somebody wants to know
	delivered *watch.Spread // nil: there was no room for one
	from      time.Time     // the clock that stamps are of, less what has passed since then
	base      uint64

	taken   uint64
	batches uint32
	asked   atomic.Bool // set by the node
	seen    sys.Mem     // taken, and how many are lost: by the subscriber, for the node
}

const (
	seenTaken = 0
	seenLost  = 8
)

func (w *watched) observed(o *observer, channel string) {
	w.told, w.delivered, w.from, w.base, w.seen = o != nil, o.delivered(channel), time.Now(), sys.Monotonic(), sys.Heap(64)
	w.asked.Store(true)
}

// took counts a batch of n messages, the first of which has a stamp.
func (s *Subscriber) took(n int, stamp uint64) {
	if !s.told {
		return
	}
	s.taken += uint64(n)
	s.seen.Store64(seenTaken, s.taken)
	if s.batches++; s.batches%timeEvery == 0 || s.asked.Load() {
		s.time(stamp)
	}
}

// time says how old a message is.
func (s *Subscriber) time(stamp uint64) {
	if now := s.base + uint64(time.Since(s.from)); stamp != 0 && stamp < now {
		s.delivered.Record(now - stamp)
	}
	if s.asked.Load() && s.mu.TryLock() { // else the node is looking for rings, which may take long: it asks again
		s.asked.Store(false)
		s.seen.Store64(seenLost, s.losses())
		s.mu.Unlock()
	}
}
