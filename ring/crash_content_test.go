package ring

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// The records of these tests tell what they should be:
//
//	0  seq u64 · life u64 (of their writer) · crc32 u32 of all the rest · bytes that follow from seq
const crashLeast = 20

func fillCrash(b []byte, seq, life uint64) {
	binary.LittleEndian.PutUint64(b, seq)
	binary.LittleEndian.PutUint64(b[8:], life)
	x := seq * 0x9e3779b97f4a7c15
	for i := crashLeast; i < len(b); i++ {
		x ^= x << 13
		x ^= x >> 7
		b[i] = byte(x)
	}
	binary.LittleEndian.PutUint32(b[16:], crashSum(b))
}

func crashSum(b []byte) uint32 {
	return crc32.Update(crc32.ChecksumIEEE(b[:16]), crc32.IEEETable, b[crashLeast:])
}

// checkCrash answers what is wrong with record seq, and the life of its writer.
func checkCrash(r Record, seq uint64) (life uint64, err error) {
	b := r.Payload()
	if len(b) < crashLeast {
		return 0, fmt.Errorf("record %d of %d bytes", seq, len(b))
	}
	life = binary.LittleEndian.Uint64(b[8:])
	switch {
	case binary.LittleEndian.Uint32(b[16:]) != crashSum(b):
		err = fmt.Errorf("record %d is torn: says seq %d life %d, %d bytes", seq, binary.LittleEndian.Uint64(b), life, len(b))
	case binary.LittleEndian.Uint64(b) != seq:
		err = fmt.Errorf("record %d says it is %d", seq, binary.LittleEndian.Uint64(b))
	case r.Seq32() != uint32(seq):
		err = fmt.Errorf("record %d has %d in its header", seq, r.Seq32())
	case r.Stamp() != life:
		err = fmt.Errorf("record %d of life %d is stamped %d", seq, life, r.Stamp())
	}
	return life, err
}
