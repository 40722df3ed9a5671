package bench

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/alphapulse/transport/internal/sys"
)

// The nettcp lanes are what a Go program does without this module: a net.TCPConn per side, blocking; a stream's messages are written as
// many at once as they are published, and read as they come. With papers it is crypto/tls over that connection, and a stream's message takes
// as many bytes as a record does.

// tcpGather is how many bytes package tcp gives a connection in one call.
const tcpGather = 64 << 10

func listenNet(s laneSpec, mem sys.Mem) (l *net.TCPListener, err error) {
	err = s.Net.Far.in(func() (err error) {
		l, err = net.ListenTCP("tcp", net.TCPAddrFromAddrPort(s.Net.Far.any()))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	tellPort(mem, udpFarPort, l.Addr().(*net.TCPAddr).AddrPort())
	return l, nil
}

// tcpNetRecord is how many bytes a message of a stream takes.
func tcpNetRecord(s laneSpec) int {
	if s.Papers != nil {
		return shapeOf(s).record
	}
	return s.Size
}

// dialNet connects. TLS shakes hands with the first message: the far side accepts no sooner.
func dialNet(s laneSpec, mem sys.Mem) (net.Conn, error) {
	c, err := dialNetPlain(s, mem)
	if err != nil {
		return nil, err
	}
	if s.Papers == nil {
		return c, nil
	}
	config, err := s.Papers.config(&s.Papers.Near)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return tls.Client(c, config), nil
}

// closeNet closes without TLS's goodbye, which fails where the other side is gone already.
func closeNet(c net.Conn) error {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	return c.Close()
}

func dialNetPlain(s laneSpec, mem sys.Mem) (c *net.TCPConn, err error) {
	to, err := peerAt(mem, udpFarPort, s.Net.Far)
	if err != nil {
		return nil, err
	}
	err = s.Net.Near.in(func() (err error) {
		c, err = net.DialTCP("tcp", nil, net.TCPAddrFromAddrPort(to))
		return err
	})
	return c, err
}

// stepOver says whether err only means that a step is over.
func stepOver(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

type tcpNetPing struct {
	spec laneSpec
	mem  sys.Mem
	conn net.Conn
	msg  []byte
	got  []byte
	seq  uint64
}

func (l *tcpNetPing) dial() (err error) {
	l.conn, err = dialNet(l.spec, l.mem)
	return err
}

func (l *tcpNetPing) run(s *slice) error {
	if err := l.conn.SetReadDeadline(time.Now().Add(defaultPatience)); err != nil {
		return err
	}
	for more := true; more; {
		t0 := s.clock.now()
		l.seq++
		binary.LittleEndian.PutUint64(l.msg, l.seq)
		if _, err := l.conn.Write(l.msg); err != nil {
			return fmt.Errorf("%w: %w", ErrPeer, err)
		}
		if _, err := io.ReadFull(l.conn, l.got); err != nil {
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

func (l *tcpNetPing) close() error {
	if l.conn == nil {
		return nil
	}
	return closeNet(l.conn)
}

// tcpNetFar accepts the one connection of its lane.
func tcpNetFar(s laneSpec, l *net.TCPListener, conn *net.Conn) (bool, error) {
	if *conn != nil {
		return true, nil
	}
	if err := l.SetDeadline(time.Now().Add(netStep)); err != nil {
		return false, err
	}
	c, err := l.AcceptTCP()
	if stepOver(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	*conn = c
	if s.Papers == nil {
		return true, nil
	}
	config, err := s.Papers.config(&s.Papers.Far)
	if err != nil {
		return false, err
	}
	t := tls.Server(c, config)
	if err := errors.Join(t.SetDeadline(time.Now().Add(defaultPatience)), t.Handshake(), t.SetDeadline(time.Time{})); err != nil {
		return false, err
	}
	*conn = t
	return true, nil
}

type tcpNetPong struct {
	spec     laneSpec
	listener *net.TCPListener
	conn     net.Conn
	msg      []byte
	have     int
	seen     uint64
}

func (l *tcpNetPong) serve(t *turn) error {
	for fresh := true; ; {
		ok, err := tcpNetFar(l.spec, l.listener, &l.conn)
		if err != nil {
			return err
		}
		if ok && fresh {
			err, fresh = l.conn.SetReadDeadline(time.Now().Add(netStep)), false
		}
		if ok && err == nil {
			var n int
			n, err = l.conn.Read(l.msg[l.have:])
			l.have += n
		}
		if err != nil && !stepOver(err) {
			return err
		}
		if fresh = fresh || err != nil; fresh && t.over() {
			return nil
		}
		if l.have == len(l.msg) {
			l.have = 0
			if _, err := l.conn.Write(l.msg); err != nil {
				return err
			}
			l.seen = t.follows(binary.LittleEndian.Uint64(l.msg), l.seen)
		}
	}
}

func (l *tcpNetPong) close() (err error) {
	if l.conn != nil {
		err = closeNet(l.conn)
	}
	return errors.Join(err, l.listener.Close())
}

type tcpNetSource struct {
	flow
	spec laneSpec
	conn net.Conn
	msg  []byte
	out  []byte
	size int // bytes that a message takes
}

func newTCPNetSource(s laneSpec, mem sys.Mem, seed uint64) *tcpNetSource {
	size := tcpNetRecord(s)
	if s.Gather {
		s.Batch = tcpGather / size
	}
	return &tcpNetSource{flow: newFlow(mem, s), spec: s, msg: newPayload(seed, s.Size), out: make([]byte, s.Batch*size), size: size}
}

func (l *tcpNetSource) dial() (err error) {
	l.conn, err = dialNet(l.spec, l.mem)
	return err
}

func (l *tcpNetSource) run(s *slice) error { return l.flow.run(s, l.send, pause) }

func (l *tcpNetSource) send(_ *slice, n int) error {
	for next, end := l.next, l.next+uint64(n); next < end; {
		k := min(l.spec.Batch, int(end-next))
		for i := range k {
			m := l.out[i*l.size:][:len(l.msg)]
			move(m, l.msg)
			binary.LittleEndian.PutUint64(m, next)
			next++
		}
		if _, err := l.conn.Write(l.out[:k*l.size]); err != nil {
			return fmt.Errorf("%w: %w", ErrPeer, err)
		}
	}
	return nil
}

func (l *tcpNetSource) close() error {
	if l.conn == nil {
		return nil
	}
	return closeNet(l.conn)
}

type tcpNetSink struct {
	ledger
	spec     laneSpec
	record   int
	listener *net.TCPListener
	conn     net.Conn
	size     int
	buf      [64 << 10]byte
	have     int
	copied   [maxSize]byte
}

func (l *tcpNetSink) serve(t *turn) error {
	for fresh := true; ; {
		ok, err := tcpNetFar(l.spec, l.listener, &l.conn)
		if err != nil {
			return err
		}
		if ok && fresh {
			err, fresh = l.conn.SetReadDeadline(time.Now().Add(netStep)), false
		}
		n := 0
		if ok && err == nil {
			n, err = l.conn.Read(l.buf[l.have:])
		}
		if err != nil && !stepOver(err) {
			return err
		}
		if fresh = fresh || err != nil; fresh && l.over(t) {
			return nil
		}
		l.have += n
		p, taken := l.buf[:l.have], 0
		for len(p) >= l.record {
			m := p[:l.size]
			if number := binary.LittleEndian.Uint64(m); number == l.want {
				l.want++
			} else {
				l.other(t, number)
			}
			move(l.copied[:l.size], m)
			p = p[l.record:]
			taken++
		}
		l.have = copy(l.buf[:], p)
		l.took(t, taken)
	}
}

func (l *tcpNetSink) close() (err error) {
	if l.conn != nil {
		err = closeNet(l.conn)
	}
	return errors.Join(err, l.listener.Close())
}
