package topo

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// world is two machines with two actors, in which a case changes one thing.
const world = `nodes:
  l: {hostname: l, cpus: 0-3, numa: [0], memory: 1GiB, site: s%[1]s}
  r: {hostname: r, site: s%[2]s}
actors:
  p: {type: producer, outputs: [c], source_id: 1}
  q: {type: consumer, inputs: [c]}
placements:
  p: {node: l%[3]s}
  q: {node: r}
channels:
  c: {%[4]s}
%[5]s`

// around puts text into the world: a node's keys, the other's, a placement's, a channel's, more lines.
func around(left, right, placement, channel, more string) string {
	return fmt.Sprintf(world, left, right, placement, channel, more)
}

func channelWith(values string) string { return around("", "", "", values, "") }

// badFile is one of badFiles.
type badFile struct {
	rule, text, at, remedy string
	schemaAgrees           bool // the JSON schema refuses it as well
}

// badFiles are wrong or risky in one way each.
var badFiles = []badFile{
	// Single values.
	{"unknown-key", "channels: {a: {protocl: tcp}}", "1:16", "did you mean protocol?", true},
	{"unknown-key", "chanels: {}", "1:1", "did you mean channels?", true},
	{"unknown-key", "channels: {a: {retry: {firts: 1s}}}", "1:24", "did you mean first?", true},
	{"unknown-key", "channels: {a: {colour: red}}", "1:16", "pulse schema", true},
	{"bad-value", "channels: {a: {mode: driect}}", "1:22", "did you mean direct?", true},
	{"bad-value", "channels: {a: {encryption: rot13}}", "1:28", "it is one of auto, none, tls", true},
	{"unsupported", "channels: {a: {protocol: Rdma}}", "1:26", "use xdp or udp", true},
	{"bad-value", "channels: {a: {heartbeat: 100}}", "1:27", "100ms", true},
	{"bad-value", "channels: {a: {heartbeat: -1s}}", "1:27", "not negative", true},
	{"bad-value", "channels: {a: {heartbeat: 1ns}}", "1:27", "from 1ms to 1m", false},
	{"bad-value", "channels: {a: {ring_size: 3MiB}}", "1:27", "write 4MiB", false},
	{"bad-value", "channels: {a: {ring_size: 0}}", "1:27", "from 4KiB to 1GiB", true},
	{"bad-value", "channels: {a: {ring_size: 1 lot}}", "1:27", "64KiB", true},
	{"bad-value", "channels: {a: {stripes: 65}}", "1:25", "from 1 to 64", true},
	{"bad-value", "channels: {a: {huge_pages: maybe}}", "1:28", "true or false", true},
	{"bad-value", "channels: {a: {rate: fast}}", "1:22", "50k/s", true},
	{"bad-value", "channels: {a: {breaker: {slow_rate: 150%}}}", "1:37", "5%", false},
	{"bad-value", "channels: {a: {pair: [tcp]}}", "1:22", "[quic, tcp]", true},
	{"bad-value", "config_version: 2", "1:17", "from 1 to 1", true},
	{"bad-value", `version: "1.0.1"`, "1:10", "1.0.0", true},
	{"bad-value", "nodes: {a: {hostname: a, cpus: 3-1}}", "1:32", "0-3,8", false},
	{"bad-value", "nodes: {a: {hostname: a, cpus: [1, 1]}}", "1:32", "more than once", false},
	{"bad-value", "nodes: {a: {hostname: ''}}", "1:23", "1 to 4096", true},
	{"bad-value", "nodes: {a: {hostname: a, interfaces: {e: {address: x}}}}", "1:52", "IP address", false},
	{"bad-value", "nodes: {a: {hostname: a, interfaces: {e: {mtu: 65537}}}}", "1:48", "from 576 to 65536", true},
	{"missing-key", "nodes: {a: {}}", "1:12", "hostname", true},
	{"missing-key", strings.Replace(channelWith(""), "type: consumer, ", "", 1), "6:6", "type", false},
	{"wrong-kind", "channels: [a]", "1:11", "keys and values", true},
	{"wrong-kind", "channels: {a: {mode: [direct]}}", "1:22", "one value", true},
	{"wrong-kind", "channels: {a: {mode: }}", "1:22", "leave the key out", true},
	{"wrong-kind", "routes: {a: b}", "1:9", "write a list", true},
	{"wrong-kind", "channels: {a: 5}", "1:15", "keys and values", true},
	{"bad-name", "channels: {a/b: {}}", "1:12", "letters", true},
	{"bad-name", "profiles: {.a: {}}", "1:12", "letters", true},
	{"duplicate-key", "channels: {a: {}, a: {}}", "1:19", "keep one", false},
	{"duplicate-key", "channels: {a: {numa: 1, numa_node: 1}}", "1:25", "keep one", false},
	{"merge-key", "defaults: &d {}\nchannels: {a: {<<: *d}}", "2:16", "profiles", false},
	{"tag", "channels: {a: {mode: !x direct}}", "1:22", "leave the tag out", false},
	{"reference", "name: ${NONE}", "1:7", "${NONE:default}", false},
	{"reference", "name: ${NONE", "1:7", "close it", false},
	{"reference", "name: ${1}", "1:7", "${NAME}", false},
	{"reference", "name: ${file:/etc/hostname}", "1:7", "password or secret", false},
	{"secret", "channels: {a: {secret: hunter2}}", "1:24", "${file:/path}", true},
	{"secret", "channels: {a: {secret: '${NONE}'}}", "1:24", "set it", false},
	{"secret", "channels: {a: {secret: '${file:/no/such/file}'}}", "1:24", "readable", false},
	{"deprecated-value", "channels: {a: {encryption: chacha20}}", "1:28", "write chacha20_poly1305", false},
	{"unknown-profile", "profiles: {fast: {}}\nchannels: {a: {profile: fsat}}", "2:25", "did you mean fast?", false},
	{"profile", "profiles: {a: {profile: b}, b: {}}", "1:25", "at the channel", false},
	{"set-twice", "channels: {a: {mode: direct}}\ntransport_config: {a: {mode: direct}}", "2:30", "keep one", false},

	// The whole file.
	{"empty", "", "1:1", "pulse init", false},
	{"empty", "# nothing\n", "1:1", "pulse init", false},
	{"empty", "null\n", "1:1", "pulse init", false},
	{"empty", "{}\n", "1:1", "pulse init", false},
	{"syntax", "channels: {a: [", "1:16", "", false},
	{"syntax", "a:\n\tb: 1", "2:1", "indent with spaces", false},
	{"many-documents", "name: a\n---\nname: b", "2:1", "include", false},
	{"not-text", "name: a\x00b", "1:8", "topology file", false},
	{"not-text", "name: \xff", "1:7", "topology file", false},
	{"wrong-kind", "just words", "1:1", "keys and values", true},

	// Actors, nodes, placements.
	{"unknown-channel", strings.Replace(channelWith(""), "inputs: [c]", "inputs: [c, cc]", 1), "6:35", "did you mean c?", false},
	{"duplicate-source", strings.Replace(channelWith(""), "q: {type: consumer, inputs: [c]}", "q: {type: transformer, inputs: [c], outputs: [c], source_id: 1}", 1), "6:64", "its own", false},
	{"actor-type", strings.Replace(channelWith(""), "type: consumer", "type: transformer", 1), "6:3", "outputs", false},
	{"actor-type", strings.Replace(channelWith(""), "outputs: [c], source_id: 1", "outputs: [c], inputs: [c]", 1), "5:45", "change its type", false},
	{"unplaced-actor", strings.Replace(channelWith(""), "  q: {node: r}\n", "", 1), "6:3", "placements", false},
	{"placed-twice", strings.Replace(channelWith(""), "p: {node: l}", "p: [{node: l}, {node: r}]", 1), "8:18", "one actor for each node", false},
	{"placed-twice", strings.Replace(channelWith(""), "q: {node: r}", "q: [{node: r}, {node: r}]", 1), "9:18", "once on each", false},
	{"unknown-actor", strings.Replace(channelWith(""), "q: {node: r}", "q: {node: r}\n  pp: {node: r}", 1), "10:3", "did you mean p?", false},
	{"unknown-node", strings.Replace(channelWith(""), "q: {node: r}", "q: {node: left}", 1), "9:13", "known are l, r", false},
	{"unknown-cpu", around("", "", ", cpus: 4", "", ""), "8:22", "it has 0-3", false},
	{"unknown-numa", around("", "", ", numa: 1", "", ""), "8:22", "under numa", false},
	{"too-many-cpus", strings.Replace(around("", "", ", cpus: 0-16", "", ""), "cpus: 0-3", "cpus: 0-31", 1), "8:22", "one loop", false},
	{"far-memory", strings.Replace(around("", "", ", cpus: 1, numa: 0", "", ""), "numa: [0]", "numa: [{id: 0, cpus: 2-3}]", 1), "8:22", "use 2-3", false},
	{"memory", around("", "", ", memory_limit: 2GiB", "", ""), "8:30", "lower it", false},
	{"missing-key", strings.Replace(channelWith(""), "q: {node: r}", "q: {cpus: 1}", 1), "9:3", "add node", false},
	{"shared-cpu", strings.Replace(around("", "", ", cpus: 1", "", ""), "q: {node: r}", "q: {node: l, cpus: 1}", 1), "9:22", "one process", false},
	{"port-clash", strings.Replace(channelWith(""), "hostname: r", "hostname: l", 1), "3:3", "under ports", false},
	{"numa", strings.Replace(channelWith(""), "numa: [0]", "numa: [0, 0]", 1), "2:31", "once", false},
	{"numa", around(", interfaces: {e: {numa: 1}}", "", "", "", ""), "2:88", "under numa", false},
	{"odd-hardware", strings.Replace(channelWith(""), "memory: 1GiB", "memory: 2048GiB", 1), "2:3", "units", false},
	{"no-region", strings.Replace(channelWith(""), ", site: s}\n  r", "}\n  r", 1), "2:3", "add region", false},
	{"not-consumed", strings.Replace(channelWith(""), "outputs: [c]", "outputs: [c, d]", 1) + "  d: {}\n", "5:36", "inputs", false},
	{"not-produced", strings.Replace(channelWith(""), "inputs: [c]", "inputs: [c, d]", 1) + "  d: {}\n", "6:35", "outputs", false},
	{"unused-channel", around("", "", "", "", "  d: {}\n"), "12:3", "inputs and outputs", false},
	{"unknown-node", around("", "", "", "", "routes: [{from: l, to: x}]"), "12:24", "known are", false},
	{"missing-key", around("", "", "", "", "routes: [{from: l}]"), "12:10", "add to", false},
	{"route-to-itself", around("", "", "", "", "routes: [{from: l, to: l}]"), "12:24", "need none", false},
	{"duplicate-route", around("", "", "", "", "routes: [{from: l, to: r}, {from: r, to: l}]"), "12:28", "keep one", false},
	{"unknown-channel", around("", "", "", "", "routes: [{from: l, to: r, channels: [cc]}]"), "12:38", "did you mean c?", false},

	// Channels between nodes.
	{"region-plain", around("", "x", "", "encryption: none", ""), "11:19", "leave encryption out", false},
	{"region-plain", around("", "x", "", "", "routes: [{from: l, to: r, encryption: none}]"), "12:39", "leave encryption out", false},
	{"region-datagrams", around("", "x", "", "protocol: udp", ""), "11:17", "quic", false},
	{"far-memory-link", channelWith("mode: direct, protocol: shared_memory"), "11:31", "tcp or quic", false},
	{"unknown-interface", around(", interfaces: {e: {}}", "", "", "interface: f", ""), "11:18", "under interfaces", false},
	{"no-xdp", around(", interfaces: {e: {}}", ", interfaces: {e: {xdp: copy}}", "", "protocol: xdp", ""), "11:17", "xdp: copy", false},
	{"xdp-unknown", around(", interfaces: {e: {xdp: true}}", "", "", "protocol: xdp", ""), "11:17", "add interfaces", false},

	// Values of one channel against each other.
	{"reliable-drop", channelWith("reliability: at_least_once, slow_subscriber: drop"), "11:52", "block or evict", false},
	{"reliable-evict", channelWith("reliability: exactly_once, slow_subscriber: evict"), "11:51", "block", false},
	{"guaranteed-direct", channelWith("reliability: guaranteed_delivery, mode: direct"), "11:47", "message_queue", false},
	{"guaranteed-memory", channelWith("reliability: guaranteed_delivery, durability: memory"), "11:53", "persistent", false},
	{"pair-missing", channelWith("mode: fallback"), "11:13", "add pair", false},
	{"pair-unused", channelWith("pair: [tcp, quic]"), "11:13", "mode: fallback", false},
	{"queue-protocol", channelWith("protocol: message_queue"), "11:17", "mode: message_queue", false},
	{"tls-datagram", channelWith("protocol: udp, encryption: tls"), "11:34", "chacha20_poly1305", false},
	{"quic-plain", channelWith("protocol: quic, encryption: none"), "11:35", "tcp", false},
	{"secure-plain", channelWith("security: encrypted, encryption: none"), "11:40", "leave encryption out", false},
	{"queue-unused", channelWith("mode: direct, backend: kafka"), "11:30", "hybrid", false},
	{"protocol-unused", channelWith("mode: message_queue, protocol: tcp"), "11:38", "hybrid", false},
	{"group-stream", channelWith("group: '239.1.1.1:1', protocol: tcp"), "11:14", "udp", false},
	{"group-address", channelWith("group: '10.1.1.1:1', protocol: udp"), "11:14", "239", false},
	{"small-packed", channelWith("compression: lz4, message_size: 64B"), "11:20", "adaptive", false},
	{"memory-packed", strings.Replace(channelWith("compression: lz4, protocol: shared_memory"), "q: {node: r}", "q: {node: l}", 1), "11:20", "leave it out", false},
	{"late-packing", channelWith("compression: zstd, criticality: ultra_low_latency"), "11:20", "lz4", false},
	{"late-queue", channelWith("mode: message_queue, criticality: ultra_low_latency"), "11:13", "hybrid", false},
	{"level-unused", channelWith("compression_level: 3"), "11:26", "compression", false},
	{"wait-unused", channelWith("slow_wait: 3s"), "11:18", "evict", false},
	{"datagram-reliable", channelWith("mode: direct, protocol: udp, reliability: exactly_once"), "11:31", "tcp", false},
	{"liveness", channelWith("heartbeat: 100ms, liveness: 150ms"), "11:35", "three", false},
	{"retry", channelWith("retry: {first: 2s, max: 1s}"), "11:22", "retry.max", false},
	{"message-size", channelWith("message_size: 2KiB, max_message_size: 1KiB"), "11:21", "max_message_size", false},
	{"ring-small", channelWith("max_message_size: 1MiB"), "11:25", "ring_size", false},
	{"huge-ring", channelWith("huge_pages: true"), "11:19", "2MiB", false},
	{"shadow", channelWith("protocol: tcp, shadow: tcp"), "11:30", "another", false},
}

func TestEveryFaultIsFoundOnceAtItsPlace(t *testing.T) {
	for _, c := range badFiles {
		_, found := parse(c.text)
		if len(found) != 1 {
			t.Errorf("%s: %d findings in\n%s\n%s", c.rule, len(found), c.text, report(found))
			continue
		}
		f := found[0]
		if at := fmt.Sprintf("%d:%d", f.At.Line, f.At.Column); f.Rule != c.rule || at != c.at || !strings.Contains(f.Remedy, c.remedy) {
			t.Errorf("want %s at %s, remedy %q, in\n%s\n%s", c.rule, c.at, c.remedy, c.text, report(found))
		}
	}
}

func TestEveryContradictionHasAFile(t *testing.T) {
	for _, k := range contradictions {
		shown := slices.ContainsFunc(badFiles, func(b badFile) bool { return b.rule == k.rule })
		if !shown && k.rule != "secret-unused" && k.rule != "huge-anywhere" { // held by TestSecretWithoutACipherIsOdd and TestOlderRules
			t.Errorf("no file shows %s", k.rule)
		}
	}
}

func TestWorldItselfIsGood(t *testing.T) {
	if _, found := parse(channelWith("")); len(found) > 0 {
		t.Error(report(found))
	}
}
