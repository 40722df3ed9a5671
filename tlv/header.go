package tlv

import (
	"encoding/binary"
	"strconv"
)

var (
	le = binary.LittleEndian
	be = binary.BigEndian
)

const (
	Magic          = 0xDEADBEEF // on the wire EF BE AD DE
	Version        = 1          // the only version there is
	HeaderSize     = 32         // bytes, both dialects
	DefaultMessage = 1 << 20    // default limit of a whole message, bytes

	// detectLimit separates payload sizes from the upper half of a packed timestamp, which is
	// above 16 Mi for every time after spring 1972.
	detectLimit = 16 << 20
)

// Flag bits of the header. Nothing in the original enforces them.
const (
	FlagCompressed = 1 << iota
	FlagEncrypted
	FlagHighPriority
	FlagAckWanted
	FlagTraced
	FlagReplay
)

// Dialect is the byte layout of header and payloads. The zero Dialect means "recognise it".
type Dialect uint8

//	0      4      5       6      7     8            12        16         20         24           28
//
// Aligned  magic  domain version source flags sequence ------------  timestamp -----------  payload_size checksum
// Packed   magic  domain version source flags payload_size sequence ----------- timestamp -------------- checksum
const (
	Aligned Dialect = 1 // canonical: naturally aligned header and payload structs
	Packed  Dialect = 2 // older: no padding anywhere
)

// String is "aligned", "packed" or "unknown".
func (d Dialect) String() string {
	switch d {
	case Aligned:
		return "aligned"
	case Packed:
		return "packed"
	}
	return "unknown"
}

// Detect recognises the dialect of a message from its header.
// ok is false when b is shorter than a header or neither reading gives a plausible size.
//
// The u32 at 24 decides: in an aligned header it is the payload size, in a packed one the upper half of a
// nanosecond timestamp. The u32 at 8 must not be asked first: an aligned sequence number often looks like a size.
func Detect(b []byte) (d Dialect, ok bool) {
	if len(b) < HeaderSize {
		return 0, false
	}
	if le.Uint32(b[24:]) <= detectLimit {
		return Aligned, true
	}
	return Packed, le.Uint32(b[8:]) <= detectLimit
}

// Header is the 32 bytes in front of every message. Numbers are as on the wire.
type Header struct {
	RelayDomain uint8  // see Numbering
	Version     uint8  // 1; a Builder writes 1 for 0
	Source      Source // see Numbering
	Flags       uint8  // Flag bits
	Sequence    uint64 // rises by one per source and domain; 0 means unnumbered
	Timestamp   uint64 // ns since the Unix epoch
	PayloadSize uint32 // bytes of TLVs; a Builder fills it in
	Checksum    uint32 // CRC-32 of all other bytes, or 0 for unset; a Builder fills it in
}

// load reads a header in dialect d; b has at least HeaderSize bytes.
func (h *Header) load(b []byte, d Dialect) {
	b = b[:HeaderSize:HeaderSize]
	h.RelayDomain, h.Version, h.Source, h.Flags = b[4], b[5], Source(b[6]), b[7]
	h.Checksum = le.Uint32(b[28:])
	if d == Packed {
		h.PayloadSize, h.Sequence, h.Timestamp = le.Uint32(b[8:]), le.Uint64(b[12:]), le.Uint64(b[20:])
		return
	}
	h.Sequence, h.Timestamp, h.PayloadSize = le.Uint64(b[8:]), le.Uint64(b[16:]), le.Uint32(b[24:])
}

// put writes a header in dialect d with checksum 0; b has at least HeaderSize bytes.
func (h *Header) put(b []byte, d Dialect, payload int) {
	b = b[:HeaderSize:HeaderSize]
	version := h.Version
	if version == 0 {
		version = Version
	}
	le.PutUint32(b, Magic)
	b[4], b[5], b[6], b[7] = h.RelayDomain, version, byte(h.Source), h.Flags
	if d == Packed {
		le.PutUint32(b[8:], uint32(payload))
		le.PutUint64(b[12:], h.Sequence)
		le.PutUint64(b[20:], h.Timestamp)
	} else {
		le.PutUint64(b[8:], h.Sequence)
		le.PutUint64(b[16:], h.Timestamp)
		le.PutUint32(b[24:], uint32(payload))
	}
	le.PutUint32(b[28:], 0)
}

// sizeOffset is where payload_size stands in dialect d.
func sizeOffset(d Dialect) int {
	if d == Packed {
		return 8
	}
	return 24
}

func unnamed(what string, n int) string { return what + "_" + strconv.Itoa(n) }
