package sys

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// heard sends one datagram to the group and then one straight to the member, and says whether the first arrived before the second.
func heard(t *testing.T, member, from *UDP, group netip.Addr) bool {
	t.Helper()
	port := member.Local().Port()
	if err := from.SendOneTo([]byte("group"), addr(t, netip.AddrPortFrom(group, port))); err != nil {
		t.Fatal(err)
	}
	if err := from.SendOneTo([]byte("straight"), addr(t, netip.AddrPortFrom(from.Local().Addr(), port))); err != nil {
		t.Fatal(err)
	}
	in := recvBatch(t, 8, 64)
	got := false
	for {
		for i := range recvAny(t, member, in) {
			switch data, _ := in.Message(i); string(data) {
			case "group":
				got = true
			case "straight":
				return got
			}
		}
	}
}

func TestGroupMembersHearWhatTheyJoined(t *testing.T) {
	for _, c := range []struct {
		name, any, from           string
		group, one, local, absent string
	}{
		{"IPv4", "0.0.0.0:0", "127.0.0.1:0", "239.77.1.2", "232.77.1.2", "127.0.0.1", "127.0.0.9"},
		{"IPv6", "[::]:0", "[::1]:0", "ff15::77:1", "ff35::77:2", "::1", "2001:db8::9"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "IPv6" {
				ownNetns(t) // loopback routes no IPv6 groups unless told
				routeGroupsToLoopback(t)
			}
			group, one := netip.MustParseAddr(c.group), netip.MustParseAddr(c.one)
			local, other := netip.MustParseAddr(c.local), netip.MustParseAddr(c.absent)
			member := openUDP(t, UDPOptions{Bind: netip.MustParseAddrPort(c.any)})
			bystander := openUDP(t, UDPOptions{Bind: netip.MustParseAddrPort(c.any)})
			if err := bystander.Join(group, netip.Addr{}, "lo"); err != nil {
				t.Fatal(err)
			}
			from := openUDP(t, UDPOptions{Bind: netip.MustParseAddrPort(c.from), MulticastInterface: "lo", MulticastLoop: true})
			for _, m := range []struct {
				group, source netip.Addr
				hears         bool
			}{{group, netip.Addr{}, true}, {one, local, true}, {one, other, false}} {
				if heard(t, member, from, m.group) {
					t.Errorf("%s: heard before joining, though another socket did join", m.group)
				}
				if err := member.Join(m.group, m.source, "lo"); err != nil {
					t.Fatal(err)
				}
				if got := heard(t, member, from, m.group); got != m.hears {
					t.Errorf("%s from %s: heard %t", m.group, m.source, got)
				}
				if err := member.Leave(m.group, m.source, "lo"); err != nil {
					t.Fatal(err)
				}
				if heard(t, member, from, m.group) {
					t.Errorf("%s from %s: heard after leaving", m.group, m.source)
				}
			}
		})
	}
}

func TestJoinRefusesWhatIsNoGroup(t *testing.T) {
	u := openUDP(t, UDPOptions{Bind: loop4})
	group := netip.MustParseAddr("239.77.1.4")
	for _, c := range []struct {
		group, source netip.Addr
		ifname        string
	}{
		{netip.MustParseAddr("10.0.0.1"), netip.Addr{}, "lo"},
		{netip.Addr{}, netip.Addr{}, "lo"},
		{group, netip.Addr{}, "no-such-if"},
		{group, netip.Addr{}, "a-name-longer-than-an-interface-has"},
		{netip.MustParseAddr("ff15::1"), netip.Addr{}, "lo"},
		{group, netip.MustParseAddr("::1"), "lo"},
	} {
		if err := u.Join(c.group, c.source, c.ifname); err == nil {
			t.Errorf("joined %s from %s on %s", c.group, c.source, c.ifname)
		}
	}
	if err := errors.Join(u.Join(group, netip.Addr{}, "lo"), u.Join(group, netip.Addr{}, "lo")); !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("joined twice: %v", err)
	}
	if err := u.Leave(netip.MustParseAddr("239.77.1.5"), netip.Addr{}, "lo"); !errors.Is(err, unix.EADDRNOTAVAIL) {
		t.Errorf("left what it never joined: %v", err)
	}
}

// routeGroupsToLoopback adds the route "local ff00::/8 dev lo" (rtnetlink(7)).
func routeGroupsToLoopback(t *testing.T) {
	t.Helper()
	index, err := interfaceIndex("lo")
	if err != nil {
		t.Fatal(err)
	}
	ne := binary.NativeEndian
	body := []byte{unix.AF_INET6, 8, 0, 0, unix.RT_TABLE_LOCAL, unix.RTPROT_STATIC, unix.RT_SCOPE_UNIVERSE, unix.RTN_LOCAL, 0, 0, 0, 0}
	body = ne.AppendUint16(ne.AppendUint16(body, 20), unix.RTA_DST)
	body = append(append(body, 0xff), make([]byte, 15)...)
	body = ne.AppendUint32(ne.AppendUint16(ne.AppendUint16(body, 8), unix.RTA_OIF), index)
	head := ne.AppendUint32(nil, uint32(unix.SizeofNlMsghdr+len(body)))
	head = ne.AppendUint16(head, unix.RTM_NEWROUTE)
	head = ne.AppendUint16(head, unix.NLM_F_REQUEST|unix.NLM_F_CREATE|unix.NLM_F_EXCL|unix.NLM_F_ACK)
	head = append(head, make([]byte, 8)...) // sequence, port
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Sendto(fd, append(head, body...), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil || n < unix.SizeofNlMsghdr+4 {
		t.Fatal(n, err)
	}
	if e := int32(ne.Uint32(answer[unix.SizeofNlMsghdr:])); e != 0 {
		t.Fatal(unix.Errno(-e))
	}
}
