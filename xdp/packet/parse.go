package packet

import (
	"encoding/binary"
	"net/netip"
)

// Packet is what a frame says. Payload lies within the frame and is valid as long as that is.
type Packet struct {
	Source, Destination netip.AddrPort
	Payload             []byte
	VLAN                uint16 // 0 without a tag, and for a tag that has a priority only
	TTL, DSCP           uint8
}

// Parser takes frames apart. It does not change: any number of goroutines may use it. The zero Parser takes every UDP datagram there is.
type Parser struct {
	// Port is the destination port to take; 0 takes each.
	Port uint16

	// MaxFrame is the longest frame to take; 0 means what the length fields can say. A sender on this host may hand over many datagrams
	// as one (UDP_SEGMENT) that nobody cuts up before a generic XDP program: with the link's MTU and 18 bytes here, that is a Giant and
	// not a datagram that nobody sent.
	MaxFrame int

	// Checksum has the UDP checksum looked at, which reads all of the payload. What a socket of this host sends arrives with the sum
	// of the pseudo-header in its place, which the device would have completed, so it is not looked at unless asked. IPv4 datagrams may
	// have none; IPv6 ones must (RFC 8200, 8.1).
	Checksum bool
}

// Parse reads the frame into p, or says why not and leaves p alone. What lies behind the datagram is ignored: short frames are padded.
func (r *Parser) Parse(frame []byte, p *Packet) Reason {
	if len(frame) < EthernetSize {
		return Runt
	}
	if r.MaxFrame > 0 && len(frame) > r.MaxFrame {
		return Giant
	}
	kind, vlan, b := binary.BigEndian.Uint16(frame[EthernetSize-2:]), uint16(0), frame[EthernetSize:]
	if kind == typeVLAN {
		if len(b) < VLANSize {
			return Runt
		}
		vlan, kind, b = binary.BigEndian.Uint16(b)&0xfff, binary.BigEndian.Uint16(b[2:]), b[VLANSize:]
	}
	switch kind {
	case typeIPv4:
		return r.parse4(b, vlan, p)
	case typeIPv6:
		return r.parse6(b, vlan, p)
	}
	return NotIP
}

// parse4 reads from the IPv4 header on.
func (r *Parser) parse4(b []byte, vlan uint16, p *Packet) Reason {
	if len(b) < IPv4Size {
		return Runt
	}
	switch {
	case b[0]>>4 != 4:
		return NotIP
	case b[0] < 0x45:
		return LengthLies
	case b[0] > 0x45:
		return IPv4Options
	}
	total := int(binary.BigEndian.Uint16(b[ip4Length:]))
	if total < IPv4Size || total > len(b) {
		return LengthLies
	}
	if sum(b[:IPv4Size]) != 0xffff {
		return BadIPv4Checksum
	}
	if binary.BigEndian.Uint16(b[ip4Fragment:])&isFragment != 0 {
		return Fragment
	}
	if b[ip4Protocol] != protocolUDP {
		return NotUDP
	}
	from := netip.AddrFrom4([4]byte(b[ip4Source:]))
	to := netip.AddrFrom4([4]byte(b[ip4Dest:]))
	if reason := r.parseUDP(b[IPv4Size:total], b[ip4Source:IPv4Size], from, to, p); reason != Accepted {
		return reason
	}
	p.VLAN, p.TTL, p.DSCP = vlan, b[ip4TTL], b[1]>>2
	return Accepted
}

// parse6 reads from the IPv6 header on.
func (r *Parser) parse6(b []byte, vlan uint16, p *Packet) Reason {
	if len(b) < IPv6Size {
		return Runt
	}
	if b[0]>>4 != 6 {
		return NotIP
	}
	length := int(binary.BigEndian.Uint16(b[ip6Length:]))
	if length > len(b)-IPv6Size {
		return LengthLies
	}
	switch b[ip6Next] {
	case protocolUDP:
	case nextFragment:
		return Fragment
	case nextHopByHop, nextRouting, nextAuth, nextDestination, nextMobility, nextHIP, nextShim6:
		return IPv6Extension
	default:
		return NotUDP
	}
	from := netip.AddrFrom16([16]byte(b[ip6Source:]))
	to := netip.AddrFrom16([16]byte(b[ip6Dest:]))
	if reason := r.parseUDP(b[IPv6Size:IPv6Size+length], b[ip6Source:IPv6Size], from, to, p); reason != Accepted {
		return reason
	}
	p.VLAN, p.TTL, p.DSCP = vlan, b[ip6Hops], b[0]<<4>>2|b[1]>>6
	return Accepted
}

// parseUDP reads the IP packet's own bytes from the UDP header on. A datagram may be shorter than they are (RFC 9868), never longer.
func (r *Parser) parseUDP(b, addresses []byte, from, to netip.Addr, p *Packet) Reason {
	if len(b) < UDPSize {
		return LengthLies
	}
	length := int(binary.BigEndian.Uint16(b[udpLength:]))
	if length < UDPSize || length > len(b) {
		return LengthLies
	}
	if badSource(from) {
		return BadSource
	}
	port := binary.BigEndian.Uint16(b[udpDest:])
	if r.Port != 0 && port != r.Port {
		return ForeignPort
	}
	if r.Checksum && !goodUDP(b[:length], addresses, from.Is4()) {
		return BadUDPChecksum
	}
	p.Source = netip.AddrPortFrom(from, binary.BigEndian.Uint16(b[udpSource:]))
	p.Destination = netip.AddrPortFrom(to, port)
	p.Payload = b[UDPSize:length:length]
	return Accepted
}

// goodUDP reports whether the datagram's checksum is right, or rightly absent.
func goodUDP(b, addresses []byte, mayLack bool) bool {
	if binary.BigEndian.Uint16(b[udpChecksum:]) == 0 {
		return mayLack
	}
	return fold(uint32(sum(addresses))+protocolUDP+uint32(len(b))+uint32(sum(b))) == 0xffff
}
