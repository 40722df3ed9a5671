package bench

import (
	"context"
	"fmt"
)

// Run measures the ping-pong past the kernel.
func (w XDPPingPong) Run(ctx context.Context) (*Report, error) {
	s, err := overVeth(w.Setup, pongSize)
	if err != nil {
		return nil, err
	}
	lane := func(name, kind, past string) laneSpec {
		plain := kind == kindUDPRaw
		return laneSpec{Name: name, Kind: kind, Pattern: patternPingPong, Size: s.Size, Past: past, Plain: plain, Loose: plain && name != "connected"}
	}
	against := []string{"raw", "udp", "connected", "bare"}
	return run(ctx, s, plan{
		name: "xdp/pingpong", subject: "xdp", against: against,
		variants: map[string]variant{"native": {"native", against}, "bare": {"bare", []string{"raw", "connected"}}},
		lanes: []laneSpec{
			lane("raw", kindUDPRaw, ""), lane("xdp", kindUDP, pastGeneric), lane("udp", kindUDP, ""), lane("native", kindUDP, pastNative),
			lane("connected", kindUDPRaw, ""), lane("bare", kindUDPRaw, pastGeneric),
		},
	})
}

// xdpRound is how many messages of a stream are published between two looks at the clock: four rounds are on their way at most, which is
// half of what a receive ring holds.
const xdpRound = 256

// Run measures throughput past the kernel.
func (w XDPThroughput) Run(ctx context.Context) (*Report, error) {
	s, err := overVeth(w.Setup, payloadSize)
	if err == nil {
		err = fixedSize(s, payloadSize)
	}
	if err != nil {
		return nil, err
	}
	lane := func(name, kind, past string, size int) laneSpec {
		return laneSpec{Name: name, Kind: kind, Pattern: patternStream, Size: size, Batch: batchSize, Round: xdpRound, Past: past, Separate: true,
			Plain: kind == kindUDPRaw}
	}
	packed := func(s laneSpec) laneSpec {
		s.Separate, s.Round = false, 16*xdpRound
		return s
	}
	return run(ctx, s, plan{
		name: "xdp/throughput", subject: "xdp", against: []string{"raw", "udp"},
		variants: map[string]variant{
			"1KiB": {"1KiB", []string{"raw-1KiB", "udp-1KiB"}}, "packed": {"packed", []string{"udp-packed"}}, "native": {"native", []string{"raw", "udp"}},
		},
		lanes: []laneSpec{
			lane("raw", kindUDPRaw, "", payloadSize), lane("xdp", kindUDP, pastGeneric, payloadSize), lane("udp", kindUDP, "", payloadSize),
			lane("native", kindUDP, pastNative, payloadSize),
			lane("raw-1KiB", kindUDPRaw, "", 1024), lane("1KiB", kindUDP, pastGeneric, 1024), lane("udp-1KiB", kindUDP, "", 1024),
			packed(lane("packed", kindUDP, pastGeneric, payloadSize)), packed(lane("udp-packed", kindUDP, "", payloadSize)),
		},
	})
}

// overVeth is a setup whose lanes cross virtual Ethernet, which is where there is something to go past.
func overVeth(s Setup, size int) (Setup, error) {
	if s.Net == "" {
		s.Net = NetVeth
	}
	s, err := s.filled(size, false)
	if err == nil && s.Net != NetVeth {
		err = fmt.Errorf("%w: network %q: this workload crosses %s", ErrSetup, s.Net, NetVeth)
	}
	if err == nil && s.Size > oneDatagram {
		err = fmt.Errorf("%w: size %d: a datagram carries %d bytes", ErrSetup, s.Size, oneDatagram)
	}
	return s, err
}
