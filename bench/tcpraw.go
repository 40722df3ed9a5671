package bench

import (
	"encoding/binary"
	"errors"

	"github.com/alphapulse/transport/internal/sys"
)

// The rawtcp lanes are the bare loop: a non-blocking socket per side, asked again and again, with the payload alone on the wire. A stream's
// messages lie one behind the other in memory, and writev gathers 64 of them at a time, a piece each. The gather lanes write as package tcp
// does, as many as there are in one call, with as many bytes for each message, of which nobody writes the header. Neither has rings,
// envelopes, checks or confirmations.
const (
	tcpPiece = 16 << 10 // bytes that lie side by side
	tcpRoom  = 256 << 10
)

func listenRaw(s laneSpec, mem sys.Mem) (l *sys.TCPListener, err error) {
	err = s.Net.Far.in(func() (err error) {
		l, err = sys.ListenTCP(sys.TCPOptions{Bind: s.Net.Far.any()})
		return err
	})
	if err == nil {
		tellPort(mem, udpFarPort, l.Local())
	}
	return l, err
}

// tcpRawEnd is what both sides have.
type tcpRawEnd struct {
	spec laneSpec
	conn *sys.TCP
	buf  []byte
	got  int
}

func newTCPRawEnd(s laneSpec) tcpRawEnd { return tcpRawEnd{spec: s, buf: make([]byte, s.Size)} }

func (l *tcpRawEnd) dial(mem sys.Mem) error {
	to, err := peerAt(mem, udpFarPort, l.spec.Net.Far)
	if err != nil {
		return err
	}
	return l.spec.Net.Near.in(func() (err error) {
		l.conn, err = sys.DialTCP(sys.TCPOptions{Connect: to})
		if err != nil {
			return err
		}
		return l.conn.Wait(netStep*100, true)
	})
}

// poll receives what there is, and lends a message once it is whole.
func (l *tcpRawEnd) poll() ([]byte, error) {
	n, err := l.conn.Recv(l.buf[l.got:])
	if err != nil {
		return nil, err
	}
	if l.got += n; l.got < len(l.buf) {
		return nil, nil
	}
	l.got = 0
	return l.buf, nil
}

// send sends one message, which has room where nothing else is under way.
func (l *tcpRawEnd) send(p []byte) error {
	piece := [1][]byte{p}
	n, err := l.conn.Send(piece[:])
	if err == nil && n != len(p) {
		err = errors.New("bench: a message found no room in an empty connection")
	}
	return err
}

func (l *tcpRawEnd) close() error {
	if l.conn == nil {
		return nil
	}
	return l.conn.Close()
}

type tcpRawPing struct {
	tcpRawEnd
	mem sys.Mem
	msg []byte
	seq uint64
}

func (l *tcpRawPing) dial() error { return l.tcpRawEnd.dial(l.mem) }

func (l *tcpRawPing) run(s *slice) error {
	for more := true; more; {
		t0 := s.clock.now()
		l.seq++
		binary.LittleEndian.PutUint64(l.msg, l.seq)
		if err := l.send(l.msg); err != nil {
			return err
		}
		var got []byte
		for idle := 1; got == nil; idle++ {
			var err error
			if got, err = l.poll(); err != nil {
				return err
			}
			if idle%tendEvery == 0 {
				if err := s.look(); err != nil {
					return err
				}
			}
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

type tcpRawPong struct {
	tcpRawEnd
	listener *sys.TCPListener
	seen     uint64
}

func (l *tcpRawPong) serve(t *turn) error {
	for idle := 1; ; idle++ {
		if l.conn == nil {
			var err error
			if l.conn, err = l.listener.Accept(); err != nil {
				return err
			}
		}
		var got []byte
		if l.conn != nil {
			var err error
			if got, err = l.poll(); err != nil {
				return err
			}
		}
		if got == nil {
			if idle%tendEvery == 0 && t.over() {
				return nil
			}
			continue
		}
		if err := l.send(got); err != nil {
			return err
		}
		l.seen = t.follows(binary.LittleEndian.Uint64(got), l.seen)
		idle = 0
	}
}

func (l *tcpRawPong) close() error { return errors.Join(l.tcpRawEnd.close(), l.listener.Close()) }

// tcpRawSource is the near side of a stream.
type tcpRawSource struct {
	flow
	tcpRawEnd
	msg    []byte
	record int // bytes that a message takes
	head   int // of them before the payload
	piece  int // bytes that the kernel finds side by side
	slab   []byte
	pieces [][]byte
}

func newTCPRawSource(s laneSpec, mem sys.Mem, seed uint64) *tcpRawSource {
	l := &tcpRawSource{flow: newFlow(mem, s), tcpRawEnd: newTCPRawEnd(s), msg: newPayload(seed, s.Size), record: s.Size, head: 0, piece: s.Size}
	if s.Gather {
		l.record, l.head, l.piece = (16+s.Size+7)&^7, 16, tcpPiece
	}
	l.slab = make([]byte, l.round*l.record)
	return l
}

func (l *tcpRawSource) dial() error { return l.tcpRawEnd.dial(l.flow.mem) }

func (l *tcpRawSource) run(s *slice) error { return l.flow.run(s, l.send, pause) }

func (l *tcpRawSource) send(s *slice, n int) error {
	p := l.slab
	for i := range n {
		m := p[l.head:][:len(l.msg)]
		move(m, l.msg)
		binary.LittleEndian.PutUint64(m, l.next+uint64(i))
		p = p[l.record:]
	}
	for left := l.slab[:n*l.record]; len(left) > 0; {
		l.pieces = l.pieces[:0]
		for rest := left; len(rest) > 0 && len(l.pieces) < sys.MaxPieces; {
			k := min(l.piece, len(rest))
			l.pieces = append(l.pieces, rest[:k])
			rest = rest[k:]
		}
		k, err := l.conn.Send(l.pieces)
		if err != nil {
			return err
		}
		if left = left[k:]; k == 0 {
			if err := s.look(); err != nil {
				return err
			}
		}
	}
	return nil
}

// tcpRawSink is the far side.
type tcpRawSink struct {
	ledger
	tcpRawEnd
	listener *sys.TCPListener
	buf      []byte
	have     int
	copied   [maxSize]byte
}

func (l *tcpRawSink) serve(t *turn) error {
	size := l.spec.Size
	record, head := size, 0
	if l.spec.Gather {
		record, head = (16+size+7)&^7, 16
	}
	for idle := 1; ; idle++ {
		n := 0
		var err error
		if l.conn == nil {
			if l.conn, err = l.listener.Accept(); err != nil {
				return err
			}
		} else if n, err = l.conn.Recv(l.buf[l.have : l.have+tcpRoom/2]); err != nil {
			return err
		}
		if n == 0 {
			if idle%tendEvery == 0 && l.over(t) {
				return nil
			}
			continue
		}
		idle = 0
		l.have += n
		p, taken := l.buf[:l.have], 0
		for len(p) >= record {
			m := p[head:][:size]
			if number := binary.LittleEndian.Uint64(m); number == l.want {
				l.want++
			} else {
				l.other(t, number)
			}
			move(l.copied[:size], m)
			p = p[record:]
			taken++
		}
		l.have = copy(l.buf, p)
		l.took(t, taken)
	}
}

func (l *tcpRawSink) close() error { return errors.Join(l.tcpRawEnd.close(), l.listener.Close()) }
