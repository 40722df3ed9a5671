package bench

import (
	"encoding/binary"
	"errors"
	"runtime"
	"sync/atomic"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/netio/tcp"
	"github.com/alphapulse/transport/ring"
)

// The publish lanes time what a publisher spends on a batch of messages, while one thread on the other processor takes them: the local
// reader of its ring, or a link over TCP or QUIC, its far end and the reader there. Both are in this process. The next batch comes when the last
// one was seen, so that nobody is timed while he waits.
const publishAtOnce = 256

// publishNear is the publisher.
type publishNear struct {
	out    tcpOut
	msg    []byte
	next   uint64 // number of the next message, from 1
	taker  taker
	cpu    int
	seen   atomic.Uint64 // messages that were taken
	bad    atomic.Uint64
	active atomic.Bool
	turns  chan struct{}
	done   chan error
}

// taker takes what was published, and calls see for each batch.
type taker interface {
	take(see func([]ring.Record)) error
	close() error
}

func newPublish(s laneSpec, seed uint64) (near, error) {
	l := &publishNear{msg: newPayload(seed, s.Size), next: 1, cpu: s.CPU, turns: make(chan struct{}), done: make(chan error, 1)}
	var err error
	switch s.Kind {
	case kindTCP:
		l.taker, l.out, err = openLinkTaker()
	case kindQUIC:
		l.taker, l.out, err = openQUICTaker(s.Papers)
	default:
		l.taker, l.out, err = openLocalTaker()
	}
	if err != nil {
		return nil, err
	}
	go l.serve()
	return l, nil
}

// serve runs the taker while a slice lasts.
func (l *publishNear) serve() {
	runtime.LockOSThread() // never unlocked: the thread's processor is narrowed and it must end with this goroutine
	err := pin(l.cpu)
	var want uint64 = 1
	see := func(batch []ring.Record) {
		for _, r := range batch {
			if binary.LittleEndian.Uint64(r.Payload()) != want {
				l.bad.Add(1)
			}
			want++
		}
		l.seen.Store(want - 1)
	}
	for range l.turns {
		for l.active.Load() && err == nil {
			err = l.taker.take(see)
		}
		l.turns <- struct{}{}
	}
	l.done <- err
}

func (l *publishNear) run(s *slice) error {
	l.active.Store(true)
	l.turns <- struct{}{}
	defer func() {
		l.active.Store(false)
		<-l.turns // it has seen that, or it would miss it when the next slice follows at once
	}()
	for more := true; more; {
		t0 := s.clock.now()
		waited, err := l.publish(s)
		if err != nil {
			return err
		}
		if t1 := s.clock.now(); waited { // what was seen was not given back yet
			s.sent++
		} else {
			more = s.lap(t0, t1)
		}
		for spins := 1; l.seen.Load()+1 < l.next; spins++ {
			sys.Pause()
			if spins%lookEvery == 0 {
				if err := s.look(); err != nil {
					return err
				}
			}
		}
	}
	if l.bad.Load() > 0 {
		return ErrCorrupt
	}
	return nil
}

// publish publishes a batch, and says whether it had to wait for room.
func (l *publishNear) publish(s *slice) (waited bool, err error) {
	for left := publishAtOnce; left > 0; {
		b, err := l.out.writer.ClaimBatch(len(l.msg), left)
		if errors.Is(err, ring.ErrFull) {
			if err := s.look(); err != nil {
				return true, err
			}
			waited = true
			sys.Pause()
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
		left -= k
	}
	return waited, nil
}

func (l *publishNear) close() error {
	close(l.turns)
	return errors.Join(<-l.done, l.taker.close(), l.out.close())
}

// localTaker is one gating reader.
type localTaker struct {
	reader *ring.Reader
	batch  [peekAtMost]ring.Record
}

// addTo gives a ring to what reads it.
type addTo func(channel string, r *ring.Ring) error

// Add calls f.
func (f addTo) Add(channel string, r *ring.Ring) error { return f(channel, r) }

func openLocalTaker() (taker, tcpOut, error) {
	l := &localTaker{}
	out, err := openTCPOut(streamCapacity, "", addTo(func(_ string, r *ring.Ring) (err error) {
		l.reader, err = r.Reader(ring.ReaderOptions{})
		return err
	}))
	return l, out, err
}

func (l *localTaker) take(see func([]ring.Record)) error {
	return drain(l.reader, l.batch[:], see)
}

func drain(r *ring.Reader, batch []ring.Record, see func([]ring.Record)) error {
	for n := r.Peek(batch); n > 0; n = r.Peek(batch) {
		see(batch[:n])
		if err := r.Release(n); err != nil {
			return err
		}
	}
	return r.Err()
}

func (l *localTaker) close() error { return l.reader.Close() }

// linkTaker is a link, its far end and the reader there.
type linkTaker struct {
	listener *tcp.Listener
	link     *tcp.Link
	tcpIn
	batch [peekAtMost]ring.Record
}

func openLinkTaker() (taker, tcpOut, error) {
	l := &linkTaker{}
	here, _, err := openNetwork(NetLoopback)
	if err != nil {
		return nil, tcpOut{}, err
	}
	l.listener, err = tcp.Listen(tcp.ListenOptions{Bind: here.Far.any(), Nodes: []string{"near"}, Link: tcpOptions("far", "", "", tcpThere, streamCapacity, l.opened)})
	if err != nil {
		return nil, tcpOut{}, err
	}
	l.link, err = tcp.Dial(tcp.DialOptions{To: l.listener.Local(), Link: tcpOptions("near", "far", tcpThere, "", 0, nil)})
	if err != nil {
		return nil, tcpOut{}, errors.Join(err, l.listener.Close())
	}
	out, err := openTCPOut(streamCapacity, tcpThere, l.link)
	if err != nil {
		return nil, tcpOut{}, errors.Join(err, l.close())
	}
	return l, out, nil
}

func (l *linkTaker) take(see func([]ring.Record)) error {
	if _, err := l.link.Do(); err != nil {
		return err
	}
	if _, err := l.listener.Do(); err != nil || l.reader == nil {
		return errors.Join(err, l.err)
	}
	return drain(l.reader, l.batch[:], see)
}

func (l *linkTaker) close() error {
	return errors.Join(l.link.Close(), l.tcpIn.close(), l.listener.Close())
}
