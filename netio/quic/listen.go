package quic

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/netio/link"
	"github.com/alphapulse/transport/netio/trust"
	"github.com/alphapulse/transport/ring"
)

func names(c *x509.Certificate) []string { return trust.Names(c) }

// Listener takes connections, and has one link for each node that may connect. It runs by itself. The zero Listener is not valid: use Listen.
type Listener struct {
	options ListenOptions
	mu      sync.Mutex
	links   []*Link
	mirrors []*netio.Mirrors
	way     wire
	accept  func(context.Context) (*quic.Conn, error)
	close   func() error
	group   sync.WaitGroup
	ctx     context.Context
	cancel  context.CancelFunc

	open    atomic.Int64 // connections, those that shake hands included
	refused atomic.Uint64
	toldAt  atomic.Int64 // when Events was told of one last
	events  sync.Mutex
}

// Listen takes connections at an address until Close.
func Listen(o ListenOptions) (*Listener, error) {
	o, err := o.checked()
	if err != nil {
		return nil, err
	}
	t := &Listener{options: o}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	if err := t.build(); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	t.group.Go(t.run)
	return t, nil
}

// build opens links, socket and the library's listener.
func (t *Listener) build() error {
	o := &t.options
	if err := t.share(); err != nil {
		return err
	}
	events := o.Link.Events
	if events != nil {
		o.Link.Events = func(e link.Event) {
			t.events.Lock()
			defer t.events.Unlock()
			events(e)
		}
	}
	for _, node := range o.Nodes {
		l, err := newLink(o.Common, node)
		if err != nil {
			return err
		}
		t.links = append(t.links, l)
	}
	w, err := o.wire(o.Bind)
	if err != nil {
		return fmt.Errorf("quic: listen on %s: %w", o.Bind, err)
	}
	t.way = w
	w.transport.ConnContext = t.admit
	c := o.config(link.MaxChannels)
	if o.later { // the side that dials knows
		c.MaxIdleTimeout = time.Minute
	}
	if o.Early {
		l, err := w.transport.ListenEarly(o.TLS, c)
		if err != nil {
			return fmt.Errorf("quic: listen on %s: %w", o.Bind, err)
		}
		t.accept, t.close = l.Accept, l.Close
		return nil
	}
	l, err := w.transport.Listen(o.TLS, c)
	if err != nil {
		return fmt.Errorf("quic: listen on %s: %w", o.Bind, err)
	}
	t.accept, t.close = l.Accept, l.Close
	return nil
}

// share has the links of several nodes bring into one channel's mirrors.
func (t *Listener) share() error {
	if len(t.options.Nodes) < 2 {
		return nil
	}
	t.options.Link.Channels = slices.Clone(t.options.Link.Channels)
	for i := range t.options.Link.Channels {
		c := &t.options.Link.Channels[i]
		if !c.Takes || c.Inbox.Shared != nil {
			continue
		}
		m, err := netio.NewMirrors(c.Inbox)
		if err != nil {
			return fmt.Errorf("quic: channel %q: %w", c.Name, err)
		}
		t.mirrors = append(t.mirrors, m)
		c.Inbox.Shared = m
	}
	return nil
}

// Local is the own address.
func (t *Listener) Local() netip.AddrPort { return t.way.socket.LocalAddr().(*net.UDPAddr).AddrPort() }

// Link returns that of a node; nil: it may not connect.
func (t *Listener) Link(node string) *Link { return t.find(node, 0) }

func (t *Listener) find(node string, number int) *Link {
	for _, l := range t.Links() {
		if l.node == node && l.options.Link.Link == number {
			return l
		}
	}
	return nil
}

// expect opens a link to one more node, or one more to a node.
func (t *Listener) expect(o Common) (*Link, error) {
	var f faultList
	o.TLS, o.Vouch, o.socket = t.options.TLS, t.options.Vouch, t.options.socket
	o = o.checked(&f, o.Link.Peer, false)
	f.add(t.find(o.Link.Peer, o.Link.Link) != nil, "node %q is expected already, by link %d", o.Link.Peer, o.Link.Link)
	if err := errors.Join(f...); err != nil {
		return nil, fmt.Errorf("%w: with %q: %w", ErrOptions, o.Link.Peer, err)
	}
	l, err := newLink(o, o.Link.Peer)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.links = append(t.links, l)
	return l, nil
}

// dismiss closes a link that is expected no more.
func (t *Listener) dismiss(l *Link) error {
	t.mu.Lock()
	t.links = slices.DeleteFunc(t.links, func(one *Link) bool { return one == l })
	t.mu.Unlock()
	return l.Close()
}

// Add has all links carry a ring in a channel. After an error some may have it.
func (t *Listener) Add(channel string, r *ring.Ring) error {
	var faults []error
	for _, l := range t.Links() {
		faults = append(faults, l.Add(channel, r))
	}
	return errors.Join(faults...)
}

// Links lists them, in the order of ListenOptions.Nodes.
func (t *Listener) Links() []*Link {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.links)
}

// Channel returns one channel of all links as what transport.Node.Carry gives rings to.
func (t *Listener) Channel(name string) Channel { return Channel{t.Add, name} }

// String names the listener.
func (t *Listener) String() string { return fmt.Sprintf("quic listener of %q", t.options.Link.Node) }

// Refused is how many connections were not taken: too many at once, nobody who is believed, or no node that may connect.
func (t *Listener) Refused() uint64 { return t.refused.Load() }

// Close ends all links.
func (t *Listener) Close() error {
	t.cancel()
	var faults []error
	for _, l := range t.Links() {
		faults = append(faults, l.Close())
	}
	if t.close != nil {
		faults = append(faults, t.close())
	}
	if t.way.socket != nil {
		faults = append(faults, t.way.close())
	}
	t.group.Wait()
	for _, m := range t.mirrors {
		faults = append(faults, m.Close())
	}
	return errors.Join(faults...)
}

// admit counts connections from their first packet on, and refuses too many.
func (t *Listener) admit(ctx context.Context, from *quic.ClientInfo) (context.Context, error) {
	if n := t.open.Add(1); n > int64(t.options.Connections) {
		t.open.Add(-1)
		t.refuse(from.RemoteAddr, errCrowd)
		return nil, errCrowd
	}
	taken := &atomic.Bool{}
	context.AfterFunc(ctx, func() {
		t.open.Add(-1)
		if why := context.Cause(ctx); !taken.Load() && t.ctx.Err() == nil {
			t.refuse(from.RemoteAddr, explain(why))
		}
	})
	return context.WithValue(ctx, takenKey{}, taken), nil
}

// takenKey finds in a connection's context whether its handshake came to an end.
type takenKey struct{}

// refuseEvery is between two refusals that Events is told of: who is refused chooses how often.
const refuseEvery = time.Second

// refuse counts a connection that is not taken.
func (t *Listener) refuse(from net.Addr, why error) {
	t.refused.Add(1)
	at, told := int64(now()), t.toldAt.Load()
	if t.options.Link.Events == nil || told != 0 && at-told < int64(refuseEvery) || !t.toldAt.CompareAndSwap(told, at) {
		return
	}
	t.options.Link.Events(link.Event{Kind: link.Refused, Err: fmt.Errorf("quic: connection from %s: %w", from, why)})
}

// run takes connections.
func (t *Listener) run() {
	for {
		c, err := t.accept(t.ctx)
		if err != nil {
			return
		}
		if taken, ok := c.Context().Value(takenKey{}).(*atomic.Bool); ok {
			taken.Store(true)
		}
		t.group.Go(func() { t.meet(c) })
	}
}

// meet takes the streams of a connection. The first says which node it is.
func (t *Listener) meet(c *quic.Conn) {
	m := &meeting{listener: t, conn: c}
	ctx, cancel := context.WithCancel(t.ctx)
	defer cancel()
	unhook := context.AfterFunc(c.Context(), cancel)
	defer unhook()
	late := time.AfterFunc(t.options.Connect, m.late)
	defer late.Stop()
	for {
		st, err := c.AcceptStream(ctx)
		if err != nil {
			m.refuse(t.why(c, err))
			break
		}
		m.group.Go(func() {
			if err := m.stream(st); err != nil {
				m.refuse(err)
			}
		})
	}
	m.group.Wait()
}

// why says why a connection brings no streams any more.
func (t *Listener) why(c *quic.Conn, err error) error {
	switch why := context.Cause(c.Context()); {
	case t.ctx.Err() != nil:
		return errClosing
	case why != nil:
		return explain(why)
	}
	return explain(err)
}

// meeting is a connection before and after it is known whose it is.
type meeting struct {
	listener *Listener
	conn     *quic.Conn
	group    sync.WaitGroup

	mu      sync.Mutex
	session *session
	counted bool // as refused
}

// late ends a connection on which nobody has greeted in time.
func (m *meeting) late() {
	m.mu.Lock()
	s := m.session
	m.mu.Unlock()
	if s == nil {
		m.refuse(fmt.Errorf("%w within %s", link.ErrSlow, m.listener.options.Connect))
	}
}

// refuse ends the connection.
func (m *meeting) refuse(why error) {
	m.mu.Lock()
	s, counts := m.session, !m.counted && why != errClosing
	m.counted = m.counted || counts && s == nil
	m.mu.Unlock()
	if s != nil {
		s.end(why)
		return
	}
	if counts {
		m.listener.refuse(m.conn.RemoteAddr(), why)
	}
	code, text := said(why)
	_ = m.conn.CloseWithError(code, text) // what is closed stays closed
}

// stream reads a stream's greeting and gives it to its lane.
func (m *meeting) stream(st *quic.Stream) error {
	g, read, err := m.greeting(st)
	if err != nil {
		return err
	}
	if len(g.Channels) != 1 {
		return fmt.Errorf("%w: a stream is for one channel, and %d are named", link.ErrProtocol, len(g.Channels))
	}
	s, err := m.whose(&g)
	if err != nil {
		return err
	}
	n := s.link.lane(g.Channels[0].Name)
	if n == nil {
		return m.deaf(s, st, &g, read)
	}
	if !m.proven() && !n.channel.Repeats {
		s.link.tally.earlyRefused.Add(1)
		return fmt.Errorf("%w: channel %q %w", ErrRefused, n.channel.Name, errEarly)
	}
	return s.carry(n, st, read)
}

// proven reports whether the handshake is over: what came before may be a recording.
func (m *meeting) proven() bool {
	select {
	case <-m.conn.HandshakeComplete():
		return true
	default:
		return false
	}
}

// greeting reads until a stream's greeting is whole, for as long as patience lasts.
func (m *meeting) greeting(st *quic.Stream) (g link.Greeting, read []byte, err error) {
	patience := m.listener.options.Link.Patience
	if err := st.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return g, nil, err
	}
	buf := make([]byte, link.GreetingHead+link.MaxGreeting)
	for have := 0; ; {
		k, err := st.Read(buf[have:])
		have += k
		g, n, bad := link.ParseGreeting(buf[:have])
		switch {
		case bad != nil:
			return g, nil, bad
		case n > 0:
			return g, buf[:have], st.SetReadDeadline(time.Time{})
		case err != nil:
			return g, nil, fmt.Errorf("%w within %s: %w", link.ErrSlow, patience, err)
		}
	}
}

// whose finds the session of a connection's greeting, and begins it with the first.
func (m *meeting) whose(g *link.Greeting) (*session, error) {
	t := m.listener
	l := t.find(g.Node, g.Link)
	if l == nil {
		return nil, fmt.Errorf("%w: node %q is not one of those that may connect here", ErrRefused, g.Node)
	}
	if err := t.options.vouched(m.conn, g.Node); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.session; s != nil {
		if s.link != l {
			return nil, fmt.Errorf("%w: %q, and %q before", link.ErrStranger, g.Node, s.link.node)
		}
		return s, nil
	}
	s := newSession(l, m.conn, g.Start)
	if err := l.take(s); err != nil {
		return nil, err
	}
	m.session = s
	m.group.Go(func() {
		err := s.run(func() {})
		l.leave(s)
		l.disconnected(fmt.Errorf("quic: link with %q: %w", l.node, err))
	})
	return s, nil
}

// deaf answers a stream for a channel that this node does not have: the other one learns so from the greeting.
func (m *meeting) deaf(s *session, st *quic.Stream, g *link.Greeting, read []byte) error {
	name := g.Channels[0].Name
	s.link.hear(link.Event{Kind: link.Refused, Channel: name, Err: fmt.Errorf("%w: this node has no channel %q, and %q has", link.ErrContract, name, g.Node)})
	n := &lane{link: s.link, channel: link.Channel{Contract: link.Contract{Name: name}}, wake: make(chan struct{}, 1)}
	n.gatherer = n.fill
	o := s.link.options.Link
	o.Channels, o.Events = nil, nil
	var err error
	if n.peer, err = link.NewPeer(o); err != nil {
		return err
	}
	beat := time.NewTicker(o.Heartbeat / 4)
	defer beat.Stop()
	over := make(chan struct{})
	var beats sync.WaitGroup
	beats.Go(func() {
		for {
			select {
			case <-beat.C:
				n.kick()
			case <-over:
				return
			}
		}
	})
	n.carry(s, st, read)
	close(over)
	beats.Wait()
	return n.peer.Close()
}
