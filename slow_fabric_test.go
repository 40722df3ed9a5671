package transport_test

import (
	"encoding/binary"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	transport "github.com/alphapulse/transport"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/netio/tcp"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// notes is what nodes told.
type notes struct {
	mu  sync.Mutex
	all []netio.Note
}

func (n *notes) add(one netio.Note) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, one)
}

// evicted are the errors of those cut off.
func (n *notes) evicted() (all []error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, one := range n.all {
		if one.What == "evicted" {
			all = append(all, one.Err)
		}
	}
	return all
}

const crowdActors = `
actors:
  feed:  { type: producer, outputs: [quotes], source_id: 1 }
  brisk: { type: consumer, inputs: [quotes] }
  idle:  { type: consumer, inputs: [quotes] }
`

// crowd is a feed on left with two subscribers, brisk on one node and idle on one.
func crowd(t *testing.T, briskOn, idleOn, channel string, told *notes) (pub *transport.Publisher, brisk, idle *transport.Subscriber, at func(string) *transport.Node) {
	t.Helper()
	dir := t.TempDir()
	file := topologyOf(t, dir, crowdActors+"placements:\n  feed: { node: left }\n  brisk: { node: "+briskOn+" }\n  idle: { node: "+idleOn+" }\n", "  quotes: "+channel+"\n")
	open := func(node, actor string, media ...transport.Medium) *transport.Node {
		return openPlace(t, transport.Config{File: file, At: node, Actor: actor, Dir: filepath.Join(dir, node), Media: media, Notes: told.add})
	}
	hubs := map[string]*transport.Node{}
	for _, node := range []string{"left", briskOn, idleOn} {
		if hubs[node] == nil {
			hubs[node] = open(node, "", tcp.Medium{})
		}
	}
	subscribe := func(node, actor string) *transport.Subscriber {
		s, err := open(node, actor).Subscriber("quotes")
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	brisk, idle = subscribe(briskOn, "brisk"), subscribe(idleOn, "idle")
	feed := open("left", "feed")
	hubs["feed"] = feed
	pub, err := feed.Publisher("quotes")
	if err != nil {
		t.Fatal(err)
	}
	meet(t, pub, brisk, idle)
	return pub, brisk, idle, func(name string) *transport.Node { return hubs[name] }
}

// meet publishes until each has attached and had one message: number 0.
func meet(t *testing.T, pub *transport.Publisher, all ...*transport.Subscriber) {
	t.Helper()
	if err := pub.Send(make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		had := uint64(0)
		for end := time.Now().Add(20 * time.Second); had == 0; {
			if _, err := s.Poll(1, func(f seal.Frame) { take(t, f, &had) }); err != nil {
				t.Fatal(err)
			}
			if time.Now().After(end) {
				t.Fatal("a subscriber hears nothing")
			}
		}
	}
}

// stream publishes and has brisk take until it has had so many, or time is up. It says how long the ring was full at most.
func stream(t *testing.T, pub *transport.Publisher, brisk *transport.Subscriber, sent, seen *uint64, until uint64, within time.Duration) (longest time.Duration) {
	t.Helper()
	var full time.Time
	for end := time.Now().Add(within); *seen < until && time.Now().Before(end); {
		var b [64]byte
		binary.LittleEndian.PutUint64(b[:], *sent)
		err := pub.Send(b[:])
		switch {
		case errors.Is(err, ring.ErrFull):
			if full.IsZero() {
				full = time.Now()
			}
			longest = max(longest, time.Since(full))
		case err != nil:
			t.Fatal(err)
		default:
			full, *sent = time.Time{}, *sent+1
		}
		if _, err := brisk.Poll(100, func(f seal.Frame) { take(t, f, seen) }); err != nil {
			t.Fatal(err)
		}
	}
	return longest
}

// F15: who stops hurts only itself, on the publisher's node, on another one, and beside a live one there.
func TestOneThatStopsHoldsTheOthersForSlowWaitOnly(t *testing.T) {
	for _, c := range []struct{ name, brisk, idle, where string }{
		{"beside the publisher", "left", "left", "feed"},
		{"local, and the live one far", "middle", "left", "feed"},
		{"far, and the live one local", "left", "middle", "middle"},
		{"both far, on one node", "middle", "middle", "middle"},
		{"both far, on two nodes", "middle", "right", "right"},
	} {
		t.Run(c.name, func(t *testing.T) {
			told := &notes{}
			pub, brisk, idle, at := crowd(t, c.brisk, c.idle, "{ slow_subscriber: evict, slow_wait: 200ms }", told)
			sent, seen := uint64(1), uint64(1)
			const total = 20_000 // twenty rings full
			longest := stream(t, pub, brisk, &sent, &seen, total, 20*time.Second)
			if seen < total {
				t.Fatalf("%d sent, %d arrived where the other one stopped: %v", sent, seen, told.evicted())
			}
			if n := at(c.where).Evicted("quotes"); n == 0 {
				t.Errorf("node %s has cut off nobody: %v", c.where, told.evicted())
			}
			for _, err := range told.evicted() {
				if !errors.Is(err, ring.ErrEvicted) || !strings.Contains(err.Error(), `"idle"`) {
					t.Errorf("cut off: %v", err)
				}
			}
			t.Logf("full for %s at most", longest)
			// It comes back and knows what it missed.
			var had, last uint64
			for end := time.Now().Add(20 * time.Second); last+1 < sent; {
				if time.Now().After(end) {
					t.Fatalf("it had %d up to %d of %d", had, last, sent)
				}
				_, err := idle.Poll(100, func(f seal.Frame) { had, last = had+1, binary.LittleEndian.Uint64(f.Payload) })
				if err != nil && !errors.Is(err, ring.ErrEvicted) {
					t.Fatal(err)
				}
			}
		})
	}
}

// A way to another node that is cut off is taken up again when the node can be reached.
func TestANodeThatWasCutOffComesBack(t *testing.T) {
	told := &notes{}
	dir := t.TempDir()
	file := topologyOf(t, dir, crowdActors+"placements:\n  feed: { node: left }\n  brisk: { node: left }\n  idle: { node: middle }\n",
		"  quotes: { slow_subscriber: evict, slow_wait: 50ms }\n")
	open := func(node, actor string, media ...transport.Medium) *transport.Node {
		return openPlace(t, transport.Config{File: file, At: node, Actor: actor, Dir: filepath.Join(dir, node), Media: media, Notes: told.add})
	}
	left := open("left", "", tcp.Medium{})
	brisk, err := open("left", "brisk").Subscriber("quotes")
	if err != nil {
		t.Fatal(err)
	}
	feed := open("left", "feed")
	pub, err := feed.Publisher("quotes")
	if err != nil {
		t.Fatal(err)
	}
	meet(t, pub, brisk)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) { // a place that nobody has taken yet gives way without a word
		if all, err := left.Carriages(t.Context()); err == nil && len(all) == 1 && all[0].Rings == 1 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the ring is not carried")
		}
	}
	sent, seen := uint64(1), uint64(1)
	if stream(t, pub, brisk, &sent, &seen, 5000, 20*time.Second); seen < 5000 || feed.Evicted("quotes") != 1 {
		t.Fatalf("%d arrived, %d cut off: %v", seen, feed.Evicted("quotes"), told.evicted())
	}
	open("middle", "", tcp.Medium{})
	idle, err := open("middle", "idle").Subscriber("quotes")
	if err != nil {
		t.Fatal(err)
	}
	var had, last uint64
	for end := time.Now().Add(20 * time.Second); had < 100; {
		if time.Now().After(end) {
			all, _ := left.Carriages(t.Context())
			t.Fatalf("it had %d up to %d of %d: %+v", had, last, sent, all)
		}
		if _, err := idle.Poll(100, func(f seal.Frame) { had, last = had+1, binary.LittleEndian.Uint64(f.Payload) }); err != nil {
			t.Fatal(err)
		}
		stream(t, pub, brisk, &sent, &seen, seen+1, time.Millisecond)
	}
}

// Under block nobody is cut off: the publisher waits.
func TestUnderBlockNobodyIsCutOff(t *testing.T) {
	for _, node := range []string{"left", "middle"} {
		told := &notes{}
		pub, brisk, idle, at := crowd(t, "left", node, "{}", told)
		sent, seen := uint64(1), uint64(1)
		stream(t, pub, brisk, &sent, &seen, 20_000, 500*time.Millisecond)
		if seen == 20_000 || at("feed").Evicted("quotes")+at(node).Evicted("quotes") > 0 || len(told.evicted()) > 0 {
			t.Errorf("idle on %s: %d arrived, cut off: %v", node, seen, told.evicted())
		}
		next := uint64(1)
		for end := time.Now().Add(20 * time.Second); next < sent && time.Now().Before(end); {
			if _, err := idle.Poll(100, func(f seal.Frame) { take(t, f, &next) }); err != nil {
				t.Fatal(err)
			}
		}
		if next != sent {
			t.Errorf("idle on %s had %d of %d", node, next, sent)
		}
	}
}
