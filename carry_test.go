package transport_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/alphapulse/transport"
	"github.com/alphapulse/transport/internal/simnet"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/netio/udp"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// pair is two nodes: what from's publishers say in trades comes to to's subscribers over UDP. The test runs both ends.
type pair struct {
	*testing.T
	from, to *transport.Node
	send     *udp.Sender
	recv     *udp.Receiver
	rel      udp.Reliability
}

var anyPort = netip.MustParseAddrPort("127.0.0.1:0")

// connect joins two new nodes, over loopback or by way of via.
func connect(t *testing.T, named bool, rel udp.Reliability, via func(netip.AddrPort) netip.AddrPort) *pair {
	t.Helper()
	var a, b transport.Config
	if named {
		a.Dir, b.Dir = t.TempDir(), t.TempDir()
	}
	return join(t, open(t, a), open(t, b), rel, via)
}

func join(t *testing.T, from, to *transport.Node, rel udp.Reliability, via func(netip.AddrPort) netip.AddrPort) *pair {
	t.Helper()
	p := &pair{T: t, from: from, to: to, rel: rel}
	p.listen(anyPort)
	at := p.recv.Local(0)
	if via != nil {
		at = via(at)
	}
	var err error
	p.send, err = udp.NewSender(udp.SenderOptions{Channel: "trades", Lines: []udp.Dial{{To: at}}, Reliability: rel})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(p.send.Close(), p.recv.Close()); err != nil {
			t.Error(err)
		}
	})
	if err := from.Carry("trades", p.send); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *pair) listen(at netip.AddrPort) {
	p.Helper()
	inbox, err := p.to.Inbox("trades")
	if err == nil {
		p.recv, err = udp.NewReceiver(udp.ReceiverOptions{Channel: "trades", Lines: []udp.Listen{{Bind: at}}, Inbox: inbox, Reliability: p.rel})
	}
	if err != nil {
		p.Fatal(err)
	}
}

// step runs both ends once.
func (p *pair) step() {
	p.Helper()
	if _, err := p.send.Do(); err != nil {
		p.Fatal(err)
	}
	if _, err := p.recv.Do(); err != nil {
		p.Fatal(err)
	}
}

// until runs both ends and polls until ok.
func (p *pair) until(what string, ok func() bool, each ...func()) {
	p.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); {
		p.step()
		for _, f := range each {
			f()
		}
		if time.Now().After(end) {
			p.Fatalf("%s did not come about: sender %+v, receiver %+v", what, p.send.Stats(), p.recv.Stats())
		}
	}
}

// polls returns what takes what has come to s.
func polls(t *testing.T, s *transport.Subscriber, g *got) func() {
	return func() {
		t.Helper()
		if _, err := s.Poll(64, g.take); err != nil {
			t.Fatal(err)
		}
	}
}

// eachNetwork runs the test on both kinds of channels and with both reliabilities.
func eachNetwork(t *testing.T, test func(t *testing.T, named bool, rel udp.Reliability)) {
	for _, named := range []bool{false, true} {
		for _, rel := range []udp.Reliability{udp.BestEffort, udp.Repaired} {
			t.Run(fmt.Sprintf("named %t, %s", named, rel), func(t *testing.T) { test(t, named, rel) })
		}
	}
}

func TestFramesKeepTheirNamesAcrossTheNetwork(t *testing.T) {
	eachNetwork(t, func(t *testing.T, named bool, rel udp.Reliability) {
		p := connect(t, named, rel, nil)
		early := subscriber(t, p.to, "trades")
		first := publisher(t, p.from, "trades")
		second := publisher(t, p.from, "trades")
		type name struct{ source, epoch, seq uint64 }
		want := map[name]uint64{}
		say := func(pub *transport.Publisher, n int) {
			for range n {
				v := uint64(len(want))
				pub.SetStamp(v)
				want[name{pub.Source(), pub.Epoch(), pub.Seq()}] = v
				send(t, pub, int(v), int(v)+1)
			}
		}
		var e, l got
		total := func(g *got) func() bool { return func() bool { return len(g.frames) == len(want) } }
		say(first, 100)
		say(second, 100)
		p.until("the first messages", total(&e), polls(t, early, &e))

		source, epoch := first.Source(), first.Epoch()
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		first = publisher(t, p.from, "trades")
		if first.Source() != source || first.Epoch() == epoch {
			t.Fatalf("source %x epoch %d after %x, %d", first.Source(), first.Epoch(), source, epoch)
		}
		late, from := subscriber(t, p.to, "trades"), len(want)
		say(first, 100)
		say(second, 100)
		third := publisher(t, p.from, "trades")
		say(third, 50)
		p.until("the rest", total(&e), polls(t, early, &e), polls(t, late, &l))
		p.until("the late one's share", func() bool { return len(l.frames) == len(want)-from }, polls(t, late, &l))

		next := map[uint64]uint64{}
		for i, f := range e.frames {
			if f.Seq != next[f.Source]+1 {
				t.Fatalf("source %x: %d after %d", f.Source, f.Seq, next[f.Source])
			}
			next[f.Source] = f.Seq
			if v, ok := want[name{f.Source, f.Epoch, f.Seq}]; !ok || v != e.values[i] || v != f.Stamp {
				t.Fatalf("frame %+v carries %d; said: %d (%t)", f, e.values[i], v, ok)
			}
		}
		if len(next) != 3 || early.Publishers() != 3 || early.Lost() != 0 || late.Lost() != 0 || early.Err() != nil {
			t.Errorf("%d sources, %d rings, lost %d and %d, %v", len(next), early.Publishers(), early.Lost(), late.Lost(), early.Err())
		}
		if rel == udp.Repaired {
			p.until("confirmation", p.send.Drained)
			if err := p.from.Drain(t.Context()); err != nil { // the sender is a reader like others
				t.Error(err)
			}
		}
	})
}

// through puts a bad network in the way.
func through(t *testing.T, seed uint64, faults string) func(netip.AddrPort) netip.AddrPort {
	return func(to netip.AddrPort) netip.AddrPort {
		t.Helper()
		f, err := simnet.ParseFaults(faults)
		if err != nil {
			t.Fatal(err)
		}
		relay, err := simnet.New(simnet.Config{Target: to, Seed: seed, Up: f, Down: f})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- relay.Run(ctx) }()
		t.Cleanup(func() {
			cancel()
			if err := errors.Join(<-ended, relay.Close()); err != nil && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
		t.Logf("seed %d", seed)
		return relay.Addr()
	}
}

func TestSubscriberCountsWhatTheNetworkLost(t *testing.T) {
	const total = 3000
	for _, named := range []bool{false, true} {
		t.Run(fmt.Sprintf("named %t", named), func(t *testing.T) {
			p := connect(t, named, udp.BestEffort, through(t, 3, "loss=10%"))
			s, pub := subscriber(t, p.to, "trades"), publisher(t, p.from, "trades")
			var g got
			for i := 0; i < total; i += 10 {
				send(t, pub, i, i+10)
				p.step()
			}
			// The last ones may be lost, and are counted with what comes after them.
			p.until("an end", func() bool { return len(g.frames) > 0 && g.frames[len(g.frames)-1].Seq > total }, polls(t, s, &g), func() {
				if pub.Seq() < total+1000 && p.send.Drained() {
					send(t, pub, int(pub.Seq())-1, int(pub.Seq()))
				}
			})
			due := g.frames[len(g.frames)-1].Seq - g.frames[0].Seq + 1
			if s.Lost() == 0 || s.Lost() != due-uint64(len(g.frames)) {
				t.Errorf("%d of %d came, lost %d", len(g.frames), due, s.Lost())
			}
			for i, f := range g.frames {
				if g.values[i] != f.Seq-1 || i > 0 && f.Seq <= g.frames[i-1].Seq {
					t.Fatalf("frame %d carries %d", f.Seq, g.values[i])
				}
			}
		})
	}
}

func TestRepairedChannelDeliversAllThroughLoss(t *testing.T) {
	for _, named := range []bool{false, true} {
		t.Run(fmt.Sprintf("named %t", named), func(t *testing.T) {
			p := connect(t, named, udp.Repaired, through(t, 5, "loss=10%"))
			s, pub := subscriber(t, p.to, "trades"), publisher(t, p.from, "trades")
			var g got
			for i := 0; i < 1000; i += 10 {
				send(t, pub, i, i+10)
				p.step()
			}
			p.until("delivery", func() bool { return len(g.frames) == 1000 }, polls(t, s, &g))
			g.want(t, 0, 1000)
			if s.Lost() != 0 {
				t.Errorf("lost %d", s.Lost())
			}
		})
	}
}

// crate is a carrier that only notes what it is given.
type crate struct {
	rings []uint64
	err   error
}

func (c *crate) Add(r *ring.Ring) error {
	if c.err == nil {
		c.rings = append(c.rings, r.Info().Instance)
	}
	return c.err
}

func TestCarriersAreGivenEachPublishersRingOnce(t *testing.T) {
	eachKind(t, func(t *testing.T, c transport.Config) {
		n := open(t, c)
		var one, two, gone crate
		before, other := publisher(t, n, "trades"), publisher(t, n, "quotes")
		if c.Dir != "" {
			_ = open2(t, c.Dir, "another")
		}
		closed := publisher(t, n, "trades")
		sources := []uint64{before.Source()}
		if err := closed.Close(); err != nil {
			t.Fatal(err)
		}
		for _, k := range []*crate{&one, &gone} {
			if err := n.Carry("trades", k); err != nil {
				t.Fatal(err)
			}
		}
		gone.err = ring.ErrClosed
		for range 3 { // a publisher that takes over a ring brings nothing new
			p := publisher(t, n, "trades")
			if sources = append(sources, p.Source()); p.Source() != closed.Source() {
				t.Fatalf("%x did not take over %x", p.Source(), closed.Source())
			}
			if err := p.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if err := n.Carry("quotes", &two); err != nil {
			t.Fatal(err)
		}
		if want := sources[:2]; !slices.Equal(one.rings, want) || !slices.Equal(two.rings, []uint64{other.Source()}) || len(gone.rings) != 1 {
			t.Errorf("%x, want %x; %x; %x", one.rings, want, two.rings, gone.rings)
		}
		gone.err = nil
		publisher(t, n, "trades")
		if len(gone.rings) != 1 {
			t.Error("a carrier that is closed is asked again")
		}
		one.err = errors.New("no room")
		publisher(t, n, "quotes")
		if _, err := n.Publisher("trades"); !errors.Is(err, one.err) {
			t.Errorf("a publisher that cannot be carried: %v", err)
		}
		if err := n.Carry("trades", &crate{err: one.err}); !errors.Is(err, one.err) {
			t.Errorf("a carrier that carries nothing: %v", err)
		}
	})
}

func TestNothingRunsInACircle(t *testing.T) {
	eachNetwork(t, func(t *testing.T, named bool, rel udp.Reliability) {
		ab := connect(t, named, rel, nil)
		ba := join(t, ab.to, ab.from, rel, nil)
		a, b := subscriber(t, ab.from, "trades"), subscriber(t, ab.to, "trades")
		send(t, publisher(t, ab.from, "trades"), 0, 10)
		send(t, publisher(t, ab.to, "trades"), 10, 20)
		var ga, gb got
		both := []func(){ba.step, polls(t, a, &ga), polls(t, b, &gb)}
		ab.until("both sides have all", func() bool { return len(ga.frames) == 20 && len(gb.frames) == 20 }, both...)
		for range 200 {
			ab.step()
			for _, f := range both {
				f()
			}
		}
		if len(ga.frames) != 20 || len(gb.frames) != 20 || ab.send.Stats().Frames != 10 || ba.send.Stats().Frames != 10 {
			t.Errorf("%d and %d frames; sent %+v and %+v", len(ga.frames), len(gb.frames), ab.send.Stats(), ba.send.Stats())
		}
	})
}

func TestReopenedReceiverGoesOn(t *testing.T) {
	eachNetwork(t, func(t *testing.T, named bool, rel udp.Reliability) {
		p := connect(t, named, rel, nil)
		s, pub := subscriber(t, p.to, "trades"), publisher(t, p.from, "trades")
		var g got
		sent, missed := 0, 0
		for life := range 4 {
			send(t, pub, sent, sent+20)
			sent += 20
			p.until("delivery", func() bool { return p.recv.Stats().Frames >= 20 })
			if life%2 == 1 { // or two lives' rings wait for the subscriber
				p.until("reading", func() bool { return len(g.frames) == sent-missed }, polls(t, s, &g))
			}
			if rel == udp.Repaired {
				p.until("confirmation", p.send.Drained)
			}
			at := p.recv.Local(0)
			if err := p.recv.Close(); err != nil {
				t.Fatal(err)
			}
			if rel == udp.BestEffort { // what is said meanwhile is lost, and counted
				send(t, pub, sent, sent+5)
				sent, missed = sent+5, missed+5
				for range 3 {
					if _, err := p.send.Do(); err != nil {
						t.Fatal(err)
					}
				}
			}
			p.listen(at)
		}
		send(t, pub, sent, sent+1)
		sent++
		p.until("the last", func() bool { return len(g.frames) == sent-missed }, polls(t, s, &g))
		for i, f := range g.frames {
			if f.Seq != g.values[i]+1 || i > 0 && f.Seq <= g.frames[i-1].Seq {
				t.Fatalf("frame %d carries %d after %d", f.Seq, g.values[i], g.frames[max(i, 1)-1].Seq)
			}
		}
		if s.Lost() != uint64(missed) || s.Publishers() != 1 || s.Err() != nil {
			t.Errorf("lost %d of %d, %d rings, %v", s.Lost(), missed, s.Publishers(), s.Err())
		}
	})
}

func TestInboxAndCarryNameTheirFaults(t *testing.T) {
	eachKind(t, func(t *testing.T, c transport.Config) {
		c.Channels = map[string]transport.Channel{"trades": {Capacity: 1 << 16}}
		n := open(t, c)
		o, err := n.Inbox("trades")
		if err != nil || o.Capacity != 1<<16 || (o.Dir == "") != (c.Dir == "") {
			t.Fatalf("%+v, %v", o, err)
		}
		if _, err := n.Inbox("a/b"); !errors.Is(err, transport.ErrConfig) {
			t.Errorf("inbox of a/b: %v", err)
		}
		if err := n.Carry("", &crate{}); !errors.Is(err, transport.ErrConfig) {
			t.Errorf("carry of no channel: %v", err)
		}
		inbox, err := netio.NewInbox(o)
		if err != nil {
			t.Fatal(err)
		}
		subscriber(t, n, "trades")
		ended := make(chan error, 1)
		go func() { // a receiver that meets sources while the node closes
			var faults []error
			for source := range uint64(netio.DefaultSources) {
				_, err := inbox.Open(source+1, 1)
				faults = append(faults, err)
			}
			ended <- errors.Join(faults...)
		}()
		if err := n.Close(); err != nil {
			t.Error(err)
		}
		if err := errors.Join(<-ended, inbox.Close()); err != nil {
			t.Error(err)
		}
		if _, err := n.Inbox("trades"); !errors.Is(err, net.ErrClosed) {
			t.Errorf("inbox of a closed node: %v", err)
		}
		if err := n.Carry("trades", &crate{}); !errors.Is(err, net.ErrClosed) {
			t.Errorf("carry of a closed node: %v", err)
		}
	})
}

func TestChannelsOverTheNetworkLeaveNothingOpen(t *testing.T) {
	files := func() int {
		all, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip("counts what /proc shows: ", err)
		}
		return len(all)
	}
	life := func(named bool) {
		t.Run("life", func(t *testing.T) {
			p := connect(t, named, udp.Repaired, nil)
			s, pub := subscriber(t, p.to, "trades"), publisher(t, p.from, "trades")
			send(t, pub, 0, 10)
			var g got
			p.until("delivery", func() bool { return len(g.frames) == 10 }, polls(t, s, &g))
		})
	}
	for _, named := range []bool{false, true} {
		life(named)
		before := files()
		for range 5 {
			life(named)
		}
		if now := files(); now > before {
			t.Errorf("named %t: %d files open, %d before", named, now, before)
		}
	}
}

func ExampleNode_Carry() {
	here, _ := transport.Open(context.Background(), transport.Config{})
	there, _ := transport.Open(context.Background(), transport.Config{}) // as a rule on another machine
	defer here.Close()
	defer there.Close()

	inbox, _ := there.Inbox("signals")
	receiver, err := udp.NewReceiver(udp.ReceiverOptions{Channel: "signals", Inbox: inbox, Reliability: udp.Repaired,
		Lines: []udp.Listen{{Bind: netip.MustParseAddrPort("127.0.0.1:0")}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer receiver.Close()
	sender, err := udp.NewSender(udp.SenderOptions{Channel: "signals", Reliability: udp.Repaired,
		Lines: []udp.Dial{{To: receiver.Local(0)}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer sender.Close()
	_ = here.Carry("signals", sender)

	sub, _ := there.Subscriber("signals")
	pub, _ := here.Publisher("signals")
	_ = pub.Send([]byte("buy"))
	for n := 0; n == 0; { // a numa.Loop would run sender and receiver
		_, _ = sender.Do()
		_, _ = receiver.Do()
		n, _ = sub.Poll(1, func(f seal.Frame) { fmt.Println(f.Source == pub.Source(), f.Seq, string(f.Payload)) })
	}
	// Output: true 1 buy
}

func ExampleCarrier() {
	node, _ := transport.Open(context.Background(), transport.Config{})
	defer node.Close()
	var c transport.Carrier = &crate{} // a udp.Sender, as a rule
	_ = node.Carry("signals", c)
	_, _ = node.Publisher("signals")
	fmt.Println(len(c.(*crate).rings))
	// Output: 1
}
