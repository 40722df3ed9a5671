package sys

import (
	"cmp"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// family is what Bind or Connect says.
func (o *UDPOptions) family() uint16 {
	if cmp.Or(o.Bind, o.Connect).Addr().Unmap().Is4() {
		return familyIPv4
	}
	return familyIPv6
}

// names are one family's numbers for what both families can do.
type names struct {
	level, tos, ttl, groupTTL, groupLoop, groupAll, pathMTU, errors int
}

var (
	names4 = names{unix.IPPROTO_IP, unix.IP_TOS, unix.IP_TTL, unix.IP_MULTICAST_TTL, unix.IP_MULTICAST_LOOP,
		unix.IP_MULTICAST_ALL, unix.IP_MTU_DISCOVER, unix.IP_RECVERR}
	names6 = names{unix.IPPROTO_IPV6, unix.IPV6_TCLASS, unix.IPV6_UNICAST_HOPS, unix.IPV6_MULTICAST_HOPS, unix.IPV6_MULTICAST_LOOP,
		unix.IPV6_MULTICAST_ALL, unix.IPV6_MTU_DISCOVER, unix.IPV6_RECVERR}
)

func (u *UDP) names() *names {
	if u.family == familyIPv4 {
		return &names4
	}
	return &names6
}

// pathMTUModes are the same numbers in both families.
var pathMTUModes = [...]int{
	PathMTUFragment: unix.IP_PMTUDISC_DONT, PathMTUStrict: unix.IP_PMTUDISC_DO, PathMTUProbe: unix.IP_PMTUDISC_PROBE,
}

// require sets what must hold, or says everything that does not.
func (u *UDP) require(o *UDPOptions) error {
	n := u.names()
	mode := 0
	if o.PathMTU != PathMTUSystem {
		mode = pathMTUModes[o.PathMTU]
	}
	var faults []error
	for _, s := range []struct {
		what               string
		asked              bool
		level, name, value int
	}{
		{"one family", u.family == familyIPv6, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1},
		{"reuse port", o.ReusePort, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1},
		{"DSCP", o.DSCP > 0, n.level, n.tos, o.DSCP << 2}, // the low two bits are ECN
		{"TTL", o.TTL > 0, n.level, n.ttl, o.TTL},
		{"path MTU mode", o.PathMTU != PathMTUSystem, n.level, n.pathMTU, mode},
		{"multicast TTL", true, n.level, n.groupTTL, cmp.Or(o.MulticastTTL, 1)},
		{"multicast loop", true, n.level, n.groupLoop, number(o.MulticastLoop)},
		{"error queue", o.ErrorQueue, n.level, n.errors, 1},
	} {
		if !s.asked {
			continue
		}
		if err := unix.SetsockoptInt(u.fd, s.level, s.name, s.value); err != nil {
			faults = append(faults, fmt.Errorf("udp %s: %w", s.what, err))
		}
	}
	if o.MulticastInterface != "" {
		if err := u.leaveThrough(o.MulticastInterface); err != nil {
			faults = append(faults, fmt.Errorf("udp multicast interface: %w", err))
		}
	}
	u.features.ErrorQueue = o.ErrorQueue
	return errors.Join(faults...)
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

// leaveThrough sends what goes to groups through the interface.
func (u *UDP) leaveThrough(ifname string) error {
	index, err := interfaceIndex(ifname)
	if err != nil {
		return err
	}
	if u.family == familyIPv4 {
		return unix.SetsockoptIPMreqn(u.fd, unix.IPPROTO_IP, unix.IP_MULTICAST_IF, &unix.IPMreqn{Ifindex: int32(index)})
	}
	return unix.SetsockoptInt(u.fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_IF, int(index))
}

// wish sets what may be missing, and notes what is in force.
func (u *UDP) wish(o *UDPOptions) {
	f := &u.features
	f.RecvBuffer = u.buffer(o.RecvBuffer, unix.SO_RCVBUFFORCE, unix.SO_RCVBUF)
	f.SendBuffer = u.buffer(o.SendBuffer, unix.SO_SNDBUFFORCE, unix.SO_SNDBUF)
	// A socket hears only the groups it joined itself, not those of every process on the host (IPv6: since Linux 4.20).
	_ = unix.SetsockoptInt(u.fd, u.names().level, u.names().groupAll, 0)
	if o.BusyPoll > 0 {
		us := int((o.BusyPoll + time.Microsecond - 1) / time.Microsecond)
		_ = unix.SetsockoptInt(u.fd, unix.SOL_SOCKET, unix.SO_BUSY_POLL, us)
	}
	if us, err := unix.GetsockoptInt(u.fd, unix.SOL_SOCKET, unix.SO_BUSY_POLL); err == nil {
		f.BusyPoll = time.Duration(us) * time.Microsecond // maybe the system's own (net.core.busy_read)
	}
	f.PreferBusyPoll = o.PreferBusyPoll && unix.SetsockoptInt(u.fd, unix.SOL_SOCKET, unix.SO_PREFER_BUSY_POLL, 1) == nil
	f.GRO = o.GRO && unix.SetsockoptInt(u.fd, unix.IPPROTO_UDP, unix.UDP_GRO, 1) == nil
	f.Segments = segmentsOf(u.fd)
	u.stamp(o)
	u.plain = !f.GRO && f.Timestamps == StampsOff
}

// buffer asks for size bytes and returns how many the socket has. The kernel doubles what it is told and reports that.
func (u *UDP) buffer(size, force, ordinary int) int {
	if size > 0 && unix.SetsockoptInt(u.fd, unix.SOL_SOCKET, force, size) != nil {
		_ = unix.SetsockoptInt(u.fd, unix.SOL_SOCKET, ordinary, size) // cut to what the system allows
	}
	doubled, err := unix.GetsockoptInt(u.fd, unix.SOL_SOCKET, ordinary)
	if err != nil {
		return 0
	}
	return doubled / 2
}

// stamp turns timestamps on, and falls back on the kernel's where the device has none.
func (u *UDP) stamp(o *UDPOptions) {
	if o.Timestamps == StampsOff {
		return
	}
	flags := unix.SOF_TIMESTAMPING_RX_SOFTWARE | unix.SOF_TIMESTAMPING_SOFTWARE
	got := StampsSoftware
	if o.SendStamps {
		flags |= unix.SOF_TIMESTAMPING_TX_SOFTWARE | unix.SOF_TIMESTAMPING_OPT_ID | unix.SOF_TIMESTAMPING_OPT_TSONLY
	}
	if o.Timestamps == StampsHardware && u.deviceStamps(o.StampInterface, o.SendStamps) == nil {
		got = StampsHardware
		flags |= unix.SOF_TIMESTAMPING_RX_HARDWARE | unix.SOF_TIMESTAMPING_RAW_HARDWARE
		if o.SendStamps {
			flags |= unix.SOF_TIMESTAMPING_TX_HARDWARE
		}
	}
	if unix.SetsockoptInt(u.fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPING, flags) == nil {
		u.features.Timestamps, u.features.SendStamps = got, o.SendStamps
	}
}

// deviceStamps makes the device stamp all it receives, and leaves alone what others asked of it before.
func (u *UDP) deviceStamps(ifname string, sends bool) error {
	config, err := unix.IoctlGetHwTstamp(u.fd, ifname)
	if err != nil {
		return err
	}
	if config.Rx_filter == unix.HWTSTAMP_FILTER_ALL && (!sends || config.Tx_type != unix.HWTSTAMP_TX_OFF) {
		return nil
	}
	config.Rx_filter = unix.HWTSTAMP_FILTER_ALL
	if sends && config.Tx_type == unix.HWTSTAMP_TX_OFF {
		config.Tx_type = unix.HWTSTAMP_TX_ON
	}
	return unix.IoctlSetHwTstamp(u.fd, ifname, config)
}

// mostSegments is what a probe found; 0 is not yet probed.
var mostSegments atomic.Int32

// segmentsOf is how many segments a send may have: UDP_MAX_SEGMENTS can only be found out by trying.
func segmentsOf(fd int) int {
	if _, err := unix.GetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_SEGMENT); err != nil {
		return 0
	}
	if n := mostSegments.Load(); n > 0 {
		return int(n)
	}
	err := trySegments(MaxSegments)
	switch {
	case err == nil:
		mostSegments.Store(MaxSegments)
		return MaxSegments
	case errors.Is(err, unix.EINVAL):
		mostSegments.Store(MaxSegments / 2)
	}
	return MaxSegments / 2 // no loopback to try on: what every kernel since 4.18 takes
}

// trySegments sends n segments of one byte to itself.
func trySegments(n int) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_UDP)
	if err != nil {
		return err
	}
	err = func() error {
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_SEGMENT, 1); err != nil {
			return err
		}
		if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
			return err
		}
		self, err := unix.Getsockname(fd)
		if err != nil {
			return err
		}
		return unix.Sendto(fd, make([]byte, n), unix.MSG_DONTWAIT, self)
	}()
	return errors.Join(err, unix.Close(fd))
}
