package sys

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// group_req and group_source_req: interface 4, padding to a pointer's alignment, then sockaddr_storage of group, and of source.
const (
	groupAt     = 4 + (^uintptr(0)>>63)*4
	storageSize = 128
)

// Join makes the socket a member of a group on the interface called ifname, or where the route leads when empty: of what source sends
// to it, or of what anybody sends when source is the zero Addr. A group may be joined for many sources. It answers EADDRINUSE or
// EADDRNOTAVAIL for a membership it has.
func (u *UDP) Join(group, source netip.Addr, ifname string) error {
	if err := u.member(unix.MCAST_JOIN_GROUP, unix.MCAST_JOIN_SOURCE_GROUP, group, source, ifname); err != nil {
		return fmt.Errorf("udp join %s: %w", membership{group, source, ifname}, err)
	}
	return nil
}

// Leave ends a membership that Join began with the same arguments.
func (u *UDP) Leave(group, source netip.Addr, ifname string) error {
	if err := u.member(unix.MCAST_LEAVE_GROUP, unix.MCAST_LEAVE_SOURCE_GROUP, group, source, ifname); err != nil {
		return fmt.Errorf("udp leave %s: %w", membership{group, source, ifname}, err)
	}
	return nil
}

// membership names one in errors.
type membership struct {
	group, source netip.Addr
	ifname        string
}

func (m membership) String() string {
	s := m.group.String()
	if m.source.IsValid() {
		s += " from " + m.source.String()
	}
	if m.ifname != "" {
		s += " on " + m.ifname
	}
	return s
}

func (u *UDP) member(anySource, oneSource int, group, source netip.Addr, ifname string) error {
	if !group.IsMulticast() {
		return errors.New("not a group's address")
	}
	req := make([]byte, groupAt, groupAt+2*storageSize)
	if ifname != "" {
		index, err := interfaceIndex(ifname)
		if err != nil {
			return err
		}
		binary.NativeEndian.PutUint32(req, index)
	}
	req, err := u.appendStorage(req, group)
	if err != nil {
		return err
	}
	option := anySource
	if source.IsValid() {
		option = oneSource
		if req, err = u.appendStorage(req, source); err != nil {
			return err
		}
	}
	return unix.SetsockoptString(u.fd, u.names().level, option, string(req))
}

// appendStorage appends ip as a sockaddr_storage of the socket's family.
func (u *UDP) appendStorage(req []byte, ip netip.Addr) ([]byte, error) {
	a, err := AddressOf(netip.AddrPortFrom(ip, 0))
	if err != nil {
		return nil, err
	}
	if a.family() != u.family {
		return nil, fmt.Errorf("%s is not of the socket's family", ip)
	}
	at := len(req)
	req = req[:at+storageSize]
	copy(req[at:], a.raw[:])
	return req, nil
}
