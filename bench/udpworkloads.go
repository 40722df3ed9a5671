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
	return run(ctx, s, plan{
		name: "udp/pingpong", subject: "udp", against: []string{"raw", "netudp"},
		lanes: []laneSpec{lane("netudp", kindUDPNet), lane("raw", kindUDPRaw), lane("udp", kindUDP)},
	})
}
