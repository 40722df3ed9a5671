package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/seal"
)

// A segment, NUMBER.seg, its name the number of its first entry in 16 hex digits. Little-endian, 8-aligned:
//
//	 0  magic u64
//	 8  version u32 · crc32c u32 of bytes 16 to 63
//	16  journal u64 · first u64 · size u64 · created i64 (Unix ns) · reserved 16
//	64  records, back to back; zeroes after the last
//
// A record:
//
//	 0  length u32 · sum u32     one word, stored last
//	 8  number u64
//	16  epoch u32 · kind u32
//	24  stamp i64 (Unix ns)
//	32  length bytes, zeroes up to a multiple of 8
//
// A dead letter has in front of its bytes, which may be no envelope, where it lay and why it was given up:
//
//	 0  position u64
//	 8  length of the reason u32 · reserved u32
//	16  the reason, the letter
//
// The sum is the CRC-32C of bytes 8 to the end of the padding, plus length × sumFactor: a length that changed changes the sum.
const (
	segMagic   = 0x474553_4c52_4a4c50 // "PLJRLSEG"
	segVersion = 1
	segHeader  = 64

	recHeader = 32
	recNumber = 8
	recKind   = 16
	recStamp  = 24

	kindEntry = 1 // an envelope
	kindEnd   = 2 // the segment's last: 8 bytes, the number that the next segment begins with
	kindDead  = 3 // a dead letter

	deadHeader = 16

	endSize   = recHeader + 8
	maxEntry  = seal.HeaderSize + seal.MaxBody // bytes of an envelope
	sumFactor = 0x9e3779b1

	firstNumber = 1
	segSuffix   = ".seg"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errEnd: no record lies there yet.
var errEnd = errors.New("end of journal")

// record is one record as it lies in a segment.
type record struct {
	number  uint64
	epoch   uint32
	kind    uint32
	stamp   int64
	payload []byte
	dead    *Dead  // nil: it is an envelope, or an end
	next    uint64 // offset after it
}

func stride(length uint64) uint64 { return recHeader + (length+7)&^7 }

// sum is the checksum of the record in b, header included and padding too.
func sum(b []byte, length uint32) uint32 {
	return crc32.Update(0, castagnoli, b[recNumber:]) + length*sumFactor
}

// parse reads the record at off of a segment whose commit word there is word. Nothing of it is believed before its sum is right; then due and
// least, the lowest epoch it may have, are what it must follow. It answers errEnd where no record is.
func parse(seg []byte, off, word, due uint64, least uint32) (r record, err error) {
	if word == 0 {
		return r, errEnd
	}
	length := word & (1<<32 - 1)
	if length == 0 || length > maxEntry || off+stride(length) > uint64(len(seg)) {
		return r, fmt.Errorf("a record of %d bytes", length)
	}
	b := seg[off : off+stride(length)]
	if got, want := sum(b, uint32(length)), uint32(word>>32); got != want {
		return r, fmt.Errorf("checksum %#08x, its bytes have %#08x", want, got)
	}
	le := binary.LittleEndian
	r = record{number: le.Uint64(b[recNumber:]), epoch: le.Uint32(b[recKind:]), kind: le.Uint32(b[recKind+4:]),
		stamp: int64(le.Uint64(b[recStamp:])), payload: b[recHeader : recHeader+length : recHeader+length], next: off + stride(length)}
	switch {
	case r.number != due:
		return r, fmt.Errorf("number %d where %d is due", r.number, due)
	case r.epoch < least:
		return r, fmt.Errorf("epoch %d after %d", r.epoch, least)
	case r.kind == kindDead:
		return r, r.letter()
	case r.kind != kindEntry && r.kind != kindEnd:
		return r, fmt.Errorf("a record of kind %d", r.kind)
	case r.kind == kindEnd && (length != 8 || le.Uint64(r.payload) != r.number):
		return r, errors.New("an end that names another number than its own")
	}
	return r, nil
}

// head is a segment's header.
type head struct {
	journal uint64
	first   uint64
	size    uint64
	created int64
}

func (h head) encode(b []byte) {
	le := binary.LittleEndian
	le.PutUint64(b, segMagic)
	le.PutUint32(b[8:], segVersion)
	clear(b[16:segHeader])
	le.PutUint64(b[16:], h.journal)
	le.PutUint64(b[24:], h.first)
	le.PutUint64(b[32:], h.size)
	le.PutUint64(b[40:], uint64(h.created))
	le.PutUint32(b[12:], crc32.Checksum(b[16:segHeader], castagnoli))
}

// decodeHead reads a segment's header.
func decodeHead(b []byte) (h head, err error) {
	le := binary.LittleEndian
	switch {
	case len(b) < segHeader:
		return h, fmt.Errorf("%d bytes, no room for a header", len(b))
	case le.Uint64(b) != segMagic:
		return h, fmt.Errorf("no segment of a journal: magic %#x", le.Uint64(b))
	case le.Uint32(b[8:]) != segVersion:
		return h, fmt.Errorf("layout version %d, this program knows %d", le.Uint32(b[8:]), segVersion)
	case crc32.Checksum(b[16:segHeader], castagnoli) != le.Uint32(b[12:]):
		return h, errors.New("header checksum")
	}
	h = head{journal: le.Uint64(b[16:]), first: le.Uint64(b[24:]), size: le.Uint64(b[32:]), created: int64(le.Uint64(b[40:]))}
	if h.first < firstNumber || h.size < leastSegment || h.size > mostSegment || h.size%pageBytes != 0 {
		return h, fmt.Errorf("a segment of %d bytes from number %d", h.size, h.first)
	}
	return h, nil
}

// corrupt says where bytes are not what was written.
func corrupt(path string, off uint64, why error) error {
	return fmt.Errorf("journal: %w: %s at offset %d: %w", mqadapt.ErrCorrupt, path, off, why)
}
