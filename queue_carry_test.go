package transport_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	transport "github.com/alphapulse/transport"
	"github.com/alphapulse/transport/mqadapt/journal"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// queued is a topology of two nodes on this host that have journals in one directory.
func queued(t *testing.T, dir, channel string, at []any) string {
	t.Helper()
	file := filepath.Join(dir, "queued.yaml")
	text := fmt.Sprintf(`
config_version: 1
name: queued
nodes:
  left:  { hostname: localhost, addresses: [127.0.0.1], site: here, ports: { control: %d, tcp: %d, udp: %d, quic: %d } }
  right: { hostname: localhost, addresses: [127.0.0.1], site: here, ports: { control: %d, tcp: %d, udp: %d, quic: %d } }
actors:
  feed: { type: producer, outputs: [quotes], source_id: 1 }
  desk: { type: consumer, inputs: [quotes] }
placements:
  feed: { node: left }
  desk: { node: right }
queues:
  journal: { directory: %s }
defaults: { protocol: tcp, encryption: none, reliability: at_least_once, ring_size: 1MiB, heartbeat: 50ms, liveness: 150ms, backend: journal }
channels:
  quotes: { %s }
`, append(append([]any{}, at...), filepath.Join(dir, "journals"), channel)...)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func openQueued(t *testing.T, file, node, actor string, media ...transport.Medium) *transport.Node {
	t.Helper()
	return openPlace(t, transport.Config{File: file, At: node, Actor: actor, Dir: filepath.Join(filepath.Dir(file), node), Media: media,
		Queues: []transport.QueueMedium{journal.Medium{}}, HoldDown: 300 * time.Millisecond,
		Notes: func(n netio.Note) { t.Logf("%s %s: %+v", time.Now().Format("05.000"), node, n) }})
}

// order checks that each source's messages come once and in order, with the number they were given inside.
type order struct {
	*testing.T
	next map[uint64]uint64
	got  uint64
}

func (o *order) take(f seal.Frame) {
	o.next[f.Source]++
	if n := o.next[f.Source]; f.Seq != n || binary.LittleEndian.Uint64(f.Payload) != n {
		o.Fatalf("source %x: message %d, which says %d, where %d is due", f.Source, f.Seq, binary.LittleEndian.Uint64(f.Payload), n)
	}
	o.got++
}

// poll takes until so many have come in all.
func (o *order) poll(s *transport.Subscriber, until uint64, within time.Duration, state func() any) {
	o.Helper()
	for end := time.Now().Add(within); o.got < until; {
		n, err := s.Poll(1024, o.take)
		if err != nil {
			o.Fatal(err)
		}
		if n == 0 {
			if err := s.Wait(time.Millisecond); err != nil {
				o.Fatal(err)
			}
		}
		if time.Now().After(end) {
			o.Fatalf("%d of %d arrived: %+v", o.got, until, state())
		}
	}
}

// sendUpTo publishes the numbers up to last; a full ring waits.
func sendUpTo(p *transport.Publisher, last uint64, within time.Duration) error {
	for end := time.Now().Add(within); p.Seq() <= last; {
		b, err := p.Claim(64)
		switch {
		case errors.Is(err, ring.ErrFull):
			if time.Now().After(end) {
				return fmt.Errorf("number %d: %w", p.Seq(), err)
			}
			time.Sleep(100 * time.Microsecond)
			continue
		case err != nil:
			return err
		}
		binary.LittleEndian.PutUint64(b, p.Seq())
		if err := p.Commit(64); err != nil {
			return err
		}
	}
	return nil
}

func carriages(t *testing.T, n *transport.Node) func() any {
	return func() any {
		all, err := n.Carriages(t.Context())
		return fmt.Sprintf("%+v %v", all, err)
	}
}

// A channel by queue goes from node to node through the journal alone, and what was published before anybody took it is there, too.
func TestChannelGoesThroughTheQueue(t *testing.T) {
	dir := t.TempDir()
	file := queued(t, dir, "mode: message_queue", ports(8))
	left := openQueued(t, file, "left", "feed")
	pub, err := left.Publisher("quotes")
	if err != nil {
		t.Fatal(err)
	}
	const total = 50_000
	if err := sendUpTo(pub, total, 20*time.Second); err != nil { // many times the ring, and nobody reads yet
		t.Fatal(err)
	}
	right := openQueued(t, file, "right", "desk")
	in, err := right.Subscriber("quotes")
	if err != nil {
		t.Fatal(err)
	}
	o := &order{T: t, next: map[uint64]uint64{}}
	o.poll(in, total, 20*time.Second, carriages(t, left))
	if err := sendUpTo(pub, total+100, time.Second); err != nil {
		t.Fatal(err)
	}
	o.poll(in, total+100, 20*time.Second, carriages(t, left))
	all, err := left.Carriages(t.Context())
	if err != nil || len(all) != 1 || all[0].Medium != "journal" || all[0].Node != "" || all[0].Rings != 1 {
		t.Errorf("%+v %v", all, err)
	}
	if in.Lost() != 0 {
		t.Errorf("%d lost", in.Lost())
	}
}

// scaled divides a count by PULSE_SCALE, but leaves at least least.
func scaled(count, least int) int {
	if scale, err := strconv.Atoi(os.Getenv("PULSE_SCALE")); err == nil && scale > 1 {
		return max(count/scale, least)
	}
	return count
}
