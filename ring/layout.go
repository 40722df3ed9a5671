package ring

import (
	"encoding/binary"
	"hash/crc32"
)

// The data file, readers map it read-only:
//
//	   0  magic u64 · version u32 · reserved u32 · page u64 · capacity u64 · instance u64 · reserved u64 · crc32 u32
//	 128  published u64    writer, every batch: no record at or after it need be visible yet, all before it are
//	 256  limit u64        writer, every capacity/8 bytes: nothing below limit − capacity is whole any more
//	 384  epoch u64 · pid u32 · fenced u32      writer, at its start
//	1024  32 marks of 32 bytes                  writer, every capacity/8 bytes or so
//	page  capacity bytes of records, mapped twice in a row
//
// The cursors file:
//
//	   0  magic u64 · version u32 · reserved u32 · page u64 · capacity u64 · instance u64 · reserved u64 · crc32 u32
//	 128  gates u64        one bit per gating reader slot; readers set and clear, the writer clears to evict
//	 256  parked u32       bit 0: somebody sleeps; the rest counts wake-ups
//	4096  64 slots of 128 bytes
//
// A slot:
//
//	 0  cursor u64 · life u32    reader: cursor at every release, life at every attach
//	12  generation u32           writer: raised to evict
//	16  seq u64                  reader: the record at cursor, 0 while nothing is owed to it
//	64  state u32 · pid u32 · name [40]byte   reader, at attach
//
// Fields of different owners, and fields of different frequency, do not share a cache line.
const (
	magicData    = 0x474e495245534c50 // "PLSERING"
	magicCursors = 0x5352435245534c50 // "PLSERCRS"
	version      = 1

	hdrCRC       = 48
	hdrStatic    = 52
	hdrPublished = 128
	hdrLimit     = 256
	hdrEpoch     = 384
	hdrPID       = 392
	hdrFenced    = 396
	hdrMarks     = 1024
	hdrSize      = 4096

	curGates  = 128
	curParked = 256
	curSlots  = 4096
	curSize   = curSlots + MaxReaders*slotSize

	slotSize   = 128
	slotCursor = 0
	slotLife   = 8
	slotGen    = 12
	slotSeq    = 16
	slotState  = 64
	slotPID    = 68
	slotName   = 72

	markCount = 32
	markSize  = 32
)

const _ = uint(hdrSize - hdrMarks - markCount*markSize)
const _ = uint(slotSize - slotName - maxName)

// A record:
//
//	0  commit word u64: size u28 · reserved u2 · control u1 · reserved u1 · low half of seq u32
//	8  stamp u64
//	16 payload, padded to 8
//
// size counts header and payload, so a commit word is never 0. A word of 0, or one with another number than the reader
// waits for, means: not committed. A control record carries no message and has no seq of its own; its stamp field holds
// its kind. A pad fills the end of a single mapping and may consist of the commit word alone: its size then says 8, and
// every control record of another size has a stamp.
const (
	// HeaderSize is the number of bytes before a record's payload.
	HeaderSize = 16

	wordSize    = 8
	sizeMask    = 1<<28 - 1
	flagControl = 1 << 30
	flagMask    = 0xf << 28
	flagShift   = 28
	seqShift    = 32

	epochRecord = 64              // payload: new epoch u64, old epoch u64, and what it takes to begin the next record on a cache line
	skipRecord  = HeaderSize + 24 // payload: the next number u64, how many of those passed over are lost u64, the number that was due u64
	traceRecord = 64              // payload: the context, and what it takes to begin the next record as far into a cache line as this one does
	firstSeq    = 1
)

const _ = uint(traceRecord - HeaderSize - TraceSize)

// Kinds of control record.
const (
	kindPad   = 1
	kindEpoch = 2
	kindSkip  = 3
	kindTrace = 4
)

// stride is the room that size bytes take in the ring.
func stride(size uint64) uint64 { return (size + 7) &^ 7 }

// epochSize is the size of an epoch record at pos: the records after it begin on a cache line, so that those of 48 bytes
// take one line each.
func epochSize(pos uint64) uint64 {
	size := epochRecord - pos%epochRecord
	if size < HeaderSize+16 {
		size += epochRecord
	}
	return size
}

// maxPayload leaves room, within an eighth of the ring, for the record's header (16), an epoch record (at most 88) and
// the commit word after them (8): a pad as large as that is still a record.
func maxPayload(capacity uint64) uint64 { return min(capacity/8-112, sizeMask-HeaderSize) }

// geometry is the part of both headers that never changes.
type geometry struct {
	page, capacity, instance uint64
}

func (g geometry) encode(b []byte, magic uint64) {
	le := binary.LittleEndian
	le.PutUint64(b[0:], magic)
	le.PutUint32(b[8:], version)
	le.PutUint64(b[16:], g.page)
	le.PutUint64(b[24:], g.capacity)
	le.PutUint64(b[32:], g.instance)
	le.PutUint32(b[hdrCRC:], crc32.ChecksumIEEE(b[:hdrCRC]))
}
