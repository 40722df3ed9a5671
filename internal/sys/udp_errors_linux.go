package sys

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"
)

// errorRoom is what the kernel writes an entry of the error queue into. It lies on the Go heap, which does not move, and is used
// only while its socket is: the addresses in head are its own.
type errorRoom struct {
	head    msghdr
	to      Address
	control [256]byte
}

func newErrorRoom() *errorRoom {
	r := new(errorRoom)
	r.head.name = uintptr(unsafe.Pointer(&r.to))
	r.head.control = uintptr(unsafe.Pointer(&r.control))
	return r
}

// struct sock_extended_err: errno 4, origin 1, type 1, code 1, padding 1, info 4, data 4; then the address of who said it.
const extendedErr = 16

// NextError takes the next entry from the error queue and reports whether there was one. Network errors are there with ErrorQueue,
// timestamps with SendStamps. Taking an error here also takes it from the next send or receive, unless it was told there already.
func (u *UDP) NextError(q *QueuedError) (bool, error) {
	r := u.errorRoom
	*q, r.to = QueuedError{}, Address{}
	r.head.namelen, r.head.controllen = sockaddr6Size, unsafe.Sizeof(r.control)
	_, _, e := unix.RawSyscall(unix.SYS_RECVMSG, uintptr(u.fd), uintptr(unsafe.Pointer(&r.head)), unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
	if e != 0 {
		return false, nothing(e)
	}
	if r.head.namelen > 0 {
		q.To = r.to
		q.To.settle()
	}
	q.read(r.control[:min(r.head.controllen, unsafe.Sizeof(r.control))])
	return true, nil
}

// read fills q from control data.
func (q *QueuedError) read(control []byte) {
	for len(control) > 0 {
		level, kind, body, rest, ok := nextControl(control)
		if !ok {
			return
		}
		switch {
		case level == unix.IPPROTO_IP && kind == unix.IP_RECVERR, level == unix.IPPROTO_IPV6 && kind == unix.IPV6_RECVERR:
			q.readExtended(body)
		case level == unix.SOL_SOCKET && kind == unix.SCM_TIMESTAMPING:
			q.Stamp, q.Hardware = stampOf(body)
		}
		control = rest
	}
}

func (q *QueuedError) readExtended(body []byte) {
	if len(body) < extendedErr {
		return
	}
	errno, origin := unix.Errno(binary.NativeEndian.Uint32(body)), body[4]
	info, data := binary.NativeEndian.Uint32(body[8:]), binary.NativeEndian.Uint32(body[12:])
	if origin == unix.SO_EE_ORIGIN_TIMESTAMPING {
		q.Sent = data
		return
	}
	q.Err, q.Local, q.Type, q.Code = errno, origin == unix.SO_EE_ORIGIN_LOCAL, body[5], body[6]
	if errno == unix.EMSGSIZE {
		q.MTU = info
	}
	if !q.Local {
		copy(q.From.raw[:], body[extendedErr:])
		q.From.settle()
	}
}
