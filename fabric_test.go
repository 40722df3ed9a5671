package transport_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	transport "github.com/alphapulse/transport"
	"github.com/alphapulse/transport/internal/netlab"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/netio/tcp"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

func ports(n int) (all []any) {
	for range n {
		all = append(all, netlab.Port())
	}
	return all
}

// pipeline is a topology of three nodes on this host: feed on left, brain in the middle, desk on right.
func pipeline(t *testing.T, dir, channels string) string {
	t.Helper()
	return topologyOf(t, dir, `
actors:
  feed:  { type: producer, outputs: [quotes], source_id: 1 }
  brain: { type: transformer, inputs: [quotes], outputs: [orders], source_id: 20 }
  desk:  { type: consumer, inputs: [orders] }
placements:
  feed:  { node: left }
  brain: { node: middle }
  desk:  { node: right }
`, channels)
}

// topologyOf is a topology of three nodes on this host.
func topologyOf(t *testing.T, dir, actors, channels string) string {
	t.Helper()
	return topologyWith(t, dir, actors, channels, ports(12))
}

// topologyWith is a topologyOf that keeps its ports.
func topologyWith(t *testing.T, dir, actors, channels string, at []any) string {
	t.Helper()
	file := filepath.Join(dir, "pipeline.yaml")
	text := fmt.Sprintf(`
config_version: 1
name: pipeline
nodes:
  left:   { hostname: localhost, addresses: [127.0.0.1], site: here, ports: { control: %d, tcp: %d, udp: %d, quic: %d } }
  middle: { hostname: localhost, addresses: [127.0.0.1], site: here, ports: { control: %d, tcp: %d, udp: %d, quic: %d } }
  right:  { hostname: localhost, addresses: [127.0.0.1], site: here, ports: { control: %d, tcp: %d, udp: %d, quic: %d } }
%s
defaults: { mode: direct, protocol: tcp, encryption: none, reliability: at_least_once, ring_size: 64KiB }
channels:
%s`, append(slices.Clone(at), actors, channels)...)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func openPlace(t *testing.T, c transport.Config) *transport.Node {
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

func TestPipelineAcrossNodesLosesNothing(t *testing.T) {
	dir := t.TempDir()
	file := pipeline(t, dir, "  quotes: {}\n  orders: {}\n")
	media := []transport.Medium{tcp.Medium{}}
	at := func(node, actor string) *transport.Node {
		return openPlace(t, transport.Config{File: file, At: node, Actor: actor, Dir: filepath.Join(dir, node), Media: media,
			Notes: func(n netio.Note) { t.Logf("%s: %+v", node, n) }})
	}
	left, middle, right := at("left", "feed"), at("middle", "brain"), at("right", "desk")
	pub, err := left.Publisher("quotes")
	if err != nil {
		t.Fatal(err)
	}
	in, err := middle.Subscriber("quotes")
	if err != nil {
		t.Fatal(err)
	}
	out, err := middle.Publisher("orders")
	if err != nil {
		t.Fatal(err)
	}
	desk, err := right.Subscriber("orders")
	if err != nil {
		t.Fatal(err)
	}
	const total = 20_000
	var next, sent, passed uint64
	for end := time.Now().Add(20 * time.Second); next < total; {
		for sent < total {
			var b [8]byte
			binary.LittleEndian.PutUint64(b[:], sent)
			if err := pub.Send(b[:]); errors.Is(err, ring.ErrFull) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			sent++
		}
		room := true
		if _, err := in.Poll(1, func(f seal.Frame) {
			if binary.LittleEndian.Uint64(f.Payload) != passed {
				t.Fatalf("seq %d lost %d err %v: quote %d where %d is due", f.Seq, in.Lost(), in.Err(), binary.LittleEndian.Uint64(f.Payload), passed)
			}
			for {
				err := out.Send(f.Payload)
				if err == nil {
					break
				}
				room = false
				if !errors.Is(err, ring.ErrFull) {
					t.Fatal(err)
				}
				if _, err := desk.Poll(100, func(f seal.Frame) { take(t, f, &next) }); err != nil {
					t.Fatal(err)
				}
			}
			passed++
		}); err != nil {
			t.Fatal(err)
		}
		_ = room
		if _, err := desk.Poll(100, func(f seal.Frame) { take(t, f, &next) }); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(end) {
			all, _ := left.Carriages(context.Background())
			t.Fatalf("%d sent, %d passed on, %d arrived: %+v", sent, passed, next, all)
		}
	}
	if _, err := left.Subscriber("quotes"); !errors.Is(err, transport.ErrConfig) {
		t.Errorf("feed subscribes to its own output: %v", err)
	}
}

func take(t *testing.T, f seal.Frame, next *uint64) {
	t.Helper()
	if n := binary.LittleEndian.Uint64(f.Payload); n != *next {
		t.Fatalf("order %d where %d is due", n, *next)
	}
	*next++
}

// Sources are spread over stripes evenly, and each stays in order.
func TestStripesShareTheSources(t *testing.T) {
	dir := t.TempDir()
	file := pipeline(t, dir, "  quotes: { stripes: 4 }\n  orders: {}\n")
	at := func(node, actor string) *transport.Node {
		return openPlace(t, transport.Config{File: file, At: node, Actor: actor, Dir: filepath.Join(dir, node), Media: []transport.Medium{tcp.Medium{}}})
	}
	left, middle := at("left", "feed"), at("middle", "brain")
	in, err := middle.Subscriber("quotes")
	if err != nil {
		t.Fatal(err)
	}
	const sources, each = 40, 200
	next := map[uint64]uint64{}
	var pubs []*transport.Publisher
	for range sources {
		p, err := left.Publisher("quotes")
		if err != nil {
			t.Fatal(err)
		}
		pubs = append(pubs, p)
	}
	got := 0
	for end := time.Now().Add(20 * time.Second); got < sources*each; {
		for _, p := range pubs {
			if n := p.Seq(); n <= each {
				if err := p.Send(binary.LittleEndian.AppendUint64(nil, n)); err != nil && !errors.Is(err, ring.ErrFull) {
					t.Fatal(err)
				}
			}
		}
		if _, err := in.Poll(1000, func(f seal.Frame) {
			if next[f.Source]++; f.Seq != next[f.Source] || binary.LittleEndian.Uint64(f.Payload) != f.Seq {
				t.Fatalf("source %x: message %d where %d is due", f.Source, f.Seq, next[f.Source])
			}
			got++
		}); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(end) {
			all, _ := left.Carriages(t.Context())
			t.Fatalf("%d arrived: %+v", got, all)
		}
	}
	all, err := left.Carriages(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	for i, share := range all[0].Ways[0].Shares {
		if share*100 < 95*sources/4 || share*100 > 105*sources/4 {
			t.Errorf("stripe %d carries %d of %d sources", i, share, sources)
		}
	}
}

// A node that cannot be joined says why once, however many ways and channels need what is missing.
func TestWhatIsMissingIsSaidOnce(t *testing.T) {
	dir := t.TempDir()
	file := topologyOf(t, dir, `
actors:
  feed:  { type: producer, outputs: [quotes, orders] }
  brain: { type: consumer, inputs: [quotes, orders] }
  desk:  { type: consumer, inputs: [quotes, orders] }
placements:
  feed:  { node: middle }
  brain: { node: left }
  desk:  { node: right }
`, "  quotes: { encryption: tls }\n  orders: { encryption: tls, stripes: 2 }\n")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	named := strings.Replace(string(text), "middle: { hostname: localhost,", "middle: { hostname: localhost, trust: { certificate: no.pem, key: no-key.pem, authorities: ca.pem },", 1)
	if err := os.WriteFile(file, []byte(named), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = transport.Open(t.Context(), transport.Config{File: file, At: "middle", Dir: filepath.Join(dir, "middle"), Media: []transport.Medium{tcp.Medium{}}})
	if err == nil || strings.Count(err.Error(), "no-key.pem") != 1 || strings.Contains(err.Error(), "no tcp") {
		t.Errorf("%v", err)
	}
}
