package quic

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"github.com/quic-go/quic-go"
)

// Windows of what may be under way: a gigabit over 250 ms, by far.
const (
	streamWindow, streamWindowMost = 1 << 20, 16 << 20
	connWindow, connWindowMost     = 4 << 20, 64 << 20
)

// config is what the library is told. It sends no signs of life of its own: those of the channels are enough.
func (o *Common) config(streams int) *quic.Config {
	return &quic.Config{
		HandshakeIdleTimeout:           o.Connect / 2, // the library gives a handshake twice that
		MaxIdleTimeout:                 o.Link.Liveness,
		InitialStreamReceiveWindow:     streamWindow,
		MaxStreamReceiveWindow:         streamWindowMost,
		InitialConnectionReceiveWindow: connWindow,
		MaxConnectionReceiveWindow:     connWindowMost,
		MaxIncomingStreams:             int64(streams),
		MaxIncomingUniStreams:          -1,
		Allow0RTT:                      o.Early,
		EnableDatagrams:                true,
	}
}

// dialer makes connections, one after the other.
type dialer struct {
	DialOptions
	link  *Link
	bind  netip.AddrPort // Bind, or what Migrate made of it; link.mu
	wires []wire         // of the session; link.mu
	at    int            // of the node's addresses: which is tried, or led to it; run's own, but that link.mu guards changes
	late  bool           // the next connection is not early: the other node did not know this one any more
}

// wire is a socket and the library's hold on it.
type wire struct {
	socket    *net.UDPConn
	transport *quic.Transport
}

func (o *Common) wire(bind netip.AddrPort) (wire, error) {
	c, err := o.socket(bind)
	if err != nil {
		return wire{}, err
	}
	return wire{c, &quic.Transport{Conn: c}}, nil
}

func (w wire) close() error { return errors.Join(w.transport.Close(), w.socket.Close()) }

// Dial makes a link that connects, and connects again whenever its connection ends, after a pause that grows and is never the same twice.
func Dial(o DialOptions) (*Link, error) {
	o, err := o.checked()
	if err != nil {
		return nil, err
	}
	l, err := newLink(o.Common, o.Link.Peer)
	if err != nil {
		return nil, err
	}
	l.dial = &dialer{DialOptions: o, link: l, bind: o.Bind}
	l.group.Go(l.dial.run)
	return l, nil
}

// run connects until the link is closed. The pause is drawn between the first and three times the last, so that nodes that lost one peer
// together do not come back together.
func (d *dialer) run() {
	pause := d.Pause
	for d.link.ctx.Err() == nil {
		met, err := d.once()
		if d.link.ctx.Err() != nil {
			err = errClosing
		}
		d.link.disconnected(fmt.Errorf("quic: link to %q at %s: %w", d.link.node, d.address(), err))
		if errors.Is(err, quic.Err0RTTRejected) {
			d.late = true
			continue
		}
		d.link.mu.Lock()
		if d.at++; met || d.at > len(d.Others) {
			d.at = 0
		}
		d.link.mu.Unlock()
		if met {
			pause = d.Pause
		}
		select {
		case <-time.After(pause):
		case <-d.link.ctx.Done():
		}
		pause = min(d.PauseMax, d.Pause+rand.N(max(3*pause-d.Pause, 1)))
	}
}

// address is the one of the node's that is tried, or led to it.
func (d *dialer) address() netip.AddrPort {
	if d.at == 0 {
		return d.To
	}
	return d.Others[d.at-1]
}

// once is one connection, from its beginning to its end.
func (d *dialer) once() (met bool, err error) {
	l := d.link
	defer func() { err = errors.Join(err, d.hangUp()) }()
	c, err := d.connect()
	if err != nil {
		return false, explain(err)
	}
	s := newSession(l, c, 0)
	if err := l.take(s); err != nil {
		s.end(err)
		return false, err
	}
	defer l.leave(s)
	err = s.run(func() {
		for _, n := range l.lanes {
			s.group.Go(func() { s.end(d.open(s, n)) })
		}
	})
	return s.met.Load(), err
}

// connect makes a connection.
func (d *dialer) connect() (*quic.Conn, error) {
	l := d.link
	l.mu.Lock()
	bind := d.bind
	l.mu.Unlock()
	to := d.address().Addr().Unmap()
	if !bind.IsValid() || bind.Addr().Unmap().Is4() != to.Is4() { // what Migrate was given is of one family, the node's addresses maybe of two
		bind = netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
		if to.Is6() {
			bind = netip.AddrPortFrom(netip.IPv6Unspecified(), 0)
		}
	}
	w, err := d.wire(bind)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	d.wires = append(d.wires, w)
	l.mu.Unlock()
	ctx, cancel := context.WithTimeout(l.ctx, d.Connect)
	defer cancel()
	dial := w.transport.Dial
	if d.Early && !d.late {
		dial = w.transport.DialEarly
	}
	d.late = false
	c, err := dial(ctx, net.UDPAddrFromAddrPort(d.address()), d.TLS, d.config(-1))
	if err != nil && ctx.Err() != nil && l.ctx.Err() == nil {
		return nil, fmt.Errorf("no connection within %s: is the node up, and does UDP get through?", d.Connect)
	}
	return c, err
}

// open opens a lane's stream and serves it.
func (d *dialer) open(s *session, n *lane) error {
	if !d.Early || !n.channel.Repeats {
		select {
		case <-s.ready:
		case <-s.ctx.Done():
			return nil
		}
	}
	st, err := s.conn.OpenStreamSync(s.ctx)
	if err != nil {
		return err
	}
	return s.carry(n, st, nil)
}

// vouched says whether the certificate of a connection is that of a node.
func (o *Common) vouched(c *quic.Conn, node string) error {
	certs := c.ConnectionState().TLS.PeerCertificates
	if len(certs) == 0 {
		return fmt.Errorf("%w: node %q shows no certificate", ErrRefused, node)
	}
	if !o.Vouch(certs[0], node) {
		return fmt.Errorf("%w: the certificate of %v is not that of node %q", ErrRefused, names(certs[0]), node)
	}
	return nil
}

// wiresMost is how many sockets a session may have used: the library ends a connection when one of them is closed.
const wiresMost = 16

// keep keeps a socket until the session ends.
func (d *dialer) keep(s *session, w wire) error {
	d.link.mu.Lock()
	defer d.link.mu.Unlock()
	switch {
	case d.link.session != s:
		return errors.New("the connection ended")
	case len(d.wires) >= wiresMost:
		return fmt.Errorf("it was moved, or tried to be, %d times: connect anew", wiresMost)
	}
	d.wires = append(d.wires, w)
	return nil
}

// hangUp closes the sockets of a session.
func (d *dialer) hangUp() error {
	d.link.mu.Lock()
	wires := d.wires
	d.wires = nil
	d.link.mu.Unlock()
	var faults []error
	for _, w := range wires {
		faults = append(faults, w.close())
	}
	return errors.Join(faults...)
}

// ErrMigrate: a connection that does not move: there is none, or the listening side was asked. The text says which.
var ErrMigrate = errors.New("quic: no way to another address")

// Migrate moves the connection to another of the own addresses, with port 0 for any, and nothing is lost or said again: the way is tried
// first, and taken when it leads to the other node. Connections that are made later begin there. When it answers an error, all is as before.
func (l *Link) Migrate(ctx context.Context, bind netip.AddrPort) error {
	fail := func(err error) error {
		return fmt.Errorf("%w: link to %q from %s: %w", ErrMigrate, l.node, bind, err)
	}
	l.mu.Lock()
	s := l.session
	var to netip.Addr
	if l.dial != nil {
		to = l.dial.address().Addr().Unmap()
	}
	l.mu.Unlock()
	switch {
	case l.dial == nil:
		return fail(errors.New("the side that dials moves"))
	case s == nil || !s.met.Load():
		return fail(errors.New("there is no connection"))
	}
	if bind.Addr().Unmap().Is4() != to.Is4() {
		return fail(fmt.Errorf("it and %s are of two families", to))
	}
	w, err := l.options.wire(bind)
	if err != nil {
		return fail(err)
	}
	if err := l.dial.keep(s, w); err != nil {
		return fail(errors.Join(err, w.close()))
	}
	p, err := s.conn.AddPath(w.transport)
	if err != nil {
		return fail(err)
	}
	ctx, cancel := context.WithTimeout(ctx, l.options.Connect)
	defer cancel()
	unhook := context.AfterFunc(s.ctx, cancel)
	defer unhook()
	if err := p.Probe(ctx); err != nil {
		return fail(errors.Join(err, p.Close()))
	}
	if err := p.Switch(); err != nil {
		return fail(err)
	}
	l.mu.Lock()
	l.dial.bind = bind
	l.mu.Unlock()
	l.tally.migrations.Add(1)
	return nil
}
