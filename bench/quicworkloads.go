package bench

import (
	"context"
	"fmt"
)

// QUICPingPong sends one message of Setup.Size bytes, 64 unless told otherwise, there and one back, each the whole way: a publisher's ring,
// a link that runs by itself, the network, the far link, the mirror's reader. The baseline "quicgo" is quic-go alone, with the payload on
// one stream.
type QUICPingPong struct{ Setup Setup }

// QUICThroughput streams 1024-byte messages one way. The far side checks the number of each and copies it out. Baselines: "quicgo", quic-go
// alone, which writes as many bytes of as many messages at once; "quicgo-each", which writes 32 messages at a time. The variant "64B" has
// small messages, with "quicgo-64B".
type QUICThroughput struct{ Setup Setup }

// QUICPublish times what a publisher spends on batches of 256 messages of 64 bytes while a link over QUIC carries them. The baseline "local"
// is the same with a local reader in place of the link.
type QUICPublish struct{ Setup Setup }

const quicSize = 1024

// withoutVeth refuses another network: a link opens its sockets on goroutines of its own, outside of namespaces.
func withoutVeth(s Setup) error {
	if s.Net == NetVeth {
		return fmt.Errorf("%w: over QUIC the network is loopback", ErrSetup)
	}
	return nil
}

// Run measures the ping-pong over QUIC.
func (w QUICPingPong) Run(ctx context.Context) (*Report, error) {
	s, err := w.Setup.filled(pongSize, false)
	if err == nil {
		err = withoutVeth(s)
	}
	if err != nil {
		return nil, err
	}
	p, err := newPapers()
	if err != nil {
		return nil, err
	}
	lane := func(name, kind string) laneSpec {
		return laneSpec{Name: name, Kind: kind, Pattern: patternPingPong, Size: s.Size, Papers: p}
	}
	return run(ctx, s, plan{
		name: "quic/pingpong", subject: "quic", against: []string{"quicgo"},
		lanes: []laneSpec{lane("quicgo", kindQUICGo), lane("quic", kindQUIC)},
	})
}

// Run measures throughput over QUIC.
func (w QUICThroughput) Run(ctx context.Context) (*Report, error) {
	s, err := w.Setup.filled(quicSize, false)
	if err == nil {
		err = fixedSize(s, quicSize)
	}
	if err == nil {
		err = withoutVeth(s)
	}
	if err != nil {
		return nil, err
	}
	p, err := newPapers()
	if err != nil {
		return nil, err
	}
	lane := func(name, kind string, size int) laneSpec {
		return laneSpec{Name: name, Kind: kind, Pattern: patternStream, Size: size, Batch: batchSize, Papers: p}
	}
	each := lane("quicgo-each", kindQUICGo, quicSize)
	each.Separate = true
	return run(ctx, s, plan{
		name: "quic/throughput", subject: "quic", against: []string{"quicgo", "quicgo-each"},
		variants: map[string]variant{"64B": {"64B", []string{"quicgo-64B"}}},
		lanes: []laneSpec{
			each, lane("quic", kindQUIC, quicSize), lane("quicgo", kindQUICGo, quicSize),
			lane("64B", kindQUIC, payloadSize), lane("quicgo-64B", kindQUICGo, payloadSize),
		},
	})
}

// Run measures what publishing costs.
func (w QUICPublish) Run(ctx context.Context) (*Report, error) {
	s, err := w.Setup.filled(payloadSize, false)
	if err == nil {
		err = fixedSize(s, payloadSize)
	}
	if err != nil {
		return nil, err
	}
	p, err := newPapers()
	if err != nil {
		return nil, err
	}
	lane := func(name, kind string) laneSpec {
		return laneSpec{Name: name, Kind: kind, Pattern: patternPublish, Size: payloadSize, Papers: p}
	}
	return run(ctx, s, plan{
		name: "quic/publish", subject: "quic", against: []string{"local"},
		lanes: []laneSpec{lane("local", kindRing), lane("quic", kindQUIC)},
	})
}
