package bench

import (
	"encoding/binary"
	"errors"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/ring"
)

const roomNap = 50 * time.Microsecond // a full ring lasts for milliseconds

// takenSource is a publisher, and one thread on the other processor that takes what it publishes: the local reader of its ring, or a link or a
// queue, its far end and the reader there. Both are in this process.
type takenSource struct {
	out    tcpOut
	msg    []byte
	next   uint64 // number of the next message, from 1
	taker  taker
	cpu    int
	naps   bool          // who waits sleeps: the taker's work needs both processors
	seen   atomic.Uint64 // messages that were taken
	at     atomic.Uint64 // reading of the clock when they were
	bad    atomic.Uint64
	came   chan struct{} // something was taken
	active atomic.Bool
	turns  chan *slice
	done   chan error
}

func (l *takenSource) open(s laneSpec, seed uint64, naps bool) (err error) {
	l.msg, l.next, l.cpu, l.naps = newPayload(seed, s.Size), 1, s.CPU, naps
	l.came, l.turns, l.done = make(chan struct{}, 1), make(chan *slice), make(chan error, 1)
	if l.taker, l.out, err = openTaker(s); err != nil {
		return err
	}
	go l.serve()
	return nil
}

// serve runs the taker while a slice lasts.
func (l *takenSource) serve() {
	runtime.LockOSThread() // never unlocked: the thread's processor is narrowed and it must end with this goroutine
	err := pin(l.cpu)
	var want uint64 = 1
	for s := range l.turns {
		see := func(batch []ring.Record) {
			for _, r := range batch {
				if binary.LittleEndian.Uint64(r.Payload()) != want {
					l.bad.Add(1)
				}
				want++
			}
			l.at.Store(s.clock.now())
			l.seen.Store(want - 1)
			if l.naps {
				select {
				case l.came <- struct{}{}:
				default:
				}
			}
		}
		for l.active.Load() && err == nil {
			err = l.taker.take(see)
		}
		l.turns <- nil
	}
	l.done <- err
}

// begin has the taker work until the function that it returns is called.
func (l *takenSource) begin(s *slice) (end func() error) {
	own, _ := l.taker.(turner)
	if own != nil {
		own.begin()
	}
	l.active.Store(true)
	l.turns <- s
	return func() (err error) {
		l.active.Store(false)
		<-l.turns // it has seen that, or it would miss it when the next slice follows at once
		if own != nil {
			err = own.end()
		}
		if l.bad.Load() > 0 {
			err = errors.Join(err, ErrCorrupt)
		}
		return err
	}
}

// await waits until everything was taken.
func (l *takenSource) await(s *slice) error {
	for spins := 1; l.seen.Load()+1 < l.next; spins++ {
		if !l.naps {
			if err := spin(s, spins); err != nil {
				return err
			}
			continue
		}
		select {
		case <-l.came:
		case <-time.After(time.Second):
			if err := s.look(); err != nil {
				return err
			}
		}
	}
	return nil
}

// spin is one step of waiting.
func spin(s *slice, spins int) error {
	sys.Pause()
	if spins%lookEvery == 0 {
		return s.look()
	}
	return nil
}

// publish publishes n messages, and says whether it had to wait for room.
func (l *takenSource) publish(s *slice, n int) (waited bool, err error) {
	for spins := 1; n > 0; {
		b, err := l.out.writer.ClaimBatch(len(l.msg), n)
		if errors.Is(err, ring.ErrFull) {
			if err := l.room(s, spins); err != nil {
				return true, err
			}
			waited = true
			spins++
			continue
		}
		if err != nil {
			return waited, err
		}
		k := b.Len()
		for i := range k {
			buf := b.At(i)
			move(buf, l.msg)
			binary.LittleEndian.PutUint64(buf, l.next)
			l.next++
		}
		if err := l.out.writer.CommitBatch(k); err != nil {
			return waited, err
		}
		n -= k
	}
	return waited, nil
}

// room is one step of waiting for room. What was taken gives none yet: a queue has to confirm it.
func (l *takenSource) room(s *slice, spins int) error {
	if l.naps {
		time.Sleep(roomNap)
		return s.look()
	}
	return spin(s, spins)
}

func (l *takenSource) close() error {
	close(l.turns)
	return errors.Join(<-l.done, l.taker.close(), l.out.close())
}
