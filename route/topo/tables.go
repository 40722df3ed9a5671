package topo

import (
	"time"

	"go.yaml.in/yaml/v4"
)

// Bounds of single values.
const (
	minRing    = 4 << 10
	maxRing    = 1 << 30 // ring.MaxCapacity
	maxMessage = 64 << 20
	maxNUMA    = 7
	maxStripes = 64
	minute     = time.Minute
)

var domains = []choice{{name: "market_data", value: 1, also: []string{"market"}}, {name: "signal", value: 2, also: []string{"signals"}},
	{name: "execution", value: 3}, {name: "system", value: 4}}

var channelTable = &table[Channel]{name: "channel", what: "a channel", fields: append([]field[Channel]{
	{key: "criticality", doc: "how late messages may be", value: oneOf(func(c *Channel) *Criticality { return &c.Criticality }, criticalities)},
	{key: "reliability", doc: "what is promised about each message", value: oneOf(func(c *Channel) *Reliability { return &c.Reliability }, reliabilities)},
	{key: "security", doc: "what links that leave the machine must give", value: oneOf(func(c *Channel) *Security { return &c.Security }, securities)},
	{key: "domain", doc: "relay domain of the messages", value: oneOf(domainOf, domains)},
	{key: "ring_size", also: []string{"buffer_size"}, doc: "size of each publisher's ring, a power of two", value: ringSize(func(c *Channel) *int { return &c.RingBytes })},
	{key: "huge_pages", doc: "rings on 2 MiB pages", value: flag(func(c *Channel) *bool { return &c.HugePages })},
	{key: "numa", also: []string{"numa_node"}, doc: "memory node the rings lie on", value: orUnset(whole(func(c *Channel) *int { return &c.NUMA }, 0, maxNUMA), func(c *Channel) bool { return c.NUMA < 0 })},
	{key: "message_size", doc: "size of a usual message", value: size(func(c *Channel) *int { return &c.MessageBytes }, 0, maxMessage)},
	{key: "max_message_size", doc: "size of the largest message", value: size(func(c *Channel) *int { return &c.MaxMessageBytes }, 0, maxMessage)},
	{key: "rate", doc: "expected messages a second", value: rate(func(c *Channel) *float64 { return &c.Rate })},
	{key: "slow_subscriber", doc: "what a subscriber that does not keep up costs", value: oneOf(func(c *Channel) *Slow { return &c.Slow }, slows)},
	{key: "slow_wait", doc: "how long a slow subscriber may hold publishers up first", value: span(func(c *Channel) *time.Duration { return &c.SlowWait }, 0, minute)},
	{key: "stripes", doc: "parallel links", value: whole(func(c *Channel) *int { return &c.Stripes }, 1, maxStripes)},
	{key: "balance", doc: "how sources are spread over links", value: oneOf(func(c *Channel) *Balance { return &c.Balance }, balances)},
	{key: "heartbeat", doc: "silence after which a link says that it is there", value: span(func(c *Channel) *time.Duration { return &c.Heartbeat }, time.Millisecond, minute)},
	{key: "liveness", doc: "silence after which a peer counts as gone", value: span(func(c *Channel) *time.Duration { return &c.Liveness }, time.Millisecond, 10*minute)},
	{key: "profiles", also: []string{"profile"}, doc: "profiles to lay under the channel, the last one on top", value: words(func(c *Channel) *[]string { return &c.profiles })},
}, within(transportFields, func(c *Channel) *TransportConfig { return &c.Transport })...)}

var transportFields = []field[TransportConfig]{
	{key: "mode", doc: "the kind of carriage", value: oneOf(func(c *TransportConfig) *Mode { return &c.Mode }, modes)},
	{key: "pair", doc: "the two ways of mode fallback, first choice first", value: pair()},
	{key: "protocol", doc: "the direct way", value: oneOf(func(c *TransportConfig) *Protocol { return &c.Protocol }, protocols)},
	{key: "compression", doc: "how envelopes are packed", value: oneOf(func(c *TransportConfig) *Compression { return &c.Compression }, compressions)},
	{key: "compression_level", doc: "0 is the algorithm's default", value: whole(func(c *TransportConfig) *int { return &c.CompressionLevel }, 0, 22)},
	{key: "encryption", doc: "how bytes are kept secret on the way", value: oneOf(func(c *TransportConfig) *Encryption { return &c.Encryption }, encryptions)},
	{key: "secret", doc: "shared secret of the cipher: ${file:/path} or ${VARIABLE}", value: secret(func(c *TransportConfig) *Secret { return &c.Secret })},
	{key: "backend", doc: "the queue", value: oneOf(func(c *TransportConfig) *Backend { return &c.Backend }, backends)},
	{key: "durability", doc: "what of the queue survives its own death", value: oneOf(func(c *TransportConfig) *Durability { return &c.Durability }, durabilities)},
	{key: "routing_key", doc: "under which the queue files messages", value: text(func(c *TransportConfig) *string { return &c.RoutingKey })},
	{key: "queue", doc: "name of the queue, topic or stream", value: text(func(c *TransportConfig) *string { return &c.Queue })},
	{key: "interface", doc: "network interface to use on each node", value: text(func(c *TransportConfig) *string { return &c.Interface })},
	{key: "group", doc: "multicast group and port for udp", value: text(func(c *TransportConfig) *string { return &c.Group })},
	{key: "timeout", doc: "bound for making a connection", value: span(func(c *TransportConfig) *time.Duration { return &c.Timeout }, 0, 10*minute)},
	{key: "connections", doc: "at most, to one peer", value: whole(func(c *TransportConfig) *int { return &c.Connections }, 0, 256)},
	{key: "retry", doc: "how a broken link is dialled again", value: group(retryTable, func(c *TransportConfig) *Retry { return &c.Retry })},
	{key: "breaker", doc: "when a link is given up and tried again", value: group(breakerTable, func(c *TransportConfig) *Breaker { return &c.Breaker })},
	{key: "shadow", doc: "a second way to run beside and compare", value: oneOf(func(c *TransportConfig) *Protocol { return &c.Shadow }, protocols)},
}

var retryTable = &table[Retry]{name: "retry", what: "retry", fields: []field[Retry]{
	{key: "attempts", doc: "0 is without end", value: whole(func(r *Retry) *int { return &r.Attempts }, 0, 1e6)},
	{key: "first", doc: "the first wait", value: span(func(r *Retry) *time.Duration { return &r.First }, time.Millisecond, 10*minute)},
	{key: "max", doc: "the longest wait", value: span(func(r *Retry) *time.Duration { return &r.Max }, time.Millisecond, 60*minute)},
}}

var breakerTable = &table[Breaker]{name: "breaker", what: "a breaker", fields: []field[Breaker]{
	{key: "failures", also: []string{"failure_threshold"}, doc: "failures within the window that open it", value: whole(func(b *Breaker) *int { return &b.Failures }, 1, 1e6)},
	{key: "successes", also: []string{"success_threshold"}, doc: "successes in a row that close it", value: whole(func(b *Breaker) *int { return &b.Successes }, 1, 1e6)},
	{key: "window", doc: "how far back failures count", value: span(func(b *Breaker) *time.Duration { return &b.Window }, time.Millisecond, 60*minute)},
	{key: "slow_call", doc: "longer calls count as slow; 0: none", value: span(func(b *Breaker) *time.Duration { return &b.SlowCall }, 0, 10*minute)},
	{key: "slow_rate", doc: "share of slow calls that opens it", value: share(func(b *Breaker) *float64 { return &b.SlowRate })},
	{key: "open", also: []string{"timeout"}, doc: "how long it stays open", value: span(func(b *Breaker) *time.Duration { return &b.Open }, time.Millisecond, 60*minute)},
	{key: "probes", also: []string{"half_open_max_calls"}, doc: "at a time while half open", value: whole(func(b *Breaker) *int { return &b.Probes }, 1, 1000)},
}}

// pair reads the two ways of mode fallback.
func pair() value[TransportConfig] {
	choices := append([]choice{{name: "direct"}}, protocols...)
	one := oneOf(func(p *Protocol) *Protocol { return p }, choices)
	return value[TransportConfig]{
		read: func(d *decoder, n *yaml.Node, path string) []assign[TransportConfig] {
			var ways []Protocol
			d.items(n, path, false, func(i int, v *yaml.Node) {
				for _, a := range one.read(d, v, index(path, i)) {
					var p Protocol
					a.apply(&p)
					ways = append(ways, p)
				}
			})
			if len(ways) != 2 || ways[0] == ways[1] {
				d.fault(n, "bad-value", "write [quic, tcp] or [direct, message_queue]", "a pair is two different ways")
				return nil
			}
			d.spots[path] = d.spotOf(n)
			return []assign[TransportConfig]{{apply: func(c *TransportConfig) { c.Pair = [2]Protocol(ways) }}}
		},
		show: func(c *TransportConfig) []leaf {
			if c.Pair == [2]Protocol{} {
				return []leaf{{"", ""}}
			}
			return []leaf{{"", "[" + c.Pair[0].String() + ", " + c.Pair[1].String() + "]"}}
		},
		schema: func(s *schemas) object {
			return object{"type": "array", "items": one.schema(s), "minItems": 2, "maxItems": 2}
		},
	}
}

// orUnset shows nothing where the value is not set; a number cannot say that by itself.
func orUnset[T any](v value[T], unset func(*T) bool) value[T] {
	inner := v.show
	v.show = func(t *T) []leaf {
		if unset(t) {
			return []leaf{{"", ""}}
		}
		return inner(t)
	}
	return v
}
