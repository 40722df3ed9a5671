package transport

import (
	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/numa"
	"github.com/alphapulse/transport/seal"
)

// Subscriber reads the messages of all publishers of a channel. It belongs to one goroutine at a time. The zero
// Subscriber is not valid: use Node.Subscriber.
//
// In a numa.Loop a worker that polls a Subscriber is a numa.Group by handing on Sleepers.
type Subscriber struct {
	feeds []*feed // one per publisher's ring
	turn  int     // the feed that Poll looks at first
	busy  bool    // within Poll
	ended bool    // closed within Poll, by its function
	watched
	roster
}

// Poll calls fn with the next frames, at most max, and returns how many. A frame's payload is valid until fn returns;
// when Poll returns the frames are released. Each publisher's frames come in order and at most once. Publishers take
// turns, a batch each.
//
// An error names the ring it concerns; the subscriber goes on with the other publishers at the next Poll. If fn itself met
// the fault, in a ring it forwards to, no publisher is dropped and the batch at hand comes again.
func (s *Subscriber) Poll(max int, fn func(seal.Frame)) (n int, err error) {
	if s.changed.Load() {
		s.adopt()
	}
	if len(s.feeds) == 0 || max <= 0 {
		return 0, s.empty()
	}
	s.busy = true
	defer func() { s.busy = false }() // also when fn panics
	err = sys.Guard(func() error {
		n, err = s.poll(max, fn)
		return err
	})
	s.busy = false
	if err != nil || s.ended {
		err = s.settle(err)
	}
	return n, err
}

func (s *Subscriber) poll(max int, fn func(seal.Frame)) (n int, err error) {
	for range s.feeds {
		if s.turn >= len(s.feeds) {
			s.turn = 0
		}
		k, err := s.take(s.feeds[s.turn], min(max-n, batchSize), fn)
		n += k
		if err != nil || s.ended {
			return n, err
		}
		if s.turn++; n >= max {
			break
		}
	}
	return n, nil
}

// take carries one batch from one ring.
func (s *Subscriber) take(f *feed, max int, fn func(seal.Frame)) (int, error) {
	n := f.reader.Peek(f.batch[:max])
	if n == 0 {
		if f.heir != nil && f.reader.Err() == nil {
			return 0, s.inherit()
		}
		return 0, f.reader.Err()
	}
	s.took(n, f.batch[0].Stamp())
	traced := f.reader.Trace() != nil // the first is, or none
	if traced {
		s.begin(f)
	}
	frame := seal.Frame{Source: f.source, Epoch: f.reader.Epoch(), Seq: f.reader.First()}
	for i, r := range f.batch[:n] {
		frame.Stamp, frame.Payload = r.Stamp(), r.Payload()
		fn(frame)
		if frame.Seq++; s.ended {
			n = i + 1
			break
		}
	}
	if traced {
		s.end()
	}
	f.next = frame.Seq
	return n, f.reader.Release(n)
}

// Sleepers returns what a loop arms before it sleeps: one cursor per publisher, and the word that new publishers change.
func (s *Subscriber) Sleepers() []numa.Sleeper { return s.sleepers }
