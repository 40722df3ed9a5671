package sys

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// RecvBatch is room for messages on their way in: Recv fills it, and what it lends is valid until the next Recv or RecvOne. With GRO
// a message may hold several datagrams of one peer, all of one size but the last, which may be shorter. The batch lies outside the
// Go heap. It belongs to one goroutine. The zero RecvBatch is not valid.
type RecvBatch struct {
	arena *Mapping
	heads []mmsghdr
	vecs  []iovec
	marks []recvMark
	data  []byte
	size  int // bytes a message may have
	pitch int // bytes from one message's room to the next: size in whole cache lines
	n     int // messages there
}

// recvMark is what the kernel writes about a message besides its bytes: two cache lines.
type recvMark struct {
	from    [32]byte
	control [96]byte // CMSG_SPACE of a segment size (24) and three timestamps (64)
}

// NewRecvBatch makes room for so many messages, at most MaxMessages, of size bytes each, 1 to 65,536. With GRO, less than 65,536 may
// truncate.
func NewRecvBatch(messages, size int) (*RecvBatch, error) {
	if messages < 1 || messages > MaxMessages || size < 1 || size > 1<<16 {
		return nil, fmt.Errorf("receive batch of %d messages of %d bytes: want 1 to %d messages of 1 to 65,536 bytes",
			messages, size, MaxMessages)
	}
	pitch := (size + 63) &^ 63
	m, err := Arena(slotBytes[mmsghdr](messages) + slotBytes[iovec](messages) + slotBytes[recvMark](messages) + messages*pitch)
	if err != nil {
		return nil, fmt.Errorf("receive batch: %w", err)
	}
	c := carve{m: m}
	b := &RecvBatch{
		arena: m, heads: slots[mmsghdr](&c, messages), vecs: slots[iovec](&c, messages), marks: slots[recvMark](&c, messages),
		data: slots[byte](&c, messages*pitch), size: size, pitch: pitch,
	}
	for i := range b.heads {
		h, k := &b.heads[i], &b.marks[i]
		b.vecs[i] = iovec{uintptr(unsafe.Pointer(&b.data[i*pitch])), uintptr(size)}
		h.name, h.control = uintptr(unsafe.Pointer(&k.from)), uintptr(unsafe.Pointer(&k.control))
		h.iov, h.iovlen = uintptr(unsafe.Pointer(&b.vecs[i])), 1
		h.arm()
	}
	return b, nil
}

// arm sets again what the kernel overwrites with what it found.
func (h *mmsghdr) arm() {
	h.namelen = sockaddr6Size
	h.controllen = unsafe.Sizeof(recvMark{}.control)
}

// Close gives the memory back. Nobody may use the batch, or what it lent, afterwards.
func (b *RecvBatch) Close() error {
	b.heads, b.vecs, b.marks, b.data, b.n = nil, nil, nil, nil, 0
	return b.arena.Unmap()
}

// Recv takes what has arrived, at most as many messages as the batch holds, and returns how many (recvmmsg): 0 when nothing waits.
// An error is the socket's, such as ErrRefused; it is told once, and the next call goes on.
func (u *UDP) Recv(b *RecvBatch) (int, error) { return u.recv(b, len(b.heads)) }

func (u *UDP) recv(b *RecvBatch, most int) (int, error) {
	for i := range b.heads[:b.n] {
		b.heads[i].arm()
	}
	b.n = 0
	n, _, e := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(u.fd), uintptr(unsafe.Pointer(unsafe.SliceData(b.heads))), uintptr(most),
		unix.MSG_DONTWAIT, 0, 0)
	if e != 0 {
		return 0, nothing(e)
	}
	b.n = int(n)
	return b.n, nil
}

// nothing makes the absence of datagrams no error.
func nothing(e unix.Errno) error {
	if e == unix.EAGAIN || e == unix.EINTR {
		return nil
	}
	return e
}

// RecvOne takes at most one message, which is message 0. Without GRO and timestamps it costs less than Recv (recvfrom); otherwise it is a
// Recv of one.
func (u *UDP) RecvOne(b *RecvBatch) (int, error) {
	if !u.plain {
		return u.recv(b, 1)
	}
	return u.RecvBare(b)
}

// RecvBare is RecvOne that asks for the bytes and their sender alone, whatever the socket can tell: of several datagrams that arrive
// as one message it does not learn where one ends.
func (u *UDP) RecvBare(b *RecvBatch) (int, error) {
	h := b.bare()
	return u.recvBare(b, h, h.name, uintptr(unsafe.Pointer(&h.namelen)))
}

// RecvBytes is RecvBare that does not ask for the sender either, which costs the kernel less once more: From says nothing.
func (u *UDP) RecvBytes(b *RecvBatch) (int, error) {
	h := b.bare()
	h.namelen = 0
	return u.recvBare(b, h, 0, 0)
}

// bare empties the batch for one message.
func (b *RecvBatch) bare() *mmsghdr {
	for i := range b.heads[:max(b.n, 1)] {
		b.heads[i].arm()
	}
	b.n = 0
	return &b.heads[0]
}

func (u *UDP) recvBare(b *RecvBatch, h *mmsghdr, name, namelen uintptr) (int, error) {
	n, _, e := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(u.fd), b.vecs[0].base, uintptr(b.size), unix.MSG_DONTWAIT|unix.MSG_TRUNC, name, namelen)
	if e != 0 {
		b.heads[0].arm() // for a Recv, which arms only what was there
		return 0, nothing(e)
	}
	h.controllen, h.flags, h.length = 0, 0, uint32(n)
	if int(n) > b.size { // MSG_TRUNC tells the datagram's length
		h.flags, h.length = unix.MSG_TRUNC, uint32(b.size)
	}
	b.n = 1
	return 1, nil
}

// Len returns how many messages there are.
func (b *RecvBatch) Len() int { return b.n }

// Message lends message i and the size of the datagrams it is made of, the last one maybe shorter: all of it when it is one.
func (b *RecvBatch) Message(i int) (data []byte, segment int) {
	h := &b.heads[:b.n][i]
	off := i * b.pitch
	n := min(int(h.length), b.size)
	data = b.data[off : off+n : off+n]
	if h.controllen == 0 {
		return data, n
	}
	if body := b.control(i, unix.IPPROTO_UDP, unix.UDP_GRO); len(body) >= 4 {
		if s := int(binary.NativeEndian.Uint32(body)); s > 0 && s < n {
			return data, s
		}
	}
	return data, n
}

// Truncated reports whether message i was larger than its room: the rest is lost, and with it maybe whole datagrams.
func (b *RecvBatch) Truncated(i int) bool { return b.heads[:b.n][i].flags&unix.MSG_TRUNC != 0 }

// From returns who sent message i.
func (b *RecvBatch) From(i int) Address {
	var a Address
	if b.heads[:b.n][i].namelen > 0 {
		a.raw = [sockaddr6Size]byte(b.marks[i].from[:])
		a.settle()
	}
	return a
}

// FromIs reports whether a sent message i: From without a copy.
func (b *RecvBatch) FromIs(i int, a *Address) bool {
	if raw := b.marks[:b.n][i].from[:8]; b.heads[i].namelen > 0 && a.family() == familyIPv4 { // family, port and address
		return [8]byte(raw) == [8]byte(a.raw[:8])
	}
	return b.From(i) == *a
}

// Stamp returns when message i arrived, in nanoseconds since 1970, or of the device's clock if the device noted it. It is 0 when nobody
// did: stamps are off, or have been turned on so recently that the kernel does not stamp yet. With GRO it is the first datagram's.
func (b *RecvBatch) Stamp(i int) (ns int64, hardware bool) {
	return stampOf(b.control(i, unix.SOL_SOCKET, unix.SCM_TIMESTAMPING))
}

// stampOf reads struct scm_timestamping: software, a deprecated one, hardware.
func stampOf(body []byte) (ns int64, hardware bool) {
	var ts [3]unix.Timespec
	if len(body) < int(unsafe.Sizeof(ts)) {
		return 0, false
	}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&ts)), unsafe.Sizeof(ts)), body)
	if ns = ts[2].Nano(); ns != 0 {
		return ns, true
	}
	return ts[0].Nano(), false
}

// control finds a piece of message i's control data.
func (b *RecvBatch) control(i int, level, kind int32) []byte {
	rest := b.marks[:b.n][i].control[:]
	rest = rest[:min(uintptr(len(rest)), b.heads[i].controllen)]
	for len(rest) > 0 {
		l, k, body, next, ok := nextControl(rest)
		if !ok {
			return nil
		}
		if l == level && k == kind {
			return body
		}
		rest = next
	}
	return nil
}
