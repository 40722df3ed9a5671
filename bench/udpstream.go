package bench

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/route/watch"
)

// udpSource is the near side of a stream through package udp: it publishes a round, batch after batch, and has its sender carry it.
type udpSource struct {
	flow
	spec laneSpec
	out  *outlet
	msg  []byte
	met  bool // a message has arrived
}

func newUDPSource(s laneSpec, mem sys.Mem, seed uint64) (*udpSource, error) {
	f := newFlow(mem, s)
	if s.Batch < 1 || f.round%s.Batch != 0 {
		return nil, fmt.Errorf("bench: rounds of %d messages do not hold batches of %d", f.round, s.Batch)
	}
	return &udpSource{flow: f, spec: s, msg: newPayload(seed, s.Size)}, nil
}

func (l *udpSource) dial() error {
	to, err := peerAt(l.mem, udpFarPort, l.spec.Net.Far)
	if err == nil {
		err = l.spec.past(l.spec.Net.Near)
	}
	if err == nil {
		l.spec.board, err = l.spec.post("near")
	}
	if err == nil {
		l.out, err = openOutlet(l.spec, l.spec.Net.Near, to, streamCapacity)
	}
	return err
}

func (l *udpSource) run(s *slice) error {
	if err := l.meet(s); err != nil {
		return err
	}
	end := l.spec.tells(func(b *watch.Board) {
		b.Count(watch.LinkFrames, l.out.sender.Stats().Frames, udpChannel, "far", "udp", "0", netio.Out)
	})
	defer end()
	l.out.writer.SetStamp(sys.Monotonic())
	if err := l.flow.run(s, l.send, l.tend); err != nil {
		return err
	}
	for !l.out.sender.Drained() {
		if err := errors.Join(l.tend(), s.look()); err != nil {
			return err
		}
	}
	return nil
}

func (l *udpSource) tend() error {
	_, err := l.out.sender.Do()
	return err
}

// meet sends single messages until one arrives, before the first slice: what is sealed is lost until its session is open.
func (l *udpSource) meet(s *slice) error {
	for ; !l.met; l.met = l.mem.Load64(udpTaken) > 0 {
		if err := l.publish(s, l.next, 1); err != nil {
			return err
		}
		l.next++
		s.sent++
		for wait := newBound(s.clock, 5*time.Millisecond); l.mem.Load64(udpTaken) == 0 && !wait.passed(); {
			if err := l.tend(); err != nil {
				return err
			}
		}
		if err := s.look(); err != nil {
			return err
		}
	}
	return nil
}

// send publishes n messages and has them carried.
func (l *udpSource) send(s *slice, n int) error {
	next := l.next
	for end := next + uint64(n); next < end; next += uint64(l.spec.Batch) {
		if err := l.publish(s, next, l.spec.Batch); err != nil {
			return err
		}
	}
	for carried := 0; carried < n; {
		k, err := l.out.sender.Do()
		if err != nil {
			return err
		}
		if carried += k; k == 0 {
			if err := s.look(); err != nil {
				return err
			}
		}
	}
	return nil
}

// publish publishes n messages at once, numbered from next on.
func (l *udpSource) publish(s *slice, next uint64, n int) error {
	for n > 0 {
		b, err := l.out.writer.ClaimBatch(len(l.msg), n)
		if errors.Is(err, ring.ErrFull) {
			if err := errors.Join(l.tend(), s.look()); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		k := b.Len()
		for i := range k {
			buf := b.At(i)
			move(buf, l.msg)
			binary.LittleEndian.PutUint64(buf, next)
			next++
		}
		if err := l.out.writer.CommitBatch(k); err != nil {
			return err
		}
		n -= k
	}
	return nil
}

func (l *udpSource) close() error {
	return l.spec.leave(errors.Join(l.out.close(), l.spec.board.Close()))
}

// udpSink is the far side of a stream through package udp: it runs the receiver, reads the mirror, checks every number, which each message
// carries twice, as the ring's and in itself, and copies every payload out.
type udpSink struct {
	mirrorLedger
	spec laneSpec
	in   *inlet
}

func newUDPSink(s laneSpec, mem sys.Mem) (*udpSink, error) {
	if err := s.past(s.Net.Far); err != nil {
		return nil, err
	}
	var err error
	if s.board, err = s.post("far"); err != nil {
		return nil, s.leave(err)
	}
	in, err := openInlet(s, s.Net.Far, streamCapacity)
	if err != nil {
		return nil, s.leave(err)
	}
	tellPort(mem, udpFarPort, in.local())
	return &udpSink{mirrorLedger: newMirrorLedger(mem, s.Size), spec: s, in: in}, nil
}

func (l *udpSink) serve(t *turn) error {
	end := l.spec.tells(func(b *watch.Board) {
		b.Count(watch.LinkFrames, l.in.receiver.Stats().Frames, udpChannel, "near", "udp", "0", netio.In)
	})
	defer end()
	for idle := 1; ; idle++ {
		n, err := l.in.poll(l.batch[:])
		if err != nil {
			return err
		}
		if n == 0 {
			if idle%tendEvery == 0 && l.over(t) {
				return nil
			}
			continue
		}
		idle = 0
		for ; n > 0; n = l.in.reader.Peek(l.batch[:]) {
			l.take(t, l.batch[:n])
			if err := l.in.reader.Release(n); err != nil {
				return err
			}
		}
		if err := l.in.reader.Err(); err != nil {
			return err
		}
	}
}

func (l *udpSink) close() error { return l.spec.leave(errors.Join(l.in.close(), l.spec.board.Close())) }
