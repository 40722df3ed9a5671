package xdp

import (
	"net/netip"

	"github.com/alphapulse/transport/xdp/packet"
)

const memoSize = packet.EthernetSize + packet.IPv4Size + packet.UDPSize - 2 // the headers but for the datagram's checksum, which nobody looks at

// memo is what the headers of the last datagram said, over IPv4 and without a tag. A frame with the same headers says the same: that is
// the next one of a flow whose messages are of one size. The zero memo knows nothing.
type memo struct {
	header [memoSize]byte
	least  int // bytes of a frame that the headers speak of
	from   int // where its payload begins
	to     int // and ends
	source netip.AddrPort
	end    *End // whose it was
}

// says reports whether the frame has the headers that are known.
func (m *memo) says(frame []byte) bool {
	return len(frame) >= memoSize && m.end != nil && len(frame) == m.least && [memoSize]byte(frame) == m.header
}

// keep notes what the parser made of a frame, for the end that it is for.
func (m *memo) keep(frame []byte, p *packet.Packet, e *End) {
	const from = memoSize + 2
	if !p.Source.Addr().Is4() || len(frame) < from+len(p.Payload) || len(p.Payload) > 0 && &frame[from] != &p.Payload[0] {
		m.end = nil
		return
	}
	*m = memo{[memoSize]byte(frame), len(frame), from, from + len(p.Payload), p.Source, e}
}
