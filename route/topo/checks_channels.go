package topo

import (
	"net/netip"
	"strings"
)

// contradiction is a rule about the values of one channel.
type contradiction struct {
	rule     string
	severity Severity
	keys     []string // the finding stands at the first one that is stated, and unless quiet names all of them
	holds    func(*Channel) bool
	why      string
	remedy   string
	here     bool // counts only if the channel itself states the first key
}

// small is the size up to which a message is not worth compressing: what a header costs, packing cannot win back.
const small = 128

const hugePage = 2 << 20

func reliable(c *Channel) bool { return c.Reliability >= AtLeastOnce }

func usesQueue(c *Channel) bool {
	switch c.Transport.Mode {
	case ModeDirect:
		return false
	case ModeFallback:
		return c.Transport.Pair[0] == ViaQueue || c.Transport.Pair[1] == ViaQueue
	}
	return true
}

// protocolOf reports whether p is a way the channel names.
func protocolOf(c *Channel, p Protocol) bool {
	return c.Transport.Protocol == p || c.Transport.Mode == ModeFallback && (c.Transport.Pair[0] == p || c.Transport.Pair[1] == p)
}

func packs(c *Channel) bool {
	k := c.Transport.Compression
	return k == CompressLZ4 || k == CompressZstd || k == CompressSnappy
}

var contradictions = []contradiction{
	{rule: "reliable-drop", severity: Error, keys: []string{"slow_subscriber", "reliability"}, holds: func(c *Channel) bool { return reliable(c) && c.Slow == SlowDrop },
		why: "a reliable channel cannot drop what a slow subscriber has not read", remedy: "block or evict, or best_effort"},
	{rule: "reliable-evict", severity: Warning, keys: []string{"slow_subscriber", "reliability"}, holds: func(c *Channel) bool { return c.Reliability >= ExactlyOnce && c.Slow == SlowEvict },
		why: "an evicted subscriber misses what it was promised", remedy: "block, or let it read from a queue"},
	{rule: "guaranteed-direct", severity: Error, keys: []string{"mode", "reliability"}, holds: func(c *Channel) bool { return c.Reliability == GuaranteedDelivery && !usesQueue(c) },
		why: "guaranteed delivery is held by a queue, and no queue is in this mode", remedy: "mode message_queue or hybrid, or at_least_once"},
	{rule: "guaranteed-memory", severity: Error, keys: []string{"durability", "reliability"}, holds: func(c *Channel) bool {
		return c.Reliability == GuaranteedDelivery && c.Transport.Durability == InMemory
	},
		why: "guaranteed delivery does not survive in memory", remedy: "durability persistent"},
	{rule: "pair-missing", severity: Error, keys: []string{"mode"}, holds: func(c *Channel) bool { return c.Transport.Mode == ModeFallback && c.Transport.Pair == [2]Protocol{} },
		why: "mode fallback names no pair", remedy: "add pair: [quic, tcp]"},
	{rule: "pair-unused", severity: Error, keys: []string{"pair"}, here: true, holds: func(c *Channel) bool { return c.Transport.Mode != ModeFallback && c.Transport.Pair != [2]Protocol{} },
		why: "a pair belongs to mode fallback", remedy: "write mode: fallback"},
	{rule: "queue-protocol", severity: Error, keys: []string{"protocol"}, holds: func(c *Channel) bool { return c.Transport.Protocol == ViaQueue },
		why: "message_queue is a mode, not a protocol", remedy: "write mode: message_queue"},
	{rule: "tls-datagram", severity: Error, keys: []string{"encryption", "protocol"}, holds: func(c *Channel) bool {
		return c.Transport.Encryption == EncryptTLS && (protocolOf(c, UDP) || protocolOf(c, XDP))
	}, why: "tls needs a stream, and udp and xdp are none", remedy: "encryption chacha20_poly1305"},
	{rule: "quic-plain", severity: Error, keys: []string{"encryption", "protocol"}, holds: func(c *Channel) bool { return c.Transport.Encryption == EncryptNone && protocolOf(c, QUIC) },
		why: "quic is always encrypted", remedy: "leave encryption out, or protocol tcp"},
	{rule: "secure-plain", severity: Error, keys: []string{"encryption", "security"}, holds: func(c *Channel) bool { return c.Security >= Authenticated && c.Transport.Encryption == EncryptNone },
		why: "the channel asks for security and forbids encryption", remedy: "leave encryption out"},
	{rule: "secret-unused", severity: Warning, keys: []string{"secret"}, here: true, holds: func(c *Channel) bool {
		return !c.Transport.Secret.IsZero() && (c.Transport.Encryption == EncryptNone || c.Transport.Encryption == EncryptTLS)
	}, why: "no cipher uses the secret", remedy: "encryption chacha20_poly1305, or leave the secret out"},
	{rule: "queue-unused", severity: Warning, keys: []string{"backend", "durability", "routing_key", "queue"}, here: true, holds: func(c *Channel) bool { return !usesQueue(c) },
		why: "mode direct uses no queue", remedy: "leave it out, or mode hybrid"},
	{rule: "protocol-unused", severity: Warning, keys: []string{"protocol"}, here: true, holds: func(c *Channel) bool { return c.Transport.Mode == ModeQueue && c.Transport.Protocol != Auto },
		why: "mode message_queue uses no protocol of its own", remedy: "leave it out, or mode hybrid"},
	{rule: "group-stream", severity: Error, keys: []string{"group", "protocol"}, here: true, holds: func(c *Channel) bool {
		return c.Transport.Group != "" && c.Transport.Protocol != UDP && c.Transport.Protocol != XDP && c.Transport.Protocol != Auto
	}, why: "a multicast group needs datagrams", remedy: "protocol udp"},
	{rule: "group-address", severity: Error, keys: []string{"group"}, holds: func(c *Channel) bool { return !isGroup(c.Transport.Group) },
		why: "the group is no multicast address with a port", remedy: "such as 239.1.2.3:7410"},
	{rule: "small-packed", severity: Warning, keys: []string{"compression", "message_size"}, holds: func(c *Channel) bool { return packs(c) && c.MessageBytes > 0 && c.MessageBytes <= small },
		why: "messages this small do not get smaller", remedy: "compression none or adaptive"},
	{rule: "memory-packed", severity: Warning, keys: []string{"compression", "protocol"}, here: true, holds: func(c *Channel) bool { return packs(c) && c.Transport.Protocol == SharedMemory },
		why: "shared memory packs nothing", remedy: "leave it out"},
	{rule: "late-packing", severity: Warning, keys: []string{"compression", "criticality"}, holds: func(c *Channel) bool {
		return c.Criticality == UltraLowLatency && c.Transport.Compression == CompressZstd
	}, why: "zstd takes longer than an ultra low latency channel has", remedy: "compression none, lz4 or adaptive"},
	{rule: "late-queue", severity: Warning, keys: []string{"mode", "criticality"}, holds: func(c *Channel) bool { return c.Criticality == UltraLowLatency && c.Transport.Mode == ModeQueue },
		why: "a queue takes longer than an ultra low latency channel has", remedy: "mode direct or hybrid"},
	{rule: "level-unused", severity: Warning, keys: []string{"compression_level"}, here: true, holds: func(c *Channel) bool { return c.Transport.CompressionLevel > 0 && !packs(c) },
		why: "no algorithm is named for the level", remedy: "add compression"},
	{rule: "wait-unused", severity: Warning, keys: []string{"slow_wait"}, here: true, holds: func(c *Channel) bool { return c.Slow == SlowBlock && c.SlowWait > 0 },
		why: "with block there is no end to the wait", remedy: "slow_subscriber evict or drop"},
	{rule: "datagram-reliable", severity: Warning, keys: []string{"protocol", "reliability"}, holds: func(c *Channel) bool {
		return c.Reliability >= ExactlyOnce && c.Transport.Mode == ModeDirect && (c.Transport.Protocol == UDP || c.Transport.Protocol == XDP)
	}, why: "datagrams are repaired from the ring only: what the ring no longer holds is lost, and said to be", remedy: "protocol tcp or quic, or mode hybrid"},
	{rule: "liveness", severity: Error, keys: []string{"liveness", "heartbeat"}, holds: func(c *Channel) bool { return c.Liveness < 2*c.Heartbeat },
		why: "a peer would count as gone before its second heartbeat", remedy: "three heartbeats or more"},
	{rule: "retry", severity: Error, keys: []string{"retry.first", "retry.max"}, holds: func(c *Channel) bool { return c.Transport.Retry.First > c.Transport.Retry.Max },
		why: "the first wait is longer than the longest", remedy: "raise retry.max"},
	{rule: "message-size", severity: Error, keys: []string{"message_size", "max_message_size"}, holds: func(c *Channel) bool { return c.MaxMessageBytes > 0 && c.MessageBytes > c.MaxMessageBytes },
		why: "a usual message is larger than the largest", remedy: "raise max_message_size"},
	{rule: "ring-small", severity: Error, keys: []string{"max_message_size", "ring_size"}, holds: func(c *Channel) bool { return max(c.MaxMessageBytes, c.MessageBytes) > c.RingBytes/2 },
		why: "a message would not fit into half of the ring", remedy: "raise ring_size"},
	{rule: "huge-ring", severity: Error, keys: []string{"huge_pages", "ring_size"}, holds: func(c *Channel) bool { return c.HugePages && c.RingBytes < hugePage },
		why: "a ring on huge pages has at least one of 2 MiB", remedy: "ring_size 2MiB"},
	{rule: "huge-anywhere", severity: Warning, keys: []string{"huge_pages", "numa"}, holds: func(c *Channel) bool { return c.HugePages && c.NUMA < 0 && len(c.Local) > 0 },
		why: "huge pages without a memory node may lie far from everybody", remedy: "add numa_node"},
	{rule: "shadow", severity: Error, keys: []string{"shadow", "protocol"}, holds: func(c *Channel) bool {
		return c.Transport.Shadow != Auto && c.Transport.Shadow == c.Transport.Protocol
	}, why: "the shadow is the way itself", remedy: "name another, or leave it out"},
}

// isGroup reports whether s is empty or a multicast address with a port.
func isGroup(s string) bool {
	a, err := netip.ParseAddrPort(s)
	return s == "" || err == nil && a.Addr().IsMulticast() && a.Port() != 0
}

// checkValues holds the values of one channel against each other.
func (c *checks) checkValues(ch *Channel) {
	for _, k := range contradictions {
		if !k.holds(ch) {
			continue
		}
		key, found := k.keys[0], false
		for _, candidate := range k.keys {
			_, stated := ch.Origins[candidate]
			if stated && (!k.here || here(ch, candidate)) {
				key, found = candidate, true
				break
			}
		}
		if k.here && !found {
			continue
		}
		var parts []string
		for _, other := range k.keys {
			if o, stated := ch.Origins[other]; stated && o.Value != "" {
				parts = append(parts, other+" "+o.Value)
			}
		}
		detail := ""
		if len(parts) > 0 {
			detail = " (" + strings.Join(parts, ", ") + ")"
		}
		c.d.at(c.stated(ch, key), k.severity, k.rule, k.remedy, "%s: %s%s", ch.Name, k.why, detail)
	}
}

// checkUse looks at who publishes and subscribes.
func (c *checks) checkUse(ch *Channel) {
	pubs, subs := c.pubs[ch.Name], c.subs[ch.Name]
	switch at := (spot{ch.At, len(ch.Name)}); {
	case len(c.t.Actors) == 0: // a file about carriage only
	case len(pubs) == 0 && len(subs) > 0:
		c.d.at(c.use(subs[0], "inputs", ch.Name), Error, "not-produced", "add it to somebody's outputs", "%s subscribes to %s and nobody publishes on it", subs[0].Name, ch.Name)
	case len(pubs) > 0 && len(subs) == 0:
		c.d.at(c.use(pubs[0], "outputs", ch.Name), Warning, "not-consumed", "add it to somebody's inputs", "%s publishes on %s and nobody subscribes to it", pubs[0].Name, ch.Name)
	case len(pubs) == 0:
		c.d.at(at, Warning, "unused-channel", "name it in inputs and outputs", "no actor uses the channel %s", ch.Name)
	}
	if s := ch.shape; (s == 1 || s == 2) && len(pubs) > 1 || (s == 1 || s == 3) && len(subs) > 1 {
		c.d.at(c.stated(ch, "channel_type"), Warning, "channel-type", "mpmc says what is there", "%s is declared %s and has %d publishers and %d subscribers",
			ch.Name, strings.ToUpper(spelling(shapes, s)), len(pubs), len(subs))
	}
}

func (c *checks) use(a *Actor, end, channel string) spot {
	all := a.Inputs
	if end == "outputs" {
		all = a.Outputs
	}
	for i, name := range all {
		if name == channel {
			return c.spot("actors."+a.Name+"."+index(end, i), a.At)
		}
	}
	return spot{a.At, 1}
}
