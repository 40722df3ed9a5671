package bench

import (
	"encoding/binary"
	"errors"
	"net/netip"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/xdp"
)

// The raw lanes of the ping-pong are the bare loop: one connected socket per side, one send and one receive system call per message
// (and the receives that found nothing), which asks who sent the datagram as recvfrom does, the payload alone in the datagram.
// Sealed, a count goes before the payload and a tag behind it.

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

// rawEnd is what both sides have.
type rawEnd struct {
	socket *sys.UDP
	past   *xdp.End       // in place of the socket
	peer   netip.AddrPort // whom it sends to, where nothing is connected
	each   *sys.Address   // the same, for a socket
	room   *sys.RecvBatch
	out    []byte         // the datagram that goes out
	batch  *sys.SendBatch // of that one, where the lane's calls are those of batches
	slab   *sys.Mapping
	head   int // where its payload begins
	size   int // bytes of it
	to, of *bareSeal
}

func newRawEnd(s laneSpec, way byte) (l rawEnd, err error) {
	l.size = s.Size
	l.out = make([]byte, s.Size)
	if s.Secret != nil {
		l.head = bareStamp
		l.out = make([]byte, bareStamp+s.Size+bareTag)
	}
	if l.to, err = s.bareSeal(way); err == nil {
		l.of, err = s.bareSeal(1 - way)
	}
	if err == nil {
		l.room, err = sys.NewRecvBatch(1, 2*maxSize)
	}
	if err == nil && s.Plain {
		if l.slab, err = sys.Arena(len(l.out)); err == nil {
			l.out = l.slab.All()[:len(l.out)]
			l.batch, err = sys.NewSendBatch(1, 1)
		}
	}
	return l, err
}

// payload is where the payload that goes out lies.
func (l *rawEnd) payload() []byte { return l.out[l.head:][:l.size] }

// send sends it.
func (l *rawEnd) send() error {
	if l.to != nil {
		l.to.seal(l.out, l.head)
	}
	if l.past != nil {
		copy(l.past.Place(l.peer, len(l.out)), l.out)
		_, err := l.past.Flush()
		return err
	}
	var err error
	if l.batch == nil {
		err = l.socket.SendOne(l.out)
	} else {
		l.batch.Reset()
		l.batch.Begin(l.each, 0)
		l.batch.Add(l.out)
		_, err = l.socket.Send(l.batch)
	}
	if err != nil && !sys.Transient(err) {
		return err
	}
	return nil
}

// poll receives what there is. A datagram that is none of the lane's has no payload.
func (l *rawEnd) poll() (payload []byte, ok bool, err error) {
	if l.past != nil {
		n, err := l.past.Receive()
		if n == 0 || err != nil {
			return nil, false, err
		}
		d, _ := l.past.Datagram(0)
		return l.taken(d), true, nil
	}
	recv := l.socket.RecvOne
	if l.batch != nil {
		recv = l.socket.Recv
	}
	n, err := recv(l.room)
	if err != nil && !sys.Transient(err) {
		return nil, false, err
	}
	if n == 0 {
		return nil, false, nil
	}
	d, _ := l.room.Message(0)
	return l.taken(d), true, nil
}

// taken is the payload of a datagram, nil when it is none of the lane's.
func (l *rawEnd) taken(d []byte) []byte {
	if len(d) != len(l.out) || l.of != nil && !l.of.open(d, l.head) {
		return nil
	}
	return d[l.head:][:l.size]
}

func (l *rawEnd) close() error {
	err := l.room.Close()
	if l.batch != nil {
		err = errors.Join(err, l.batch.Close(), l.slab.Unmap())
	}
	if l.socket != nil {
		err = errors.Join(err, l.socket.Close())
	}
	return err
}

// open opens the socket, or what is in its place, in the side's network, and returns its address.
func (l *rawEnd) open(s *laneSpec, at, other site) (own netip.AddrPort, err error) {
	if s.Past == "" {
		if l.socket, err = rawSocket(sys.UDPOptions{Bind: at.any()}, at); err == nil {
			own = l.socket.Local()
		}
		return own, err
	}
	if err = s.past(at); err != nil {
		return own, err
	}
	if l.past, err = s.endOf(at, pastIn, other.any()); err != nil {
		return own, s.leave(err)
	}
	return l.past.Local(), nil
}

// meet connects the socket to the peer, or notes whom to send to.
func (l *rawEnd) meet(s *laneSpec, peer netip.AddrPort) error {
	l.peer = peer
	if l.past != nil {
		return nil
	}
	if !s.Loose {
		return l.socket.Connect(peer)
	}
	to, err := sys.AddressOf(peer)
	l.each = &to
	return err
}

// rawPing is the near side.
type rawPing struct {
	rawEnd
	spec laneSpec
	mem  sys.Mem
	msg  []byte
	seq  uint64
}

func newRawPing(s laneSpec, mem sys.Mem, seed uint64) (*rawPing, error) {
	end, err := newRawEnd(s, 0)
	if err != nil {
		return nil, err
	}
	l := &rawPing{rawEnd: end, spec: s, mem: mem, msg: newPayload(seed, s.Size)}
	own, err := l.open(&l.spec, s.Net.Near, s.Net.Far)
	if err != nil {
		return nil, errors.Join(err, l.room.Close())
	}
	tellPort(mem, udpNearPort, own)
	return l, nil
}

func (l *rawPing) close() error { return l.spec.leave(l.rawEnd.close()) }

// dial connects.
func (l *rawPing) dial() error {
	to, err := peerAt(l.mem, udpFarPort, l.spec.Net.Far)
	if err != nil {
		return err
	}
	return l.meet(&l.spec, to)
}

func (l *rawPing) run(s *slice) error {
	for more := true; more; {
		l.seq++
		buf := l.payload()
		t0 := s.clock.now()
		move(buf, l.msg)
		binary.LittleEndian.PutUint64(buf, l.seq)
		if err := l.send(); err != nil {
			return err
		}
		got, err := l.await(s)
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
		more = s.lap(t0, t1)
	}
	return nil
}

// await waits for the answer to the message sent last. It is nil when it is given up; those that were given up before are passed over.
func (l *rawPing) await(s *slice) ([]byte, error) {
	w := wait{within: answerWithin}
	for idle := 1; ; idle++ {
		got, ok, err := l.poll()
		switch {
		case err != nil:
			return nil, err
		case ok && got == nil:
			return nil, ErrCorrupt
		case ok && binary.LittleEndian.Uint64(got) >= l.seq:
			return got, nil
		case !ok && idle%tendEvery == 0:
			if over, err := w.over(s); over || err != nil {
				return nil, err
			}
		}
	}
}

// rawPong is the far side.
type rawPong struct {
	rawEnd
	spec laneSpec
	seen uint64
}

func newRawPong(s laneSpec, mem sys.Mem) (*rawPong, error) {
	to, err := peerAt(mem, udpNearPort, s.Net.Near)
	if err != nil {
		return nil, err
	}
	end, err := newRawEnd(s, 1)
	if err != nil {
		return nil, err
	}
	l := &rawPong{rawEnd: end, spec: s}
	own, err := l.open(&l.spec, s.Net.Far, s.Net.Near)
	if err == nil {
		err = l.meet(&l.spec, to)
	}
	if err != nil {
		return nil, errors.Join(err, l.room.Close())
	}
	tellPort(mem, udpFarPort, own)
	return l, nil
}

func (l *rawPong) close() error { return l.spec.leave(l.rawEnd.close()) }

func (l *rawPong) serve(t *turn) error {
	for idle := 1; ; idle++ {
		got, ok, err := l.poll()
		switch {
		case err != nil:
			return err
		case ok && got == nil:
			t.bad++
			continue
		case !ok:
			if idle%tendEvery == 0 && t.over() {
				return nil
			}
			continue
		}
		number := binary.LittleEndian.Uint64(got)
		move(l.payload(), got)
		if err := l.send(); err != nil {
			return err
		}
		l.seen = t.follows(number, l.seen)
		idle = 0
	}
}
