package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/alphapulse/transport/internal/brokers"
	"github.com/alphapulse/transport/internal/netlab"
	"github.com/alphapulse/transport/internal/view"
	"github.com/alphapulse/transport/route/watch"
)

// surfaces are all that tell of the node left: the terminal's view, the dashboard, Prometheus. Each is asked from outside, as a stranger would.
type surfaces struct {
	*nodes
	web    string
	server *brokers.Broker
}

// told is what one of them says of the channel trades to the node middle.
type told struct {
	medium   string
	tcp      bool // the way by TCP is alive
	breaker  string
	health   string
	messages float64 // committed
}

func (s *surfaces) top() told {
	p := start(s.T, "top", s.dirOf("left"), "--once", "-o", "json", "--interval", "100ms")
	if p.end() != 0 {
		s.Fatal(p.words())
	}
	return s.ofState(p.out.Bytes())
}

func (s *surfaces) dashboard() told {
	r, err := http.Get(s.web + "/api/state")
	if err != nil {
		s.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		s.Fatal(err)
	}
	return s.ofState(b)
}

func (s *surfaces) ofState(b []byte) (t told) {
	var state view.State
	if err := json.Unmarshal(b, &state); err != nil {
		s.Fatalf("%v: %s", err, b)
	}
	t.health = string(state.Health.State)
	for _, c := range state.Channels {
		for _, one := range c.Carriages {
			if c.Name != "trades" || one.Node != "middle" {
				continue
			}
			t.medium, t.messages = one.Medium, c.Messages
			for _, w := range one.Ways {
				if w.Medium == "tcp" {
					t.tcp, t.breaker = w.Alive, w.Breaker
				}
			}
		}
	}
	return t
}

func (s *surfaces) prometheus() (t told) {
	for _, a := range s.ask(`pulse_carriage_active{instance="left",channel="trades",node="middle"} == 1`) {
		t.medium = a.Labels["medium"]
	}
	for _, a := range s.ask(`pulse_way_alive{instance="left",channel="trades",node="middle",medium="tcp"}`) {
		t.tcp = a.Value == 1
	}
	for _, a := range s.ask(`pulse_way_breaker_state{instance="left",channel="trades",node="middle",medium="tcp"}`) {
		t.breaker = []string{"closed", "half-open", "open"}[int(a.Value)]
	}
	for _, a := range s.ask(`pulse_health_state{instance="left"} == 1`) {
		t.health = a.Labels["state"]
	}
	for _, a := range s.ask(`sum(pulse_ring_committed_messages_total{instance="left",channel="trades"})`) {
		t.messages = a.Value
	}
	return t
}

func (s *surfaces) ask(expr string) []brokers.Answer {
	all, err := s.server.Query(s.Context(), expr)
	if err != nil {
		s.Fatal(err)
	}
	return all
}

// agree waits until all three say what holds.
func (s *surfaces) agree(what string, holds func(told) bool) {
	s.Helper()
	var all [3]told
	defer func() { s.Logf("%s: top %+v, dashboard %+v, prometheus %+v", what, all[0], all[1], all[2]) }()
	eventually(s.T, "top, dashboard and Prometheus agree: "+what, func() bool {
		all = [3]told{s.top(), s.dashboard(), s.prometheus()}
		return holds(all[0]) && holds(all[1]) && holds(all[2])
	})
}

// firing waits until an alert of the node left fires, or does not.
func (s *surfaces) firing(alert string, want bool) {
	s.Helper()
	eventually(s.T, fmt.Sprintf("%s fires: %t", alert, want), func() bool {
		return (len(s.ask(fmt.Sprintf(`ALERTS{alertname=%q,alertstate="firing",instance="left"}`, alert))) > 0) == want
	})
}

// moving are metrics that change while nothing is published.
var moving = []string{watch.LinkBytes, watch.LinkDatagrams, watch.DiskFree, watch.AccordOffset, watch.AccordError, watch.HopLatency}

// everyMetric holds what stats files say of the three nodes against what Prometheus has, number for number.
func (s *surfaces) everyMetric() {
	s.Helper()
	names := map[string]bool{}
	for _, p := range places {
		missing := ""
		s.Cleanup(func() {
			if missing != "" {
				s.Log(missing)
			}
		})
		eventually(s.T, "Prometheus has every number of "+p[0], func() bool {
			all, err := watch.ReadDir(s.dirOf(p[0]))
			if err != nil {
				s.Fatal(err)
			}
			for _, snapshot := range all {
				for _, one := range snapshot.Samples {
					names[one.Metric.Name] = true
					if missing = s.lacks(p[0], snapshot, one); missing != "" {
						return false
					}
				}
			}
			return true
		})
	}
	s.Logf("%d metrics of %d are told in this run", len(names), len(watch.Catalogue()))
}

// lacks says how Prometheus differs in a number, empty when it does not.
func (s *surfaces) lacks(node string, of *watch.Snapshot, one watch.Sample) string {
	name, selector := one.Metric.Name, fmt.Sprintf("instance=%q,process=%q", node, of.Process)
	for _, label := range one.Metric.Labels {
		selector += fmt.Sprintf(",%s=%q", label, one.Get(label))
	}
	got := s.ask(name + "{" + selector + "}")
	if len(got) == 0 || !slices.Contains(moving, one.Metric.Name) && got[0].Value != one.Value {
		return fmt.Sprintf("%s{%s} is %v in the stats file and %v in Prometheus", name, selector, one.Value, got)
	}
	return ""
}

// spanKeeper is a collector of traces.
type spanKeeper struct {
	*httptest.Server
	mu  sync.Mutex
	all []*otlp.Span
}

func newSpanKeeper(t *testing.T) *spanKeeper {
	k := &spanKeeper{}
	k.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q collector.ExportTraceServiceRequest
		b, err := io.ReadAll(r.Body)
		if err == nil {
			err = proto.Unmarshal(b, &q)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		for _, of := range q.ResourceSpans {
			for _, scope := range of.ScopeSpans {
				k.all = append(k.all, scope.Spans...)
			}
		}
	}))
	t.Cleanup(k.Close)
	return k
}

// way is the names of a trace's spans from the first to the last of its longest line of children.
func (k *spanKeeper) ways() (all [][]string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	children := map[string][]*otlp.Span{}
	for _, s := range k.all {
		key := string(s.TraceId) + string(s.ParentSpanId)
		children[key] = append(children[key], s)
	}
	var follow func(s *otlp.Span, way []string)
	follow = func(s *otlp.Span, way []string) {
		way = append(slices.Clone(way), s.Name+" by "+attribute(s, "pulse.medium"))
		next := children[string(s.TraceId)+string(s.SpanId)]
		if len(next) == 0 {
			all = append(all, way)
		}
		for _, one := range next {
			follow(one, way)
		}
	}
	for _, s := range k.all {
		if len(s.ParentSpanId) == 0 {
			follow(s, nil)
		}
	}
	return all
}

func attribute(s *otlp.Span, name string) string {
	for _, a := range s.Attributes {
		if a.Key == name {
			return a.Value.GetStringValue()
		}
	}
	return ""
}

// One run of three nodes, each in a network namespace, the middle one of which is cut off and comes back: whatever tells of it tells the same.
func TestEverySurfaceTellsTheSameOfAPartition(t *testing.T) {
	spans := newSpanKeeper(t)
	n := openNodesOn(t, "here", `
queues: { journal: { directory: `+t.TempDir()+` } }
defaults: { protocol: tcp, encryption: none, reliability: guaranteed_delivery, backend: journal, ring_size: 4MiB, heartbeat: 100ms, liveness: 300ms }
channels:
  trades:  { mode: direct_with_mq_fallback, breaker: { open: 1s } }
  signals: { mode: message_queue }
`)
	s := &surfaces{nodes: n, web: fmt.Sprintf("http://127.0.0.1:%d", netlab.Port())}
	eventually(t, "left tells what it does", func() bool {
		all, err := watch.ReadDir(n.dirOf("left"))
		return err == nil && len(all) > 0
	})
	start(t, "web", n.dirOf("left"), "--listen", s.web[len("http://"):])
	targets := ""
	for _, p := range places {
		at := fmt.Sprintf("127.0.0.1:%d", netlab.Port())
		start(t, "metrics", n.dirOf(p[0]), "--listen", at)
		start(t, "traces", n.dirOf(p[0]), "--node", p[0], "--to", spans.URL)
		targets += fmt.Sprintf("      - targets: [%q]\n        labels: { instance: %s }\n", at, p[0])
	}
	rules, err := filepath.Abs("../../monitoring/pulse.rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	s.server, err = brokers.Prometheus(t.TempDir(), "global: { scrape_interval: 500ms, evaluation_interval: 500ms }\nrule_files: ["+rules+"]\n"+
		"scrape_configs:\n  - job_name: pulse\n    static_configs:\n"+targets)
	if err != nil {
		if os.Getenv("PULSE_REQUIRE") == "" {
			t.Skip(err)
		}
		t.Fatal(err)
	}
	defer s.server.Kill()
	eventually(t, "the dashboard answers", func() bool {
		r, err := http.Get(s.web + "/api/state")
		return err == nil && r.Body.Close() == nil
	})
	const count = 120_000
	n.act["feed"] = n.actor("left", "feed", "--rate", "6000", "--count", fmt.Sprint(count), "--trace-every", "1000")
	well := func(o told) bool {
		return o.medium == "tcp" && o.tcp && o.breaker == "closed" && o.health == "ok" && o.messages > 0
	}
	s.agree("all is well", well)
	s.firing("PulseWayDown", false)

	n.cutTCP("middle", true)
	s.agree("the middle is cut off", func(o told) bool {
		return o.medium == "journal" && !o.tcp && o.breaker != "closed" && o.health == "degraded"
	})
	s.firing("PulseWayDown", true)

	n.cutTCP("middle", false)
	s.agree("the middle is back", well)
	s.firing("PulseWayDown", false)

	s.agree("every message was counted", func(o told) bool { return o.messages == count })
	s.everyMetric()

	n.run["left"].signal(os.Kill)
	n.run["left"].end()
	s.agree("the process that joins left is gone", func(o told) bool { return o.health == "failing" && o.messages == count })
	s.firing("PulseProcessGone", true)
	n.run["left"] = n.start("left", "run", n.file, "--node", "left", "--dir", n.dirOf("left"))
	s.agree("another has taken its place", func(o told) bool { return o.health == "ok" && o.messages == count })
	s.firing("PulseProcessGone", false)

	want := []string{"committed trades by ring", "carried trades by tcp", "received trades by tcp", "delivered trades by ring",
		"committed signals by ring", "carried signals by journal", "received signals by journal", "delivered signals by ring"}
	eventually(t, "a trade's trace leads through the link, the strategy and the queue to the sink", func() bool {
		return slices.ContainsFunc(spans.ways(), func(way []string) bool { return slices.Equal(way, want) })
	})
	over := slices.Clone(want)
	over[1], over[2] = "carried trades by journal", "received trades by journal"
	eventually(t, "and another's through the queue that stood in for the link", func() bool {
		return slices.ContainsFunc(spans.ways(), func(way []string) bool { return slices.Equal(way, over) })
	})
	for _, a := range s.ask(`sum(pulse_subscriber_messages_total{instance="middle",channel="trades"})`) {
		if a.Value != count {
			t.Errorf("Prometheus has %v messages taken in the middle, %d were sent", a.Value, count)
		}
	}
	n.finish()
}
