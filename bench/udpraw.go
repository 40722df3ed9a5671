package bench

import (
	"encoding/binary"
	"errors"

	"github.com/alphapulse/transport/internal/sys"
)

// The raw lanes of the ping-pong are the bare loop: one connected socket per side, one send and one receive system call per message
// (and the receives that found nothing), the payload alone in the datagram. Nothing that spins around the kernel's UDP can be faster.

const udpBuffer = 4 << 20 // bytes, as package udp asks for

// rawSocket opens a side's socket: own address, and the peer's once it is known.
func rawSocket(o sys.UDPOptions, at site) (u *sys.UDP, err error) {
	o.RecvBuffer, o.SendBuffer = udpBuffer, udpBuffer
	err = at.in(func() (err error) {
		u, err = sys.OpenUDP(o)
		return err
	})
	return u, err
}

type rawPing struct {
	spec     laneSpec
	mem      sys.Mem
	socket   *sys.UDP
	room     *sys.RecvBatch
	msg, out []byte
	seq      uint64
}

func newRawPing(s laneSpec, mem sys.Mem, seed uint64) (*rawPing, error) {
	l := &rawPing{spec: s, mem: mem, msg: newPayload(seed, s.Size), out: make([]byte, s.Size)}
	var err error
	if l.socket, err = rawSocket(sys.UDPOptions{Bind: s.Net.Near.any()}, s.Net.Near); err != nil {
		return nil, err
	}
	tellPort(mem, udpNearPort, l.socket.Local())
	return l, nil
}

// dial connects: the socket is opened anew on its port, with its peer.
func (l *rawPing) dial() error {
	to, err := peerAt(l.mem, udpFarPort, l.spec.Net.Far)
	if err != nil {
		return err
	}
	here := l.socket.Local()
	if err := l.socket.Close(); err != nil {
		return err
	}
	if l.socket, err = rawSocket(sys.UDPOptions{Bind: here, Connect: to}, l.spec.Net.Near); err != nil {
		return err
	}
	l.room, err = sys.NewRecvBatch(1, 2*maxSize)
	return err
}

func (l *rawPing) run(s *slice) error {
	for more := true; more; {
		l.seq++
		t0 := s.clock.now()
		move(l.out, l.msg)
		binary.LittleEndian.PutUint64(l.out, l.seq)
		if err := l.socket.SendOne(l.out); err != nil && !sys.Transient(err) {
			return err
		}
		for idle := 1; ; idle++ {
			n, err := l.socket.RecvOne(l.room)
			if err != nil && !sys.Transient(err) {
				return err
			}
			if n > 0 {
				break
			}
			if idle%tendEvery == 0 {
				if err := s.look(); err != nil {
					return err
				}
			}
		}
		got, _ := l.room.Message(0)
		if len(got) != len(l.msg) {
			return ErrCorrupt
		}
		number, last := binary.LittleEndian.Uint64(got), got[len(got)-1]
		t1 := s.clock.now()
		if number != l.seq || last != l.msg[len(l.msg)-1] {
			return ErrCorrupt
		}
		more = s.lap(t0, t1)
	}
	return nil
}

func (l *rawPing) close() error { return closeRaw(l.socket, l.room) }

type rawPong struct {
	socket *sys.UDP
	room   *sys.RecvBatch
	out    []byte
	seen   uint64
}

func newRawPong(s laneSpec, mem sys.Mem) (*rawPong, error) {
	to, err := peerAt(mem, udpNearPort, s.Net.Near)
	if err != nil {
		return nil, err
	}
	l := &rawPong{out: make([]byte, s.Size)}
	if l.room, err = sys.NewRecvBatch(1, 2*maxSize); err != nil {
		return nil, err
	}
	if l.socket, err = rawSocket(sys.UDPOptions{Bind: s.Net.Far.any(), Connect: to}, s.Net.Far); err != nil {
		return nil, errors.Join(err, l.room.Close())
	}
	tellPort(mem, udpFarPort, l.socket.Local())
	return l, nil
}

func (l *rawPong) serve(t *turn) error {
	for {
		for idle := 1; ; idle++ {
			n, err := l.socket.RecvOne(l.room)
			if err != nil && !sys.Transient(err) {
				return err
			}
			if n > 0 {
				break
			}
			if idle%tendEvery == 0 && t.over() {
				return nil
			}
		}
		got, _ := l.room.Message(0)
		if len(got) != len(l.out) {
			t.bad++
			continue
		}
		move(l.out, got)
		if err := l.socket.SendOne(l.out); err != nil && !sys.Transient(err) {
			return err
		}
		if l.seen++; binary.LittleEndian.Uint64(got) != l.seen {
			t.bad++
		}
		t.messages++
	}
}

func (l *rawPong) close() error { return closeRaw(l.socket, l.room) }

func closeRaw(u *sys.UDP, b *sys.RecvBatch) error {
	err := u.Close()
	if b != nil {
		err = errors.Join(err, b.Close())
	}
	return err
}
