package transport_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/alphapulse/transport"
	"github.com/alphapulse/transport/netio/tcp"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// scaled divides a count by PULSE_SCALE, but leaves at least least.
func scaledTo(n, least int) int {
	if scale, err := strconv.Atoi(os.Getenv("PULSE_SCALE")); err == nil && scale > 1 {
		return max(n/scale, least)
	}
	return n
}

// counter publishes its own count, and checks it at the other end.
type counter struct {
	*testing.T
	pub        *transport.Publisher
	sub        *transport.Subscriber
	sent, seen uint64
}

func newCounter(t *testing.T, from, to *transport.Node, channel string) *counter {
	t.Helper()
	pub, err := from.Publisher(channel)
	if err != nil {
		t.Fatal(err)
	}
	sub, err := to.Subscriber(channel)
	if err != nil {
		t.Fatal(err)
	}
	return &counter{T: t, pub: pub, sub: sub}
}

func (c *counter) send(n int) {
	for range n {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], c.sent)
		if err := c.pub.Send(b[:]); errors.Is(err, ring.ErrFull) {
			return
		} else if err != nil {
			c.Fatal(err)
		}
		c.sent++
	}
}

func (c *counter) take() {
	if _, err := c.sub.Poll(1000, func(f seal.Frame) { take(c.T, f, &c.seen) }); err != nil {
		c.Fatal(err)
	}
}

func (c *counter) all() {
	for end := time.Now().Add(20 * time.Second); c.seen < c.sent; c.take() {
		if time.Now().After(end) {
			c.Fatalf("%d of %d arrived", c.seen, c.sent)
		}
	}
}

const steadyNodes = `
config_version: 1
name: reload
nodes:
  left:  { hostname: localhost, addresses: [127.0.0.1], site: here, ports: { control: %d, tcp: %d, udp: %d, quic: %d } }
  right: { hostname: localhost, addresses: [127.0.0.1], site: here, ports: { control: %d, tcp: %d, udp: %d, quic: %d } }
defaults: { mode: direct, protocol: tcp, encryption: none, reliability: at_least_once, ring_size: 64KiB }
`

// draft is a topology with the steady channel and what else is drawn, or with a fault.
func draft(draw *rand.Rand, head string, valid bool) string {
	outputs, channels := "[steady", "  steady: {}\n"
	for i := range 3 {
		if draw.IntN(2) == 0 {
			name := fmt.Sprintf("extra%d", i)
			outputs += ", " + name
			channels += fmt.Sprintf("  %s: { ring_size: %dKiB, stripes: %d }\n", name, 64<<draw.IntN(3), 1+draw.IntN(2))
		}
	}
	outputs += "]"
	text := head + fmt.Sprintf("actors:\n  feed: { type: producer, outputs: %s, source_id: %d }\n  desk: { type: consumer, inputs: %s }\n", outputs, 1+draw.IntN(9), outputs) +
		"placements:\n  feed: { node: left }\n  desk: { node: right }\nchannels:\n" + channels
	if valid {
		return text
	}
	return text + [...]string{"  steady: {}\n", "  other: { protocl: tcp }\n", "unknown: 1\n", "\t- :\n", "  other: { ring_size: 3 }\n", "include: [absent.yaml]\n"}[draw.IntN(6)]
}

// F20: the file changes a thousand times under load. What is wrong changes nothing; what is right loses nothing of a channel that it leaves
// as it is.
func TestReloadsLoseNothingOfWhatTheyLeave(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "reload.yaml")
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	draw := rand.New(rand.NewPCG(seed, 20))
	head := fmt.Sprintf(steadyNodes, ports(8)...)
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(draft(draw, head, true))
	at := func(node, actor string) *transport.Node {
		return openPlace(t, transport.Config{File: file, At: node, Actor: actor, Dir: filepath.Join(dir, node), Media: []transport.Medium{tcp.Medium{}}})
	}
	left, right := at("left", "feed"), at("right", "desk")
	steady := newCounter(t, left, right, "steady")
	good, versions := 0, map[string]bool{}
	for i := range scaledTo(1000, 50) {
		valid := draw.IntN(2) == 0
		write(draft(draw, head, valid))
		for _, n := range []*transport.Node{left, right} {
			before := n.Version()
			err := n.Reload(t.Context())
			if valid != (err == nil) {
				t.Fatalf("reload %d: %v", i, err)
			}
			if !valid && (!errors.Is(err, transport.ErrTopology) || n.Version() != before) {
				t.Fatalf("reload %d: refused, and the version goes from %s to %s: %v", i, before, n.Version(), err)
			}
			steady.send(draw.IntN(200))
			steady.take()
		}
		if left.Version() != right.Version() {
			t.Fatalf("reload %d: versions %s and %s", i, left.Version(), right.Version())
		}
		if versions[left.Version()] = true; i%10 == 9 {
			steady.all()
		}
		if valid {
			good++
		}
	}
	steady.all()
	if steady.sent == 0 || good == 0 || len(versions) < 2 {
		t.Errorf("%d messages, %d good files, %d versions", steady.sent, good, len(versions))
	}
	t.Logf("%d messages through %d good files of %d versions", steady.sent, good, len(versions))
}
