package sys

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// UDP is a socket that never blocks but in Wait. One goroutine at a time sends, one receives and one reads the error queue; Close
// comes when none of them goes on. Sending and receiving enter the kernel without telling the Go scheduler (RawSyscall): they are
// short because nothing in them waits.
type UDP struct {
	fd        int
	plain     bool // no control data comes with a datagram: recvfrom tells everything
	family    uint16
	local     netip.AddrPort
	features  Features
	errorRoom *errorRoom
}

// OpenUDP opens a socket in the network namespace of the calling thread. Bad options are reported all at once. What the kernel or
// the process's rights do not allow of buffers, busy poll, GRO and timestamps is left out, and Features says so; everything else is
// an error.
func OpenUDP(o UDPOptions) (*UDP, error) {
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("udp options: %w", err)
	}
	fd, err := unix.Socket(int(o.family()), unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_UDP)
	if err != nil {
		return nil, fmt.Errorf("udp socket: %w", err)
	}
	u := &UDP{fd: fd, family: o.family(), errorRoom: newErrorRoom()}
	if err := u.setUp(&o); err != nil {
		return nil, errors.Join(err, u.Close())
	}
	return u, nil
}

// setUp is the ladder from a bare socket to one that is in use.
func (u *UDP) setUp(o *UDPOptions) error {
	if err := u.require(o); err != nil {
		return err
	}
	u.wish(o) // before bind, so that the first datagram finds everything in place
	if o.Bind.IsValid() {
		if err := u.name(unix.SYS_BIND, o.Bind); err != nil {
			return fmt.Errorf("udp bind %s: %w", o.Bind, err)
		}
	}
	if o.Connect.IsValid() {
		if err := u.name(unix.SYS_CONNECT, o.Connect); err != nil {
			return fmt.Errorf("udp connect %s: %w", o.Connect, err)
		}
	}
	var local Address
	size := uint32(sockaddr6Size)
	_, _, e := unix.RawSyscall(unix.SYS_GETSOCKNAME, uintptr(u.fd), uintptr(unsafe.Pointer(&local)), uintptr(unsafe.Pointer(&size)))
	if e != 0 {
		return fmt.Errorf("udp local address: %w", e)
	}
	u.local = local.AddrPort()
	return nil
}

// name calls bind or connect, neither of which waits on a UDP socket.
func (u *UDP) name(call uintptr, ap netip.AddrPort) error {
	a, err := AddressOf(ap)
	if err != nil {
		return err
	}
	if _, _, e := unix.RawSyscall(call, uintptr(u.fd), uintptr(unsafe.Pointer(&a)), uintptr(a.size())); e != 0 {
		return e
	}
	return nil
}

// Connect gives the socket a peer: from now on it sends to it and hears nobody else.
func (u *UDP) Connect(to netip.AddrPort) error {
	if err := u.name(unix.SYS_CONNECT, to); err != nil {
		return fmt.Errorf("udp connect %s: %w", to, err)
	}
	return nil
}

// Close gives the socket back; what has been sent still leaves. Later calls answer EBADF.
func (u *UDP) Close() error {
	fd := u.fd
	u.fd = -1
	return unix.Close(fd)
}

// Local returns the socket's own address, with the port the kernel picked.
func (u *UDP) Local() netip.AddrPort { return u.local }

// Features says what is in force.
func (u *UDP) Features() Features { return u.features }

// Wait sleeps until a datagram or an entry of the error queue is there, at most timeout; with room, also until a full send buffer
// takes datagrams again. It returns nil in each case and after a signal: the caller looks again. What is left in the error queue
// ends every wait at once. Unlike its siblings it lets the scheduler run others meanwhile.
func (u *UDP) Wait(timeout time.Duration, room bool) error {
	if u.fd < 0 {
		return unix.EBADF // ppoll would sleep over it
	}
	p := unix.PollFd{Fd: int32(u.fd), Events: unix.POLLIN}
	if room {
		p.Events |= unix.POLLOUT
	}
	ts := unix.NsecToTimespec(int64(max(timeout, 0)))
	_, _, e := unix.Syscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&p)), 1, uintptr(unsafe.Pointer(&ts)), 0, 0, 0)
	if e != 0 && e != unix.EINTR {
		return e
	}
	return nil
}

// Drops returns how many datagrams found the receive buffer full since the socket opened, modulo 2³² (SO_MEMINFO, since Linux 4.12).
func (u *UDP) Drops() (uint32, error) {
	const drops = 8 // SK_MEMINFO_DROPS
	var info [drops + 1]uint32
	size := uint32(unsafe.Sizeof(info))
	_, _, e := unix.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(u.fd), unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	if e != 0 {
		return 0, e
	}
	return info[drops], nil
}

// MTU returns the largest IP packet the connected path takes, as far as the kernel knows. It is ENOTCONN when not connected.
func (u *UDP) MTU() (int, error) {
	if u.family == familyIPv4 {
		return unix.GetsockoptInt(u.fd, unix.IPPROTO_IP, unix.IP_MTU)
	}
	return unix.GetsockoptInt(u.fd, unix.IPPROTO_IPV6, unix.IPV6_MTU)
}

// NAPI returns the number of the device queue that carried the last received datagram. Where it stays 0, as on loopback and plain
// veth, the device does not poll and BusyPoll has no effect.
func (u *UDP) NAPI() (int, error) {
	return unix.GetsockoptInt(u.fd, unix.SOL_SOCKET, unix.SO_INCOMING_NAPI_ID)
}

// interfaceIndex is the number of the interface called name in the calling thread's namespace.
func interfaceIndex(name string) (uint32, error) {
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return 0, fmt.Errorf("interface %q: %w", name, err)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("interface %q: %w", name, err)
	}
	if err := errors.Join(unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, ifr), unix.Close(fd)); err != nil {
		return 0, fmt.Errorf("interface %q: %w", name, err)
	}
	return ifr.Uint32(), nil
}
