package tcp

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/alphapulse/transport/internal/sys"
)

// begin begins a connection to the node's address of that number, To the first.
func (o *DialOptions) begin(at int, liveness time.Duration) (attempt, error) {
	if o.TLS != nil {
		return o.beginTLS(at, liveness), nil
	}
	so := o.Socket.options(liveness)
	so.Bind, so.Connect = o.Bind, o.address(at)
	t, err := sys.DialTCP(so)
	if err != nil {
		return nil, err
	}
	return plain{t}, nil
}

func (o *DialOptions) address(at int) netip.AddrPort {
	if at == 0 {
		return o.To
	}
	return o.Others[at-1]
}

// plain is a connection that the kernel is making.
type plain struct{ *sys.TCP }

func (p plain) made() (connection, error) {
	ok, err := p.Connected()
	if !ok || err != nil {
		return nil, err
	}
	return p.TCP, nil
}

// secret is a connection that a goroutine is making: TLS blocks until its handshake is over.
type secret struct {
	cancel  context.CancelFunc
	done    chan struct{}
	options sys.TCPOptions
	line    *line
	conn    *tls.Conn
	err     error
}

func (o *DialOptions) beginTLS(at int, liveness time.Duration) attempt {
	ctx, cancel := context.WithTimeout(context.Background(), o.Connect)
	s := &secret{cancel: cancel, done: make(chan struct{}), options: o.Socket.options(liveness)}
	d := &net.Dialer{}
	if o.Bind.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(o.Bind)
	}
	go func() {
		defer close(s.done)
		c, err := d.DialContext(ctx, "tcp", o.address(at).String())
		if err != nil {
			s.err = err
			return
		}
		s.shake(ctx, c, func(l *line) *tls.Conn { return tls.Client(l, o.TLS) })
	}()
	return s
}

// shake makes TLS of a connection.
func (s *secret) shake(ctx context.Context, c net.Conn, side func(*line) *tls.Conn) {
	s.line = &line{Conn: c}
	s.conn = side(s.line)
	s.err = s.conn.HandshakeContext(ctx)
}

func (s *secret) made() (connection, error) {
	select {
	case <-s.done:
	default:
		return nil, nil
	}
	s.cancel()
	if s.err != nil {
		return nil, s.err // who asked closes
	}
	c := s.conn
	s.conn = nil
	one, err := serve(c, s.line, s.options)
	if err != nil {
		return nil, err
	}
	return one, nil
}

func (s *secret) Close() error {
	s.cancel()
	<-s.done // the context ends it, by closing what it was making
	if s.conn == nil {
		return nil
	}
	if err := s.line.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
