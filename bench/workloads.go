package bench

import (
	"context"
	"fmt"
	"strings"
)

// PingPong sends one message there and one back, closed loop: how far apart the two sides are. The subject carries Setup.Size bytes (48
// fill one cache line together with the record's header), the variant "64B" 64 (two lines). Baselines: "line", the bare cache-line
// ping-pong; "slots", a pair of hand-written rings with the same payload, and "slots-64B" with the variant's; "unix", a blocking stream
// socket with the same payload.
type PingPong struct{ Setup Setup }

// Throughput streams 64-byte messages as fast as they go, published 32 at a time, and in the variant "each" one by one. Baselines:
// "slots", a hand-written ring of fixed slots published 32 at a time; "slots-each", the same published one by one; "channel", a
// buffered Go channel.
type Throughput struct{ Setup Setup }

// FanOut streams 64-byte messages, published one by one, to 1, 2, 4 and 8 gating readers. The subject is 4 readers, the baseline "one"
// a single reader; the variant "batched" is 4 readers of a stream published 32 at a time, against "one-batched". One thread on the far
// side carries all readers of a lane, in turns, so its work grows with their number: this is the cost of a reader, not of a processor
// per reader, and in batches, where a single reader keeps that thread busy already, N readers share it out among them. The rate counts
// messages that every reader has received, each once however many readers there are; a run in which a reader misses a message fails.
type FanOut struct{ Setup Setup }

// OneWay sends Setup.Rate messages a second at instants fixed beforehand and measures from the intended instant to the reader. The
// baseline "slots" is the hand-written ring at the same rate.
type OneWay struct{ Setup Setup }

// UDPPingPong sends one message of Setup.Size bytes, 64 unless told otherwise, there and one back, each the whole way: a publisher's
// ring, a Sender run inline, the kernel, a Receiver run inline, the mirror's reader. Baselines: "raw", a bare loop around one connected
// socket per side with the payload alone in its datagrams; "netudp", net.UDPConn, blocking.
type UDPPingPong struct{ Setup Setup }

// UDPThroughput streams 64-byte messages one way, packed into datagrams of 1500 bytes. The far side checks the number of each and
// copies it out; the rate is that of messages that arrived. Variants: "separate", one message per datagram; "256B" and "1KiB", larger
// messages, packed. Baselines: "raw", "raw-separate", "raw-256B", "raw-1KiB", bare loops that send the same datagrams in the same
// batches; "netudp", a message per datagram with net.UDPConn.
type UDPThroughput struct{ Setup Setup }

// UDPSealed streams sealed 256-byte messages one way. The baseline "raw" is a bare loop that seals and sends datagrams of the same size in
// the same batches and opens them. Variants: "plain", not sealed, with the baseline "raw-plain"; "pingpong", one sealed message there and
// one back, with the baseline "raw-pingpong".
type UDPSealed struct{ Setup Setup }

// UDPFanOut publishes 64-byte messages, Setup.Rate a second (20 000 unless told otherwise) at instants fixed beforehand, to a multicast
// group of four receivers, which one thread of the far side runs. The channel is repaired and goes by three of them; measured is, for
// these three, the time from the intended instant to the reader. The subject stops the fourth for the length of each slice; the baseline
// "all" does not, and "three" has no fourth. Variants: "full", the fourth runs but its consumer never reads; "woken", it stops for half of
// each slice with a small socket buffer, and comes back to ask for what it missed. The three get every message once, or the run fails.
type UDPFanOut struct{ Setup Setup }

// XDPPingPong is UDPPingPong over a virtual Ethernet pair of its own, with AF_XDP in place of sockets, attached the generic way; the
// variant "native" attaches in the driver. Baselines, each on a pair without programs: "raw", the bare loop around a socket; "udp", the
// same ends with sockets.
type XDPPingPong struct{ Setup Setup }

// XDPThroughput streams 64-byte messages over AF_XDP, attached the generic way, one per datagram. Baselines, on a pair without programs:
// "raw", a bare loop of sendmmsg and recvmmsg in batches as large, with neither UDP_SEGMENT nor UDP_GRO; "udp", the same ends with sockets,
// which have both. Variants: "native"; "1KiB", larger messages, with "raw-1KiB" and "udp-1KiB"; "packed", as many as fit in a datagram,
// with "udp-packed".
type XDPThroughput struct{ Setup Setup }

// TCPPingPong sends one message of Setup.Size bytes, 64 unless told otherwise, there and one back, each the whole way: a publisher's
// ring, a link run inline, the kernel, the far link run inline, the mirror's reader. Baselines: "rawtcp", a bare loop around one
// non-blocking connection with the payload alone on it; "nettcp", net.TCPConn, blocking.
type TCPPingPong struct{ Setup Setup }

// TCPThroughput streams 64-byte messages one way. The far side checks the number of each and copies it out. The variant "1KiB" has larger
// messages. Baselines: "rawtcp" and "rawtcp-1KiB", bare loops whose writev gathers 64 messages at a time; "gather", a bare loop that
// writes and reads as many bytes at once as package tcp does; "nettcp", net.TCPConn, which writes 32 messages at a time.
type TCPThroughput struct{ Setup Setup }

// TCPSealed streams 256-byte messages one way, by a link with TLS 1.3 where both sides show a certificate. Baselines: "nettls", crypto/tls
// over a net.TCPConn, blocking, which writes as many bytes of as many messages at once; "nettls-each", which writes 32 messages at a time;
// "plain", the link without TLS. The variant "pingpong" is one message there and one back, with "nettls-pingpong" and "plain-pingpong".
type TCPSealed struct{ Setup Setup }

// TCPPublish times a publisher's batches of 256 messages of 64 bytes, of which a link over TCP takes what it carries. The baseline "local"
// is a ring with one gating reader. A round trip of the report is one batch.
type TCPPublish struct{ Setup Setup }

// TCPFanOut carries 64 channels over one link, one of which has a reader that stopped; its publisher has no room soon. Measured are rounds of
// one message in each channel, until the last of the other 63 was read. The baseline "all" has 64 readers that read.
type TCPFanOut struct{ Setup Setup }

const (
	batchSize = 32
	pongSize  = 64
)

// catalogue lists the workloads in the order they are shown.
var catalogue = []struct {
	name, about string
	with        func(Setup) Workload
}{
	{"ring/pingpong", "one message there, one back", func(s Setup) Workload { return PingPong{s} }},
	{"ring/throughput", "64-byte messages, batches of 32 and one by one", func(s Setup) Workload { return Throughput{s} }},
	{"ring/fanout", "one writer, 1 to 8 readers of each message", func(s Setup) Workload { return FanOut{s} }},
	{"ring/oneway", "at a fixed rate, from the intended instant", func(s Setup) Workload { return OneWay{s} }},
	{"udp/pingpong", "one message there, one back, over UDP", func(s Setup) Workload { return UDPPingPong{s} }},
	{"udp/throughput", "64-byte messages over UDP, packed and one per datagram", func(s Setup) Workload { return UDPThroughput{s} }},
	{"udp/sealed", "256-byte messages over UDP, sealed", func(s Setup) Workload { return UDPSealed{s} }},
	{"udp/fanout", "at a fixed rate to a multicast group, one of four stopped", func(s Setup) Workload { return UDPFanOut{s} }},
	{"tcp/pingpong", "one message there, one back, over TCP", func(s Setup) Workload { return TCPPingPong{s} }},
	{"tcp/throughput", "64-byte messages over TCP", func(s Setup) Workload { return TCPThroughput{s} }},
	{"tcp/sealed", "256-byte messages over TCP with TLS", func(s Setup) Workload { return TCPSealed{s} }},
	{"tcp/publish", "what a publisher spends on a batch that a link over TCP carries", func(s Setup) Workload { return TCPPublish{s} }},
	{"tcp/fanout", "64 channels over one link, one of whose readers stopped", func(s Setup) Workload { return TCPFanOut{s} }},
	{"quic/pingpong", "one message there, one back, over QUIC", func(s Setup) Workload { return QUICPingPong{s} }},
	{"quic/throughput", "1024-byte messages over QUIC", func(s Setup) Workload { return QUICThroughput{s} }},
	{"quic/publish", "what a publisher spends on a batch that a link over QUIC carries", func(s Setup) Workload { return QUICPublish{s} }},
	{"xdp/pingpong", "one message there, one back, over AF_XDP (root)", func(s Setup) Workload { return XDPPingPong{s} }},
	{"xdp/throughput", "messages over AF_XDP, one per datagram and packed (root)", func(s Setup) Workload { return XDPThroughput{s} }},
	{"mq/journal", "64-byte messages into a journal on disk, accepted at process-crash durability", func(s Setup) Workload { return MQJournal{s} }},
	{"mq/redis", "256-byte messages into a stream of Redis, accepted at process-crash durability", func(s Setup) Workload { return MQRedis{s} }},
	{"mq/kafka", "256-byte messages into a topic of Kafka, accepted by all replicas in sync", func(s Setup) Workload { return MQKafka{s} }},
	{"mq/rabbitmq", "256-byte messages into a quorum queue of RabbitMQ, confirmed", func(s Setup) Workload { return MQRabbitMQ{s} }},
	{"observe", "what stats files cost the messages that they tell of", func(s Setup) Workload { return Observe{s} }},
	{"compare", "direct ways and queues beside each other, and what they cost a publisher", func(s Setup) Workload { return Compare{s} }},
}

// Names returns the names of all workloads.
func Names() []string {
	names := make([]string, len(catalogue))
	for i, w := range catalogue {
		names[i] = w.name
	}
	return names
}

// About returns a line on what the named workload measures, or "".
func About(name string) string {
	for _, w := range catalogue {
		if w.name == name {
			return w.about
		}
	}
	return ""
}

// New returns the named workload, or an [ErrSetup] that lists the names there are.
func New(name string, s Setup) (Workload, error) {
	for _, w := range catalogue {
		if w.name == name {
			return w.with(s), nil
		}
	}
	return nil, fmt.Errorf("%w: no workload %q; there are %s", ErrSetup, name, strings.Join(Names(), ", "))
}

// Run measures the ping-pong.
func (w PingPong) Run(ctx context.Context) (*Report, error) {
	s, err := w.Setup.filled(defaultSize, false)
	if err != nil {
		return nil, err
	}
	subject := fmt.Sprintf("%dB", s.Size)
	p := plan{
		name: "ring/pingpong", subject: subject, against: []string{"line", "slots", "unix"},
		lanes: []laneSpec{
			{Name: "unix", Kind: kindUnix, Pattern: patternPingPong, Size: s.Size},
			{Name: "slots", Kind: kindSlots, Pattern: patternPingPong, Size: s.Size},
			{Name: subject, Kind: kindRing, Pattern: patternPingPong, Size: s.Size},
			{Name: "line", Kind: kindLine, Pattern: patternPingPong},
		},
	}
	if s.Size != pongSize {
		other := fmt.Sprintf("%dB", pongSize)
		bare := "slots-" + other
		p.lanes = append(p.lanes,
			laneSpec{Name: other, Kind: kindRing, Pattern: patternPingPong, Size: pongSize},
			laneSpec{Name: bare, Kind: kindSlots, Pattern: patternPingPong, Size: pongSize})
		p.variants = map[string]variant{other: {other, []string{"line", bare}}}
	}
	return run(ctx, s, p)
}

// fixedSize refuses a size other than the one the baselines carry.
func fixedSize(s Setup, size int) error {
	if s.Size != size {
		return fmt.Errorf("%w: this workload and its baselines carry %d bytes", ErrSetup, size)
	}
	return nil
}

// Run measures throughput.
func (w Throughput) Run(ctx context.Context) (*Report, error) {
	s, err := w.Setup.filled(payloadSize, false)
	if err == nil {
		err = fixedSize(s, payloadSize)
	}
	if err != nil {
		return nil, err
	}
	return run(ctx, s, plan{
		name: "ring/throughput", subject: "batched", against: []string{"slots", "channel"},
		variants: map[string]variant{"each": {"each", []string{"slots", "slots-each"}}},
		lanes: []laneSpec{
			{Name: "channel", Kind: kindChannel, Pattern: patternStream, Size: payloadSize},
			{Name: "batched", Kind: kindRing, Pattern: patternStream, Size: payloadSize, Batch: batchSize, Readers: 1},
			{Name: "slots", Kind: kindSlots, Pattern: patternStream, Size: payloadSize, Batch: batchSize},
			{Name: "each", Kind: kindRing, Pattern: patternStream, Size: payloadSize, Batch: 1, Readers: 1},
			{Name: "slots-each", Kind: kindSlots, Pattern: patternStream, Size: payloadSize, Batch: 1},
		},
	})
}

// Run measures fan-out.
func (w FanOut) Run(ctx context.Context) (*Report, error) {
	s, err := w.Setup.filled(payloadSize, false)
	if err == nil {
		err = fixedSize(s, payloadSize)
	}
	if err != nil {
		return nil, err
	}
	stream := func(name string, readers, batch int) laneSpec {
		return laneSpec{Name: name, Kind: kindRing, Pattern: patternStream, Size: payloadSize, Batch: batch, Readers: readers}
	}
	one := []string{"one"}
	return run(ctx, s, plan{
		name: "ring/fanout", subject: "four", against: one,
		variants: map[string]variant{"1": {"one", one}, "2": {"two", one}, "4": {"four", one}, "8": {"eight", one},
			"batched": {"four-batched", []string{"one-batched"}}},
		lanes: []laneSpec{stream("eight", 8, 1), stream("four", 4, 1), stream("one", 1, 1), stream("two", 2, 1),
			stream("four-batched", 4, batchSize), stream("one-batched", 1, batchSize)},
	})
}

// Run measures the open loop.
func (w OneWay) Run(ctx context.Context) (*Report, error) {
	s, err := w.Setup.filled(payloadSize, true)
	if err == nil {
		err = fixedSize(s, payloadSize)
	}
	if err != nil {
		return nil, err
	}
	r, err := run(ctx, s, plan{
		name: "ring/oneway", subject: "ring", against: []string{"slots"},
		lanes: []laneSpec{
			{Name: "ring", Kind: kindRing, Pattern: patternOneWay, Size: payloadSize, Batch: 1, Readers: 1, Rate: s.Rate},
			{Name: "slots", Kind: kindSlots, Pattern: patternOneWay, Size: payloadSize, Batch: 1, Rate: s.Rate},
		},
	})
	if r != nil {
		r.Rate = s.Rate
	}
	return r, err
}
