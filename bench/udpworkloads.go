package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
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

// fanRate is how many messages a second the fan-out publishes unless told otherwise.
const fanRate = 20_000

// Run measures the fan-out over UDP.
func (w UDPFanOut) Run(ctx context.Context) (*Report, error) {
	if w.Setup.Rate == 0 {
		w.Setup.Rate = fanRate
	}
	s, err := w.Setup.filled(payloadSize, true)
	if err == nil {
		err = fixedSize(s, payloadSize)
	}
	if err != nil {
		return nil, err
	}
	// A group of the lane's own: the port, which the far side's first receiver picks, could be another lane's as well.
	group := netip.AddrFrom4([4]byte{239, 192 | byte(rand.Uint32())>>2, byte(rand.Uint32()), byte(rand.Uint32()) &^ 7})
	lane := func(name, last string) laneSpec {
		group = group.Next()
		return laneSpec{Name: name, Kind: kindUDP, Pattern: patternFan, Size: payloadSize, Rate: s.Rate, Fan: &fan{group, last}}
	}
	against := []string{"all", "three"}
	r, err := run(ctx, s, plan{
		name: "udp/fanout", subject: "stopped", against: against,
		variants: map[string]variant{"full": {"full", against}, "woken": {"woken", against}},
		lanes:    []laneSpec{lane("full", lastIsFull), lane("all", lastRuns), lane("stopped", lastStops), lane("three", ""), lane("woken", lastWakes)},
	})
	if r != nil {
		r.Rate = s.Rate
	}
	return r, err
}
