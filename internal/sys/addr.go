package sys

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
)

// Families of socket addresses as Linux numbers them.
const (
	familyIPv4 = 2
	familyIPv6 = 10

	sockaddr4Size = 16 // family 2, port 2, address 4, zeroes 8
	sockaddr6Size = 28 // family 2, port 2, flow 4, address 16, zone 4
)

// Address is where a datagram comes from or goes to: the bytes the kernel reads (sockaddr_in or sockaddr_in6), so that sending
// converts nothing. Addresses of the same place are equal, so it works as a map's key. The zero Address is not valid.
type Address struct {
	raw [sockaddr6Size]byte
}

// AddressOf converts ap. An IPv4 address inside an IPv6 one becomes the IPv4 one: sockets here speak one family. It returns an
// error for an invalid ap and for a zone that names no interface; finding a named zone costs system calls.
func AddressOf(ap netip.AddrPort) (Address, error) {
	var a Address
	ip := ap.Addr().Unmap()
	if !ip.IsValid() {
		return a, fmt.Errorf("address %s: not an IP address", ap)
	}
	binary.BigEndian.PutUint16(a.raw[2:], ap.Port())
	if ip.Is4() {
		binary.NativeEndian.PutUint16(a.raw[:], familyIPv4)
		v4 := ip.As4()
		copy(a.raw[4:], v4[:])
		return a, nil
	}
	zone, err := zoneIndex(ip.Zone())
	if err != nil {
		return a, fmt.Errorf("address %s: %w", ap, err)
	}
	binary.NativeEndian.PutUint16(a.raw[:], familyIPv6)
	v6 := ip.As16()
	copy(a.raw[8:], v6[:])
	binary.NativeEndian.PutUint32(a.raw[24:], zone)
	return a, nil
}

// zoneIndex is the number of the interface that zone names, or zone itself when it is a number.
func zoneIndex(zone string) (uint32, error) {
	if zone == "" {
		return 0, nil
	}
	if n, err := strconv.ParseUint(zone, 10, 31); err == nil {
		return uint32(n), nil
	}
	return interfaceIndex(zone)
}

// AddrPort converts a back; a zone comes out as a number. It is the zero AddrPort for the zero Address.
func (a Address) AddrPort() netip.AddrPort {
	port := binary.BigEndian.Uint16(a.raw[2:])
	switch a.family() {
	case familyIPv4:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(a.raw[4:])), port)
	case familyIPv6:
		ip := netip.AddrFrom16([16]byte(a.raw[8:]))
		if zone := binary.NativeEndian.Uint32(a.raw[24:]); zone != 0 {
			ip = ip.WithZone(strconv.FormatUint(uint64(zone), 10))
		}
		return netip.AddrPortFrom(ip, port)
	}
	return netip.AddrPort{}
}

// IsValid reports whether a is an address at all.
func (a Address) IsValid() bool { return a.size() > 0 }

func (a *Address) family() uint16 { return binary.NativeEndian.Uint16(a.raw[:]) }

// size is how many of the bytes the kernel reads.
func (a *Address) size() uint32 {
	switch a.family() {
	case familyIPv4:
		return sockaddr4Size
	case familyIPv6:
		return sockaddr6Size
	}
	return 0
}
