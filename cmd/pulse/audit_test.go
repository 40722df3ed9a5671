package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	transport "github.com/alphapulse/transport"
	"github.com/alphapulse/transport/internal/brokers"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// broker starts a private one, which may be killed.
func broker(t *testing.T, kind brokers.Kind) *brokers.Broker {
	t.Helper()
	b, err := brokers.Open(kind, "")
	if errors.Is(err, brokers.ErrMissing) || errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Stop(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// The channel of the plan that asks for persistence, by its own words: what is published while nobody takes it outlives the broker's death, and
// comes out once, in order.
func TestAuditTrailOutlivesItsBroker(t *testing.T) {
	for _, kind := range []brokers.Kind{brokers.KindRabbitMQ, brokers.KindRedis, brokers.KindKafka} {
		t.Run(string(kind), func(t *testing.T) { auditOutlives(t, kind) })
	}
}

func auditOutlives(t *testing.T, kind brokers.Kind) {
	const first, last = 30_000, 40_000
	b := broker(t, kind)
	dir := t.TempDir()
	file := filepath.Join(dir, "audit.yaml")
	text := fmt.Sprintf(`
config_version: 1
name: audit
nodes:
  trading: { hostname: trading, addresses: [10.9.0.1], site: here }
  archive: { hostname: archive, addresses: [10.9.0.2], site: here }
actors:
  strategy: { type: producer, outputs: [audit_trail], source_id: 1 }
  auditor:  { type: consumer, inputs: [audit_trail] }
placements:
  strategy: { node: trading }
  auditor:  { node: archive }
queues:
  %s: { addresses: ["%s"] }
channels:
  audit_trail: { ring_size: 1MiB }
transport_config:
  audit_trail:
    mode: message_queue
    backend: %s
    durability: persistent
    routing_key: audit.trail
    encryption: none
`, kind, b.Addr(), kind)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dry := range []string{"--dry-run", "--dry-run=false"} {
		p := start(t, "provision", file, dry)
		if p.end() != 0 || !strings.Contains(p.out.String(), map[bool]string{true: "nothing to make", false: "audit_trail"}[kind == brokers.KindRedis]) ||
			strings.Contains(p.out.String(), "would") != (dry == "--dry-run" && kind != brokers.KindRedis) {
			t.Errorf("provision %s: %s%s", dry, p.out.String(), p.words())
		}
	}
	open := func(node, actor string) *transport.Node {
		n, err := transport.Open(t.Context(), transport.Config{File: file, At: node, Actor: actor, Dir: filepath.Join(dir, node), Queues: queues(),
			Notes: func(n netio.Note) { t.Logf("%s %s: %s %v", time.Now().Format("05.000"), node, n.What, n.Err) }})
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
	trading := open("trading", "strategy")
	pub, err := trading.Publisher("audit_trail")
	if err != nil {
		t.Fatal(err)
	}
	publish := func(to uint64) {
		eventually(t, fmt.Sprintf("message %d is published", to), func() bool {
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
		})
	}
	publish(first)
	eventually(t, "the broker has all of it", func() bool {
		all, err := trading.Carriages(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return len(all) == 1 && all[0].Medium == string(kind) && all[0].Rings == 1 && all[0].Lag == 0
	})
	if kind == brokers.KindRabbitMQ {
		time.Sleep(8 * time.Second) // it writes down that a queue is there with a delay of seconds (docs/rabbitmq.md)
	}
	if err := b.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := b.Start(); err != nil {
		t.Fatal(err)
	}
	publish(last)
	in, err := open("archive", "auditor").Subscriber("audit_trail")
	if err != nil {
		t.Fatal(err)
	}
	due := uint64(1)
	for end := time.Now().Add(2 * patience); due <= last; {
		n, err := in.Poll(1024, func(f seal.Frame) {
			if n := binary.LittleEndian.Uint64(f.Payload); f.Seq != due || n != due {
				t.Fatalf("message %d, which says %d, where %d is due", f.Seq, n, due)
			}
			due++
		})
		if err == nil && n == 0 {
			err = in.Wait(time.Millisecond)
		}
		if err != nil {
			t.Fatal(err)
		}
		if time.Now().After(end) {
			t.Fatalf("%d of %d came", due-1, last)
		}
	}
	if in.Lost() != 0 {
		t.Errorf("%d lost", in.Lost())
	}
}
