package transport_test

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alphapulse/transport"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/netio/tcp"
	"github.com/alphapulse/transport/netio/udp"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// astray is a medium whose datagrams go where nobody listens, or whose rings are not what they were.
type astray struct {
	transport.Medium
	to      uint16
	altered bool
}

type astrayWays struct {
	netio.Ways
	a astray
}

type alteredWay struct{ netio.Way }

func (a astray) Open(s netio.Station) (netio.Ways, error) {
	w, err := a.Medium.Open(s)
	return astrayWays{w, a}, err
}

func (w astrayWays) To(f netio.Far) (netio.Way, error) {
	if w.a.to != 0 {
		f.Addresses = []netip.AddrPort{netip.AddrPortFrom(f.Addresses[0].Addr(), w.a.to)}
	}
	way, err := w.Ways.To(f)
	if w.a.altered {
		return alteredWay{way}, err
	}
	return way, err
}

// Add carries a ring with the same source and numbers, of which the third frame is another and the fifth is not there.
func (w alteredWay) Add(channel string, r *ring.Ring) error {
	inbox, err := netio.NewInbox(netio.InboxOptions{Capacity: 1 << 16})
	if err != nil {
		return err
	}
	m, err := inbox.Open(r.Info().Instance, 1)
	if err != nil {
		return err
	}
	if err := w.Way.Add(channel, m.Ring); err != nil {
		return err
	}
	for seq := uint64(1); seq <= 10; seq++ {
		run := make([]byte, 24)
		binary.LittleEndian.PutUint64(run, 24|seq<<32)
		binary.LittleEndian.PutUint64(run[16:], seq-1)
		lost := uint64(0)
		switch seq {
		case 3:
			run[23] = 1
		case 5:
			continue
		case 6:
			lost = 1
		}
		if err := m.Bring(uint32(r.Info().Epoch), seq, lost, run, 1); err != nil {
			return err
		}
	}
	m.Flush()
	return nil
}

func (alteredWay) Remove(string, *ring.Ring) (bool, error) { return true, nil }

const shadowed = "  quotes: { mode: direct, protocol: tcp, shadow: udp }\n  orders: {}\n"
const unshadowed = "  quotes: { mode: direct, protocol: tcp }\n  orders: {}\n"

// shadowBed is left, which publishes quotes, and middle, which takes them.
type shadowBed struct {
	*counter
	left, middle *transport.Node
	ports        []any
	dir          string
	notes        atomic.Int64 // of shadows that differ
	moved        atomic.Int64 // of ways that came or went
}

func newShadowBed(t *testing.T, channels string, by transport.Medium) *shadowBed {
	t.Helper()
	b := &shadowBed{dir: t.TempDir(), ports: ports(12)}
	file := b.write(t, channels)
	open := func(node, actor string, shadow transport.Medium) *transport.Node {
		return openPlace(t, transport.Config{File: file, At: node, Actor: actor, Dir: filepath.Join(b.dir, node), Media: []transport.Medium{tcp.Medium{}, shadow},
			Notes: func(n netio.Note) {
				t.Logf("%s: %+v", node, n)
				if strings.HasPrefix(n.What, "shadow") {
					b.notes.Add(1)
				}
				if n.Medium == "tcp" {
					b.moved.Add(1)
				}
			}})
	}
	b.left, b.middle = open("left", "feed", by), open("middle", "brain", udp.Medium{})
	b.counter = newCounter(t, b.left, b.middle, "quotes")
	return b
}

func (b *shadowBed) write(t *testing.T, channels string) string {
	t.Helper()
	return topologyWith(t, b.dir, `
actors:
  feed:  { type: producer, outputs: [quotes], source_id: 1 }
  brain: { type: consumer, inputs: [quotes] }
placements:
  feed:  { node: left }
  brain: { node: middle }
`, channels, b.ports)
}

// pass publishes until n more are taken in order, each once.
func (b *shadowBed) pass(n uint64) {
	b.Helper()
	until := b.seen + n
	for end := time.Now().Add(20 * time.Second); b.seen < until; {
		for b.sent < until {
			had := b.sent
			if b.send(int(min(64, until-b.sent))); b.sent == had {
				break
			}
		}
		if _, err := b.sub.Poll(256, func(f seal.Frame) {
			if got := binary.LittleEndian.Uint64(f.Payload); got != b.seen {
				b.Fatalf("%d where %d is due", got, b.seen)
			}
			b.seen++
		}); err != nil {
			b.Fatal(err)
		}
		if time.Now().After(end) {
			b.Fatalf("%d of %d after 20 s", b.seen, until)
		}
		time.Sleep(50 * time.Microsecond)
	}
}

// until waits for a comparison, and for the shadow at the sending end.
func (b *shadowBed) until(what string, ok func(transport.Comparison, *transport.Shadow) bool) transport.Comparison {
	b.Helper()
	var got transport.Comparison
	var s *transport.Shadow
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		all, err := b.middle.Comparisons(b.Context())
		legs, err2 := b.left.Carriages(b.Context())
		if err := errors.Join(err, err2); err != nil || len(legs) != 1 {
			b.Fatal(err, legs)
		}
		if s = legs[0].Shadow; len(all) == 1 && s != nil {
			if got = all[0]; ok(got, s) {
				return got
			}
		}
		if time.Now().After(end) {
			b.Fatalf("%s: %+v, %+v", what, got, s)
		}
	}
}

// What both ways bring is the same, and only the first way's is delivered.
func TestShadowBringsTheSame(t *testing.T) {
	b := newShadowBed(t, shadowed, udp.Medium{})
	b.pass(1)
	b.until("the first", func(c transport.Comparison, _ *transport.Shadow) bool { return c.Matched == 1 })
	const n = 5000
	for b.seen < n { // in steps that the shadow follows
		b.pass(min(500, n-b.seen))
		b.until("all", func(c transport.Comparison, s *transport.Shadow) bool { return c.Matched+c.Unseen+s.Skipped >= b.seen })
	}
	c := b.until("the end", func(c transport.Comparison, s *transport.Shadow) bool { return s.Copied+s.Skipped == n })
	if c.Matched < n/2 || c.Different+c.Extra+c.Missing != 0 || c.Sources != 1 || b.notes.Load() != 0 {
		t.Errorf("%+v", c)
	}
	if k, err := b.sub.Poll(1, func(seal.Frame) {}); k != 0 || err != nil {
		t.Errorf("%d are delivered twice, %v", k, err)
	}
}

// A shadow that arrives nowhere holds nobody up: the ring goes round many times, everything is delivered, and what is missing is counted.
func TestShadowThatIsCutOffHurtsNothing(t *testing.T) {
	b := newShadowBed(t, shadowed, astray{Medium: udp.Medium{}, to: 9})
	b.pass(20_000) // more than the window, and five rings
	c := b.until("what is missing", func(c transport.Comparison, s *transport.Shadow) bool {
		return c.Missing > 0 && !s.Alive && s.Copied < 20_000 // what it skipped is counted once it has room again
	})
	if c.Matched != 0 || c.Extra != 0 || c.Different != 0 || b.notes.Load() != 1 {
		t.Errorf("%+v, %d notes", c, b.notes.Load())
	}
}

// A frame that is another, and one that is not there, are told.
func TestShadowThatDiffersIsTold(t *testing.T) {
	b := newShadowBed(t, shadowed, astray{Medium: udp.Medium{}, altered: true})
	b.pass(10)
	c := b.until("differences", func(c transport.Comparison, _ *transport.Shadow) bool { return c.Pending == 0 && c.Matched > 0 })
	if c.Matched != 8 || c.Different != 1 || c.Missing != 1 || c.FirstTrouble != "number 3 is different" || b.notes.Load() != 1 {
		t.Errorf("%+v, %d notes", c, b.notes.Load())
	}
}

// A shadow comes and goes with the file, and the channel's way stays as it is.
func TestReloadOfAShadowLeavesTheChannelAlone(t *testing.T) {
	b := newShadowBed(t, unshadowed, udp.Medium{})
	b.pass(100)
	moved := b.moved.Load()
	reload := func(channels string) {
		t.Helper()
		b.write(t, channels)
		for _, n := range []*transport.Node{b.left, b.middle} {
			if err := n.Reload(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 3 {
		reload(shadowed)
		b.until("a shadow", func(_ transport.Comparison, s *transport.Shadow) bool { return s.Rings == 1 })
		var c transport.Comparison
		for end := time.Now().Add(10 * time.Second); c.Matched == 0; {
			b.pass(50)
			all, err := b.middle.Comparisons(t.Context())
			if err != nil || len(all) != 1 || time.Now().After(end) {
				t.Fatal(all, err)
			}
			c = all[0]
		}
		c = b.until("all", func(c transport.Comparison, s *transport.Shadow) bool { return c.Pending == 0 && s.Lag == 0 })
		if c.Different+c.Extra+c.Missing != 0 {
			t.Errorf("%+v", c)
		}
		reload(unshadowed)
		b.pass(100)
		all, err := b.middle.Comparisons(t.Context())
		legs, err2 := b.left.Carriages(t.Context())
		if len(all) != 0 || legs[0].Shadow != nil || errors.Join(err, err2) != nil {
			t.Errorf("%+v %+v", all, legs)
		}
	}
	if b.moved.Load() != moved {
		t.Error("the channel's way was touched")
	}
}

// A node whose channel has a shadow says how it stands before anybody has published.
func TestShadowOfAnIdleChannelIsSaid(t *testing.T) {
	dir := t.TempDir()
	file := topologyWith(t, dir, `
actors:
  feed:  { type: producer, outputs: [quotes], source_id: 1 }
  brain: { type: consumer, inputs: [quotes] }
placements:
  feed:  { node: left }
  brain: { node: middle }
`, shadowed, ports(12))
	for _, node := range []string{"left", "middle"} {
		n := openPlace(t, transport.Config{File: file, At: node, Dir: filepath.Join(dir, node), Media: []transport.Medium{tcp.Medium{}, udp.Medium{}}})
		legs, err := n.Carriages(t.Context())
		all, err2 := n.Comparisons(t.Context())
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		if node == "left" && (len(legs) != 1 || legs[0].Shadow == nil || legs[0].Shadow.Copied != 0) || len(all) > 1 {
			t.Errorf("%s: %+v, %+v", node, legs, all)
		}
	}
}
