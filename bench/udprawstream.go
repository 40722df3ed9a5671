package bench

import (
	"encoding/binary"
	"errors"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/netio/udp"
	"github.com/alphapulse/transport/seal"
)

// The raw lanes of a stream send the datagrams that package udp makes of it, as many at once, and with the same offloads: a bare loop with
// no rings, headers, checks, windows or repairs. Where a datagram has a header there, it has as many bytes here that nobody writes. The
// near side writes each message into its datagram, the far side checks its number and copies it out, as udpSource and udpSink do.
const (
	rawPerCall  = 512     // datagrams in one system call at most
	rawReceives = 8       // messages, each of many datagrams, in one
	rawRoom     = 1 << 16 // bytes of one
	rawPlain    = 256     // datagrams in one, where each comes by itself
)

// shape is how a stream's messages lie in datagrams.
type shape struct {
	head   int // bytes of a datagram before its messages
	record int // bytes that a message takes
	per    int // messages in a datagram
	full   int // bytes of a datagram that others follow
	tail   int // bytes after the messages
}

// shapeOf is what package udp makes of a stream over IPv4.
func shapeOf(s laneSpec) shape {
	const room = udp.DefaultMTU - 28
	h := shape{head: seal.HeaderSize, record: (16 + s.Size + 7) &^ 7, full: room}
	if s.Secret != nil {
		h.tail = seal.Overhead
	}
	h.per = (room - h.head - h.tail) &^ 7 / h.record
	if s.Separate {
		h.per = 1
		h.full = h.size(1)
	}
	return h
}

// size is how large a datagram of n messages is that no others follow.
func (h shape) size(n int) int { return h.head + n*h.record + h.tail }

// rawSource is the near side.
type rawSource struct {
	flow
	shape
	spec     laneSpec
	socket   *sys.UDP
	batch    *sys.SendBatch
	slab     *sys.Mapping
	segments int // datagrams in a message
	msg      []byte
	bare     *bareSeal
}

func newRawSource(s laneSpec, mem sys.Mem, seed uint64) (*rawSource, error) {
	l := &rawSource{flow: newFlow(mem, s), shape: shapeOf(s), spec: s, msg: newPayload(seed, s.Size)}
	var err error
	if l.bare, err = s.bareSeal(0); err != nil {
		return nil, err
	}
	if l.slab, err = sys.Arena(rawPerCall * l.full); err != nil {
		return nil, err
	}
	if l.batch, err = sys.NewSendBatch(rawPerCall, rawPerCall); err != nil {
		return nil, errors.Join(err, l.slab.Unmap())
	}
	return l, nil
}

func (l *rawSource) dial() error {
	to, err := peerAt(l.mem, udpFarPort, l.spec.Net.Far)
	if err != nil {
		return err
	}
	if l.socket, err = rawSocket(sys.UDPOptions{Connect: to}, l.spec.Net.Near); err != nil {
		return err
	}
	if !l.spec.Plain {
		l.segments = min(l.socket.Features().Segments, sys.MaxDatagram/l.full)
	}
	return nil
}

func (l *rawSource) run(s *slice) error {
	return l.flow.run(s, l.send, pause)
}

func (l *rawSource) send(s *slice, n int) error {
	for next := l.next; n > 0; {
		l.batch.Reset()
		mem := l.slab.All()
		for i := 0; i < rawPerCall && n > 0; i++ {
			k, size := min(n, l.per), l.full
			if n -= k; n == 0 {
				size = l.size(k)
			}
			l.write(mem[:size], next, k)
			if l.segments == 0 {
				l.batch.Begin(nil, 0)
			} else if i%l.segments == 0 {
				l.batch.Begin(nil, l.full)
			}
			l.batch.Add(mem[:size:size]) // it has room for rawPerCall datagrams
			next += uint64(k)
			mem = mem[size:]
		}
		if err := l.leave(s); err != nil {
			return err
		}
	}
	return nil
}

// write fills a datagram with k messages.
func (l *rawSource) write(d []byte, next uint64, k int) {
	p, n := d[l.head:], len(l.msg)
	for range k {
		m := p[:n]
		move(m, l.msg)
		binary.LittleEndian.PutUint64(m, next)
		p = p[n:]
		next++
	}
	if l.bare != nil {
		l.bare.seal(d, l.head)
	}
}

// leave sends the batch. What the network refuses is lost.
func (l *rawSource) leave(s *slice) error {
	for l.batch.Unsent() > 0 {
		_, err := l.socket.Send(l.batch)
		switch {
		case err == nil:
		case !sys.Transient(err):
			return err
		case err == sys.ErrAgain || err == sys.ErrNoBuffers || err == sys.ErrRefused:
			if err := s.look(); err != nil {
				return err
			}
		default:
			l.batch.Skip()
		}
	}
	return nil
}

func (l *rawSource) close() error {
	err := errors.Join(l.batch.Close(), l.slab.Unmap())
	if l.socket != nil {
		err = errors.Join(l.socket.Close(), err)
	}
	return err
}

// rawSink is the far side.
type rawSink struct {
	ledger
	shape
	socket *sys.UDP
	room   *sys.RecvBatch
	size   int
	bare   *bareSeal
	copied [maxSize]byte
}

func newRawSink(s laneSpec, mem sys.Mem) (*rawSink, error) {
	l := &rawSink{ledger: newLedger(mem), shape: shapeOf(s), size: s.Size}
	var err error
	if l.bare, err = s.bareSeal(0); err != nil {
		return nil, err
	}
	receives, room := rawReceives, rawRoom
	if s.Plain {
		receives, room = rawPlain, udp.DefaultMTU
	}
	if l.room, err = sys.NewRecvBatch(receives, room); err != nil {
		return nil, err
	}
	if l.socket, err = rawSocket(sys.UDPOptions{Bind: s.Net.Far.any(), GRO: !s.Plain}, s.Net.Far); err != nil {
		return nil, errors.Join(err, l.room.Close())
	}
	tellPort(mem, udpFarPort, l.socket.Local())
	return l, nil
}

func (l *rawSink) serve(t *turn) error {
	for idle := 1; ; idle++ {
		n, err := l.socket.Recv(l.room)
		if err != nil && !sys.Transient(err) {
			return err
		}
		if n == 0 {
			if idle%tendEvery == 0 && l.over(t) {
				return nil
			}
			continue
		}
		idle = 0
		taken := 0
		for i := range n {
			data, segment := l.room.Message(i)
			for len(data) > 0 {
				size := min(segment, len(data))
				taken += l.take(t, data[:size])
				data = data[size:]
			}
		}
		l.took(t, taken)
	}
}

// take reads a datagram and returns how many messages it held.
func (l *rawSink) take(t *turn, d []byte) int {
	k := min((len(d)-l.head-l.tail)/l.record, l.per)
	if l.bare != nil && !l.bare.open(d, l.head) {
		t.bad++
		return 0
	}
	p, out := d[l.head:], l.copied[:l.size]
	for range k {
		m := p[:l.size]
		if number := binary.LittleEndian.Uint64(m); number == l.want {
			l.want++
		} else {
			l.other(t, number)
		}
		move(out, m)
		p = p[l.size:]
	}
	return k
}

func (l *rawSink) close() error { return errors.Join(l.socket.Close(), l.room.Close()) }
