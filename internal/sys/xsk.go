package sys

import (
	"encoding/binary"
	"unsafe"
)

// XSKDesc names the bytes of one chunk, as the kernel lays it out (struct xdp_desc).
type XSKDesc struct {
	Addr    uint64 // from the start of the registered memory
	Len     uint32
	Options uint32
}

// XSKContinued in XSKDesc.Options: the packet goes on in the next descriptor (XDP_PKT_CONTD, since Linux 6.6).
const XSKContinued = 1

// XSKTold in XSKDesc.Options: before the packet lies what the kernel is told of it (XDP_TX_METADATA, since Linux 6.8).
const XSKTold = 2

// XSKTellSize is the bytes before every packet in memory that was registered with room for that (struct xsk_tx_metadata).
const XSKTellSize = 24

// TellChecksum writes what is told of a packet whose checksum the kernel or the device fills in: over all from start on, into two bytes
// at offset from there (XDP_TXMD_FLAGS_CHECKSUM).
func TellChecksum(room *[XSKTellSize]byte, start, offset uint16) {
	const flagChecksum = 1 << 1
	binary.NativeEndian.PutUint64(room[:], flagChecksum)
	binary.NativeEndian.PutUint16(room[8:], start)
	binary.NativeEndian.PutUint16(room[10:], offset)
}

// XSKWakeup in a ring's flags word: the kernel sleeps and wants a system call (XDP_RING_NEED_WAKEUP).
const XSKWakeup = 1

// XSKRing is one of the four rings that an AF_XDP socket shares with the kernel: one side alone moves the producer, the other alone
// the consumer, both modulo 2³², and what is between them in Entries belongs to the consumer's side.
type XSKRing struct {
	Mem
	Producer, Consumer, Flags uint64 // offsets of 32-bit words
	Entries                   uint64 // offset of the first entry
	Size                      uint32 // entries, a power of two
}

// Addrs lends the entries of a fill or completion ring. They are valid as long as the memory is.
func (r *XSKRing) Addrs() []uint64 {
	return unsafe.Slice((*uint64)(unsafe.Add(r.p, r.Entries)), r.Size)
}

// Descs lends the entries of a receive or send ring. They are valid as long as the memory is.
func (r *XSKRing) Descs() []XSKDesc {
	return unsafe.Slice((*XSKDesc)(unsafe.Add(r.p, r.Entries)), r.Size)
}

// XSKRings are a socket's rings. Receive or Send is the zero XSKRing in a socket opened without.
type XSKRings struct {
	Fill, Completion, Receive, Send XSKRing
}

// XSKSizes are entries of rings, powers of two. Fill and Completion are needed by every socket; 0 leaves out Receive or Send.
type XSKSizes struct {
	Fill, Completion, Receive, Send int
}

// XSKBind says which queue a socket takes, and how.
type XSKBind struct {
	Interface, Queue int
	ZeroCopy         bool // packets lie in the registered memory from the device on; otherwise the kernel copies
	Segments         bool // packets may take several chunks (XDP_USE_SG, since Linux 6.6)
	Share            *XSK // whose memory it uses; nil for a socket with memory of its own. ZeroCopy and Segments are then that socket's
}

// XSKStatistics are the kernel's counters of one socket.
type XSKStatistics struct {
	Dropped     uint64 // arrived and thrown away: too large, or no chunk for it
	Invalid     uint64 // addresses in the fill ring that are none
	SendInvalid uint64 // descriptors in the send ring that are none
	RingFull    uint64 // thrown away because the receive ring was full
	FillEmpty   uint64 // the fill ring had nothing when a packet came
	SendEmpty   uint64 // the send ring had nothing when the kernel looked
}
