package transport_test

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	transport "github.com/alphapulse/transport"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/netio/tcp"
	"github.com/alphapulse/transport/ring"
)

// wire is TCP through a relay that can be cut: what is under way stays where it is, and nothing says so.
type wire struct {
	tcp.Medium
	t    *testing.T
	mu   sync.Mutex
	mend chan struct{} // closed while it is whole
}

func newWire(t *testing.T) *wire {
	w := &wire{t: t, mend: make(chan struct{})}
	close(w.mend)
	return w
}

func (w *wire) cut(on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if on {
		w.mend = make(chan struct{})
	} else {
		close(w.mend)
	}
}

func (w *wire) whole() chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mend
}

func (w *wire) Open(s netio.Station) (netio.Ways, error) {
	ways, err := w.Medium.Open(s)
	return wired{ways, w}, err
}

type wired struct {
	netio.Ways
	wire *wire
}

func (w wired) To(f netio.Far) (netio.Way, error) {
	if f.Dials {
		f.Addresses = []netip.AddrPort{w.wire.relay(f.Addresses[0])}
	}
	return w.Ways.To(f)
}

// relay listens for who dials to.
func (w *wire) relay(to netip.AddrPort) netip.AddrPort {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	over := make(chan struct{})
	var all sync.WaitGroup
	w.t.Cleanup(func() {
		close(over)
		_ = l.Close()
		all.Wait()
	})
	pass := func(from, to net.Conn) {
		defer from.Close()
		defer to.Close()
		b := make([]byte, 64<<10)
		for {
			n, err := from.Read(b)
			if n > 0 {
				select {
				case <-w.whole():
				case <-over:
					return
				}
				if _, err := to.Write(b[:n]); err != nil {
					return
				}
			}
			if err != nil {
				return
			}
		}
	}
	all.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to.String())
			if err != nil {
				_ = in.Close()
				continue
			}
			all.Go(func() { pass(in, out) })
			all.Go(func() { pass(out, in) })
			all.Go(func() { <-over; _, _ = in.Close(), out.Close() })
		}
	})
	return netip.MustParseAddrPort(l.Addr().String())
}

// until waits for a state of the channel's way.
func until(t *testing.T, n *transport.Node, what string, is func(transport.Carriage) bool) transport.Carriage {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		all, err := n.Carriages(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range all {
			if c.Node != "" && is(c) {
				return c
			}
		}
		if time.Now().After(end) {
			t.Fatalf("not %s: %+v", what, all)
		}
	}
}

func carriedBy(medium string) func(transport.Carriage) bool {
	return func(c transport.Carriage) bool { return c.Medium == medium }
}

// A link is cut under load, twice: the channel goes on through the queue, comes back behind the queue's end, and each message comes once and
// in order.
func TestChannelFailsOverToItsQueueAndBack(t *testing.T) {
	for _, mode := range []string{"direct_with_mq_fallback", "hybrid"} {
		t.Run(mode, func(t *testing.T) {
			file, w := queued(t, t.TempDir(), "mode: "+mode+", breaker: { open: 200ms, window: 200ms }", ports(8)), newWire(t)
			left, right := openQueued(t, file, "left", "feed", w), openQueued(t, file, "right", "desk", w)
			pub, err := left.Publisher("quotes")
			if err != nil {
				t.Fatal(err)
			}
			in, err := right.Subscriber("quotes")
			if err != nil {
				t.Fatal(err)
			}
			stop := make(chan struct{})
			published := make(chan error, 1)
			go func() { // 50 thousand a second
				tick := time.NewTicker(time.Millisecond)
				defer tick.Stop()
				for {
					select {
					case <-stop:
						published <- nil
						return
					case <-tick.C:
						if err := sendUpTo(pub, pub.Seq()+49, 10*time.Second); err != nil {
							published <- err
							return
						}
					}
				}
			}()
			o := &order{T: t, next: map[uint64]uint64{}}
			taken := make(chan error, 1)
			last := make(chan uint64, 1)
			go func() {
				for until := uint64(1 << 62); ; {
					select {
					case until = <-last:
					default:
					}
					n, err := in.Poll(1024, o.take)
					if err != nil || o.got >= until {
						taken <- err
						return
					}
					if n == 0 {
						err = in.Wait(time.Millisecond)
					}
					if err != nil {
						taken <- err
						return
					}
				}
			}()
			for round := range 2 {
				until(t, left, "direct", carriedBy("tcp"))
				time.Sleep(1100 * time.Millisecond) // messages flow for longer than has to lie between two changes
				w.cut(true)
				c := until(t, left, "by queue", carriedBy("journal"))
				s := c.Switches[len(c.Switches)-1]
				t.Logf("round %d: %s after the link was seen dead, hand-over %s", round, s.Dead, s.Took)
				w.cut(false)
				c = until(t, left, "direct again", carriedBy("tcp"))
				s = c.Switches[len(c.Switches)-1]
				t.Logf("round %d: back, hand-over %s", round, s.Took)
			}
			close(stop)
			if err := <-published; err != nil {
				t.Fatal(err, carriages(t, left)())
			}
			last <- pub.Seq() - 1
			select {
			case err = <-taken:
			case <-time.After(20 * time.Second):
				err = errors.New("not all arrived")
			}
			if err != nil {
				t.Fatal(err, o.got, pub.Seq()-1, carriages(t, left)())
			}
			if in.Lost() != 0 {
				t.Errorf("%d lost", in.Lost())
			}
			t.Logf("%d messages", o.got)
		})
	}
}

// The other node is away while a million messages pass into the queue. When it is back it takes them while more are published; the link gets
// the channel once they are nearly taken, and everything comes once and in order.
func TestBacklogIsTakenBeforeTheLinkGoesOn(t *testing.T) {
	file := queued(t, t.TempDir(), "mode: direct_with_mq_fallback, breaker: { open: 200ms, window: 200ms }", ports(8))
	left := openQueued(t, file, "left", "feed", tcp.Medium{})
	pub, err := left.Publisher("quotes")
	if err != nil {
		t.Fatal(err)
	}
	backlog := uint64(scaled(1_000_000, 50_000))
	began := time.Now()
	if err := sendUpTo(pub, backlog, 40*time.Second); err != nil {
		t.Fatal(err, carriages(t, left)())
	}
	until(t, left, "by queue", carriedBy("journal"))
	t.Logf("%d messages are in the queue after %s", backlog, time.Since(began).Round(time.Millisecond))
	right := openQueued(t, file, "right", "desk", tcp.Medium{})
	in, err := right.Subscriber("quotes")
	if err != nil {
		t.Fatal(err)
	}
	o := &order{T: t, next: map[uint64]uint64{}}
	began = time.Now()
	var most, behind uint64
	var took, worst time.Duration
	var full time.Time // since when
	direct := false
	for end := time.Now().Add(40 * time.Second); !direct || o.got < pub.Seq()-1; {
		if !direct { // what is published meanwhile comes behind the backlog
			switch err := sendUpTo(pub, pub.Seq()+9, 0); {
			case errors.Is(err, ring.ErrFull): // which lasts while the queue's end is read below
				if full.IsZero() {
					full = time.Now()
				}
				worst = max(worst, time.Since(full))
			case err != nil:
				t.Fatal(err, carriages(t, left)())
			default:
				full = time.Time{}
			}
			all, err := left.Carriages(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if direct = all[0].Medium == "tcp"; direct {
				took, behind = time.Since(began), pub.Seq()-1-o.got
			} else {
				most = max(most, all[0].Lag)
			}
		}
		if _, err := in.Poll(10_000, o.take); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(end) {
			t.Fatalf("%d of %d arrived: %s", o.got, pub.Seq()-1, carriages(t, left)())
		}
	}
	if err := sendUpTo(pub, pub.Seq()+999, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	o.poll(in, pub.Seq()-1, 20*time.Second, carriages(t, left))
	if in.Lost() != 0 {
		t.Errorf("%d lost", in.Lost())
	}
	if own := uint64(1 << 20); behind*64 > 2*own { // the publisher's ring, and a mirror
		t.Errorf("%d messages were behind when the link got the channel", behind)
	}
	t.Logf("direct after %s, %d messages behind then, %d bytes at most, a publisher waited %s at most", took.Round(time.Millisecond), behind, most,
		worst.Round(time.Microsecond))
}

// A node that begins its next life while the other has not taken what is in the queue gives the link nothing before that.
func TestNextLifeWaitsForWhatIsInTheQueue(t *testing.T) {
	file := queued(t, t.TempDir(), "mode: direct_with_mq_fallback", ports(8))
	left := openQueued(t, file, "left", "feed", tcp.Medium{})
	pub, err := left.Publisher("quotes")
	if err != nil {
		t.Fatal(err)
	}
	backlog := uint64(scaled(200_000, 50_000))
	if err := sendUpTo(pub, backlog, 20*time.Second); err != nil {
		t.Fatal(err, carriages(t, left)())
	}
	until(t, left, "by queue", carriedBy("journal"))
	if err := left.Close(); err != nil {
		t.Fatal(err)
	}
	right := openQueued(t, file, "right", "desk", tcp.Medium{}) // there first: the link is alive when left looks
	in, err := right.Subscriber("quotes")
	if err != nil {
		t.Fatal(err)
	}
	o := &order{T: t, next: map[uint64]uint64{}}
	o.poll(in, 1, 20*time.Second, func() any { return nil }) // and then takes no more for now
	left = openQueued(t, file, "left", "feed", tcp.Medium{})
	if pub, err = left.Publisher("quotes"); err != nil {
		t.Fatal(err)
	}
	if err := sendUpTo(pub, pub.Seq()+999, 20*time.Second); err != nil {
		t.Fatal(err, carriages(t, left)())
	}
	until(t, left, "connected", func(c transport.Carriage) bool { return c.Ways[0].Alive })
	o.poll(in, pub.Seq()-1, 20*time.Second, carriages(t, left))
	until(t, left, "direct", carriedBy("tcp"))
	if err := sendUpTo(pub, pub.Seq()+999, 20*time.Second); err != nil {
		t.Fatal(err, carriages(t, left)())
	}
	o.poll(in, pub.Seq()-1, 20*time.Second, carriages(t, left))
	if in.Lost() != 0 {
		t.Errorf("%d lost", in.Lost())
	}
}
