package seal

import (
	"encoding/binary"
	"math"
)

// Bodies of the envelopes that carry no record. All integers are little-endian.
//
//	fragment  0 offset u32 · total u32 │ 8 bytes of the record from offset on
//	lost      0 last u64
//	nak       0 first u64 · last u64, 1 to 32 times
//	status    0 next u64 │ 8 window u64 │ 16 tag u64 │ 24 receiver u64
//	beat      0 sent u64 │ 8 echo u64 │ 16 held u64
//
// Of nak, status and hello the header's Seq is the number that NewReceiver drew for who speaks: whoever opens them knows
// the key before the body.
const (
	FragmentHeader = 8  // bytes of a fragment's body before its part of the record
	LostSize       = 8  // bytes of a lost's body
	StatusSize     = 32 // bytes of a status's body
	BeatSize       = 24 // bytes of a beat's body
	MaxRanges      = 32 // most ranges of a nak

	rangeSize = 16
	lastSeq   = math.MaxUint64 - 1 // numbers are followed by another
)

// Range is the frames First to Last, both included.
type Range struct{ First, Last uint64 }

// PutFragment writes the head of a fragment's body, FragmentHeader bytes; the part of the record follows it.
func PutFragment(b []byte, offset, total int) {
	binary.LittleEndian.PutUint64(b, uint64(uint32(offset))|uint64(total)<<32)
}

// ParseFragment reads a fragment's body: part lies at offset of a record of total bytes, none larger than largest. Offsets
// are multiples of 8, and every part but the last is. It answers ErrMalformed.
func ParseFragment(body []byte, largest int) (offset, total int, part []byte, err error) {
	if len(body) <= FragmentHeader {
		return 0, 0, nil, ErrMalformed
	}
	word := binary.LittleEndian.Uint64(body)
	offset, total, part = int(uint32(word)), int(word>>32), body[FragmentHeader:]
	if total <= recordHeader || total > largest || offset&7 != 0 || offset+len(part) > total || len(part)&7 != 0 && offset+len(part) != total {
		return 0, 0, nil, ErrMalformed
	}
	return offset, total, part, nil
}

// PutLost writes the body of a lost, LostSize bytes: the frames up to last are gone.
func PutLost(b []byte, last uint64) { binary.LittleEndian.PutUint64(b, last) }

// ParseLost reads the body of a lost whose header says first. It answers ErrMalformed.
func ParseLost(body []byte, first uint64) (last uint64, err error) {
	if len(body) != LostSize {
		return 0, ErrMalformed
	}
	if last = binary.LittleEndian.Uint64(body); last < first || last > lastSeq {
		return 0, ErrMalformed
	}
	return last, nil
}

// AppendNak appends the body of a nak: at most MaxRanges ranges, in order and apart from each other.
func AppendNak(b []byte, missing []Range) []byte {
	for _, r := range missing[:min(len(missing), MaxRanges)] {
		b = binary.LittleEndian.AppendUint64(b, r.First)
		b = binary.LittleEndian.AppendUint64(b, r.Last)
	}
	return b
}

// ParseNak reads the body of a nak into missing and returns how many ranges it names. It answers ErrMalformed, also for
// ranges that are empty, overlap or stand out of order.
func ParseNak(body []byte, missing *[MaxRanges]Range) (n int, err error) {
	n = len(body) / rangeSize
	if n < 1 || n > MaxRanges || len(body) != n*rangeSize {
		return 0, ErrMalformed
	}
	next := uint64(0)
	for i := range n {
		at := body[i*rangeSize:]
		r := Range{binary.LittleEndian.Uint64(at), binary.LittleEndian.Uint64(at[8:])}
		if r.First < next || r.Last < r.First || r.First == 0 || r.Last > lastSeq {
			return 0, ErrMalformed
		}
		missing[i], next = r, r.Last+1
	}
	return n, nil
}

// StatusBody is what a receiver says of itself.
type StatusBody struct {
	Next     uint64 // the number it waits for: it has all below
	Window   uint64 // bytes of records it can take from Next on
	Tag      uint64 // names the group that flow control may go by; 0: none
	Receiver uint64 // names it on all its lines and in all its sessions; not 0
}

// Put writes the body, StatusSize bytes.
func (s *StatusBody) Put(b []byte) {
	binary.LittleEndian.PutUint64(b, s.Next)
	binary.LittleEndian.PutUint64(b[8:], s.Window)
	binary.LittleEndian.PutUint64(b[16:], s.Tag)
	binary.LittleEndian.PutUint64(b[24:], s.Receiver)
}

// Parse reads the body of a status. It answers ErrMalformed.
func (s *StatusBody) Parse(body []byte) error {
	if len(body) != StatusSize {
		return ErrMalformed
	}
	s.Next = binary.LittleEndian.Uint64(body)
	s.Window = binary.LittleEndian.Uint64(body[8:])
	s.Tag = binary.LittleEndian.Uint64(body[16:])
	if s.Receiver = binary.LittleEndian.Uint64(body[24:]); s.Receiver == 0 {
		return ErrMalformed
	}
	return nil
}

// BeatBody is a sign of life with which two nodes compare their clocks. All are nanoseconds.
type BeatBody struct {
	Sent uint64 // when it was sent, by the sender's clock
	Echo uint64 // Sent of the beat that it answers; 0: none came yet
	Held uint64 // how long ago that one came
}

// Put writes the body, BeatSize bytes.
func (s *BeatBody) Put(b []byte) {
	binary.LittleEndian.PutUint64(b, s.Sent)
	binary.LittleEndian.PutUint64(b[8:], s.Echo)
	binary.LittleEndian.PutUint64(b[16:], s.Held)
}

// Parse reads the body of a beat. It answers ErrMalformed.
func (s *BeatBody) Parse(body []byte) error {
	if len(body) != BeatSize {
		return ErrMalformed
	}
	s.Sent = binary.LittleEndian.Uint64(body)
	s.Echo = binary.LittleEndian.Uint64(body[8:])
	s.Held = binary.LittleEndian.Uint64(body[16:])
	return nil
}
