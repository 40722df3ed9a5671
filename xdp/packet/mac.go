package packet

import (
	"net"
	"net/netip"
)

// MAC is an Ethernet address. The zero MAC is that of loopback.
type MAC [6]byte

// Broadcast is the address of every station.
var Broadcast = MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// String is the usual form, as in 02:00:5e:10:00:01.
func (m MAC) String() string { return net.HardwareAddr(m[:]).String() }

// GroupMAC is where Ethernet carries what is sent to a multicast group: 01:00:5e and the low 23 bits of an IPv4 one (RFC 1112, 6.4), 33:33
// and the low 32 bits of an IPv6 one (RFC 2464, 7). It is the zero MAC for what is no group.
func GroupMAC(group netip.Addr) MAC {
	group = group.Unmap()
	switch {
	case !group.IsMulticast():
		return MAC{}
	case group.Is4():
		a := group.As4()
		return MAC{0x01, 0x00, 0x5e, a[1] & 0x7f, a[2], a[3]}
	}
	a := group.As16()
	return MAC{0x33, 0x33, a[12], a[13], a[14], a[15]}
}
