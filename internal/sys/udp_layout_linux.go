package sys

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// The structures that sendmmsg(2) and recvmmsg(2) read, with addresses as numbers: they point outside the Go heap, so storing one
// needs no write barrier and hides nothing from the collector. Field order is the kernel's, padding falls as in C.

// msghdr is struct user_msghdr.
type msghdr struct {
	name       uintptr
	namelen    uint32
	iov        uintptr
	iovlen     uintptr
	control    uintptr
	controllen uintptr
	flags      uint32
}

// mmsghdr is struct mmsghdr.
type mmsghdr struct {
	msghdr
	length uint32
}

// iovec is struct iovec.
type iovec struct {
	base, length uintptr
}

// cmsghdr is struct cmsghdr: the head of a piece of control data, whose length counts the head.
type cmsghdr struct {
	length      uintptr
	level, kind int32
}

const (
	cmsgHead  = int(unsafe.Sizeof(cmsghdr{}))
	cmsgAlign = int(unsafe.Sizeof(uintptr(0)))

	_ = uint(unsafe.Sizeof(msghdr{}) - unix.SizeofMsghdr)
	_ = uint(unix.SizeofMsghdr - unsafe.Sizeof(msghdr{}))
	_ = uint(unsafe.Sizeof(iovec{}) - unix.SizeofIovec)
	_ = uint(unix.SizeofIovec - unsafe.Sizeof(iovec{}))
	_ = uint(unsafe.Sizeof(cmsghdr{}) - unix.SizeofCmsghdr)
	_ = uint(unix.SizeofCmsghdr - unsafe.Sizeof(cmsghdr{}))
)

// cmsgSpace is the room that n bytes take as control data (CMSG_SPACE).
func cmsgSpace(n int) int { return cmsgHead + (n+cmsgAlign-1)&^(cmsgAlign-1) }

// nextControl splits the first piece off control data. ok is false at the end, and where a length cannot be.
func nextControl(control []byte) (level, kind int32, body, rest []byte, ok bool) {
	if len(control) < cmsgHead {
		return 0, 0, nil, nil, false
	}
	var h cmsghdr
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&h)), cmsgHead), control)
	if h.length < uintptr(cmsgHead) || h.length > uintptr(len(control)) {
		return 0, 0, nil, nil, false
	}
	body = control[cmsgHead:h.length]
	if next := cmsgSpace(len(body)); next < len(control) {
		rest = control[next:]
	}
	return h.level, h.kind, body, rest, true
}

// settle clears what an address of the other family left behind and what does not tell one place from another.
func (a *Address) settle() {
	switch a.family() {
	case familyIPv4:
		clear(a.raw[8:])
	case familyIPv6:
		clear(a.raw[4:8])
	default:
		clear(a.raw[:])
	}
}
