package tcp

import (
	"encoding/binary"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/netio/link"
	"github.com/alphapulse/transport/ring"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scaled divides a count by PULSE_SCALE, but leaves enough of it to say something.
func scaled(n int) int {
	if scale, err := strconv.Atoi(os.Getenv("PULSE_SCALE")); err == nil && scale > 1 {
		return max(n/scale, min(n, 10_000))
	}
	return n
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var loopback = netip.MustParseAddrPort("127.0.0.1:0")

// bed is a listening node and one that dials it, both run by the test's thread.
type bed struct {
	t        testing.TB
	listener *Listener
	dialer   *Link
	lo       ListenOptions
	do       DialOptions
	mu       sync.Mutex
	events   []link.Event
	sinks    map[uint64]*sink
	idle     []func()
	dial     func() (int, error) // in place of dialer
}

// newBed opens both: "a" dials "b" and sends in the channels.
func newBed(t testing.TB, change func(*ListenOptions, *DialOptions), channels ...string) *bed {
	t.Helper()
	b := &bed{t: t, sinks: map[uint64]*sink{}}
	b.lo = ListenOptions{Bind: loopback, Nodes: []string{"a"}, Link: link.Options{Node: "b", Events: b.tell}}
	b.do = DialOptions{Link: link.Options{Node: "a", Peer: "b", Events: b.tell}}
	for _, name := range channels {
		inbox := netio.InboxOptions{Capacity: 1 << 16, Opened: b.opened}
		largest := 1000
		b.lo.Link.Channels = append(b.lo.Link.Channels, link.Channel{Contract: link.Contract{Name: name, Takes: true, Largest: largest}, Inbox: inbox})
		b.do.Link.Channels = append(b.do.Link.Channels, link.Channel{Contract: link.Contract{Name: name, Sends: true, Largest: largest}})
	}
	if change != nil {
		change(&b.lo, &b.do)
	}
	var err error
	b.listener, err = Listen(b.lo)
	must(t, err)
	if !b.do.To.IsValid() {
		b.do.To = b.listener.Local()
	}
	b.dialer, err = Dial(b.do)
	must(t, err)
	t.Cleanup(func() {
		must(t, b.dialer.Close())
		for _, s := range b.sinks {
			_ = s.reader.Close()
		}
		must(t, b.listener.Close())
	})
	return b
}

func (b *bed) tell(e link.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.events = append(b.events, e)
}

// said returns the events of a kind.
func (b *bed) said(k link.EventKind) (all []link.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.events {
		if e.Kind == k {
			all = append(all, e)
		}
	}
	return all
}

func (b *bed) opened(r *ring.Ring) {
	reader, err := r.Reader(ring.ReaderOptions{From: ring.Oldest})
	if err != nil {
		panic(err)
	}
	old := b.sinks[r.Info().Instance]
	if old == nil {
		old = &sink{t: b.t}
		b.sinks[r.Info().Instance] = old
	}
	old.reader = reader
}

func (b *bed) step() {
	dial := b.dialer.Do
	if b.dial != nil {
		dial = b.dial
	}
	if _, err := dial(); err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.listener.Do(); err != nil {
		b.t.Fatal(err)
	}
	for _, f := range b.idle {
		f()
	}
}

// until steps until ok, for 20 seconds at most.
func (b *bed) until(what string, ok func() bool) {
	b.t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); b.step() {
		if time.Now().After(end) {
			b.t.Fatalf("not in time: %s; %+v %v", what, b.dialer.Stats(), b.events)
		}
	}
}

// source is a ring that a test publishes in.
type source struct {
	t      testing.TB
	ring   *ring.Ring
	writer *ring.Writer
	next   uint64
}

func newSource(t testing.TB, capacity int) *source {
	t.Helper()
	r, err := ring.Create(ring.Options{Capacity: capacity})
	must(t, err)
	w, err := r.Writer()
	must(t, err)
	t.Cleanup(func() { must(t, w.Close()); must(t, r.Close()) })
	return &source{t: t, ring: r, writer: w, next: 1}
}

// publish publishes messages that carry their number, up to number last or until the ring is full.
func (s *source) publish(last, size int) {
	for s.next <= uint64(last) {
		b, err := s.writer.Claim(size)
		if err == ring.ErrFull {
			return
		}
		must(s.t, err)
		binary.LittleEndian.PutUint64(b, s.next)
		must(s.t, s.writer.Commit(size))
		s.next++
	}
}

// sink reads a mirror and checks that it is each number once, in order.
type sink struct {
	t      testing.TB
	reader *ring.Reader
	got    int
	last   uint64

	anywhere bool // it may begin late
}

func (s *sink) drain() {
	if s == nil {
		return
	}
	var batch [64]ring.Record
	for n := s.reader.Peek(batch[:]); n > 0; n = s.reader.Peek(batch[:]) {
		for i, r := range batch[:n] {
			number := binary.LittleEndian.Uint64(r.Payload())
			if s.anywhere && s.got == 0 {
				s.last = number - 1
			}
			if number != s.last+1 || number != s.reader.First()+uint64(i) {
				s.t.Fatalf("number %d after %d", number, s.last)
			}
			s.last++
			s.got++
		}
		must(s.t, s.reader.Release(n))
	}
}

func (b *bed) sink(s *source) *sink { return b.sinks[s.ring.Info().Instance] }
