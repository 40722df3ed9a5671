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

// secret is a connection that a goroutine is making.
type secret struct {
	cancel context.CancelFunc
	done   chan struct{}
	conn   *tls.Conn
	err    error
}

func (o *DialOptions) beginTLS(at int, liveness time.Duration) attempt {
	ctx, cancel := context.WithTimeout(context.Background(), o.Connect)
	s := &secret{cancel: cancel, done: make(chan struct{})}
	d := tls.Dialer{Config: o.TLS, NetDialer: &net.Dialer{}}
	if o.Bind.IsValid() {
		d.NetDialer.LocalAddr = net.TCPAddrFromAddrPort(o.Bind)
	}
	go func() {
		defer close(s.done)
		c, err := d.DialContext(ctx, "tcp", o.address(at).String())
		if err != nil {
			s.err = err
			return
		}
		s.conn = c.(*tls.Conn)
	}()
	return s
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
	return serve(c), nil
}

func (s *secret) Close() error {
	s.cancel()
	<-s.done // the context ends it, by closing what it was making
	if s.conn == nil {
		return nil
	}
	if err := s.conn.NetConn().Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
