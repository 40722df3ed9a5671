package control

import (
	"bytes"
	"context"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alphapulse/transport/netio/link"
	"github.com/alphapulse/transport/netio/trust"
	"github.com/alphapulse/transport/netio/trust/trusttest"
)

func must(t testing.TB, err error) {
	if err != nil {
		t.Helper()
		t.Fatal(err)
	}
}

// town is a network in memory: who dials an address meets who listens there.
type town struct {
	mu      sync.Mutex
	squares map[string]*square
}

type square struct {
	name string
	come chan net.Conn
	shut chan struct{}
	once sync.Once

	mu     sync.Mutex
	roads  []*road
	closed atomic.Bool // to new roads
}

// road is an end of a connection that holds what was written until it is read, and that can be cut without either end noticing.
type road struct {
	net.Conn
	cut  *atomic.Bool
	out  chan []byte
	shut chan struct{}
	once sync.Once
	mu   sync.Mutex
}

func newRoad() (near, far *road) {
	a, b := net.Pipe()
	cut := new(atomic.Bool)
	near = &road{Conn: a, cut: cut, out: make(chan []byte, 1024), shut: make(chan struct{})}
	far = &road{Conn: b, cut: cut, out: make(chan []byte, 1024), shut: make(chan struct{})}
	go near.carry()
	go far.carry()
	return near, far
}

// carry moves what was written, and after Close what is left of it, for a while. The far end of a road that is cut does not hear of Close.
func (r *road) carry() {
	defer func() {
		if !r.cut.Load() {
			r.Conn.Close()
		}
	}()
	for {
		select {
		case b := <-r.out:
			r.Conn.Write(b)
		case <-r.shut:
			for len(r.out) > 0 {
				r.Conn.Write(<-r.out)
			}
			return
		}
	}
}

func (r *road) Write(b []byte) (int, error) {
	select {
	case <-r.shut:
		return 0, net.ErrClosed
	default:
	}
	if !r.cut.Load() {
		r.out <- bytes.Clone(b)
	}
	return len(b), nil
}

func (r *road) Read(b []byte) (int, error) {
	n, err := r.Conn.Read(b)
	select {
	case <-r.shut:
		return n, net.ErrClosed
	default:
		return n, err
	}
}

// What is written is held, so no deadline ends a write; that of the inner end is Close's.
func (r *road) SetWriteDeadline(time.Time) error { return nil }

func (r *road) SetDeadline(t time.Time) error { return r.SetReadDeadline(t) }

func (r *road) SetReadDeadline(t time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.shut: // the reader was woken for good
		return net.ErrClosed
	default:
		return r.Conn.SetReadDeadline(t)
	}
}

func (r *road) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.once.Do(func() {
		close(r.shut)
		r.Conn.SetReadDeadline(time.Unix(1, 0))
		r.Conn.SetWriteDeadline(time.Now().Add(time.Millisecond))
	})
	return nil
}

func (n *town) listen(name string) *square {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.squares == nil {
		n.squares = map[string]*square{}
	}
	s := &square{name: name, come: make(chan net.Conn), shut: make(chan struct{})}
	n.squares[name] = s
	return s
}

func (n *town) dial(ctx context.Context, addr string) (net.Conn, error) {
	n.mu.Lock()
	s := n.squares[addr]
	n.mu.Unlock()
	refused := &net.OpError{Op: "dial", Err: net.UnknownNetworkError("nobody listens")}
	if s == nil || s.closed.Load() {
		return nil, refused
	}
	near, far := newRoad()
	select {
	case s.come <- far:
		s.mu.Lock()
		defer s.mu.Unlock()
		s.roads = append(s.roads, near)
		return near, nil
	case <-s.shut:
	case <-ctx.Done():
	}
	near.Close()
	far.Close()
	return nil, refused
}

// last is the newest road.
func (s *square) last() *road {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.roads[len(s.roads)-1]
}

func (s *square) Accept() (net.Conn, error) {
	select {
	case c := <-s.come:
		return c, nil
	case <-s.shut:
		return nil, net.ErrClosed
	}
}

func (s *square) Close() error {
	s.once.Do(func() { close(s.shut) })
	return nil
}

func (s *square) Addr() net.Addr { return &net.UnixAddr{Name: s.name} }

// diary keeps what a node was told.
type diary struct {
	mu   sync.Mutex
	all  []Event
	then func(Event) // if set, called with each
}

func (d *diary) write(e Event) {
	if d.then != nil {
		d.then(e)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = append(d.all, e)
}

// of lists what was told of a kind since it was asked last of that kind.
func (d *diary) of(kinds ...EventKind) (some []Event) {
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = slices.DeleteFunc(d.all, func(e Event) bool {
		is := slices.Contains(kinds, e.Kind)
		if is {
			some = append(some, e)
		}
		return is
	})
	return some
}

// one is the only event of a kind, or fails the test.
func (d *diary) one(t testing.TB, k EventKind) Event {
	t.Helper()
	some := d.of(k)
	if len(some) != 1 {
		t.Fatalf("told %d times %v: %v; besides %v", len(some), k, some, d.all)
	}
	return some[0]
}

func sends(name string) link.Contract { return link.Contract{Name: name, Sends: true, Largest: 1000} }
func takes(name string) link.Contract { return link.Contract{Name: name, Takes: true, Largest: 1000} }

// options of a node, and its diary.
func options(t testing.TB, a *trust.Authority, node string, contracts ...link.Contract) (Options, *diary) {
	d := &diary{}
	t.Cleanup(func() { time.Sleep(10 * time.Millisecond) }) // last: roads end a little after their Close
	return Options{Node: node, Contracts: contracts, Identity: trusttest.Identity(t, a, node), Events: d.write}, d
}

// listenAt starts a listener in a town and closes it with the test.
func (n *town) listenAt(t testing.TB, name string, o Options) (*Listener, *square) {
	t.Helper()
	c, err := o.checked()
	must(t, err)
	s := n.listen(name)
	l := listen(c, s)
	t.Cleanup(func() { must(t, l.Close()) })
	return l, s
}

func (n *town) dialTo(t testing.TB, peer, addr string, o Options) *Link {
	t.Helper()
	o.dial = n.dial
	l, err := Dial(o, peer, addr)
	must(t, err)
	t.Cleanup(func() { must(t, l.Close()) })
	return l
}

// pair is two nodes that are connected: b dials a.
type pair struct {
	town     town
	ao, bo   Options
	ad, bd   *diary
	listener *Listener
	square   *square
	at       *Link // b's link, as a has it
	link     *Link // b's own
}

// newPair connects two nodes that share these channels.
func newPair(t testing.TB, a, b []link.Contract, change func(p *pair)) *pair {
	t.Helper()
	ca := trusttest.Authority(t)
	p := &pair{}
	p.ao, p.ad = options(t, ca, "a", a...)
	p.bo, p.bd = options(t, ca, "b", b...)
	if change != nil {
		change(p)
	}
	p.listener, p.square = p.town.listenAt(t, "a:1", p.ao)
	p.link = p.town.dialTo(t, "a", "a:1", p.bo)
	synctest.Wait()
	p.at = p.listener.Link("b")
	if !p.link.Connected() || p.at == nil || !p.at.Connected() {
		t.Fatalf("not connected: %v, %v", p.ad.all, p.bd.all)
	}
	return p
}

// pass lets time go by.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
