package sys

import (
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Netlink is an rtnetlink socket that never blocks but in Wait. It belongs to one goroutine.
type Netlink struct {
	fd int
}

// OpenNetlink opens a socket in the network namespace of the calling thread, which hears what the kernel tells the groups (RTNLGRP_).
func OpenNetlink(groups ...int) (*Netlink, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("netlink socket: %w", err)
	}
	n := &Netlink{fd}
	if err := n.join(groups); err != nil {
		return nil, errors.Join(fmt.Errorf("netlink: %w", err), n.Close())
	}
	return n, nil
}

func (n *Netlink) join(groups []int) error {
	if err := unix.Bind(n.fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	for _, g := range groups {
		if err := unix.SetsockoptInt(n.fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, g); err != nil {
			return fmt.Errorf("group %d: %w", g, err)
		}
	}
	return nil
}

// Close gives the socket back. Later calls answer EBADF.
func (n *Netlink) Close() error {
	fd := n.fd
	n.fd = -1
	return unix.Close(fd)
}

// Send hands messages to the kernel, which has done what they ask when it returns.
func (n *Netlink) Send(b []byte) error {
	return unix.Sendto(n.fd, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
}

// Recv reads one datagram of the kernel's into b. It is EAGAIN when there is none, and ENOBUFS when some were lost: because nobody read
// for long, or because b is too short for this one. What other processes send is thrown away.
func (n *Netlink) Recv(b []byte) (int, error) {
	for {
		var from unix.RawSockaddrNetlink
		size := uint32(unsafe.Sizeof(from))
		got, _, e := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(n.fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)),
			unix.MSG_DONTWAIT|unix.MSG_TRUNC, uintptr(unsafe.Pointer(&from)), uintptr(unsafe.Pointer(&size)))
		switch {
		case e == unix.EINTR || e == 0 && from.Pid != 0:
			continue
		case e != 0:
			return 0, e
		case int(got) > len(b):
			return 0, unix.ENOBUFS
		}
		return int(got), nil
	}
}

// Wait sleeps until something is there to read, at most timeout. It returns nil in either case and after a signal: the caller looks again.
func (n *Netlink) Wait(timeout time.Duration) error {
	if n.fd < 0 {
		return unix.EBADF // ppoll would sleep over it
	}
	p := []unix.PollFd{{Fd: int32(n.fd), Events: unix.POLLIN}}
	ts := unix.NsecToTimespec(int64(max(timeout, 0)))
	if _, err := unix.Ppoll(p, &ts, nil); err != nil && !errors.Is(err, unix.EINTR) {
		return err
	}
	return nil
}
