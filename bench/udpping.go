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
}

func newUDPPing(s laneSpec, mem sys.Mem, seed uint64) (*udpPing, error) {
	in, err := openInlet(s, s.Net.Near, pingCapacity)
	if err != nil {
		return nil, err
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
	if err := l.meet(s); err != nil {
		return err
	}
	var batch [1]ring.Record
	defer l.out.writer.Abort()
	for more := true; more; {
		l.seq++
		buf, err := l.out.writer.Claim(len(l.msg))
		if err != nil {
			return err
		}
		t0 := s.clock.now()
		move(buf, l.msg)
		binary.LittleEndian.PutUint64(buf, l.seq)
		if err := l.out.writer.Commit(len(l.msg)); err != nil {
			return err
		}
		if _, err := l.out.sender.Do(); err != nil {
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
				if err := l.tend(s); err != nil {
					return err
				}
			}
		}
		got := batch[0].Payload()
		number, last := binary.LittleEndian.Uint64(got), got[len(got)-1]
		t1 := s.clock.now()
		if number != l.seq || last != l.msg[len(l.msg)-1] || len(got) != len(l.msg) {
			return ErrCorrupt
		}
		if err := l.in.reader.Release(1); err != nil {
			return err
		}
		more = s.lap(t0, t1)
	}
	return nil
}

// tend is what a wait is used for: the sender may have something left, or somebody may have said hello to it.
func (l *udpPing) tend(s *slice) error {
	_, err := l.out.sender.Do()
	return errors.Join(err, s.look())
}

// meet sends until a message comes back, before the first slice: what is sealed is lost until its session is open, both ways.
func (l *udpPing) meet(s *slice) error {
	var batch [1]ring.Record
	for !l.met {
		l.seq++
		s.sent++
		buf, err := l.out.writer.Claim(len(l.msg))
		if err != nil {
			return err
		}
		copy(buf, l.msg)
		binary.LittleEndian.PutUint64(buf, l.seq)
		if err := l.out.writer.Commit(len(l.msg)); err != nil {
			return err
		}
		for wait := newBound(s.clock, 5*time.Millisecond); !l.met && !wait.passed(); {
			if err := l.tend(s); err != nil {
				return err
			}
			n, err := l.in.poll(batch[:])
			if err != nil {
				return err
			}
			if n > 0 {
				l.met = binary.LittleEndian.Uint64(batch[0].Payload()) == l.seq // else an answer that was late
				if err := l.in.reader.Release(1); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (l *udpPing) close() error { return errors.Join(l.out.close(), l.in.close()) }

// udpPong is the far side of the ping-pong: it copies each payload from the mirror into the ring that leads back.
type udpPong struct {
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
	l := &udpPong{size: s.Size}
	if l.in, err = openInlet(s, s.Net.Far, pingCapacity); err != nil {
		return nil, err
	}
	if l.out, err = openOutlet(s, s.Net.Far, to, pingCapacity); err != nil {
		return nil, errors.Join(err, l.in.close())
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
		if number <= l.seen || uint64(seq) != number&math.MaxUint32 || len(got) != l.size {
			t.bad++
		} else {
			t.lost += number - l.seen - 1
		}
		l.seen = number
		t.messages++
	}
}

func (l *udpPong) close() error { return errors.Join(l.out.close(), l.in.close()) }
