package topo

import (
	"os"
	"strings"
	"testing"
)

// TestOlderRules changes one thing in a file of the older schema and expects what that schema's own checks said.
func TestOlderRules(t *testing.T) {
	good, err := os.ReadFile("testdata/older.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		from, to, rule string
		severity       Severity
	}{
		{"      desk: { cpu: [1] }", "      dsk: { cpu: [1] }", "unknown-actor", Error},
		{"    inputs: []\n    outputs: [quotes]", "    inputs: [orders]\n    outputs: [quotes]", "actor-type", Error},
		{"    outputs: [quotes]", "    outputs: []", "actor-type", Error},
		{"    inputs: [orders]\n    outputs: []", "    inputs: [orders]\n    outputs: [orders]", "actor-type", Error},
		{"    inputs: [quotes]\n", "    inputs: []\n", "actor-type", Error},
		{"min_memory_mb: 1024", "min_memory_mb: 0", "bad-value", Error},
		{"min_memory_mb: 1024", "min_memory_mb: 4096", "resources", Error},
		{"min_cpu_cores: 1", "min_cpu_cores: 0", "bad-value", Error},
		{"source_id: 20", "source_id: 1", "duplicate-source", Error},
		{"source_id: 20", "source_id: 256", "bad-value", Error},
		{"outputs: [orders]", "outputs: [orders, nowhere]", "unknown-channel", Error},
		{"numa: 1, cpu: [8, 9]", "numa: 3, cpu: [8, 9]", "unknown-numa", Error},
		{"numa_topology: [0]", "numa_topology: [8]", "bad-value", Error},
		{"buffer_size: 1048576", "buffer_size: 0", "bad-value", Error},
		{"replication_factor: 2", "replication_factor: 1", "replication", Error},
		{"replication_factor: 2", "replication_factor: 3", "replication", Error},
		{"base_path: /var/lib/feed", "base_path: var/lib/feed", "bad-value", Error},
		{`endpoint: "http://kv:1"`, `endpoint: ""`, "bad-value", Error},
		{`endpoint: "http://consul:8500"`, `endpoint: ""`, "bad-value", Error},
		{"hostname: right.lan", `hostname: ""`, "bad-value", Error},
		{"cpu: [8, 9]", "cpu: [8, 16]", "unknown-cpu", Error},
		{"cpu: [8, 9]", "cpu: []", "bad-value", Error},
		{"memory_limit_mb: 2048", "memory_limit_mb: 65536", "memory", Error},
		{"total_cpu_cores: 16", "total_cpu_cores: 200", "odd-hardware", Warning},
		{"total_memory_mb: 32768", "total_memory_mb: 2000000", "odd-hardware", Warning},
		{"    id: desk", "    id: disk", "actor-id", Error},
		{"      desk: { cpu: [1] }", "      {}", "unplaced-actor", Warning},
		{"cpu: [8, 9]", "cpu: [1, 9]", "shared-cpu", Warning},
		{"numa_node: 0, huge_pages: false", "huge_pages: true, numa_node: null", "huge-anywhere", Warning},
		{"channel_type: SPMC, buffer_size: 1048576", "channel_type: SPSC, buffer_size: 2MB", "bad-value", Error},
		{"source_node: left\n      target_node: right", "source_node: left\n      target_node: left", "route-to-itself", Error},
		{"      quotes: { channel_type", "      other: { channel_type", "unknown-channel", Error},
		{"local_channels: {}", "local_channels: { orders: { channel_type: SPMC } }", "", 0},
		{"protocol_type: Udp", "protocol_type: InfiniBand", "unsupported", Error},
		{"connect_timeout: 1s", "connect_timeout: 31s", "bad-value", Error},
		{"state_type: InMemory", "state_type: Somewhere", "bad-value", Error},
		{"checkpoint_interval: 30s", "checkpoint_interval: 0", "bad-value", Error},
	} {
		if !strings.Contains(string(good), c.from) {
			t.Fatalf("%q is not in the file", c.from)
		}
		_, found := Loader{Env: noEnv}.Parse("older.yaml", []byte(strings.Replace(string(good), c.from, c.to, 1)))
		if c.rule == "" && len(found) == 0 {
			continue
		}
		seen := false
		for _, f := range found {
			seen = seen || f.Rule == c.rule && f.Severity == c.severity && f.At.Line > 0
		}
		if !seen {
			t.Errorf("%q: no %s %s:\n%s", c.to, c.severity, c.rule, report(found))
		}
	}
}

func TestOlderNodesDeclareWhatTheirActorsExchange(t *testing.T) {
	older := func(local, more string) string {
		return `
actors:
  a: {actor_type: Producer, outputs: [x], source_id: 1}
  b: {actor_type: Consumer, inputs: [x]}
  c: {actor_type: Consumer, inputs: [x]}
nodes:
  l: {hostname: l, actor_placements: {a: {cpu: [1]}, b: {cpu: [2]}}, local_channels: {` + local + `}}
  r: {hostname: r, actor_placements: {c: {cpu: [1]}}, local_channels: {x: {}}}
` + more
	}
	for _, c := range []struct{ local, more, rule string }{
		{"x: {}", "inter_node: {routes: [{source_node: r, target_node: l}]}", ""},
		{"", "inter_node: {routes: [{source_node: r, target_node: l}]}", "not-local"},
		{"x: {}", "inter_node: {default_transport: {protocol_type: Tcp}}", ""},
		{"x: {}", "inter_node: {routes: [{source_node: r, target_node: r2}]}\nchannels: {}", "unknown-node"},
		{"x: {channel_type: SPSC}", "inter_node: null", "channel-type"},
		{"x: {channel_type: spmc, priority: RealTime}", "inter_node: {routes: []}", ""},
	} {
		_, found := parse(older(c.local, c.more))
		seen := c.rule == ""
		for _, f := range found {
			seen = seen || f.Rule == c.rule
			if f.Severity == Error && f.Rule != c.rule {
				t.Errorf("%+v: %s", c, f)
			}
		}
		if !seen {
			t.Errorf("%+v: %s", c, report(found))
		}
	}
	three := strings.Replace(older("x: {}", "inter_node: {routes: [{source_node: l, target_node: q}]}"), "  r: {", "  q: {hostname: q}\n  r: {", 1)
	if _, found := parse(three); len(found) != 1 || found[0].Rule != "no-route" || found[0].Severity != Warning {
		t.Errorf("traffic without a route: %s", report(found))
	}
}
