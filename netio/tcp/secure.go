package tcp

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"

	"github.com/alphapulse/transport/internal/sys"
)

const (
	secureBytes = 256 << 10 // of records that wait for room in the kernel, at most
	aheadBytes  = 128 << 10 // read at once: several records
)

// secure is a TLS connection that does not block once its handshake is over, so the worker's own thread seals and opens. crypto/tls has no such
// mode, but two of its ways make one: a Read that runs into a timeout goes on where it was, half a record included, with the next one; and a
// Write is over when its connection has taken the records, wherever that puts them.
type secure struct {
	conn   *tls.Conn
	line   *line
	gather []byte // what is sealed together: a record is as long as it may be
	more   bool   // there may be something to open though nothing new has arrived
	broken error  // why nothing can be sent any more
	err    error  // why there will be no more
}

// line is the connection below TLS. It blocks while socket is nil, as the handshake needs it.
type line struct {
	net.Conn
	socket   *sys.TCP
	in       []byte
	from, to int    // of in: arrived, and not opened
	out      []byte // sealed, and not sent
}

// notNow is what the line answers when nothing has arrived.
type notNow struct{}

func (notNow) Error() string   { return "tcp: nothing has arrived" }
func (notNow) Timeout() bool   { return true }
func (notNow) Temporary() bool { return true }

var (
	errNotNow  net.Error = notNow{} // boxed once
	errBacklog           = fmt.Errorf("more than %d bytes of records wait to be sent", secureBytes)
)

// serve has a connection whose handshake is over never block again. The connection is not its opener's any more.
func serve(c *tls.Conn, l *line, o sys.TCPOptions) (*secure, error) {
	below, ok := l.Conn.(*net.TCPConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("tcp: %T is no TCP connection", l.Conn), l.Conn.Close())
	}
	socket, err := sys.TakeTCP(below, o)
	if err != nil {
		return nil, err
	}
	l.socket, l.in = socket, make([]byte, aheadBytes)
	return &secure{conn: c, line: l, more: true}, nil
}

// Read opens from what has arrived; before the handshake is over it waits for more.
func (l *line) Read(b []byte) (int, error) {
	if l.socket == nil {
		return l.Conn.Read(b)
	}
	if l.from == l.to {
		return 0, errNotNow
	}
	n := copy(b, l.in[l.from:l.to])
	l.from += n
	return n, nil
}

// Write keeps records until flush.
func (l *line) Write(b []byte) (int, error) {
	if l.socket == nil {
		return l.Conn.Write(b)
	}
	if len(l.out) > 2*secureBytes { // the other node asks for answers that it does not read
		return 0, errBacklog
	}
	l.out = append(l.out, b...)
	return len(b), nil
}

// arrive reads what has arrived, if all that arrived before is opened.
func (l *line) arrive() error {
	if l.from < l.to {
		return nil
	}
	n, err := l.socket.Recv(l.in)
	l.from, l.to = 0, n
	return err
}

// flush sends what the kernel has room for.
func (l *line) flush() error {
	for len(l.out) > 0 {
		n, err := l.socket.Send([][]byte{l.out})
		if err != nil {
			return err
		}
		if n == 0 {
			return nil
		}
		l.out = l.out[:copy(l.out, l.out[n:])]
	}
	return nil
}

// Send seals what there is room for. When nothing can be sent any more, Recv says so, after what has arrived: that may be the reason.
func (s *secure) Send(pieces [][]byte) (n int, err error) {
	if s.flush(); s.broken != nil {
		return 0, nil
	}
	room := secureBytes - len(s.line.out)
	s.gather = s.gather[:0]
	for _, b := range pieces {
		if len(s.gather) >= room {
			break
		}
		s.gather = append(s.gather, b[:min(len(b), room-len(s.gather))]...)
	}
	if len(s.gather) == 0 {
		return 0, nil
	}
	if _, err := s.conn.Write(s.gather); err != nil {
		return 0, err
	}
	s.flush()
	return len(s.gather), nil
}

func (s *secure) flush() {
	if s.broken == nil {
		s.broken = s.line.flush()
	}
}

// Recv opens what has arrived, as far as b has room. It sends, too, what Send left: the worker may have nothing else to send.
func (s *secure) Recv(b []byte) (n int, err error) {
	if s.err != nil {
		return 0, s.err
	}
	s.flush()
	end := s.line.arrive()
	for n < len(b) && (s.more || s.line.from < s.line.to) {
		k, err := s.conn.Read(b[n:])
		n += k
		if s.more = err == nil; err != nil && err != errNotNow {
			s.err = err
			s.flush() // what is wrong with it, for the other node
			break
		}
	}
	if end == nil && n == 0 {
		end = s.broken
	}
	if s.err == nil && s.line.from == s.line.to && !s.more {
		s.err = end
	}
	if n > 0 {
		return n, nil
	}
	return 0, s.err
}

// Close ends the connection. It does not say goodbye: who is left hears of it from the socket.
func (s *secure) Close() error { return s.line.socket.Close() }
