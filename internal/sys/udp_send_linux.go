package sys

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// SendBatch is a batch of messages on their way out. A message is written nowhere: it is a list of pieces that lie in rings and
// slabs, and the kernel gathers them. With a segment size, one message leaves as many datagrams (UDP_SEGMENT).
//
//	Reset ─ Begin Add Add ─ Begin Add ─ Send ─ Send ─ Reset
//
// The batch lies outside the Go heap. It belongs to one goroutine. The zero SendBatch is not valid.
type SendBatch struct {
	arena *Mapping
	heads []mmsghdr
	vecs  []iovec
	marks []sendMark

	begun, sent int // messages
	used        int // vecs
	room        int // bytes that the message last begun still takes
	end         uintptr
}

// sendMark is what a message needs besides its head and pieces: one cache line.
type sendMark struct {
	to      [32]byte
	control cmsghdr
	segment uint16
	_       [64 - 32 - unsafe.Sizeof(cmsghdr{}) - 2]byte
}

const segmentControl = uintptr(cmsgHead + cmsgAlign) // CMSG_SPACE of a uint16

// NewSendBatch makes room for so many messages, at most MaxMessages, of so many pieces together.
func NewSendBatch(messages, pieces int) (*SendBatch, error) {
	if messages < 1 || messages > MaxMessages || pieces < messages || pieces > 1<<20 {
		return nil, fmt.Errorf("send batch of %d messages and %d pieces: want 1 to %d messages and 1 to 1,048,576 pieces, "+
			"no fewer than messages", messages, pieces, MaxMessages)
	}
	m, err := Arena(slotBytes[mmsghdr](messages) + slotBytes[iovec](pieces) + slotBytes[sendMark](messages))
	if err != nil {
		return nil, fmt.Errorf("send batch: %w", err)
	}
	c := carve{m: m}
	b := &SendBatch{arena: m, heads: slots[mmsghdr](&c, messages), vecs: slots[iovec](&c, pieces), marks: slots[sendMark](&c, messages)}
	for i := range b.heads {
		h, k := &b.heads[i], &b.marks[i]
		h.name = uintptr(unsafe.Pointer(&k.to))
		h.control = uintptr(unsafe.Pointer(&k.control))
		k.control = cmsghdr{length: uintptr(cmsgHead + 2), level: unix.IPPROTO_UDP, kind: unix.UDP_SEGMENT}
	}
	return b, nil
}

// Close gives the memory back. Nobody may use the batch afterwards.
func (b *SendBatch) Close() error {
	b.heads, b.vecs, b.marks = nil, nil, nil
	b.Reset()
	return b.arena.Unmap()
}

// Reset empties the batch, sent or not.
func (b *SendBatch) Reset() { b.begun, b.sent, b.used, b.room, b.end = 0, 0, 0, 0, 0 }

// Begin begins a message to an address that is copied, or nil on a connected socket. segment > 0 cuts it into datagrams of that many
// bytes, the last one as short as it falls, at most MaxSegments of them; 0 makes it one datagram. It reports false when the batch has
// no room for a message and a piece of it, or when segment is negative or above MaxDatagram. A message to which nothing is added
// leaves as an empty datagram.
func (b *SendBatch) Begin(to *Address, segment int) bool {
	if b.begun == len(b.heads) || b.used == len(b.vecs) || uint(segment) > MaxDatagram {
		return false
	}
	h, k := &b.heads[b.begun], &b.marks[b.begun]
	b.begun++
	h.namelen, h.controllen = 0, 0
	if to != nil {
		*(*[sockaddr6Size]byte)(k.to[:]) = to.raw
		h.namelen = to.size()
	}
	b.room, b.end = MaxDatagram, 0
	if segment > 0 {
		k.segment = uint16(segment)
		h.controllen = segmentControl
		b.room = min(MaxDatagram, segment*MaxSegments)
	}
	h.iov = uintptr(unsafe.Pointer(&b.vecs[b.used]))
	h.iovlen = 0
	return true
}

// Add adds a piece to the message last begun. p must lie outside the Go heap, in a mapping or an Arena, and stay as it is until the
// message is sent: the kernel is given its address, and the collector knows nothing of it. It reports false, and adds nothing, when
// the message would exceed MaxDatagram, its segments or 1024 pieces, or the batch its pieces. A piece that goes on where the
// one before it ends takes no room of its own.
func (b *SendBatch) Add(p []byte) bool {
	if len(p) == 0 {
		return b.begun > 0
	}
	if len(p) > b.room {
		return false
	}
	at := uintptr(unsafe.Pointer(unsafe.SliceData(p)))
	if at == b.end {
		b.vecs[b.used-1].length += uintptr(len(p))
	} else {
		h := &b.heads[b.begun-1]
		if b.used == len(b.vecs) || h.iovlen == MaxMessages { // UIO_MAXIOV, too
			return false
		}
		b.vecs[b.used] = iovec{at, uintptr(len(p))}
		b.used++
		h.iovlen++
	}
	b.end = at + uintptr(len(p))
	b.room -= len(p)
	return true
}

// Len returns how many messages were begun.
func (b *SendBatch) Len() int { return b.begun }

// Unsent returns how many of them were neither sent nor skipped.
func (b *SendBatch) Unsent() int { return b.begun - b.sent }

// Skip gives up the first unsent message, the one that Send was refused for, and returns how many datagrams it was.
func (b *SendBatch) Skip() (datagrams int) {
	if b.sent == b.begun {
		return 0
	}
	h, k, size := &b.heads[b.sent], &b.marks[b.sent], 0
	if h.controllen > 0 {
		first := (h.iov - uintptr(unsafe.Pointer(&b.vecs[0]))) / unsafe.Sizeof(iovec{})
		for _, v := range b.vecs[first : first+h.iovlen] {
			size += int(v.length)
		}
		datagrams = (size + int(k.segment) - 1) / int(k.segment)
	}
	b.sent++
	return max(datagrams, 1)
}

// Send sends from the first unsent message on, in order, and returns how many left (sendmmsg). A message that is refused ends the
// call; its error comes when it is the first, so at the next call. ErrAgain says that the send buffer is full. The errors are plain
// numbers: no call allocates.
func (u *UDP) Send(b *SendBatch) (int, error) {
	unsent := b.heads[b.sent:b.begun]
	if len(unsent) == 0 {
		return 0, nil
	}
	n, _, e := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(u.fd), uintptr(unsafe.Pointer(&unsent[0])), uintptr(len(unsent)),
		unix.MSG_DONTWAIT, 0, 0)
	if e != 0 {
		return 0, e
	}
	b.sent += int(n)
	return int(n), nil
}

// SendOne sends p as one datagram to the peer of a connected socket. p may lie anywhere. Errors are those of Send.
func (u *UDP) SendOne(p []byte) error {
	_, _, e := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(u.fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)),
		unix.MSG_DONTWAIT, 0, 0)
	if e != 0 {
		return e
	}
	return nil
}

// SendOneTo sends p as one datagram to an address. p may lie anywhere. Errors are those of Send.
func (u *UDP) SendOneTo(p []byte, to *Address) error {
	_, _, e := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(u.fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)),
		unix.MSG_DONTWAIT, uintptr(unsafe.Pointer(to)), uintptr(to.size()))
	if e != 0 {
		return e
	}
	return nil
}
