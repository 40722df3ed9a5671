package tcp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/netio/link"
	"github.com/alphapulse/transport/ring"
)

const (
	acceptAtOnce = 16                    // connections taken in one Do
	strangers    = 64                    // connections that have not greeted yet; more are closed at once
	acceptAgain  = 10 * time.Millisecond // pause after a refusal to accept: no descriptors, no memory
	refuseEvery  = time.Second           // between two refusals that Events is told of: who is refused chooses how often
)

// Listener takes connections, and has a Link for each node. It is a worker: Do runs it and all its links. Do belongs to one goroutine;
// everything else may be called from any. The zero Listener is not valid: use Listen.
type Listener struct {
	mu      sync.Mutex // held by Do, too: it gives up rather than wait
	options ListenOptions
	links   []*Link
	rings   []carried
	mirrors map[string]*netio.Mirrors
	closed  bool

	taken     taker
	local     netip.AddrPort
	newcomers []*newcomer
	clock     clock
	retryAt   time.Duration
	trouble   bool
	turned    uint64        // connections that were turned away
	tellAt    time.Duration // when Events may be told of the next one
}

// carried is a ring that every link carries.
type carried struct {
	channel string
	ring    *ring.Ring
}

// taker takes connections without blocking: nil, nil is none.
type taker interface {
	take() (attempt, error)
	local() netip.AddrPort
	Close() error
}

// newcomer is a connection whose node has not greeted yet.
type newcomer struct {
	trying attempt
	conn   connection
	since  time.Duration
	buf    []byte
}

// Listen listens, and makes a link for each node that is expected. Nothing is taken before the first Do. It must be called in the network
// namespace it listens in.
func Listen(o ListenOptions) (*Listener, error) {
	o, err := o.checked()
	if err != nil {
		return nil, err
	}
	l := &Listener{options: o, mirrors: map[string]*netio.Mirrors{}, clock: newClock()}
	l.options.Link.Channels = slices.Clone(o.Link.Channels)
	for i := range l.options.Link.Channels {
		c := &l.options.Link.Channels[i]
		if c.Takes && c.Inbox.Shared == nil {
			m, err := netio.NewMirrors(c.Inbox)
			if err != nil {
				return nil, errors.Join(fmt.Errorf("%w: channel %q: %w", ErrOptions, c.Name, err), l.Close())
			}
			l.mirrors[c.Name], c.Inbox = m, netio.InboxOptions{Shared: m, Capacity: c.Inbox.Capacity}
		}
	}
	for _, node := range o.Nodes {
		if _, err := l.link(node, 0); err != nil {
			return nil, errors.Join(err, l.Close())
		}
	}
	so := o.Socket.options(orDefault(o.Link.Liveness, link.DefaultLiveness))
	so.Bind = o.Bind
	if l.taken, err = o.listen(so); err != nil {
		return nil, errors.Join(fmt.Errorf("tcp: node %q listens on %s: %w", o.Link.Node, o.Bind, err), l.Close())
	}
	l.local = l.taken.local()
	return l, nil
}

// Local returns the own address.
func (l *Listener) Local() netip.AddrPort { return l.local }

// SetNow lends the time of a cycle, see numa.Clocked.
func (l *Listener) SetNow(now time.Time) {
	l.clock.lend(now)
	if !l.mu.TryLock() {
		return
	}
	defer l.mu.Unlock()
	for _, one := range l.links {
		one.SetNow(now)
	}
}

// Do takes connections, hears who they are, and runs every link once. It returns how many frames they carried and took.
func (l *Listener) Do() (frames int, err error) {
	if !l.mu.TryLock() {
		return 0, nil
	}
	defer l.mu.Unlock()
	if l.closed {
		return 0, fmt.Errorf("tcp: listener of %q: %w", l.options.Link.Node, net.ErrClosed)
	}
	now := l.clock.read()
	if now >= l.retryAt {
		l.accept(now)
	}
	if len(l.newcomers) > 0 {
		l.newcomers = slices.DeleteFunc(l.newcomers, func(n *newcomer) bool { return l.meet(n, now) })
	}
	for _, one := range l.links {
		n, err := one.Do()
		if err != nil {
			return frames, err
		}
		frames += n
	}
	return frames, nil
}

// accept takes connections. One that cannot be had, for want of descriptors, is told of once, and tried again.
func (l *Listener) accept(now time.Duration) {
	l.retryAt = now + connectEvery
	for range acceptAtOnce {
		a, err := l.taken.take()
		if err != nil {
			l.retryAt = now + acceptAgain
			if !l.trouble {
				l.trouble = true
				l.tell(link.Event{Kind: link.Trouble, Err: fmt.Errorf("tcp: node %q accepts on %s: %w", l.options.Link.Node, l.Local(), err)})
			}
			return
		}
		if a == nil {
			return
		}
		if l.trouble {
			l.trouble = false
			l.tell(link.Event{Kind: link.Recovered})
		}
		if len(l.newcomers) >= strangers {
			l.turned++
			_ = a.Close() // a stranger's: what the kernel says of it concerns nobody
			continue
		}
		l.newcomers = append(l.newcomers, &newcomer{trying: a, since: now})
	}
}

// meet goes on with a newcomer, and reports whether it is one no more.
func (l *Listener) meet(n *newcomer, now time.Duration) bool {
	err := error(nil)
	if now-n.since > l.options.Connect {
		err = fmt.Errorf("%w within %s", link.ErrSlow, l.options.Connect)
	}
	if err == nil && n.conn == nil {
		if n.conn, err = n.trying.made(); n.conn != nil {
			n.trying = nil
		}
	}
	if err == nil && n.conn != nil {
		var done bool
		if done, err = l.greet(n, now); done {
			return true
		}
	}
	if err == nil {
		return false
	}
	l.refuse(n, err, now)
	return true
}

// greet reads a newcomer's greeting, as far as it has arrived, and gives the connection to its link.
func (l *Listener) greet(n *newcomer, now time.Duration) (bool, error) {
	if n.buf == nil {
		n.buf = make([]byte, 0, 4<<10)
	}
	if len(n.buf) == cap(n.buf) {
		n.buf = slices.Grow(n.buf, min(cap(n.buf), link.GreetingHead+link.MaxGreeting+recvBytes-cap(n.buf)))
	}
	k, err := n.conn.Recv(n.buf[len(n.buf):cap(n.buf)])
	if err == io.EOF {
		err = errors.New("it closed the connection before it greeted")
	}
	if err != nil || k == 0 {
		return false, err
	}
	n.buf = n.buf[:len(n.buf)+k]
	g, size, err := link.ParseGreeting(n.buf)
	if err != nil || size == 0 {
		return false, err
	}
	if s, ok := n.conn.(*secure); ok {
		all := s.conn.ConnectionState().PeerCertificates
		if len(all) == 0 || !l.options.Vouch(all[0], g.Node) {
			return false, fmt.Errorf("%w: %q greets, and its certificate is another's", link.ErrStranger, g.Node)
		}
	}
	one, err := l.link(g.Node, g.Link)
	if err != nil {
		return false, err
	}
	one.mu.Lock()
	defer one.mu.Unlock()
	one.open(now, n.conn, n.buf)
	return true, nil
}

// link returns the link with a node, and makes it where the node is welcome.
func (l *Listener) link(node string, number int) (*Link, error) {
	for _, one := range l.links {
		if one.node == node && one.number == number {
			return one, nil
		}
	}
	o := l.options.Link
	switch {
	case !l.options.Anyone && !slices.Contains(l.options.Nodes, node):
		return nil, fmt.Errorf("%w: %q, which is not expected here", link.ErrStranger, node)
	case len(l.links) >= max(DefaultNodes, len(l.options.Nodes)*link.MaxLinks):
		return nil, fmt.Errorf("%w: %q: there are %d links already", link.ErrStranger, node, len(l.links))
	case node == o.Node:
		return nil, fmt.Errorf("%w: %q, as this node is called itself", link.ErrStranger, node)
	}
	o.Peer, o.Link = node, number
	o.Events = l.options.Link.Events
	one, err := newLink(o)
	if err != nil {
		return nil, err
	}
	one.clock = l.clock
	if number == 0 { // further links carry what they are given
		for _, c := range l.rings {
			if err := one.Add(c.channel, c.ring); err != nil {
				return nil, errors.Join(err, one.Close())
			}
		}
	}
	l.links = append(l.links, one)
	return one, nil
}

// Expect makes a link for one more node, with channels of its own: o is what ListenOptions.Link is, with Peer and Link. Rings that Add gave
// the listener it does not carry.
func (l *Listener) Expect(o link.Options) (*Link, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var err error
	switch {
	case l.closed:
		err = net.ErrClosed
	case o.Peer == "":
		err = fmt.Errorf("%w: no name of the node to expect", ErrOptions)
	case slices.ContainsFunc(l.links, func(one *Link) bool { return one.node == o.Peer && one.number == o.Link }):
		err = fmt.Errorf("%w: link %d to %q is expected already", ErrOptions, o.Link, o.Peer)
	}
	if err != nil {
		return nil, fmt.Errorf("tcp: listener: %w", err)
	}
	one, err := newLink(o)
	if err != nil {
		return nil, err
	}
	one.clock = l.clock
	l.links = append(l.links, one)
	return one, nil
}

// Dismiss closes a link, whose node is expected no more.
func (l *Listener) Dismiss(one *Link) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.links = slices.DeleteFunc(l.links, func(other *Link) bool { return other == one })
	return one.Close()
}

// refuse turns a newcomer away, and tells why unless it has just told of another.
func (l *Listener) refuse(n *newcomer, err error, now time.Duration) {
	l.turned++
	_ = n.close() // a stranger's
	if now < l.tellAt {
		return
	}
	l.tellAt = now + refuseEvery
	l.tell(link.Event{Kind: link.Refused, Err: fmt.Errorf("tcp: node %q on %s: a connection is refused: %w", l.options.Link.Node, l.Local(), err)})
}

func (n *newcomer) close() error {
	if n.conn != nil {
		return n.conn.Close()
	}
	return n.trying.Close()
}

func (l *Listener) tell(e link.Event) {
	if l.options.Link.Events != nil {
		l.options.Link.Events(e)
	}
}

// Refused is how many connections were turned away: too many at once, no greeting in time, nobody who is believed or expected.
func (l *Listener) Refused() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.turned
}

// Link returns the link with a node, by its number; nil when there is none yet.
func (l *Listener) Link(node string, number int) *Link {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, one := range l.links {
		if one.node == node && one.number == number {
			return one
		}
	}
	return nil
}

// Links returns all links.
func (l *Listener) Links() []*Link {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.links)
}

// Add has a ring carried to every node, those that connect later, too.
func (l *Listener) Add(channel string, r *ring.Ring) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return fmt.Errorf("tcp: listener: channel %q: %w", channel, ring.ErrClosed)
	}
	l.rings = append(l.rings, carried{channel, r})
	for _, one := range l.links {
		if one.number == 0 {
			if err := one.Add(channel, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// Channel returns what carries rings to every node; a transport.Carrier.
func (l *Listener) Channel(name string) Channel { return Channel{l, name} }

// Close closes the listener and all its links.
func (l *Listener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	var faults []error
	if l.taken != nil {
		faults = append(faults, l.taken.Close())
	}
	for _, n := range l.newcomers {
		faults = append(faults, n.close())
	}
	l.newcomers = nil
	for _, one := range l.links {
		faults = append(faults, one.Close())
	}
	for _, m := range l.mirrors {
		faults = append(faults, m.Close())
	}
	return errors.Join(faults...)
}

// String names the listener in errors.
func (l *Listener) String() string { return fmt.Sprintf("tcp listener of %q", l.options.Link.Node) }

// listen listens, plain or for TLS.
func (o *ListenOptions) listen(so sys.TCPOptions) (taker, error) {
	t, err := sys.ListenTCP(so)
	if err != nil || o.TLS == nil {
		if err != nil {
			return nil, err
		}
		return openTaker{t}, nil
	}
	local := t.Local()
	if err := t.Close(); err != nil { // it was good: the runtime's own takes its place
		return nil, err
	}
	n, err := net.Listen("tcp", local.String())
	if err != nil {
		return nil, err
	}
	s := &secretTaker{listener: n, config: o.TLS, connect: o.Connect, options: so, arrived: make(chan *arrival, strangers), closed: make(chan struct{})}
	s.done.Go(s.accept)
	return s, nil
}

// openTaker takes plain connections.
type openTaker struct{ *sys.TCPListener }

func (t openTaker) local() netip.AddrPort { return t.Local() }

func (t openTaker) take() (attempt, error) {
	c, err := t.Accept()
	if c == nil || err != nil {
		return nil, err
	}
	return here{c}, nil
}

// here is a connection that is made already.
type here struct{ *sys.TCP }

func (h here) made() (connection, error) { return h.TCP, nil }

// secretTaker takes connections and has TLS made of them, each on a goroutine of its own, strangers of them at most.
type secretTaker struct {
	listener net.Listener
	config   *tls.Config
	connect  time.Duration
	options  sys.TCPOptions
	arrived  chan *arrival
	closed   chan struct{}
	done     sync.WaitGroup
}

type arrival struct {
	attempt
	err error
}

func (s *secretTaker) local() netip.AddrPort {
	return s.listener.Addr().(*net.TCPAddr).AddrPort()
}

func (s *secretTaker) accept() {
	for {
		c, err := s.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			s.offer(&arrival{err: err})
			select {
			case <-s.closed:
			case <-time.After(acceptAgain):
			}
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), s.connect)
		one := &secret{cancel: cancel, done: make(chan struct{}), options: s.options}
		go func() {
			defer close(one.done)
			if one.shake(ctx, c, func(l *line) *tls.Conn { return tls.Server(l, s.config) }); one.err != nil {
				one.err = fmt.Errorf("from %s: %w", c.RemoteAddr(), one.err)
			}
		}()
		if !s.offer(&arrival{attempt: one}) {
			_ = one.Close() // a stranger's
		}
	}
}

// offer leaves what arrived for the worker, and reports false when there are too many already.
func (s *secretTaker) offer(a *arrival) bool {
	select {
	case s.arrived <- a:
		return true
	default:
		return false
	}
}

func (s *secretTaker) take() (attempt, error) {
	select {
	case a := <-s.arrived:
		return a.attempt, a.err
	default:
		return nil, nil
	}
}

func (s *secretTaker) Close() error {
	err := s.listener.Close()
	close(s.closed)
	s.done.Wait()
	close(s.arrived)
	for a := range s.arrived {
		if a.attempt != nil {
			_ = a.Close() // a stranger's
		}
	}
	return err
}
