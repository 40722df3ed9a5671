package sys

import (
	"errors"
	"fmt"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// XSK is an AF_XDP socket: it takes packets off one queue of an interface before the kernel looks at them, and puts packets there.
// One goroutine at a time uses the send ring and Kick, one the receive ring and Poke. They enter the kernel without telling the Go
// scheduler: nothing in them waits.
type XSK struct {
	fd    int
	rings XSKRings
	maps  []*Mapping
}

// OpenXSK opens a socket in the network namespace of the calling thread. It is EPERM without CAP_NET_RAW.
func OpenXSK() (*XSK, error) {
	fd, err := unix.Socket(unix.AF_XDP, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("xdp socket: %w", err)
	}
	return &XSK{fd: fd}, nil
}

// Register gives the kernel m, cut into chunks of that many bytes; it stays mapped until the socket and all that share with it are
// closed. With tell every packet to send has XSKTellSize bytes of room before it, whether something is told there or not; a kernel that
// knows nothing of it answers EINVAL. ENOBUFS says that RLIMIT_MEMLOCK is too low, maybe only until the kernel has let go of the memory
// of closed sockets.
func (x *XSK) Register(m *Mapping, chunk int, tell bool) error {
	reg := unix.XDPUmemReg{Addr: uint64(m.addr), Len: uint64(m.length), Size: uint32(chunk)}
	if tell {
		reg.Flags, reg.Tx_metadata_len = unix.XDP_UMEM_TX_METADATA_LEN, XSKTellSize
	}
	if err := x.set(unix.XDP_UMEM_REG, unsafe.Pointer(&reg), unsafe.Sizeof(reg)); err != nil {
		return fmt.Errorf("register %d bytes in chunks of %d: %w", m.length, chunk, err)
	}
	return nil
}

// MakeRings makes the rings and maps them.
func (x *XSK) MakeRings(n XSKSizes) error {
	rings := []struct {
		name, size int
		page       int64
		entry      uintptr
		ring       *XSKRing
		offset     unix.XDPRingOffset
	}{
		{name: unix.XDP_UMEM_FILL_RING, size: n.Fill, page: unix.XDP_UMEM_PGOFF_FILL_RING, entry: 8, ring: &x.rings.Fill},
		{name: unix.XDP_UMEM_COMPLETION_RING, size: n.Completion, page: unix.XDP_UMEM_PGOFF_COMPLETION_RING, entry: 8, ring: &x.rings.Completion},
		{name: unix.XDP_RX_RING, size: n.Receive, page: unix.XDP_PGOFF_RX_RING, entry: 16, ring: &x.rings.Receive},
		{name: unix.XDP_TX_RING, size: n.Send, page: unix.XDP_PGOFF_TX_RING, entry: 16, ring: &x.rings.Send},
	}
	for _, r := range rings {
		if r.size == 0 {
			continue
		}
		if err := unix.SetsockoptInt(x.fd, unix.SOL_XDP, r.name, r.size); err != nil {
			return fmt.Errorf("xdp ring of %d: %w", r.size, err)
		}
	}
	var offsets unix.XDPMmapOffsets
	if err := x.get(unix.XDP_MMAP_OFFSETS, unsafe.Pointer(&offsets), unsafe.Sizeof(offsets)); err != nil {
		return fmt.Errorf("xdp ring offsets: %w", err)
	}
	rings[0].offset, rings[1].offset, rings[2].offset, rings[3].offset = offsets.Fr, offsets.Cr, offsets.Rx, offsets.Tx
	for _, r := range rings {
		if r.size == 0 {
			continue
		}
		length := uintptr(r.offset.Desc) + uintptr(r.size)*r.entry
		p, err := unix.MmapPtr(x.fd, r.page, nil, length, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
		if err != nil {
			return fmt.Errorf("map xdp ring: %w", err)
		}
		m := &Mapping{Mem{p}, uintptr(p), int(length)}
		x.maps = append(x.maps, m)
		*r.ring = XSKRing{m.Mem, r.offset.Producer, r.offset.Consumer, r.offset.Flags, r.offset.Desc, uint32(r.size)}
	}
	return nil
}

// Rings lends the rings. They are valid until Close.
func (x *XSK) Rings() XSKRings { return x.rings }

// Bind puts the socket to work. EBUSY says that somebody has the queue, maybe only until the kernel is done with a closed socket;
// EOPNOTSUPP that the driver cannot do it so; EINVAL that there is no such queue, or that the kernel does not know Segments.
func (x *XSK) Bind(b XSKBind) error {
	at := &unix.SockaddrXDP{Ifindex: uint32(b.Interface), QueueID: uint32(b.Queue)}
	if b.Share != nil {
		at.Flags, at.SharedUmemFD = unix.XDP_SHARED_UMEM, uint32(b.Share.fd) // takes no other flags
	} else {
		at.Flags = unix.XDP_USE_NEED_WAKEUP | unix.XDP_COPY
		if b.ZeroCopy {
			at.Flags = unix.XDP_USE_NEED_WAKEUP | unix.XDP_ZEROCOPY
		}
		if b.Segments {
			at.Flags |= unix.XDP_USE_SG
		}
	}
	if err := unix.Bind(x.fd, at); err != nil {
		return fmt.Errorf("bind xdp socket to queue %d: %w", b.Queue, err)
	}
	return nil
}

// ZeroCopy says whether the kernel copies nothing, as the bound socket tells it (XDP_OPTIONS, since Linux 5.3).
func (x *XSK) ZeroCopy() (bool, error) {
	var flags uint32
	err := x.get(unix.XDP_OPTIONS, unsafe.Pointer(&flags), unsafe.Sizeof(flags))
	return flags&unix.XDP_OPTIONS_ZEROCOPY != 0, err
}

// SendBudget lets one Kick send up to n packets in copy mode instead of 32 (XDP_MAX_TX_SKB_BUDGET, since Linux 6.17). It is
// ENOPROTOOPT before.
func (x *XSK) SendBudget(n int) error {
	return unix.SetsockoptInt(x.fd, unix.SOL_XDP, unix.XDP_MAX_TX_SKB_BUDGET, n)
}

// BusyPoll has system calls on the socket drive the device's queue for so long, budget packets at a time, and keeps its interrupts
// off meanwhile (since Linux 5.11).
func (x *XSK) BusyPoll(d time.Duration, budget int) error {
	us := int((d + time.Microsecond - 1) / time.Microsecond)
	return errors.Join(
		unix.SetsockoptInt(x.fd, unix.SOL_SOCKET, unix.SO_PREFER_BUSY_POLL, 1),
		unix.SetsockoptInt(x.fd, unix.SOL_SOCKET, unix.SO_BUSY_POLL, us),
		unix.SetsockoptInt(x.fd, unix.SOL_SOCKET, unix.SO_BUSY_POLL_BUDGET, budget))
}

// Statistics reads the kernel's counters.
func (x *XSK) Statistics() (XSKStatistics, error) {
	var s unix.XDPStatistics
	err := x.get(unix.XDP_STATISTICS, unsafe.Pointer(&s), unsafe.Sizeof(s))
	return XSKStatistics{s.Rx_dropped, s.Rx_invalid_descs, s.Tx_invalid_descs, s.Rx_ring_full, s.Rx_fill_ring_empty_descs,
		s.Tx_ring_empty_descs}, err
}

// Kick has the kernel send what is in the send ring; in copy mode it sends within the call. EAGAIN says that more is left, ENETDOWN
// that the interface is down, ENXIO that it is gone.
func (x *XSK) Kick() error {
	_, _, e := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(x.fd), 0, 0, unix.MSG_DONTWAIT, 0, 0)
	return quiet(e)
}

// Poke has the kernel look at the fill ring, and at the device's queue if that is polled (since Linux 5.11). Its errors are Kick's.
func (x *XSK) Poke() error {
	_, _, e := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(x.fd), 0, 0, unix.MSG_DONTWAIT, 0, 0)
	return quiet(e)
}

// The errors of Kick and Poke, boxed once.
var (
	errAgain error = unix.EAGAIN
	errBusy  error = unix.EBUSY
	errDown  error = unix.ENETDOWN
	errGone  error = unix.ENXIO
)

// quiet makes an error of e without allocating.
func quiet(e unix.Errno) error {
	switch e {
	case 0:
		return nil
	case unix.EAGAIN:
		return errAgain
	case unix.EBUSY:
		return errBusy
	case unix.ENETDOWN:
		return errDown
	case unix.ENXIO:
		return errGone
	}
	return e
}

// Wait sleeps until a packet is in the receive ring or, with room, half of the send ring is free, at most timeout. It returns nil in
// each case and after a signal. Unlike its siblings it lets the scheduler run others meanwhile.
func (x *XSK) Wait(timeout time.Duration, room bool) error {
	p := unix.PollFd{Fd: int32(x.fd), Events: unix.POLLIN}
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

// FD is the descriptor, for a map of sockets. It stays x's.
func (x *XSK) FD() int { return x.fd }

// Close unmaps the rings and closes the socket. The kernel lets go of queue and memory a few milliseconds later.
func (x *XSK) Close() error {
	var faults []error
	for _, m := range x.maps {
		faults = append(faults, m.Unmap())
	}
	x.maps, x.rings = nil, XSKRings{}
	if x.fd >= 0 {
		faults = append(faults, unix.Close(x.fd))
	}
	x.fd = -1
	return errors.Join(faults...)
}

func (x *XSK) set(name int, p unsafe.Pointer, n uintptr) error {
	_, _, e := unix.Syscall6(unix.SYS_SETSOCKOPT, uintptr(x.fd), unix.SOL_XDP, uintptr(name), uintptr(p), n, 0)
	runtime.KeepAlive(p)
	if e != 0 {
		return e
	}
	return nil
}

func (x *XSK) get(name int, p unsafe.Pointer, n uintptr) error {
	size := uint32(n)
	_, _, e := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(x.fd), unix.SOL_XDP, uintptr(name), uintptr(p),
		uintptr(unsafe.Pointer(&size)), 0)
	runtime.KeepAlive(p)
	if e != 0 {
		return e
	}
	return nil
}
