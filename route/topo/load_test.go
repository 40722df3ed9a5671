package topo

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"
)

// noEnv keeps tests apart from the machine they run on.
func noEnv(string) (string, bool) { return "", false }

func parse(text string) (*Topology, Findings) {
	return Loader{Env: noEnv}.Parse("t.yaml", []byte(text))
}

// clean loads a file that must say nothing.
func clean(t *testing.T, path string) *Topology {
	t.Helper()
	tp, found := Loader{Env: noEnv}.Load(path)
	if len(found) > 0 {
		t.Fatalf("%s:\n%s", path, report(found))
	}
	return tp
}

func report(found Findings) string {
	var b bytes.Buffer
	found.WriteText(&b)
	return b.String()
}

func TestFileWithCarriageOnlyLoadsUnchanged(t *testing.T) {
	tp := clean(t, "testdata/carriage.yaml")
	want := []struct {
		name string
		TransportConfig
	}{
		{"market_data", TransportConfig{Mode: ModeDirect, Protocol: UDP, Compression: CompressNone, Encryption: EncryptNone}},
		{"trading_signals", TransportConfig{Mode: ModeDirect, Protocol: TCP, Compression: CompressLZ4, Encryption: EncryptTLS}},
		{"order_execution", TransportConfig{Mode: ModeHybrid, Protocol: TCP, Backend: RabbitMQ, Encryption: EncryptChaCha20Poly1305}},
		{"audit_trail", TransportConfig{Mode: ModeQueue, Backend: RabbitMQ, Durability: Persistent, RoutingKey: "audit.trail"}},
		{"analytics", TransportConfig{Mode: ModeAuto}},
	}
	if len(tp.Channels) != len(want) {
		t.Fatalf("%d channels", len(tp.Channels))
	}
	for i, w := range want {
		c := tp.Channels[i]
		k := c.Transport
		k.Timeout, k.Retry, k.Breaker = 0, Retry{}, Breaker{}
		if c.Name != w.name || k != w.TransportConfig {
			t.Errorf("%s is %+v, not %s %+v", c.Name, k, w.name, w.TransportConfig)
		}
	}
	if o := tp.Channel("audit_trail").Origin("routing_key"); o.String() != "audit.trail (transport_config, testdata/carriage.yaml:21:18)" {
		t.Error(o)
	}
}

func TestValuesComeFromTheHighestLayer(t *testing.T) {
	tp, found := parse(`
defaults: {heartbeat: 10ms, compression: lz4, ring_size: 64KiB, protocol: udp}
profiles:
  slow: {heartbeat: 1s, reliability: exactly_once}
  packed: {compression: zstd, retry: {first: 2s}}
channels:
  a: {profiles: [slow, packed], ring_size: 2MiB}
transport_config:
  a: {mode: direct, protocol: tcp}
  b: {}
`)
	if len(found) > 0 {
		t.Fatal(report(found))
	}
	a := tp.Channel("a")
	for _, w := range []struct {
		key, value, from string
		line             int
	}{
		{"heartbeat", "1s", "profile slow", 4}, {"liveness", "3s", "built in", 0}, {"reliability", "exactly_once", "profile slow", 4},
		{"compression", "zstd", "profile packed", 5}, {"retry.first", "2s", "profile packed", 5}, {"retry.max", "30s", "built in", 0},
		{"ring_size", "2MiB", "channel", 7}, {"protocol", "tcp", "transport_config", 9}, {"mode", "direct", "transport_config", 9},
		{"stripes", "1", "built in", 0},
	} {
		if o := a.Origin(w.key); o.Value != w.value || o.From != w.from || o.At.Line != w.line {
			t.Errorf("%s is %q from %s line %d, not %q from %s line %d", w.key, o.Value, o.From, o.At.Line, w.value, w.from, w.line)
		}
	}
	if b := tp.Channel("b"); b.Heartbeat != 10*time.Millisecond || b.Liveness != 30*time.Millisecond || b.Transport.Compression != CompressLZ4 {
		t.Errorf("%+v", b)
	}
	if a.Transport.Retry.First != 2*time.Second || a.RingBytes != 2<<20 {
		t.Errorf("%+v", a)
	}
}

func TestOlderSchemaLoads(t *testing.T) {
	tp := clean(t, "testdata/older.yaml")
	if tp.Version != "1.0.0" || tp.Name != "two-machines" || len(tp.Tags) != 2 || tp.Environment != "test" {
		t.Errorf("%+v", tp)
	}
	left, right := tp.Node("left"), tp.Node("right")
	if left.Hostname != "left.lan" || len(left.CPUs) != 16 || len(left.NUMA) != 2 || !slices.Equal(left.NUMA[1].CPUs, []int{8, 9, 10, 11, 12, 13, 14, 15}) ||
		len(left.Interfaces) != 2 || left.Interfaces[1].MTU != 65536 || right.Hostname != "right.lan" {
		t.Errorf("%+v\n%+v", left, right)
	}
	if p := tp.PlacementsOf("feed"); len(p) != 1 || p[0].Node != "left" || p[0].Priority != RealTime || p[0].MemoryBytes != 2<<30 || !slices.Equal(p[0].CPUs, []int{1}) {
		t.Errorf("%+v", p)
	}
	if a := tp.Actor("brain"); a.Type != Transformer || a.Source != 20 || !a.SourceSet {
		t.Errorf("%+v", a)
	}
	if q := tp.Channel("quotes"); q.RingBytes != 1<<20 || q.NUMA != 0 || !slices.Equal(q.Local, []string{"left"}) || q.Transport.Protocol != TCP || q.Transport.Connections != 2 {
		t.Errorf("%+v", q)
	}
	if tp.Channel("orders") == nil {
		t.Error("a channel that only a route names is not there")
	}
	r := tp.Route("right", "left", "orders")
	if r == nil || r.Transport.Protocol != UDP || r.Transport.Breaker.Open != 30*time.Second || r.Latency != 500*time.Microsecond || r.Bandwidth != 1e9 {
		t.Errorf("%+v", r)
	}
	if tp.Route("left", "right", "quotes") != nil {
		t.Error("a route that names channels is for those")
	}
}

func TestEverySpellingOfAValueIsTaken(t *testing.T) {
	for _, spelling := range []string{"direct_with_mq_fallback", "DirectWithMqFallback", "direct-with-mq-fallback", "DIRECT_WITH_MQ_FALLBACK"} {
		tp, found := parse("channels: {a: {mode: " + spelling + "}}")
		if len(found) > 0 || tp.Channels[0].Transport.Mode != ModeDirectWithQueueFallback {
			t.Errorf("%s: %s", spelling, report(found))
		}
	}
	tp, found := parse("channels: {a: {mode: mq, criticality: UltraLowLatency, encryption: chacha20poly1305, reliability: GuaranteedDelivery}}")
	c := tp.Channels[0]
	if c.Transport.Mode != ModeQueue || c.Criticality != UltraLowLatency || c.Transport.Encryption != EncryptChaCha20Poly1305 || c.Reliability != GuaranteedDelivery {
		t.Errorf("%+v", c)
	}
	if len(found) != 2 || found[0].Severity != Warning || found[0].Rule != "deprecated-value" || found[0].Remedy != "write message_queue" || found[1].Rule != "late-queue" {
		t.Error(report(found))
	}
}

func TestVariablesAreReplaced(t *testing.T) {
	env := func(name string) (string, bool) {
		v, ok := map[string]string{"PROTO": "quic", "EMPTY": ""}[name]
		return v, ok
	}
	tp, found := Loader{Env: env}.Parse("t.yaml", []byte(`
name: a-${PROTO}-$${PROTO}-${NONE:x:y}-${EMPTY}
channels: {a: {protocol: "${PROTO}", stripes: "${N:4}"}}
`))
	if len(found) > 0 || tp.Name != "a-quic-${PROTO}-x:y-" || tp.Channels[0].Transport.Protocol != QUIC || tp.Channels[0].Stripes != 4 {
		t.Errorf("%q %+v %s", tp.Name, tp.Channels, report(found))
	}
}

func TestFindingsStandInTheOrderOfTheFile(t *testing.T) {
	_, found := parse(`
channels:
  a: {protocl: tcp, mode: driect, ring_size: 3MiB}
  b: {heartbeat: 5, reliability: exactly_once, slow_subscriber: drop}
actors:
  x: {type: producer, outputs: [c], inputs: [a]}
`)
	var rules []string
	for _, f := range found {
		rules = append(rules, f.Rule)
	}
	want := "unknown-key bad-value bad-value unused-channel bad-value reliable-drop unplaced-actor unknown-channel actor-type not-produced"
	got := strings.Join(rules, " ")
	for _, w := range strings.Fields(want) {
		if !slices.Contains(rules, w) {
			t.Errorf("%s is not found at the same time: %s", w, got)
		}
	}
	if !slices.IsSortedFunc(found, func(a, b Finding) int { return (a.At.Line-b.At.Line)*1000 + a.At.Column - b.At.Column }) {
		t.Error(report(found))
	}
}

func TestRegionFollowsFromTheSite(t *testing.T) {
	tp, found := parse("nodes: {a: {hostname: a, site: x}, b: {hostname: b, site: y, region: x}, c: {hostname: c, site: z}}")
	if len(found) > 0 {
		t.Fatal(report(found))
	}
	a, b, c := tp.Node("a"), tp.Node("b"), tp.Node("c")
	if CrossesRegion(a, b) || !CrossesRegion(a, c) || CrossesRegion(c, c) {
		t.Error(tp.Nodes)
	}
}
