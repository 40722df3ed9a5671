package bench

import (
	"encoding/binary"
	"errors"
	"math"
	"time"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/ring"
)

// udpPing is the near side of the ping-pong through package udp: there and back are the whole way each, and this thread runs both of
// its ends.
type udpPing struct {
	spec laneSpec
	mem  sys.Mem
	in   *inlet
	out  *outlet
	msg  []byte
	seq  uint64
	met  bool // a message has been there and back

	batch [1]ring.Record
}

func newUDPPing(s laneSpec, mem sys.Mem, seed uint64) (*udpPing, error) {
	if err := s.past(s.Net.Near); err != nil {
		return nil, err
	}
	in, err := openInlet(s, s.Net.Near, pingCapacity)
	if err != nil {
		return nil, s.leave(err)
	}
	tellPort(mem, udpNearPort, in.local())
	return &udpPing{spec: s, mem: mem, in: in, msg: newPayload(seed, s.Size)}, nil
}

func (l *udpPing) dial() error {
	to, err := peerAt(l.mem, udpFarPort, l.spec.Net.Far)
	if err == nil {
		l.out, err = openOutlet(l.spec, l.spec.Net.Near, to, pingCapacity)
	}
	return err
}

func (l *udpPing) run(s *slice) error {
	defer l.out.writer.Abort()
	for !l.met {
		if err := l.meet(s); err != nil {
			return err
		}
	}
	for more := true; more; {
		buf, err := l.out.writer.Claim(len(l.msg))
		if err != nil {
			return err
		}
		t0 := s.clock.now()
		if err := l.send(buf); err != nil {
			return err
		}
		got, err := l.await(s, answerWithin)
		if err != nil {
			return err
		}
		if got == nil {
			s.giveUp()
			continue
		}
		number, last := binary.LittleEndian.Uint64(got), got[len(got)-1]
		t1 := s.clock.now()
		if number != l.seq || last != l.msg[len(l.msg)-1] {
			return ErrCorrupt
		}
		if err := l.in.reader.Release(1); err != nil {
			return err
		}
		more = s.lap(t0, t1)
	}
	return nil
}

// send publishes the next message in buf, which is claimed, and has it carried.
func (l *udpPing) send(buf []byte) error {
	l.seq++
	move(buf, l.msg)
	binary.LittleEndian.PutUint64(buf, l.seq)
	if err := l.out.writer.Commit(len(l.msg)); err != nil {
		return err
	}
	_, err := l.out.sender.Do()
	return err
}

// await lends the answer to the message sent last, or nil when it is given up. Answers that were given up before are passed over. Idle
// moments are the sender's: it may have something left, or somebody may have said hello to it.
func (l *udpPing) await(s *slice, within time.Duration) ([]byte, error) {
	w := wait{within: within}
	for idle := 1; ; idle++ {
		n, err := l.in.poll(l.batch[:])
		if err != nil {
			return nil, err
		}
		if n > 0 {
			got := l.batch[0].Payload()
			switch {
			case len(got) != len(l.msg):
				return nil, ErrCorrupt
			case binary.LittleEndian.Uint64(got) >= l.seq:
				return got, nil
			}
			if err := l.in.reader.Release(1); err != nil {
				return nil, err
			}
		} else if idle%tendEvery == 0 {
			if _, err := l.out.sender.Do(); err != nil {
				return nil, err
			}
			if over, err := w.over(s); over || err != nil {
				return nil, err
			}
		}
	}
}

// meet sends one message and is done when it comes back, before the first slice: what is sealed is lost until its session is open, both
// ways.
func (l *udpPing) meet(s *slice) error {
	buf, err := l.out.writer.Claim(len(l.msg))
	if err != nil {
		return err
	}
	if err := l.send(buf); err != nil {
		return err
	}
	got, err := l.await(s, 5*time.Millisecond)
	switch {
	case err != nil:
		return err
	case got == nil:
		s.giveUp()
		return nil
	}
	l.met = true
	s.sent++
	return l.in.reader.Release(1)
}

func (l *udpPing) close() error { return l.spec.leave(errors.Join(l.out.close(), l.in.close())) }

// udpPong is the far side of the ping-pong: it copies each payload from the mirror into the ring that leads back.
type udpPong struct {
	spec laneSpec
	in   *inlet
	out  *outlet
	size int
	seen uint64 // number of the last message
}

func newUDPPong(s laneSpec, mem sys.Mem) (*udpPong, error) {
	to, err := peerAt(mem, udpNearPort, s.Net.Near)
	if err != nil {
		return nil, err
	}
	if err := s.past(s.Net.Far); err != nil {
		return nil, err
	}
	l := &udpPong{spec: s, size: s.Size}
	if l.in, err = openInlet(s, s.Net.Far, pingCapacity); err != nil {
		return nil, s.leave(err)
	}
	if l.out, err = openOutlet(s, s.Net.Far, to, pingCapacity); err != nil {
		return nil, s.leave(errors.Join(err, l.in.close()))
	}
	tellPort(mem, udpFarPort, l.in.local())
	return l, nil
}

// serve answers. As every answering loop here it claims the answer's room while it waits.
func (l *udpPong) serve(t *turn) error {
	var batch [1]ring.Record
	defer l.out.writer.Abort()
	for {
		buf, err := l.out.writer.Claim(l.size)
		if err != nil {
			return err
		}
		for idle := 1; ; idle++ {
			n, err := l.in.poll(batch[:])
			if err != nil {
				return err
			}
			if n > 0 {
				break
			}
			if idle%tendEvery == 0 {
				if _, err := l.out.sender.Do(); err != nil {
					return err
				}
				if t.over() {
					return nil
				}
			}
		}
		got := batch[0].Payload()
		number, seq := binary.LittleEndian.Uint64(got), batch[0].Seq32()
		move(buf, got)
		if err := l.out.writer.Commit(l.size); err != nil {
			return err
		}
		if _, err := l.out.sender.Do(); err != nil {
			return err
		}
		if err := l.in.reader.Release(1); err != nil {
			return err
		}
		if uint64(seq) != number&math.MaxUint32 || len(got) != l.size {
			t.bad++
		}
		l.seen = t.follows(number, l.seen)
	}
}

func (l *udpPong) close() error { return l.spec.leave(errors.Join(l.out.close(), l.in.close())) }
