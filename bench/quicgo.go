package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/alphapulse/transport/internal/sys"
)

// The quicgo lanes are what a Go program does without this module: quic-go alone, a blocking stream, with windows as large as package quic
// asks for. A stream's messages take as many bytes each as they do there, header included, and are written as many at once.
const (
	quicGoBatch = 128 << 10 // bytes written at once, as package quic does
	quicGoRead  = 64 << 10  // and read
)

func quicGoConfig() *quic.Config {
	return &quic.Config{MaxIdleTimeout: time.Minute, InitialStreamReceiveWindow: 1 << 20, MaxStreamReceiveWindow: 16 << 20,
		InitialConnectionReceiveWindow: 4 << 20, MaxConnectionReceiveWindow: 64 << 20}
}

// quicGoEnd is a near side.
type quicGoEnd struct {
	spec      laneSpec
	mem       sys.Mem
	socket    *net.UDPConn
	transport *quic.Transport
	stream    *quic.Stream
}

func (e *quicGoEnd) dial() error {
	to, err := peerAt(e.mem, udpFarPort, e.spec.Net.Far)
	if err != nil {
		return err
	}
	c, err := e.spec.Papers.config(&e.spec.Papers.Near)
	if err != nil {
		return err
	}
	if e.socket, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(e.spec.Net.Near.any())); err != nil {
		return err
	}
	e.transport = &quic.Transport{Conn: e.socket}
	ctx, cancel := context.WithTimeout(context.Background(), defaultPatience)
	defer cancel()
	conn, err := e.transport.Dial(ctx, net.UDPAddrFromAddrPort(to), c, quicGoConfig())
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPeer, err)
	}
	e.stream, err = conn.OpenStreamSync(ctx)
	return err
}

func (e *quicGoEnd) close() (err error) {
	if e.socket == nil {
		return nil
	}
	return errors.Join(e.transport.Close(), e.socket.Close())
}

// quicGoFar is a far side: it takes the one stream of the one connection.
type quicGoFar struct {
	socket    *net.UDPConn
	transport *quic.Transport
	listener  *quic.Listener
	conn      *quic.Conn
	stream    *quic.Stream
}

func (f *quicGoFar) open(s laneSpec, mem sys.Mem) error {
	c, err := s.Papers.config(&s.Papers.Far)
	if err != nil {
		return err
	}
	if f.socket, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(s.Net.Far.any())); err != nil {
		return err
	}
	f.transport = &quic.Transport{Conn: f.socket}
	if f.listener, err = f.transport.Listen(c, quicGoConfig()); err != nil {
		return errors.Join(err, f.socket.Close())
	}
	tellPort(mem, udpFarPort, f.socket.LocalAddr().(*net.UDPAddr).AddrPort())
	return nil
}

// ready accepts, and begins a step of reading.
func (f *quicGoFar) ready() (bool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), netStep)
	defer cancel()
	var err error
	if f.conn == nil {
		if f.conn, err = f.listener.Accept(ctx); err != nil {
			return false, unlessLate(err)
		}
	}
	if f.stream == nil {
		if f.stream, err = f.conn.AcceptStream(ctx); err != nil {
			return false, unlessLate(err)
		}
	}
	return true, f.stream.SetReadDeadline(time.Now().Add(netStep))
}

func unlessLate(err error) error {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}

func (f *quicGoFar) close() error {
	return errors.Join(f.listener.Close(), f.transport.Close(), f.socket.Close())
}

type quicGoPing struct {
	quicGoEnd
	msg, got []byte
	seq      uint64
}

func (l *quicGoPing) run(s *slice) error {
	if err := l.stream.SetReadDeadline(time.Now().Add(defaultPatience)); err != nil {
		return err
	}
	for more := true; more; {
		t0 := s.clock.now()
		l.seq++
		binary.LittleEndian.PutUint64(l.msg, l.seq)
		if _, err := l.stream.Write(l.msg); err != nil {
			return fmt.Errorf("%w: %w", ErrPeer, err)
		}
		if _, err := io.ReadFull(l.stream, l.got); err != nil {
			return fmt.Errorf("%w: %w", ErrPeer, err)
		}
		t1 := s.clock.now()
		if binary.LittleEndian.Uint64(l.got) != l.seq || l.got[len(l.got)-1] != l.msg[len(l.msg)-1] {
			return ErrCorrupt
		}
		more = s.lap(t0, t1)
	}
	return nil
}

type quicGoPong struct {
	quicGoFar
	msg  []byte
	have int
	seen uint64
}

func newQUICGoPong(s laneSpec, mem sys.Mem) (*quicGoPong, error) {
	l := &quicGoPong{msg: make([]byte, s.Size)}
	return l, l.open(s, mem)
}

func (l *quicGoPong) serve(t *turn) error {
	for {
		ok, err := l.ready()
		for ok && err == nil {
			var n int
			if n, err = l.stream.Read(l.msg[l.have:]); err != nil {
				break
			}
			if l.have += n; l.have < len(l.msg) {
				continue
			}
			l.have = 0
			if _, err = l.stream.Write(l.msg); err == nil {
				l.seen = t.follows(binary.LittleEndian.Uint64(l.msg), l.seen)
			}
		}
		if err := unlessLate(err); err != nil {
			return err
		}
		if t.over() {
			return nil
		}
	}
}

// quicGoSource is the near side of a stream.
type quicGoSource struct {
	flow
	quicGoEnd
	msg   []byte
	batch []byte
	size  int // bytes that a message takes
}

func newQUICGoSource(s laneSpec, mem sys.Mem, seed uint64) *quicGoSource {
	l := &quicGoSource{flow: newFlow(mem, s), quicGoEnd: quicGoEnd{spec: s, mem: mem}, msg: newPayload(seed, s.Size), size: shapeOf(s).record}
	room := quicGoBatch
	if s.Separate {
		room = batchSize * l.size
	}
	l.batch = make([]byte, max(room/l.size, 1)*l.size)
	return l
}

func (l *quicGoSource) run(s *slice) error {
	if err := l.flow.run(s, l.send, quicPause); err != nil {
		return err
	}
	return awaitSeen(s, &l.flow)
}

func (l *quicGoSource) send(_ *slice, n int) error {
	for next := l.next; n > 0; {
		k := min(n, len(l.batch)/l.size)
		for i := range k {
			m := l.batch[i*l.size:]
			move(m[:len(l.msg)], l.msg)
			binary.LittleEndian.PutUint64(m, next)
			next++
		}
		if _, err := l.stream.Write(l.batch[:k*l.size]); err != nil {
			return fmt.Errorf("%w: %w", ErrPeer, err)
		}
		n -= k
	}
	return nil
}

func (l *quicGoSource) close() error { return l.quicGoEnd.close() }

// quicGoSink is the far side of a stream.
type quicGoSink struct {
	ledger
	quicGoFar
	size, record int
	buf          []byte
	have         int
	copied       [maxSize]byte
}

func newQUICGoSink(s laneSpec, mem sys.Mem) (*quicGoSink, error) {
	l := &quicGoSink{ledger: newLedger(mem), size: s.Size, record: shapeOf(s).record, buf: make([]byte, quicGoRead)}
	return l, l.open(s, mem)
}

func (l *quicGoSink) serve(t *turn) error {
	for {
		ok, err := l.ready()
		for ok && err == nil {
			var n int
			n, err = l.stream.Read(l.buf[l.have:])
			l.have += n
			l.take(t)
		}
		if err := unlessLate(err); err != nil {
			return err
		}
		if l.over(t) {
			return nil
		}
	}
}

// take reads the messages that are whole.
func (l *quicGoSink) take(t *turn) {
	at, n := 0, 0
	out := l.copied[:l.size]
	for ; l.have-at >= l.record; at += l.record {
		m := l.buf[at : at+l.size]
		if number := binary.LittleEndian.Uint64(m); number == l.want {
			l.want++
		} else {
			l.other(t, number)
		}
		move(out, m)
		n++
	}
	l.have = copy(l.buf, l.buf[at:l.have])
	l.took(t, n)
}

func (l *quicGoSink) close() error { return l.quicGoFar.close() }
