package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	transport "github.com/alphapulse/transport"
	"github.com/alphapulse/transport/internal/brokers"
	"github.com/alphapulse/transport/internal/netlab"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/netio/tcp"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// Each kind of broker stands behind a link: the other node is away while messages pass into the queue; when it is back it takes them, and the
// link goes on behind the queue's end. With the queue first, the queue carries. Each message comes once and in order.
func TestBrokerStandsBehindALink(t *testing.T) {
	for _, kind := range []brokers.Kind{brokers.KindRedis, brokers.KindRabbitMQ, brokers.KindKafka} {
		t.Run(string(kind), func(t *testing.T) {
			b := broker(t, kind)
			t.Run("behind", func(t *testing.T) { standsBehind(t, b, kind, "direct_with_mq_fallback", "tcp") })
			t.Run("before", func(t *testing.T) { standsBehind(t, b, kind, "mq_with_direct_fallback", string(kind)) })
		})
	}
}

func standsBehind(t *testing.T, b *brokers.Broker, kind brokers.Kind, mode, last string) {
	dir := t.TempDir()
	file := filepath.Join(dir, "behind.yaml")
	text := fmt.Sprintf(`
config_version: 1
name: behind
nodes:
  left:  { hostname: localhost, addresses: [127.0.0.1], site: here, ports: { control: %d, tcp: %d, udp: %d, quic: %d } }
  right: { hostname: localhost, addresses: [127.0.0.1], site: here, ports: { control: %d, tcp: %d, udp: %d, quic: %d } }
actors:
  feed: { type: producer, outputs: [quotes], source_id: 1 }
  desk: { type: consumer, inputs: [quotes] }
placements:
  feed: { node: left }
  desk: { node: right }
queues: { %s: { addresses: ["%s"] } }
defaults: { protocol: tcp, encryption: none, reliability: at_least_once, ring_size: 1MiB, heartbeat: 50ms, liveness: 150ms, backend: %s }
channels:
  quotes: { mode: %s, queue: %s, breaker: { open: 200ms, window: 200ms } }
`, netlab.Port(), netlab.Port(), netlab.Port(), netlab.Port(), netlab.Port(), netlab.Port(), netlab.Port(), netlab.Port(), kind, b.Addr(), kind, mode, mode)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	open := func(node, actor string) *transport.Node {
		n, err := transport.Open(t.Context(), transport.Config{File: file, At: node, Actor: actor, Dir: filepath.Join(dir, node), Queues: queues(),
			Media: []transport.Medium{tcp.Medium{}}, HoldDown: 300 * time.Millisecond,
			Notes: func(n netio.Note) { t.Logf("%s %s: %+v", time.Now().Format("05.000"), node, n) }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := n.Close(); err != nil {
				t.Error(err)
			}
		})
		return n
	}
	left := open("left", "feed")
	pub, err := left.Publisher("quotes")
	if err != nil {
		t.Fatal(err)
	}
	send := func(to uint64) bool {
		for pub.Seq() <= to {
			p, err := pub.Claim(64)
			if errors.Is(err, ring.ErrFull) {
				return false
			}
			if err != nil {
				t.Fatal(err)
			}
			binary.LittleEndian.PutUint64(p, pub.Seq())
			if err := pub.Commit(64); err != nil {
				t.Fatal(err)
			}
		}
		return true
	}
	by := func() string {
		all, err := left.Carriages(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return all[0].Medium
	}
	eventually(t, "messages go into the queue", func() bool { return send(40_000) && by() == string(kind) }) // more than a ring
	in, err := open("right", "desk").Subscriber("quotes")
	if err != nil {
		t.Fatal(err)
	}
	due := uint64(1)
	poll := func() {
		if _, err := in.Poll(1024, func(f seal.Frame) {
			if n := binary.LittleEndian.Uint64(f.Payload); f.Seq != due || n != due {
				t.Fatalf("message %d, which says %d, where %d is due", f.Seq, n, due)
			}
			due++
		}); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	eventually(t, "by "+last, func() bool {
		send(pub.Seq() + 9)
		poll()
		return due > 40_000 && by() == last
	})
	t.Logf("by %s after %s", last, time.Since(began).Round(time.Millisecond))
	eventually(t, "more is published", func() bool { poll(); return send(50_000) })
	eventually(t, "all comes", func() bool { poll(); return due == pub.Seq() })
	if in.Lost() != 0 {
		t.Errorf("%d lost", in.Lost())
	}
}
