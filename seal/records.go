package seal

import "encoding/binary"

// A record on the wire is what lies in a ring, byte for byte: a commit word (size u28 · reserved u2 · control u1 ·
// reserved u1 · low half of seq u32), a stamp u64, the payload, and bytes up to a multiple of 8. The size counts 16 bytes of
// word and stamp.
const (
	recordHeader = 16
	sizeMask     = 1<<28 - 1
	flagShift    = 28 // above it: the bits that are 0 on the wire, and the number
	tagShift     = 4  // of the number above those bits
	seqShift     = 32 // of the number in a word
)

// Records checks that body is whole records numbered from seq on, none larger than largest bytes with its header, and
// returns how many: at least one. Nothing of a body is used before that. It answers ErrMalformed.
//
// Records are mostly as large as the one before: their words are then compared with what they must be, where they must be, and no load
// waits for the size that the one before brings.
func Records(body []byte, seq uint64, largest int) (n int, err error) {
	tag := uint64(uint32(seq)) << tagShift
	at, end := uint64(0), uint64(len(body))
	for at+recordHeader < end {
		word := binary.LittleEndian.Uint64(body[at:])
		size := word & sizeMask
		if word>>flagShift != tag || size <= recordHeader || size > uint64(largest) {
			return 0, ErrMalformed
		}
		step := (size + 7) &^ 7
		for {
			at += step
			n++
			word += 1 << seqShift
			if at+step > end || binary.LittleEndian.Uint64(body[at:]) != word {
				break
			}
		}
		tag = word >> flagShift
	}
	if at != end || n == 0 {
		return 0, ErrMalformed
	}
	return n, nil
}

// After returns what is left of checked records when those up to and with number last are passed: the first is seq.
func After(body []byte, seq, last uint64) []byte {
	for ; seq <= last && len(body) >= recordHeader; seq++ {
		size := (binary.LittleEndian.Uint64(body)&sizeMask + 7) &^ 7
		body = body[min(size, uint64(len(body))):]
	}
	return body
}

// Cut returns the first of checked records that fit into limit bytes, and how many they are: one at least.
func Cut(run []byte, limit int) (part []byte, n int) {
	rest := run
	for len(rest) > 0 {
		after := After(rest, 0, 0)
		if len(run)-len(after) > limit && n > 0 {
			break
		}
		rest = after
		n++
	}
	return run[:len(run)-len(rest)], n
}

// RecordSize returns the size of a record, header included, as its first bytes say, if they are those of record seq and
// 17 to largest bytes; else 0.
func RecordSize(record []byte, seq uint64, largest int) int {
	if len(record) < recordHeader {
		return 0
	}
	word := binary.LittleEndian.Uint64(record)
	size := word & sizeMask
	if word>>flagShift != uint64(uint32(seq))<<tagShift || size <= recordHeader || size > uint64(largest) {
		return 0
	}
	return int(size)
}
