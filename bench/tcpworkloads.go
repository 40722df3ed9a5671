package bench

import (
	"context"
	"fmt"
)

// Run measures the ping-pong over TCP.
func (w TCPPingPong) Run(ctx context.Context) (*Report, error) {
	s, err := w.Setup.filled(pongSize, false)
	if err != nil {
		return nil, err
	}
	lane := func(name, kind string) laneSpec {
		return laneSpec{Name: name, Kind: kind, Pattern: patternPingPong, Size: s.Size}
	}
	return run(ctx, s, plan{
		name: "tcp/pingpong", subject: "tcp", against: []string{"rawtcp", "nettcp"},
		lanes: []laneSpec{lane("nettcp", kindTCPNet), lane("rawtcp", kindTCPRaw), lane("tcp", kindTCP)},
	})
}

// Run measures throughput over TCP.
func (w TCPThroughput) Run(ctx context.Context) (*Report, error) {
	s, err := w.Setup.filled(payloadSize, false)
	if err == nil {
		err = fixedSize(s, payloadSize)
	}
	if err != nil {
		return nil, err
	}
	lane := func(name, kind string, size int) laneSpec {
		return laneSpec{Name: name, Kind: kind, Pattern: patternStream, Size: size, Batch: batchSize}
	}
	gather := func(s laneSpec) laneSpec {
		s.Gather = true
		return s
	}
	return run(ctx, s, plan{
		name: "tcp/throughput", subject: "tcp", against: []string{"rawtcp", "gather", "nettcp"},
		variants: map[string]variant{"1KiB": {"1KiB", []string{"rawtcp-1KiB"}}},
		lanes: []laneSpec{
			lane("nettcp", kindTCPNet, payloadSize), lane("tcp", kindTCP, payloadSize), lane("rawtcp", kindTCPRaw, payloadSize),
			gather(lane("gather", kindTCPRaw, payloadSize)),
			lane("1KiB", kindTCP, 1024), lane("rawtcp-1KiB", kindTCPRaw, 1024),
		},
	})
}

// Run measures a link with TLS.
func (w TCPSealed) Run(ctx context.Context) (*Report, error) {
	s, err := w.Setup.filled(sealedSize, false)
	if err == nil {
		err = fixedSize(s, sealedSize)
	}
	if err == nil && s.Net == NetVeth {
		err = fmt.Errorf("%w: with TLS the network is loopback", ErrSetup)
	}
	if err != nil {
		return nil, err
	}
	p, err := newPapers()
	if err != nil {
		return nil, err
	}
	lane := func(name, kind, pattern string, p *papers) laneSpec {
		return laneSpec{Name: name, Kind: kind, Pattern: pattern, Size: sealedSize, Batch: batchSize, Papers: p}
	}
	nettls := lane("nettls", kindTCPNet, patternStream, p)
	nettls.Gather = true
	return run(ctx, s, plan{
		name: "tcp/sealed", subject: "tls", against: []string{"nettls", "nettls-each", "plain"},
		variants: map[string]variant{"pingpong": {"pingpong", []string{"nettls-pingpong", "plain-pingpong"}}},
		lanes: []laneSpec{
			lane("nettls-each", kindTCPNet, patternStream, p), nettls, lane("tls", kindTCP, patternStream, p), lane("plain", kindTCP, patternStream, nil),
			lane("nettls-pingpong", kindTCPNet, patternPingPong, p), lane("pingpong", kindTCP, patternPingPong, p),
			lane("plain-pingpong", kindTCP, patternPingPong, nil),
		},
	})
}

// Run measures what publishing costs.
func (w TCPPublish) Run(ctx context.Context) (*Report, error) {
	s, err := w.Setup.filled(payloadSize, false)
	if err == nil {
		err = fixedSize(s, payloadSize)
	}
	if err != nil {
		return nil, err
	}
	lane := func(name, kind string) laneSpec {
		return laneSpec{Name: name, Kind: kind, Pattern: patternPublish, Size: payloadSize}
	}
	return run(ctx, s, plan{
		name: "tcp/publish", subject: "tcp", against: []string{"local"},
		lanes: []laneSpec{lane("local", kindRing), lane("tcp", kindTCP)},
	})
}

// Run measures what a stopped reader costs the other channels of a link.
func (w TCPFanOut) Run(ctx context.Context) (*Report, error) {
	s, err := w.Setup.filled(payloadSize, false)
	if err == nil {
		err = fixedSize(s, payloadSize)
	}
	if err != nil {
		return nil, err
	}
	lane := func(name string, stopped bool) laneSpec {
		return laneSpec{Name: name, Kind: kindTCP, Pattern: patternCrowd, Size: payloadSize, Stopped: stopped}
	}
	return run(ctx, s, plan{
		name: "tcp/fanout", subject: "stopped", against: []string{"all"},
		lanes: []laneSpec{lane("all", false), lane("stopped", true)},
	})
}
