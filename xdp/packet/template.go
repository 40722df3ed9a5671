package packet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
)

// ErrFlow says that a Flow is wrong; the text lists all faults. The caller mends them.
var ErrFlow = errors.New("packet: flow")

// Flow is what the packets of one flow have in common. Source and Destination have no default.
type Flow struct {
	// NextHop and SourceMAC are the Ethernet addresses. A zero NextHop becomes the group's where Destination is one; else it stays, as
	// loopback has it.
	NextHop, SourceMAC MAC

	// VLAN tags the packets with that number, 1 to 4094, and Priority, 0 to 7. Without either they carry no tag; a Priority alone
	// makes a tag of VLAN 0.
	VLAN     uint16
	Priority uint8

	// Source and Destination are of one family. Neither has a zone.
	Source, Destination netip.AddrPort

	// Ports is how many source ports the flow has, from Source's upward: 1, 2, 4 and so on, 0 means 1. Which one a packet leaves from,
	// Put is told. Devices and routers that spread load by ports then spread the flow.
	Ports int

	// TTL is the hop limit; 0 means 64, and 1 to a group.
	TTL uint8

	// DSCP is the traffic class, 0 to 63.
	DSCP uint8

	// Checksum has IPv4 packets carry the UDP checksum, which reads all of the payload. IPv6 ones always do.
	Checksum bool

	// Offload leaves the UDP checksum, where packets carry one, to the device: Put writes the sum of the pseudo-header in its place, and
	// does not read the payload. See Template.Offloads.
	Offload bool
}

func (f *Flow) check() error {
	var faults []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	from, to := f.Source.Addr(), f.Destination.Addr()
	for _, a := range []netip.Addr{from, to} {
		fault(!a.IsValid() || a.Is4In6() || a.Zone() != "", "%s: not an address of IPv4 or of IPv6 without a zone", a)
	}
	fault(from.Is4() != to.Is4(), "%s and %s: two families", from, to)
	fault(badSource(from), "%s: no source of anything", from)
	fault(to.IsUnspecified(), "%s: no destination", to)
	fault(f.Source.Port() == 0 || f.Destination.Port() == 0, "port 0")
	fault(f.Ports < 0 || f.Ports&(f.Ports-1) != 0, "%d ports: not a power of two", f.Ports)
	fault(f.Ports > 1<<16-int(f.Source.Port()), "%d ports from %d: past the last", f.Ports, f.Source.Port())
	fault(f.VLAN > maxVLAN, "VLAN %d: not 1 to %d", f.VLAN, maxVLAN)
	fault(f.Priority > maxPriority, "priority %d: not 0 to %d", f.Priority, maxPriority)
	fault(f.DSCP > maxDSCP, "DSCP %d: not 0 to %d", f.DSCP, maxDSCP)
	if len(faults) > 0 {
		return fmt.Errorf("%w: %w", ErrFlow, errors.Join(faults...))
	}
	return nil
}

// badSource: nothing may be answered to a group, to everybody or to nobody (RFC 1122, 3.2.1.3; RFC 4291, 2.5.2 and 2.7), and an IPv4
// address within an IPv6 one is not for the wire (RFC 4942, 2.2).
func badSource(a netip.Addr) bool {
	return a.IsMulticast() || a.IsUnspecified() || a.Is4In6() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// Template writes the headers of one flow's packets. It does not change once made: any number of goroutines may use it. The zero Template
// is not valid.
type Template struct {
	header    [MaxHeaderSize]byte // without lengths and checksums, from the first source port
	size      int                 // of header
	most      int                 // longest frame
	ip        int                 // where the IP header begins
	ports     uint16              // mask: how many source ports, less one
	port      uint16              // the first
	v6, check bool
	offload   bool
	ipSum     uint32 // of the IPv4 header as it stands
	udpSum    uint32 // of the pseudo-header and the UDP header as they stand, without the source port; for offload the pseudo-header alone
}

// NewTemplate makes the template of a flow, or says all that is wrong with it.
func NewTemplate(f Flow) (Template, error) {
	if err := f.check(); err != nil {
		return Template{}, err
	}
	to := f.Destination.Addr()
	if f.NextHop == (MAC{}) {
		f.NextHop = GroupMAC(to)
	}
	if f.TTL == 0 {
		f.TTL = defaultTTL
		if to.IsMulticast() {
			f.TTL = groupTTL
		}
	}
	t := Template{v6: to.Is6(), check: f.Checksum || to.Is6(), port: f.Source.Port(), ports: uint16(max(f.Ports, 1) - 1)}
	b := append(t.header[:0], f.NextHop[:]...)
	b = append(b, f.SourceMAC[:]...)
	if f.VLAN > 0 || f.Priority > 0 {
		b = binary.BigEndian.AppendUint16(b, typeVLAN)
		b = binary.BigEndian.AppendUint16(b, uint16(f.Priority)<<13|f.VLAN)
	}
	t.ip = len(b) + 2
	if t.v6 {
		b = t.appendIPv6(b, &f)
	} else {
		b = t.appendIPv4(b, &f)
	}
	b = binary.BigEndian.AppendUint16(b, f.Source.Port())
	b = binary.BigEndian.AppendUint16(b, f.Destination.Port())
	t.size = len(b) + 4 // length and checksum
	t.udpSum += protocolUDP
	if t.offload = f.Offload && t.check; !t.offload {
		t.udpSum += uint32(f.Destination.Port())
	}
	return t, nil
}

// appendIPv4 appends the type and the header. No packet is ever cut up, so none has an identification (RFC 6864, 4.1).
func (t *Template) appendIPv4(b []byte, f *Flow) []byte {
	from, to := f.Source.Addr().As4(), f.Destination.Addr().As4()
	b = binary.BigEndian.AppendUint16(b, typeIPv4)
	b = append(b, 0x45, f.DSCP<<2, 0, 0, 0, 0, dontFragment>>8, 0, f.TTL, protocolUDP, 0, 0)
	b = append(append(b, from[:]...), to[:]...)
	t.ipSum = uint32(sum(b[t.ip:]))
	t.udpSum = uint32(sum(from[:])) + uint32(sum(to[:]))
	t.most = len(b) + UDPSize + MaxPayload4
	return b
}

// appendIPv6 appends the type and the header.
func (t *Template) appendIPv6(b []byte, f *Flow) []byte {
	from, to := f.Source.Addr().As16(), f.Destination.Addr().As16()
	b = binary.BigEndian.AppendUint16(b, typeIPv6)
	b = append(b, 0x60|f.DSCP>>2, f.DSCP<<6, 0, 0, 0, 0, protocolUDP, f.TTL)
	b = append(append(b, from[:]...), to[:]...)
	t.udpSum = uint32(sum(from[:])) + uint32(sum(to[:]))
	t.most = len(b) + UDPSize + MaxPayload6
	return b
}

// Offloads is where in a frame the UDP header begins whose checksum is left to the device; 0: there is nothing left to do.
func (t *Template) Offloads() int {
	if !t.offload {
		return 0
	}
	return t.size - UDPSize
}

// Size is how many bytes stand before the payload.
func (t *Template) Size() int { return t.size }

// Put writes the headers before the payload that lies at frame[t.Size():] and ends with frame. The packet leaves from the source port
// that lane, any number, comes to: the same lane, the same port. Put reports false, and writes nothing, where frame is shorter than the
// headers or longer than their length fields can say.
func (t *Template) Put(frame []byte, lane uint32) bool {
	size := t.size
	if len(frame) < size || len(frame) > t.most || size < EthernetSize+IPv4Size+UDPSize {
		return false
	}
	copy(frame, t.header[:size])
	udp := frame[size-UDPSize:]
	length := len(udp)
	ip := frame[t.ip:]
	if t.v6 {
		binary.BigEndian.PutUint16(ip[ip6Length:], uint16(length))
	} else {
		total := uint32(length + IPv4Size)
		binary.BigEndian.PutUint16(ip[ip4Length:], uint16(total))
		binary.BigEndian.PutUint16(ip[ip4Checksum:], ^fold(t.ipSum+total))
	}
	port := t.port + uint16(lane)&t.ports
	binary.BigEndian.PutUint16(udp[udpSource:], port)
	binary.BigEndian.PutUint16(udp[udpLength:], uint16(length))
	var check uint16
	if t.offload {
		check = fold(t.udpSum + uint32(length))
	} else if t.check {
		// The length counts twice: in the pseudo-header and in the header.
		check = ^fold(t.udpSum + uint32(port) + 2*uint32(length) + uint32(sum(udp[UDPSize:])))
		if check == 0 {
			check = 0xffff // zero would say that there is none (RFC 768)
		}
	}
	binary.BigEndian.PutUint16(udp[udpChecksum:], check)
	return true
}
