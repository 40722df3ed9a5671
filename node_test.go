package transport_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alphapulse/transport"
	"github.com/alphapulse/transport/numa"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

func open(t *testing.T, c transport.Config) *transport.Node {
	t.Helper()
	n, err := transport.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
	return n
}

func publisher(t *testing.T, n *transport.Node, channel string) *transport.Publisher {
	t.Helper()
	p, err := n.Publisher(channel)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func subscriber(t *testing.T, n *transport.Node, channel string) *transport.Subscriber {
	t.Helper()
	s, err := n.Subscriber(channel)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func send(t *testing.T, p *transport.Publisher, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		if err := p.Send(binary.LittleEndian.AppendUint64(nil, uint64(i))); err != nil {
			t.Fatal(err)
		}
	}
}

// got is what a subscriber was given, in order.
type got struct {
	frames []seal.Frame
	values []uint64
}

func (g *got) take(f seal.Frame) {
	g.values = append(g.values, binary.LittleEndian.Uint64(f.Payload))
	f.Payload = nil
	g.frames = append(g.frames, f)
}

// poll waits until n frames have come.
func (g *got) poll(t *testing.T, s *transport.Subscriber, n int) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); len(g.values) < n; {
		if _, err := s.Poll(64, g.take); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(end) {
			t.Fatalf("%d of %d frames came; %v", len(g.values), n, s.Err())
		}
		if err := s.Wait(time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
}

func (g *got) want(t *testing.T, from, to int) {
	t.Helper()
	if len(g.values) != to-from {
		t.Fatalf("%d frames, want %d", len(g.values), to-from)
	}
	for i, v := range g.values {
		if v != uint64(from+i) {
			t.Fatalf("frame %d carries %d, want %d", i, v, from+i)
		}
	}
}

// eachKind runs the test on channels within the process and on channels in files.
func eachKind(t *testing.T, test func(t *testing.T, c transport.Config)) {
	t.Run("process", func(t *testing.T) { test(t, transport.Config{}) })
	t.Run("files", func(t *testing.T) { test(t, transport.Config{Dir: t.TempDir()}) })
}

func TestFramesComeInOrderWithTheirNames(t *testing.T) {
	eachKind(t, func(t *testing.T, c transport.Config) {
		n := open(t, c)
		s := subscriber(t, n, "trades")
		p := publisher(t, n, "trades")
		p.SetStamp(7)
		send(t, p, 0, 1000)
		var g got
		for _, none := range []int{0, -1} {
			if n, err := s.Poll(none, g.take); n != 0 || err != nil {
				t.Fatalf("poll of at most %d: %d, %v", none, n, err)
			}
		}
		g.poll(t, s, 1000)
		g.want(t, 0, 1000)
		for i, f := range g.frames {
			if f.Seq != uint64(i+1) || f.Source != p.Source() || f.Epoch != p.Epoch() || f.Stamp != 7 {
				t.Fatalf("frame %d is %+v", i, f)
			}
		}
	})
}

func TestEveryPublisherReachesEverySubscriber(t *testing.T) {
	eachKind(t, func(t *testing.T, c transport.Config) {
		n := open(t, c)
		early := subscriber(t, n, "trades")
		ps := []*transport.Publisher{publisher(t, n, "trades"), publisher(t, n, "trades")}
		other := publisher(t, n, "quotes")
		late := subscriber(t, n, "trades")
		ps = append(ps, publisher(t, n, "trades"))
		send(t, other, 0, 10)
		for i, p := range ps {
			send(t, p, i*1000, i*1000+500)
		}
		for _, s := range []*transport.Subscriber{early, late} {
			var g got
			g.poll(t, s, 1500)
			next := map[uint64]uint64{}
			for i, f := range g.frames {
				if f.Seq != next[f.Source]+1 {
					t.Fatalf("source %d: seq %d after %d", f.Source, f.Seq, next[f.Source])
				}
				next[f.Source] = f.Seq
				if g.values[i]%1000 != f.Seq-1 {
					t.Fatalf("seq %d carries %d", f.Seq, g.values[i])
				}
			}
			if len(next) != 3 || s.Publishers() != 3 {
				t.Errorf("%d sources, %d publishers, want 3", len(next), s.Publishers())
			}
		}
	})
}

func TestOtherNodesFindNewPublishers(t *testing.T) {
	c := transport.Config{Dir: t.TempDir()}
	s := subscriber(t, open(t, c), "trades")
	n := open(t, c)
	for i := range 3 {
		send(t, publisher(t, n, "trades"), i*10, i*10+10)
		var g got
		g.poll(t, s, 10)
		g.want(t, i*10, i*10+10)
	}
}

func TestRestartedPublisherGoesOn(t *testing.T) {
	eachKind(t, func(t *testing.T, c transport.Config) {
		n := open(t, c)
		s := subscriber(t, n, "trades")
		p := publisher(t, n, "trades")
		source, epoch := p.Source(), p.Epoch()
		send(t, p, 0, 10)
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		p = publisher(t, n, "trades")
		if p.Source() != source || p.Epoch() <= epoch || p.Seq() != 11 {
			t.Fatalf("source %d epoch %d seq %d after %d, %d", p.Source(), p.Epoch(), p.Seq(), source, epoch)
		}
		send(t, p, 10, 20)
		var g got
		g.poll(t, s, 20)
		g.want(t, 0, 20)
		if g.frames[9].Epoch != epoch || g.frames[10].Epoch != p.Epoch() || g.frames[10].Seq != 11 {
			t.Errorf("frames around the restart: %+v %+v", g.frames[9], g.frames[10])
		}
	})
}

func TestDurableSubscriberGoesOnWhereItStood(t *testing.T) {
	c := transport.Config{Dir: t.TempDir(), Channels: map[string]transport.Channel{"trades": {Durable: "audit"}}}
	n := open(t, c)
	p := publisher(t, n, "trades")
	s := subscriber(t, n, "trades")
	if _, err := n.Subscriber("trades"); !errors.Is(err, ring.ErrOwned) {
		t.Fatalf("a second living audit: %v, want ErrOwned", err)
	}
	send(t, p, 0, 10)
	var g got
	g.poll(t, s, 10)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Poll(1, g.take); !errors.Is(err, ring.ErrClosed) {
		t.Fatalf("poll after close: %v", err)
	}
	send(t, p, 10, 20)
	g.poll(t, subscriber(t, open(t, c), "trades"), 20)
	g.want(t, 0, 20)
}

func TestFullRingNamesItsSubscriber(t *testing.T) {
	c := transport.Config{Dir: t.TempDir(), Channels: map[string]transport.Channel{"trades": {Capacity: 4096, Durable: "slow"}}}
	n := open(t, c)
	p := publisher(t, n, "trades")
	s := subscriber(t, n, "trades")
	sent := 0
	for ; sent < 1000; sent++ {
		err := p.Send(binary.LittleEndian.AppendUint64(nil, uint64(sent)))
		if errors.Is(err, ring.ErrFull) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if who, ok := p.Slowest(); sent == 1000 || !ok || who.Name != "slow" || who.PID != os.Getpid() || who.Lag < 2048 {
		t.Fatalf("after %d: %v %v", sent, who, ok)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	if err := n.Drain(ctx); err == nil || !strings.Contains(err.Error(), `"slow"`) || !strings.Contains(err.Error(), "enough") {
		t.Errorf("drain: %v", err)
	}
	var g got
	g.poll(t, s, sent)
	g.want(t, 0, sent)
	if err := n.Drain(t.Context()); err != nil {
		t.Errorf("drain when all is released: %v", err)
	}
}

func TestEvictedSubscriberComesBackAndCountsItsLoss(t *testing.T) {
	eachKind(t, func(t *testing.T, c transport.Config) {
		c.Channels = map[string]transport.Channel{"trades": {Capacity: 1 << 14}}
		n := open(t, c)
		p := publisher(t, n, "trades")
		s := subscriber(t, n, "trades")
		send(t, p, 0, 10)
		var g got
		g.poll(t, s, 10)
		who, ok := p.Slowest()
		if !ok || !p.Evict(who.Slot) {
			t.Fatal("no reader to evict")
		}
		send(t, p, 10, 5000)
		var err error
		for err == nil {
			_, err = s.Poll(64, func(seal.Frame) {})
		}
		if !errors.Is(err, ring.ErrEvicted) {
			t.Fatal(err)
		}
		var after got
		for end := time.Now().Add(10 * time.Second); len(after.frames) == 0 || after.frames[len(after.frames)-1].Seq < 5000; {
			if _, err := s.Poll(64, after.take); err != nil {
				t.Fatal(err)
			}
			if time.Now().After(end) {
				t.Fatalf("came back to %d frames; %v", len(after.frames), s.Err())
			}
			_ = s.Wait(time.Millisecond)
		}
		if first := after.frames[0].Seq; s.Lost() != first-g.frames[9].Seq-1 || int(s.Lost())+10+len(after.frames) != 5000 {
			t.Errorf("lost %d, came back at %d, %d frames", s.Lost(), first, len(after.frames))
		}
	})
}

func TestLossySubscriberHoldsNobodyBack(t *testing.T) {
	c := transport.Config{Channels: map[string]transport.Channel{"trades": {Capacity: 1 << 14, Mode: ring.Lossy}}}
	n := open(t, c)
	p := publisher(t, n, "trades")
	s := subscriber(t, n, "trades")
	send(t, p, 0, 5000)
	var g got
	if _, err := s.Poll(1, g.take); err != nil {
		t.Fatal(err)
	}
	send(t, p, 5000, 5010)
	for n := 1; len(g.frames) == 0 || g.frames[len(g.frames)-1].Seq < 5010; n++ {
		g.poll(t, s, n)
	}
	if int(s.Lost())+len(g.values) != 5010 {
		t.Errorf("lost %d and got %d of 5010", s.Lost(), len(g.values))
	}
}

func TestBrokenRingIsNamedAndTheOthersGoOn(t *testing.T) {
	dir := t.TempDir()
	n := open(t, transport.Config{Dir: dir})
	s := subscriber(t, n, "trades")
	broken := filepath.Join(dir, "trades", "broken.0.ring")
	if err := os.MkdirAll(filepath.Dir(broken), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{broken, broken + ".cursors"} {
		if err := os.WriteFile(name, make([]byte, 8192), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := publisher(t, n, "trades")
	send(t, p, 0, 10)
	var g got
	g.poll(t, s, 10)
	if err := s.Err(); !errors.Is(err, ring.ErrCorrupt) || !strings.Contains(err.Error(), broken) {
		t.Fatalf("Err: %v", err)
	}
	if err := errors.Join(os.Remove(broken), os.Remove(broken+".cursors")); err != nil {
		t.Fatal(err)
	}
	send(t, open2(t, dir, "broken"), 10, 20)
	g.poll(t, s, 20)
}

func open2(t *testing.T, dir, source string) *transport.Publisher {
	t.Helper()
	return publisher(t, open(t, transport.Config{Dir: dir, Source: source}), "trades")
}

func TestTruncatedRingStopsThePollAndNotTheProcess(t *testing.T) {
	dir := t.TempDir()
	n := open(t, transport.Config{Dir: dir, Source: "feed"})
	p := publisher(t, n, "trades")
	s := subscriber(t, n, "trades")
	send(t, p, 0, 1)
	if err := os.Truncate(filepath.Join(dir, "trades", "feed.0.ring"), 0); err != nil {
		t.Fatal(err)
	}
	_, err := s.Poll(1, func(seal.Frame) {})
	if !errors.Is(err, ring.ErrCorrupt) || !strings.Contains(err.Error(), "feed.0.ring") {
		t.Fatalf("poll: %v", err)
	}
	// The publisher's own file is gone: closing it would write there. It dies with the test's process.
	if err := os.Truncate(filepath.Join(dir, "trades", "feed.0.ring"), 4096+ring.DefaultCapacity); err != nil {
		t.Fatal(err)
	}
}

func TestConfigFaultsAreReportedAllAtOnce(t *testing.T) {
	_, err := transport.Open(t.Context(), transport.Config{
		Dir: t.TempDir(), Source: "../feed",
		Channels: map[string]transport.Channel{
			"a/b": {Capacity: 1000},
			"ok":  {Durable: "x", Mode: ring.Lossy},
		},
	})
	if !errors.Is(err, transport.ErrConfig) {
		t.Fatal(err)
	}
	for _, part := range []string{`"../feed"`, `"a/b"`, "1000", "durable subscriber gates"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%v: does not mention %s", err, part)
		}
	}
	n := open(t, transport.Config{})
	if _, err := n.Publisher(""); !errors.Is(err, transport.ErrConfig) {
		t.Errorf("publisher of no channel: %v", err)
	}
	if _, err := n.Subscriber(".."); !errors.Is(err, transport.ErrConfig) {
		t.Errorf("subscriber of ..: %v", err)
	}
}

func TestClosedNodeAndItsEndsSaySo(t *testing.T) {
	eachKind(t, func(t *testing.T, c transport.Config) {
		n := open(t, c)
		p, s := publisher(t, n, "trades"), subscriber(t, n, "trades")
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := n.Publisher("trades"); !errors.Is(err, net.ErrClosed) {
			t.Errorf("publisher: %v", err)
		}
		if _, err := n.Subscriber("trades"); !errors.Is(err, net.ErrClosed) {
			t.Errorf("subscriber: %v", err)
		}
		if err := p.Send([]byte("x")); !errors.Is(err, ring.ErrClosed) {
			t.Errorf("send: %v", err)
		}
		if _, err := s.Poll(1, func(seal.Frame) {}); !errors.Is(err, ring.ErrClosed) {
			t.Errorf("poll: %v", err)
		}
		if err := errors.Join(n.Close()); !errors.Is(err, net.ErrClosed) {
			t.Errorf("close: %v", err)
		}
	})
}

// poller is the worker that a strategy would be.
type poller struct {
	*transport.Subscriber
	take func(seal.Frame)
}

func (p poller) Do() (int, error) { return p.Poll(64, p.take) }

func TestParkedLoopIsWokenByNewPublishersAndTheirFrames(t *testing.T) {
	eachKind(t, func(t *testing.T, c transport.Config) {
		n := open(t, c)
		s := subscriber(t, n, "trades")
		ctx, stop := context.WithCancel(t.Context())
		took, ended := make(chan uint64), make(chan error, 1)
		go func() {
			loop := numa.Loop{Name: "test", Idle: numa.Idle{Spins: -1, Yields: -1, Nap: time.Hour}}
			ended <- loop.Run(ctx, poller{s, func(f seal.Frame) { took <- f.Seq }})
		}()
		for range 3 {
			p := publisher(t, n, "trades")
			for seq := uint64(1); seq <= 100; seq++ {
				send(t, p, 0, 1)
				select {
				case got := <-took:
					if got != seq {
						t.Fatalf("seq %d, want %d", got, seq)
					}
				case <-time.After(10 * time.Second):
					t.Fatalf("seq %d never came: a wake-up was lost", seq)
				}
			}
		}
		stop()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestSendAndPollDoNotAllocate(t *testing.T) {
	eachKind(t, func(t *testing.T, c transport.Config) {
		n := open(t, c)
		p, s := publisher(t, n, "trades"), subscriber(t, n, "trades")
		msg, count := make([]byte, 48), 0
		take := func(seal.Frame) { count++ }
		if allocs := testing.AllocsPerRun(1000, func() {
			if p.Send(msg) != nil {
				t.Fatal("full")
			}
			if _, err := s.Poll(64, take); err != nil {
				t.Fatal(err)
			}
		}); allocs != 0 {
			t.Errorf("%v allocations per message", allocs)
		}
		if count != 1001 {
			t.Errorf("%d frames, want 1001", count)
		}
	})
}

func ExampleNode() {
	node, err := transport.Open(context.Background(), transport.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer node.Close()
	sub, _ := node.Subscriber("signals")
	pub, _ := node.Publisher("signals")
	_ = pub.Send([]byte("buy"))
	_, _ = sub.Poll(10, func(f seal.Frame) { fmt.Println(f.Seq, string(f.Payload)) })
	// Output: 1 buy
}

func ExamplePublisher() {
	node, _ := transport.Open(context.Background(), transport.Config{})
	defer node.Close()
	pub, _ := node.Publisher("signals")
	buf, err := pub.Claim(16) // the ring's own bytes
	if err != nil {
		return // ring.ErrFull: yield, drop or shed
	}
	n := copy(buf, "written in place")
	fmt.Println(pub.Commit(n), pub.Seq())
	// Output: <nil> 2
}

func ExampleSubscriber() {
	node, _ := transport.Open(context.Background(), transport.Config{})
	defer node.Close()
	sub, _ := node.Subscriber("signals")
	pub, _ := node.Publisher("signals")
	for _, word := range []string{"a", "b", "c"} {
		_ = pub.Send([]byte(word))
	}
	for n := 0; n < 3; { // a Poll brings what is there, a batch per publisher
		k, err := sub.Poll(3-n, func(f seal.Frame) { fmt.Print(string(f.Payload), " ") })
		if err != nil {
			return
		}
		n += k
	}
	// Output: a b c
}

func ExampleConfig() {
	c := transport.Config{
		Dir:    "/dev/shm/alphapulse",
		Source: "kraken",
		Channels: map[string]transport.Channel{
			"trades": {Capacity: 1 << 22, Durable: "strategy"},
			"ticker": {Mode: ring.Lossy},
		},
	}
	fmt.Println(c.Channels["ticker"].Mode)
	// Output: lossy
}

func ExampleChannel() {
	c := transport.Channel{Capacity: 1 << 20, From: ring.Oldest}
	fmt.Println(c.Mode, c.Capacity)
	// Output: gate 1048576
}
