package tcp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/netlab"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/netio/link"
	"github.com/alphapulse/transport/ring"
)

func TestFramesArriveOnceAndInOrder(t *testing.T) {
	b := newBed(t, nil, "ticks")
	s := newSource(t, 1<<16)
	must(t, b.dialer.Channel("ticks").Add(s.ring))
	n := scaled(100_000)
	b.until("all arrive", func() bool {
		s.publish(n, 64)
		b.sink(s).drain()
		return b.sink(s) != nil && b.sink(s).got == n
	})
	b.until("all is confirmed", b.dialer.Drained)
	if st := b.listener.Link("a", 0).Stats(); st.FramesIn != uint64(n) || st.Connections != 1 {
		t.Errorf("%+v", st)
	}
}

// The listening node sends, too: to nodes that are expected, whenever they come, and to those that come.
func TestAListenerSendsToEveryNode(t *testing.T) {
	b := newBed(t, func(lo *ListenOptions, do *DialOptions) {
		for i := range lo.Link.Channels {
			lo.Link.Channels[i].Sends, lo.Link.Channels[i].Takes = true, false
			do.Link.Channels[i].Sends, do.Link.Channels[i].Takes = false, true
			do.Link.Channels[i].Inbox = lo.Link.Channels[i].Inbox
			lo.Link.Channels[i].Inbox = netio.InboxOptions{}
		}
		lo.Anyone = true
	}, "ticks")
	s := newSource(t, 1<<16)
	must(t, b.listener.Channel("ticks").Add(s.ring))
	got := map[string]*sink{}
	do := b.do
	do.Link.Node = "c"
	do.Link.Channels[0].Inbox.Opened = func(r *ring.Ring) {
		reader, err := r.Reader(ring.ReaderOptions{From: ring.Oldest})
		must(t, err)
		got["c"] = &sink{t: t, reader: reader, anywhere: true} // it comes when others have taken their part
	}
	c, err := Dial(do)
	must(t, err)
	defer func() { must(t, c.Close()) }()
	b.idle = append(b.idle, func() { _, err := c.Do(); must(t, err) })
	b.until("both have it all", func() bool {
		s.publish(5000, 64)
		got["c"].drain()
		b.sink(s).drain()
		return b.sink(s) != nil && got["c"] != nil && b.sink(s).got == 5000 && got["c"].last == 5000
	})
	must(t, got["c"].reader.Close())
}

func TestAPeerThatComesBackGoesOnWhereItWas(t *testing.T) {
	dir := t.TempDir()
	b := newBed(t, func(lo *ListenOptions, _ *DialOptions) { lo.Link.Channels[0].Inbox.Dir = dir }, "ticks")
	s := newSource(t, 1<<16)
	must(t, b.dialer.Add("ticks", s.ring))
	n := scaled(50_000)
	next := n / 5
	b.until("all arrive", func() bool {
		s.publish(n, 64)
		b.sink(s).drain()
		k := b.sink(s)
		if k != nil && k.got >= next { // the listening process ends and begins anew
			k.drain()
			next = k.got + n/5
			must(t, k.reader.Close())
			must(t, b.listener.Close())
			lo := b.lo
			lo.Bind = b.do.To
			lo.Link.Channels[0].Inbox.Opened = func(r *ring.Ring) {
				reader, err := r.Reader(ring.ReaderOptions{From: ring.Now})
				must(t, err)
				k.reader = reader
			}
			var err error
			b.listener, err = Listen(lo)
			must(t, err)
		}
		return k != nil && k.got == n
	})
	if st := b.dialer.Stats(); st.Connections < 3 || st.LostOut != 0 {
		t.Errorf("%+v", st)
	}
}

func TestASlowChannelHurtsOnlyItself(t *testing.T) {
	var names []string
	for i := range 64 {
		names = append(names, fmt.Sprint("c", i))
	}
	b := newBed(t, nil, names...)
	var all []*source
	for _, name := range names {
		s := newSource(t, 1<<16)
		must(t, b.dialer.Add(name, s.ring))
		all = append(all, s)
	}
	n := scaled(20_000) + 3000 // more than a ring and a mirror hold
	b.until("all others arrive", func() bool {
		done := 0
		for i, s := range all {
			if s.publish(n, 64); i != 9 {
				if k := b.sink(s); k != nil {
					if k.drain(); k.got == n {
						done++
					}
				}
			}
		}
		return done == len(all)-1
	})
	if all[9].next > uint64(n) {
		t.Error("the stopped one was never full")
	}
	b.until("the stopped one goes on", func() bool {
		all[9].publish(n, 64)
		b.sink(all[9]).drain()
		return b.sink(all[9]).got == n
	})
	if st := b.listener.Link("a", 0).Stats(); st.Drops(link.Ahead) != 0 {
		t.Errorf("credit was not kept: %+v", st)
	}
}

func TestARefusedConnectionSaysToWhom(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	to := free.Addr().(*net.TCPAddr).AddrPort()
	must(t, free.Close())
	b := newBed(t, func(_ *ListenOptions, do *DialOptions) { do.To = to }, "ticks")
	b.until("it is told", func() bool { return len(b.said(link.Disconnected)) > 0 })
	for end := time.Now().Add(100 * time.Millisecond); time.Now().Before(end); {
		b.step()
	}
	if all := b.said(link.Disconnected); len(all) != 1 || !strings.Contains(all[0].Err.Error(), `"b" at `+to.String()) || !strings.Contains(all[0].Err.Error(), "refused") {
		t.Error(all)
	}
}

// A node has two addresses, and nobody answers at the first, or somebody else does: the second is tried, and after an end the first again.
func TestNodeIsTriedAtEachOfItsAddresses(t *testing.T) {
	other, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	b := newBed(t, func(lo *ListenOptions, do *DialOptions) {
		lo.Bind = netip.AddrPortFrom(lo.Bind.Addr(), netlab.Port())
		do.To, do.Others = other.Addr().(*net.TCPAddr).AddrPort(), []netip.AddrPort{lo.Bind}
		do.Connect, do.Link.Liveness, do.Link.Heartbeat = time.Second, 300*time.Millisecond, 100*time.Millisecond
	}, "ticks")
	one := newSource(t, 1<<16)
	must(t, b.dialer.Add("ticks", one.ring))
	for round := 1; round <= 2; round++ {
		b.until("it is all there", func() bool {
			one.publish(100*round, 64)
			b.sink(one).drain()
			return b.sink(one) != nil && b.sink(one).got == 100*round
		})
		if all := b.said(link.Disconnected); !strings.Contains(all[0].Err.Error(), b.do.To.String()) || b.dialer.at != 1 {
			t.Fatal(b.dialer.at, all)
		}
		if round == 1 {
			must(t, other.Close())
			b.dialer.end(b.dialer.clock.read(), net.ErrClosed)
			if b.dialer.at != 0 {
				t.Error("the first is not tried first again")
			}
		}
	}
}

// Whoever connects and says nothing, half of a greeting, or something else, is turned away in time, and holds nobody.
func TestStrangersAreTurnedAwayInTime(t *testing.T) {
	soon := func(lo *ListenOptions, _ *DialOptions) { lo.Connect = 200 * time.Millisecond }
	greeting := func(node string) []byte {
		g, err := link.AppendGreeting(nil, link.Greeting{Node: node, Start: 1})
		must(t, err)
		return g
	}
	for _, c := range []struct {
		say  []byte
		want string
	}{
		{nil, "does not greet"},
		{greeting("a")[:20], "does not greet"},
		{[]byte("GET / HTTP/1.1\r\n\r\n"), "no node"},
		{greeting("z"), "not expected"},
		{greeting("b"), "not expected"},
	} {
		b := newBed(t, soon, "ticks")
		conn, err := net.Dial("tcp", b.listener.Local().String())
		must(t, err)
		_, err = conn.Write(c.say)
		must(t, err)
		began := time.Now()
		b.until("it is refused", func() bool { return len(b.said(link.Refused)) > 0 })
		if all := b.said(link.Refused); !strings.Contains(all[0].Err.Error(), c.want) || time.Since(began) > 2*time.Second {
			t.Errorf("%.20q: %v after %s; want %q", c.say, all[0].Err, time.Since(began), c.want)
		}
		must(t, conn.Close())
	}
	// A crowd of them leaves room for who greets, and does not choose how often it is told of.
	b := newBed(t, soon, "ticks")
	began := time.Now()
	var crowd []net.Conn
	for range strangers + 10 {
		conn, err := net.Dial("tcp", b.listener.Local().String())
		must(t, err)
		crowd = append(crowd, conn)
	}
	s := newSource(t, 1<<16)
	must(t, b.dialer.Add("ticks", s.ring))
	b.until("who greets is heard", func() bool {
		s.publish(10, 64)
		b.sink(s).drain()
		return b.sink(s) != nil && b.sink(s).got == 10
	})
	b.until("each is turned away", func() bool { return b.listener.Refused() >= strangers+10 })
	if told, most := len(b.said(link.Refused)), 1+int(time.Since(began)/refuseEvery); told == 0 || told > most {
		t.Errorf("%d connections are turned away, and %d times it is told; want %d at most", b.listener.Refused(), told, most)
	}
	for _, conn := range crowd {
		must(t, conn.Close())
	}
}

func TestOptionsThatCannotBeAreRefusedTogether(t *testing.T) {
	_, err := Dial(DialOptions{Pause: time.Hour, PauseMax: time.Minute})
	if !errors.Is(err, ErrOptions) || !strings.Contains(err.Error(), "no address") || !strings.Contains(err.Error(), "no name") || !strings.Contains(err.Error(), "pause") {
		t.Error(err)
	}
	_, err = Dial(DialOptions{To: netip.MustParseAddrPort("127.0.0.1:1"), Link: link.Options{Peer: "b"}})
	if !errors.Is(err, link.ErrOptions) {
		t.Error(err)
	}
	_, err = Listen(ListenOptions{})
	if !errors.Is(err, ErrOptions) || !strings.Contains(err.Error(), "no address") || !strings.Contains(err.Error(), "no node") {
		t.Error(err)
	}
}

func TestWhatIsClosedSaysSo(t *testing.T) {
	b := newBed(t, nil, "ticks")
	must(t, b.dialer.Close())
	must(t, b.dialer.Close())
	if _, err := b.dialer.Do(); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	s := newSource(t, 1<<16)
	if err := b.dialer.Channel("ticks").Add(s.ring); !errors.Is(err, ring.ErrClosed) {
		t.Error(err)
	}
	if err := b.listener.Channel("none").Add(s.ring); !errors.Is(err, link.ErrChannel) {
		t.Error(err)
	}
}

// While one goroutine runs both ends, others give them rings, take them back and ask how they are.
func TestEverythingButDoMayBeCalledFromAnywhere(t *testing.T) {
	b := newBed(t, nil, "ticks")
	s := newSource(t, 1<<16)
	must(t, b.dialer.Add("ticks", s.ring))
	var others sync.WaitGroup
	var stop atomic.Bool
	others.Go(func() {
		for before := uint64(0); !stop.Load(); {
			now := b.dialer.Stats().FramesOut
			if now == before { // each time it has a chance to say something
				runtime.Gosched()
				continue
			}
			before = now
			if had, err := b.dialer.Remove("ticks", s.ring); !had || err != nil {
				t.Error("the ring is gone", err)
				return
			}
			if err := b.dialer.Add("ticks", s.ring); err != nil {
				t.Error(err)
				return
			}
		}
	})
	others.Go(func() {
		for !stop.Load() {
			_, _, _, _ = b.dialer.Stats(), b.dialer.Alive(), b.dialer.Lag(), b.dialer.Flows("ticks")
			for _, l := range b.listener.Links() {
				_, _ = l.Stats(), l.Drained()
			}
			_, _, _ = b.dialer.Way()
		}
	})
	const n = 2000
	b.until("all arrive", func() bool {
		s.publish(n, 64)
		b.sink(s).drain()
		return b.sink(s) != nil && b.sink(s).got == n
	})
	stop.Store(true)
	others.Wait()
}
