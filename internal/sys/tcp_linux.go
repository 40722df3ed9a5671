package sys

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TCP is a connection, or one that is being made, that never blocks but in Wait. Small writes leave at once (TCP_NODELAY). One goroutine
// uses it. Like a UDP it enters the kernel without telling the Go scheduler.
type TCP struct {
	fd     int
	remote netip.AddrPort
	head   unix.Msghdr
	vecs   [MaxPieces]unix.Iovec
}

// DialTCP begins a connection in the network namespace of the calling thread. Connected tells when it is made.
func DialTCP(o TCPOptions) (*TCP, error) {
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("tcp options: %w", err)
	}
	if !o.Connect.IsValid() {
		return nil, errors.New("tcp options: connect is not set")
	}
	fd, err := openTCP(&o)
	if err != nil {
		return nil, err
	}
	t := &TCP{fd: fd, remote: o.Connect}
	if o.Bind.IsValid() {
		err = bindTCP(fd, o.Bind)
	}
	if err == nil {
		err = t.connect(o.Connect)
	}
	if err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// TakeTCP makes a TCP of a connection of the net package, which it closes; it never blocks again. Of the options those of an open connection count.
func TakeTCP(c *net.TCPConn, o TCPOptions) (t *TCP, err error) {
	defer func() { err = errors.Join(err, c.Close()) }()
	remote, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return nil, net.ErrClosed
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	t = &TCP{fd: -1, remote: remote.AddrPort()}
	o.Bind, o.Connect = netip.AddrPort{}, t.remote
	var why error
	err = raw.Control(func(fd uintptr) {
		if t.fd, why = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0); why == nil {
			why = settleTCP(t.fd, &o)
		}
	})
	if err = errors.Join(err, why); err != nil && t.fd >= 0 {
		err = errors.Join(err, t.Close())
	}
	if err != nil {
		return nil, fmt.Errorf("tcp connection with %s: %w", remote, err)
	}
	return t, nil
}

// openTCP opens a socket with everything that has to be set before a connection is.
func openTCP(o *TCPOptions) (int, error) {
	family := familyIPv6
	if cmp.Or(o.Connect, o.Bind).Addr().Unmap().Is4() {
		family = familyIPv4
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err != nil {
		return -1, fmt.Errorf("tcp socket: %w", err)
	}
	if err := settleTCP(fd, o); err != nil {
		return -1, errors.Join(err, unix.Close(fd))
	}
	return fd, nil
}

// settleTCP sets what o asks for.
func settleTCP(fd int, o *TCPOptions) error {
	var faults []error
	set := func(what string, asked bool, level, name, value int) {
		if asked {
			if err := unix.SetsockoptInt(fd, level, name, value); err != nil {
				faults = append(faults, fmt.Errorf("tcp %s: %w", what, err))
			}
		}
	}
	set("no delay", true, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	set("user timeout", o.UserTimeout > 0, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(o.UserTimeout/time.Millisecond))
	set("receive buffer", o.RecvBuffer > 0, unix.SOL_SOCKET, unix.SO_RCVBUF, o.RecvBuffer)
	set("send buffer", o.SendBuffer > 0, unix.SOL_SOCKET, unix.SO_SNDBUF, o.SendBuffer)
	if cmp.Or(o.Connect, o.Bind).Addr().Unmap().Is4() {
		set("DSCP", o.DSCP > 0, unix.IPPROTO_IP, unix.IP_TOS, o.DSCP<<2)
	} else {
		set("DSCP", o.DSCP > 0, unix.IPPROTO_IPV6, unix.IPV6_TCLASS, o.DSCP<<2)
	}
	return errors.Join(faults...)
}

func bindTCP(fd int, ap netip.AddrPort) error {
	a, err := AddressOf(ap)
	if err != nil {
		return err
	}
	if _, _, e := unix.RawSyscall(unix.SYS_BIND, uintptr(fd), uintptr(unsafe.Pointer(&a)), uintptr(a.size())); e != 0 {
		return fmt.Errorf("tcp bind %s: %w", ap, e)
	}
	return nil
}

func (t *TCP) connect(to netip.AddrPort) error {
	a, err := AddressOf(to)
	if err != nil {
		return err
	}
	_, _, e := unix.RawSyscall(unix.SYS_CONNECT, uintptr(t.fd), uintptr(unsafe.Pointer(&a)), uintptr(a.size()))
	if e != 0 && e != unix.EINPROGRESS {
		return fmt.Errorf("tcp connect: %w", e)
	}
	return nil
}

// Connected reports whether the connection is made, or why it cannot be.
func (t *TCP) Connected() (bool, error) {
	p := unix.PollFd{Fd: int32(t.fd), Events: unix.POLLOUT}
	var ts unix.Timespec
	n, _, e := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&p)), 1, uintptr(unsafe.Pointer(&ts)), 0, 0, 0)
	if e != 0 && e != unix.EINTR {
		return false, e
	}
	if n == 0 || e == unix.EINTR {
		return false, nil
	}
	code, err := unix.GetsockoptInt(t.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return false, err
	}
	if code != 0 {
		return false, unix.Errno(code)
	}
	return true, nil
}

// Send writes pieces, at most MaxPieces of them, and returns how many bytes were taken; 0 and no error: there is no room now.
func (t *TCP) Send(pieces [][]byte) (int, error) {
	n := min(len(pieces), MaxPieces)
	if n == 1 {
		return t.sendOne(pieces[0])
	}
	k := 0
	for _, p := range pieces[:n] {
		if len(p) > 0 {
			t.vecs[k].Base = unsafe.SliceData(p)
			t.vecs[k].SetLen(len(p))
			k++
		}
	}
	if k == 0 {
		return 0, nil
	}
	t.head.Iov = &t.vecs[0]
	t.head.SetIovlen(k)
	sent, _, e := unix.RawSyscall(unix.SYS_SENDMSG, uintptr(t.fd), uintptr(unsafe.Pointer(&t.head)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	clear(t.vecs[:k]) // nothing is kept alive from here
	if e != 0 {
		return 0, nothing(e)
	}
	return int(sent), nil
}

func (t *TCP) sendOne(p []byte) (int, error) {
	n, _, e := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(t.fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)),
		unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
	if e != 0 {
		return 0, nothing(e)
	}
	return int(n), nil
}

// Recv reads what has arrived, as far as p has room; 0 and no error: nothing has. io.EOF: the far end writes no more.
func (t *TCP) Recv(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, _, e := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(t.fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), unix.MSG_DONTWAIT, 0, 0)
	if e != 0 {
		return 0, nothing(e)
	}
	if n == 0 {
		return 0, io.EOF
	}
	return int(n), nil
}

// Wait sleeps until something has arrived, or with room until something can be sent, at most timeout; it may end early.
func (t *TCP) Wait(timeout time.Duration, room bool) error {
	return (&UDP{fd: t.fd}).Wait(timeout, room)
}

// Remote returns the far end's address.
func (t *TCP) Remote() netip.AddrPort { return t.remote }

// Close ends the connection. Later calls answer EBADF.
func (t *TCP) Close() error {
	fd := t.fd
	t.fd = -1
	return unix.Close(fd)
}

// TCPListener takes connections. One goroutine uses it.
type TCPListener struct {
	fd      int
	local   netip.AddrPort
	options TCPOptions
}

// ListenTCP listens in the network namespace of the calling thread.
func ListenTCP(o TCPOptions) (*TCPListener, error) {
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("tcp options: %w", err)
	}
	if !o.Bind.IsValid() || o.Connect.IsValid() {
		return nil, errors.New("tcp options: a listener has an address to bind and none to connect to")
	}
	fd, err := openTCP(&o)
	if err != nil {
		return nil, err
	}
	l := &TCPListener{fd: fd, options: o}
	if err := l.setUp(); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (l *TCPListener) setUp() error {
	// A restarted listener takes its port at once, whatever is left of old connections.
	if err := unix.SetsockoptInt(l.fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return fmt.Errorf("tcp reuse address: %w", err)
	}
	if err := bindTCP(l.fd, l.options.Bind); err != nil {
		return err
	}
	if err := unix.Listen(l.fd, cmp.Or(l.options.Backlog, 128)); err != nil {
		return fmt.Errorf("tcp listen %s: %w", l.options.Bind, err)
	}
	var local Address
	size := uint32(sockaddr6Size)
	_, _, e := unix.RawSyscall(unix.SYS_GETSOCKNAME, uintptr(l.fd), uintptr(unsafe.Pointer(&local)), uintptr(unsafe.Pointer(&size)))
	if e != 0 {
		return fmt.Errorf("tcp local address: %w", e)
	}
	l.local = local.AddrPort()
	return nil
}

// Accept takes the next connection; nil and no error: there is none. What a connection brought that ended before it was taken is none.
func (l *TCPListener) Accept() (*TCP, error) {
	var from Address
	size := uint32(sockaddr6Size)
	fd, _, e := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(l.fd), uintptr(unsafe.Pointer(&from)), uintptr(unsafe.Pointer(&size)),
		unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
	if e == unix.ECONNABORTED || e == unix.EPROTO {
		return nil, nil
	}
	if e != 0 {
		return nil, nothing(e)
	}
	t := &TCP{fd: int(fd), remote: from.AddrPort()}
	if err := settleTCP(t.fd, &l.options); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// Local returns the own address, with the port the kernel picked.
func (l *TCPListener) Local() netip.AddrPort { return l.local }

// Close listens no more.
func (l *TCPListener) Close() error {
	fd := l.fd
	l.fd = -1
	return unix.Close(fd)
}
