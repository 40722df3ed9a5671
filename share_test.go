package transport_test

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	transport "github.com/alphapulse/transport"
	"github.com/alphapulse/transport/netio/tcp"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// A subscriber that is placed on several nodes shares the sources among them, and whoever is left takes over where a node stopped.
func TestNodesShareTheSources(t *testing.T) {
	dir := t.TempDir()
	const actors = `
actors:
  feed: { type: producer, outputs: [quotes], source_id: 1 }
  desk: { type: consumer, inputs: [quotes] }
  tape: { type: consumer, inputs: [quotes] }
placements:
  feed: { node: left }
  tape: { node: left }
  desk: [ { node: middle }, { node: right } ]
`
	at := ports(12)
	file := topologyWith(t, dir, actors, "  quotes: {}\n", at)
	open := func(node, actor string, media ...transport.Medium) *transport.Node {
		return openPlace(t, transport.Config{File: file, At: node, Actor: actor, Dir: filepath.Join(dir, node), Media: media, HoldDown: 200 * time.Millisecond})
	}
	left, middle := open("left", "feed", tcp.Medium{}), open("middle", "", tcp.Medium{})
	open("right", "", tcp.Medium{})
	next := map[uint64]uint64{} // by source: what desk is due, whichever of the two
	owner := map[uint64]string{}
	tape := 0
	type desk struct {
		node string
		sub  *transport.Subscriber
		had  int
	}
	var desks []*desk
	for _, node := range []string{"middle", "right"} {
		s, err := open(node, "desk").Subscriber("quotes")
		if err != nil {
			t.Fatal(err)
		}
		desks = append(desks, &desk{node: node, sub: s})
	}
	taped, err := open("left", "tape").Subscriber("quotes")
	if err != nil {
		t.Fatal(err)
	}
	const sources = 40
	var pubs []*transport.Publisher
	for range sources {
		p, err := left.Publisher("quotes")
		if err != nil {
			t.Fatal(err)
		}
		pubs = append(pubs, p)
	}
	// run publishes up to number each and polls until all of it has arrived, once and in order.
	run := func(each uint64) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); ; {
			got := uint64(0)
			for _, p := range pubs {
				for p.Seq() <= each {
					if err := p.Send(make([]byte, 100)); errors.Is(err, ring.ErrFull) {
						break
					} else if err != nil {
						t.Fatal(err)
					}
				}
				got += next[p.Source()]
			}
			for _, d := range desks {
				if _, err := d.sub.Poll(1000, func(f seal.Frame) {
					if next[f.Source]++; f.Seq != next[f.Source] {
						t.Fatalf("source %x: %s has message %d where %d is due", f.Source, d.node, f.Seq, next[f.Source])
					}
					owner[f.Source], d.had = d.node, d.had+1
				}); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := taped.Poll(1000, func(seal.Frame) { tape++ }); err != nil {
				t.Fatal(err)
			}
			if got == sources*each && tape == int(got) {
				return
			}
			if time.Now().After(end) {
				all, _ := left.Carriages(t.Context())
				t.Fatalf("%d of %d arrived, %d at tape: %+v", got, sources*each, tape, all)
			}
		}
	}
	run(100)  // everybody has found every ring
	run(2000) // three rings full of each
	shares := map[string]int{}
	for _, node := range owner {
		shares[node]++
	}
	for _, d := range desks {
		if n := shares[d.node]; n*100 < 95*sources/2 || n*100 > 105*sources/2 {
			t.Errorf("%s has %d of %d sources", d.node, n, sources)
		}
	}
	settled := func(want func(rings map[string]int) bool) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
			all, err := left.Carriages(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			rings, lag := map[string]int{}, uint64(0)
			for _, c := range all {
				rings[c.Node] = c.Rings
				lag += c.Lag
			}
			if lag == 0 && want(rings) {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("%+v", all)
			}
		}
	}
	settled(func(map[string]int) bool { return true }) // all is confirmed: nothing goes twice
	if err := middle.Close(); err != nil {
		t.Fatal(err)
	}
	before := desks[0].had
	run(2100) // as before, in mirrors that are new
	run(4000)
	if desks[0].had != before {
		t.Errorf("a node that is closed had %d more", desks[0].had-before)
	}
	settled(func(rings map[string]int) bool { return rings["right"] == sources })
	open("middle", "", tcp.Medium{})
	settled(func(rings map[string]int) bool { return rings["middle"] == sources/2 && rings["right"] == sources/2 })
	run(4100)
	run(6000)
	if desks[0].had == before {
		t.Error("the node that came back has nothing of its share")
	}
	settled(func(map[string]int) bool { return true })
	topologyWith(t, dir, actors, "  quotes: { balance: rendezvous }\n", at) // each source goes on where it was, or moves
	if err := left.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	run(6100)
	run(8000)
	settled(func(rings map[string]int) bool { return rings["middle"]+rings["right"] == sources })
}

// Who is on the publisher's own node takes all that is published there; when it leaves, by a reload, the others get it, once.
func TestTheNearestTakesAllUntilItLeaves(t *testing.T) {
	dir := t.TempDir()
	actors := func(places string) string {
		return "\nactors:\n  feed: { type: producer, outputs: [quotes], source_id: 1 }\n  desk: { type: consumer, inputs: [quotes] }\n" +
			"placements:\n  feed: { node: left }\n  desk: [ " + places + " ]\n"
	}
	all := ports(12)
	write := func(places string) string { return topologyWith(t, dir, actors(places), "  quotes: {}\n", all) }
	file := write("{ node: left }, { node: middle }, { node: right }")
	open := func(node, actor string, media ...transport.Medium) *transport.Node {
		return openPlace(t, transport.Config{File: file, At: node, Actor: actor, Dir: filepath.Join(dir, node), Media: media})
	}
	left := open("left", "feed", tcp.Medium{})
	hubs := []*transport.Node{open("middle", "", tcp.Medium{}), open("right", "", tcp.Medium{})}
	pub, err := left.Publisher("quotes")
	if err != nil {
		t.Fatal(err)
	}
	if all, err := left.Carriages(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("desk is here, and what is published here goes elsewhere: %+v %v", all, err)
	}
	write("{ node: middle }, { node: right }")
	for _, n := range append(hubs, left) {
		if err := n.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	var desks []*transport.Subscriber
	for _, node := range []string{"middle", "right"} {
		s, err := open(node, "desk").Subscriber("quotes")
		if err != nil {
			t.Fatal(err)
		}
		desks = append(desks, s)
	}
	next := uint64(0)
	for end := time.Now().Add(20 * time.Second); next < 100; {
		if pub.Seq() <= 100 {
			if err := pub.Send(make([]byte, 100)); err != nil {
				t.Fatal(err)
			}
		}
		for _, d := range desks {
			if _, err := d.Poll(100, func(f seal.Frame) {
				if next++; f.Seq != next {
					t.Fatalf("message %d where %d is due", f.Seq, next)
				}
			}); err != nil {
				t.Fatal(err)
			}
		}
		if time.Now().After(end) {
			all, _ := left.Carriages(t.Context())
			t.Fatalf("%d arrived: %+v", next, all)
		}
	}
}
