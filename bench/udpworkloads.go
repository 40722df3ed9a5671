package bench

import (
	"context"
	"fmt"
)

// oneDatagram is the largest message that the baselines of the ping-pong carry in one packet.
const oneDatagram = 1400

// Run measures the ping-pong over UDP.
func (w UDPPingPong) Run(ctx context.Context) (*Report, error) {
	s, err := w.Setup.filled(pongSize, false)
	if err == nil && s.Size > oneDatagram {
		err = fmt.Errorf("%w: size %d: a datagram carries %d bytes", ErrSetup, s.Size, oneDatagram)
	}
	if err != nil {
		return nil, err
	}
	lane := func(name, kind string) laneSpec {
		return laneSpec{Name: name, Kind: kind, Pattern: patternPingPong, Size: s.Size}
	}
	return besideSockperf(ctx, s, func() (*Report, error) {
		return run(ctx, s, plan{
			name: "udp/pingpong", subject: "udp", against: []string{"raw", "netudp"},
			lanes: []laneSpec{lane("netudp", kindUDPNet), lane("raw", kindUDPRaw), lane("udp", kindUDP)},
		})
	})
}

// Run measures throughput over UDP.
func (w UDPThroughput) Run(ctx context.Context) (*Report, error) {
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
	separate := func(s laneSpec) laneSpec {
		s.Separate = true
		return s
	}
	return run(ctx, s, plan{
		name: "udp/throughput", subject: "packed", against: []string{"raw", "netudp"},
		variants: map[string]variant{
			"separate": {"separate", []string{"raw-separate", "netudp"}}, "256B": {"256B", []string{"raw-256B"}}, "1KiB": {"1KiB", []string{"raw-1KiB"}},
		},
		lanes: []laneSpec{
			lane("netudp", kindUDPNet, payloadSize),
			lane("packed", kindUDP, payloadSize), lane("raw", kindUDPRaw, payloadSize),
			separate(lane("separate", kindUDP, payloadSize)), separate(lane("raw-separate", kindUDPRaw, payloadSize)),
			lane("256B", kindUDP, 256), lane("raw-256B", kindUDPRaw, 256),
			lane("1KiB", kindUDP, 1024), lane("raw-1KiB", kindUDPRaw, 1024),
		},
	})
}

// sealedSize is what the sealed workload carries.
const sealedSize = 256

// Run measures throughput of what is sealed.
func (w UDPSealed) Run(ctx context.Context) (*Report, error) {
	s, err := w.Setup.filled(sealedSize, false)
	if err == nil {
		err = fixedSize(s, sealedSize)
	}
	if err != nil {
		return nil, err
	}
	lane := func(name, kind string, secret []byte) laneSpec {
		return laneSpec{Name: name, Kind: kind, Pattern: patternStream, Size: sealedSize, Batch: batchSize, Secret: secret}
	}
	secret := newPayload(s.Seed, secretSize)
	pong := func(name, kind string) laneSpec {
		return laneSpec{Name: name, Kind: kind, Pattern: patternPingPong, Size: sealedSize, Secret: secret}
	}
	return run(ctx, s, plan{
		name: "udp/sealed", subject: "sealed", against: []string{"raw"},
		variants: map[string]variant{"plain": {"plain", []string{"raw", "raw-plain"}}, "pingpong": {"pingpong", []string{"raw-pingpong"}}},
		lanes: []laneSpec{
			lane("raw-plain", kindUDPRaw, nil), lane("plain", kindUDP, nil), lane("sealed", kindUDP, secret), lane("raw", kindUDPRaw, secret),
			pong("pingpong", kindUDP), pong("raw-pingpong", kindUDPRaw),
		},
	})
}
