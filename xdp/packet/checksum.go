package packet

import (
	"encoding/binary"
	"math/bits"
)

// sum is the ones' complement sum of b's 16-bit words (RFC 1071), an odd last byte padded with zero.
//
// The sum does not mind the width of the words nor their byte order, but for the order of the bytes of its result (RFC 1071, 2): so it
// adds 8 bytes at a time as they lie, with the carry coming round, and turns the bytes at the end.
func sum(b []byte) uint16 {
	var s, carry uint64
	for len(b) >= 64 {
		s, carry = bits.Add64(s, binary.LittleEndian.Uint64(b), carry)
		s, carry = bits.Add64(s, binary.LittleEndian.Uint64(b[8:]), carry)
		s, carry = bits.Add64(s, binary.LittleEndian.Uint64(b[16:]), carry)
		s, carry = bits.Add64(s, binary.LittleEndian.Uint64(b[24:]), carry)
		s, carry = bits.Add64(s, binary.LittleEndian.Uint64(b[32:]), carry)
		s, carry = bits.Add64(s, binary.LittleEndian.Uint64(b[40:]), carry)
		s, carry = bits.Add64(s, binary.LittleEndian.Uint64(b[48:]), carry)
		s, carry = bits.Add64(s, binary.LittleEndian.Uint64(b[56:]), carry)
		b = b[64:]
	}
	for len(b) >= 8 {
		s, carry = bits.Add64(s, binary.LittleEndian.Uint64(b), carry)
		b = b[8:]
	}
	s, carry = bits.Add64(s, tail(b), carry)
	s, carry = bits.Add64(s, 0, carry)
	s += carry
	s = s>>32 + s&0xffffffff
	s = s>>32 + s&0xffffffff
	return bits.ReverseBytes16(fold(uint32(s)))
}

// tail is what fewer than 8 bytes are as a little-endian word.
func tail(b []byte) (w uint64) {
	shift := 0
	if len(b) >= 4 {
		w, shift, b = uint64(binary.LittleEndian.Uint32(b)), 32, b[4:]
	}
	if len(b) >= 2 {
		w, shift, b = w|uint64(binary.LittleEndian.Uint16(b))<<shift, shift+16, b[2:]
	}
	if len(b) == 1 {
		w |= uint64(b[0]) << shift
	}
	return w
}

// fold brings a sum of words down to one, the carries coming round.
func fold(s uint32) uint16 {
	s = s>>16 + s&0xffff
	return uint16(s>>16 + s)
}
