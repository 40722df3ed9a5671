package quic

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/netio/link"
	"github.com/alphapulse/transport/netio/trust"
	"github.com/alphapulse/transport/netio/trust/trusttest"
	"github.com/alphapulse/transport/ring"
)

// scaled divides a count by PULSE_SCALE, but leaves enough of it to say something.
func scaled(n int) int {
	if scale, err := strconv.Atoi(os.Getenv("PULSE_SCALE")); err == nil && scale > 1 {
		return max(n/scale, min(n, 4))
	}
	return n
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// until waits for ok, which the machine has long to bring about.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 20s: %s", what)
		}
	}
}

var loopback = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), 0)

// liveness is long enough for a machine that is busy with other tests.
const liveness = 3 * time.Second

func server(t testing.TB, a *trust.Authority, node string) *tls.Config {
	return trusttest.Identity(t, a, node).Server(Protocol)
}

func client(t testing.TB, a *trust.Authority, node string, expect ...string) *tls.Config {
	c, err := trusttest.Identity(t, a, node).Client(Protocol, expect...)
	must(t, err)
	return c
}

// log is the events of a side.
type log struct {
	mu  sync.Mutex
	all []link.Event
}

func (g *log) hear(e link.Event) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.all = append(g.all, e)
}

// find returns the first event from number i on that is as ok says.
func (g *log) find(ok func(link.Event) bool) (link.Event, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, e := range g.all {
		if ok(e) {
			return e, true
		}
	}
	return link.Event{}, false
}

func (g *log) count(k link.EventKind) (n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, e := range g.all {
		if e.Kind == k {
			n++
		}
	}
	return n
}

// sinks reads what a node has of all sources: each must be each number once, in order.
type sinks struct {
	t   testing.TB
	mu  sync.Mutex
	all map[uint64]*sink
}

type sink struct {
	reader *ring.Reader
	first  uint64 // number that came first
	next   uint64
	got    int
	still  bool // nobody reads
}

func newSinks(t testing.TB) *sinks {
	s := &sinks{t: t, all: map[uint64]*sink{}}
	t.Cleanup(s.shut)
	return s
}

// shut closes the readers: those of the next life go on after what was read.
func (s *sinks) shut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.all {
		if k.reader != nil {
			_ = k.reader.Close()
		}
		k.reader = nil
	}
}

func (s *sinks) inbox(o netio.InboxOptions) netio.InboxOptions {
	o.Opened = func(r *ring.Ring) {
		s.mu.Lock()
		defer s.mu.Unlock()
		k, from := s.all[r.Info().Instance], ring.Now // the node's next life: the mirror goes on
		if k == nil {
			k, from = &sink{}, ring.Oldest
			s.all[r.Info().Instance] = k
		}
		reader, err := r.Reader(ring.ReaderOptions{From: from})
		if err != nil {
			panic(err)
		}
		k.reader = reader
	}
	return o
}

// of returns what there is of a source, nil when there is nothing.
func (s *sinks) of(r *ring.Ring) *sink {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all[r.Info().Instance]
}

// drain reads all there is, and returns how many messages were read in all.
func (s *sinks) drain() (total int) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	batch := make([]ring.Record, 64)
	for _, k := range s.all {
		for !k.still && k.reader != nil {
			n := k.reader.Peek(batch)
			if n == 0 {
				must(s.t, k.reader.Err())
				break
			}
			for _, r := range batch[:n] {
				number := binary.LittleEndian.Uint64(r.Payload())
				if k.got == 0 {
					k.first, k.next = number, number
				}
				if number < k.next || number > k.next && k.reader.Lost() == 0 {
					s.t.Fatalf("message %d where %d is due", number, k.next)
				}
				for i, c := range r.Payload()[8:] {
					if c != byte(number)+byte(i) {
						s.t.Fatalf("message %d was changed", number)
					}
				}
				k.next = number + 1
				k.got++
			}
			must(s.t, k.reader.Release(n))
		}
		total += k.got
	}
	return total
}

// source is a ring that a test publishes in.
type source struct {
	t      testing.TB
	ring   *ring.Ring
	writer *ring.Writer
	next   uint64
}

func newSource(t testing.TB, o ring.Options) *source {
	t.Helper()
	open := ring.Create
	if o.Path != "" {
		open = ring.Open
	}
	r, err := open(o)
	must(t, err)
	w, err := r.Writer()
	must(t, err)
	t.Cleanup(func() { _ = w.Close(); must(t, r.Close()) })
	return &source{t: t, ring: r, writer: w, next: w.Seq()}
}

// publish publishes one message of size bytes, and reports false when the ring is full.
func (s *source) publish(size int) bool {
	b, err := s.writer.Claim(size)
	if err == ring.ErrFull {
		return false
	}
	must(s.t, err)
	binary.LittleEndian.PutUint64(b, s.next)
	for i := range b[8:] {
		b[8+i] = byte(s.next) + byte(i)
	}
	must(s.t, s.writer.Commit(size))
	s.next++
	return true
}

// bed is a node that listens and one that dials and sends.
type bed struct {
	t         testing.TB
	authority *trust.Authority
	tx, rx    log
	sinks     *sinks
	listener  *Listener
	link      *Link
	listen    ListenOptions
	dial      DialOptions
	stopped   bool
}

// channels are contracts of both sides.
func (b *bed) channels(r link.Reliability, inbox netio.InboxOptions, names ...string) {
	for _, name := range names {
		c := link.Contract{Name: name, Reliability: r}
		if inbox.Capacity != 0 {
			c.Largest = inbox.Capacity/8 - 184
		}
		out, in := c, c
		out.Sends, in.Takes = true, true
		b.dial.Link.Channels = append(b.dial.Link.Channels, link.Channel{Contract: out, From: ring.Oldest})
		b.listen.Link.Channels = append(b.listen.Link.Channels, link.Channel{Contract: in, Inbox: b.sinks.inbox(inbox)})
	}
}

func newBed(t testing.TB) *bed {
	t.Helper()
	b := &bed{t: t, authority: trusttest.Authority(t), sinks: newSinks(t)}
	b.dial.Link = link.Options{Node: "tx", Peer: "rx", Liveness: liveness, Events: b.tx.hear}
	b.listen.Link = link.Options{Node: "rx", Liveness: liveness, Events: b.rx.hear}
	b.dial.TLS, b.listen.TLS = client(t, b.authority, "tx", "rx"), server(t, b.authority, "rx")
	b.listen.Bind, b.listen.Nodes = loopback, []string{"tx"}
	return b
}

// open opens the side that listens.
func (b *bed) open() *bed {
	b.t.Helper()
	var err error
	b.listener, err = Listen(b.listen)
	must(b.t, err)
	b.listen.Bind = b.listener.Local()
	b.t.Cleanup(func() {
		if !b.stopped {
			must(b.t, b.listener.Close())
		}
	})
	return b
}

// connect opens the other side.
func (b *bed) connect() *bed {
	b.t.Helper()
	if !b.dial.To.IsValid() {
		b.dial.To = b.listener.Local()
	}
	var err error
	b.link, err = Dial(b.dial)
	must(b.t, err)
	b.t.Cleanup(func() { must(b.t, b.link.Close()) })
	return b
}

// stop closes the side that listens, and start opens it again at the same address.
func (b *bed) stop() { must(b.t, b.listener.Close()); b.stopped = true }
func (b *bed) start() {
	var err error
	b.listener, err = Listen(b.listen)
	must(b.t, err)
	b.stopped = false
}

// carried publishes n messages of a source and waits until all have arrived.
func (b *bed) carried(one *source, n, size int) {
	b.t.Helper()
	end := one.next + uint64(n)
	until(b.t, "all arrive", func() bool {
		for one.next < end && one.publish(size) {
		}
		b.sinks.drain()
		k := b.sinks.of(one.ring)
		return one.next == end && k != nil && k.next == end
	})
}

type x509Certificate = x509.Certificate

var ringOptions = ring.Options{Capacity: 1 << 16}
