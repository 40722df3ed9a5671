package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/alphapulse/transport"
	"github.com/alphapulse/transport/internal/netlab"
	"github.com/alphapulse/transport/seal"
)

// A message goes from node to node over a link, is answered, and the answer goes on through a queue: a collector has one trace of eight hops,
// each the child of the one before.
func TestOneTraceOverALinkAndThroughAQueue(t *testing.T) {
	var mu sync.Mutex
	got := map[string]*otlp.Span{} // by hop, channel and medium
	ids := map[string]bool{}
	far := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		var request collector.ExportTraceServiceRequest
		if err != nil || proto.Unmarshal(b, &request) != nil {
			http.Error(w, "no spans", http.StatusBadRequest)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		for _, of := range request.ResourceSpans {
			for _, scope := range of.ScopeSpans {
				for _, s := range scope.Spans {
					medium := ""
					for _, a := range s.Attributes {
						if a.Key == "pulse.medium" {
							medium = a.Value.GetStringValue()
						}
					}
					got[s.Name+" "+medium] = s
					ids[hex.EncodeToString(s.TraceId)] = true
				}
			}
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	defer far.Close()
	dir := t.TempDir()
	file := filepath.Join(dir, "traced.yaml")
	text := fmt.Sprintf(`
config_version: 1
name: traced
nodes:
  left:   { hostname: localhost, addresses: [127.0.0.1], site: here, ports: { control: %d, tcp: %d, udp: %d, quic: %d } }
  middle: { hostname: localhost, addresses: [127.0.0.1], site: here, ports: { control: %d, tcp: %d, udp: %d, quic: %d } }
  right:  { hostname: localhost, addresses: [127.0.0.1], site: here, ports: { control: %d, tcp: %d, udp: %d, quic: %d } }
actors:
  feed:  { type: producer, outputs: [quotes], source_id: 1 }
  brain: { type: transformer, inputs: [quotes], outputs: [orders], source_id: 20 }
  desk:  { type: consumer, inputs: [orders] }
placements:
  feed:  { node: left }
  brain: { node: middle }
  desk:  { node: right }
queues: { journal: { directory: %s } }
defaults: { mode: direct, protocol: tcp, encryption: none, reliability: at_least_once, ring_size: 64KiB, backend: journal }
channels:
  quotes: {}
  orders: { mode: message_queue }
`, netlab.Port(), netlab.Port(), netlab.Port(), netlab.Port(), netlab.Port(), netlab.Port(), netlab.Port(), netlab.Port(), netlab.Port(),
		netlab.Port(), netlab.Port(), netlab.Port(), filepath.Join(dir, "journals"))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var nodes sync.WaitGroup
	defer nodes.Wait()
	defer stop()
	actor := func(node, name string) *transport.Node {
		c := transport.Config{File: file, At: node, Dir: filepath.Join(dir, node)}
		run := c
		run.Media, run.Queues = media(), queues()
		nodes.Go(func() {
			if err := runNode(ctx, run, outlets{traces: far.URL, metrics: nowhere}, t.Output()); err != nil {
				t.Error(err)
			}
		})
		c.Actor = name
		if name == "feed" {
			c.Channels = map[string]transport.Channel{"quotes": {TraceEvery: 3}}
		}
		n, err := transport.Open(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = n.Close() })
		return n
	}
	left, middle, right := actor("left", "feed"), actor("middle", "brain"), actor("right", "desk")
	quotes, err := left.Publisher("quotes")
	fatal(t, err)
	in, err := middle.Subscriber("quotes")
	fatal(t, err)
	orders, err := middle.Publisher("orders")
	fatal(t, err)
	out, err := right.Subscriber("orders")
	fatal(t, err)
	for i := range 5 {
		fatal(t, quotes.Send(fmt.Append(nil, "quote ", i+1)))
	}
	answered, delivered := 0, 0
	eventually(t, "all answers arrive", func() bool {
		_, err := in.Poll(16, func(f seal.Frame) {
			if trace, ok := in.Trace(f); ok {
				orders.Trace(trace)
				if string(f.Payload) != "quote 3" {
					t.Errorf("%q is traced", f.Payload)
				}
			}
			answered++
			fatal(t, orders.Send(f.Payload))
		})
		fatal(t, err)
		_, err = out.Poll(16, func(f seal.Frame) {
			if _, ok := out.Trace(f); ok != (string(f.Payload) == "quote 3") {
				t.Errorf("%q is traced: %v", f.Payload, ok)
			}
			delivered++
		})
		fatal(t, err)
		return delivered == 5
	})
	way := []string{"committed quotes ring", "carried quotes tcp", "received quotes tcp", "delivered quotes ring",
		"committed orders ring", "carried orders journal", "received orders journal", "delivered orders ring"}
	eventually(t, "the collector has all hops", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(got) == len(way)
	})
	mu.Lock()
	defer mu.Unlock()
	if len(ids) != 1 {
		t.Errorf("%d traces", len(ids))
	}
	parent, began := "", uint64(0)
	for _, hop := range way {
		s := got[hop]
		if s == nil {
			t.Fatalf("no %q among %v", hop, got)
		}
		if string(s.ParentSpanId) != parent || s.EndTimeUnixNano < s.StartTimeUnixNano || s.StartTimeUnixNano < began {
			t.Errorf("%s is a child of %x, want %x; from %d to %d, and the one before began at %d", hop, s.ParentSpanId, parent, s.StartTimeUnixNano, s.EndTimeUnixNano, began)
		}
		parent, began = string(s.SpanId), s.StartTimeUnixNano
	}
}

// A collector's URL that is none is the caller's fault, said before anything runs for long.
func TestRunRefusesATracesURLThatIsNone(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "one.yaml")
	text := fmt.Sprintf("config_version: 1\nnodes:\n  left: { hostname: localhost, ports: { control: %d } }\n", netlab.Port())
	fatal(t, os.WriteFile(file, []byte(text), 0o600))
	err := runNode(t.Context(), transport.Config{File: file, At: "left", Dir: filepath.Join(dir, "rings"), Media: media()}, outlets{traces: "collector:4318", metrics: nowhere}, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "--traces") {
		t.Error(err)
	}
}

func fatal(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
