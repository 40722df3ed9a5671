package pack

import "github.com/klauspost/compress/s2"

// packSnappy needs room for the worst case: with less the library makes its own.
func (c *Codec) packSnappy(dst, src []byte, most int) int {
	return settle(dst, s2.EncodeSnappy(c.place(dst, s2.MaxEncodedLen(len(src))), src), most)
}

// unpackSnappy reads the declared length first: a longer one would be made room for.
func unpackSnappy(dst, src []byte) error {
	if n, err := s2.DecodedLen(src); err != nil || n != len(dst) {
		return ErrCorrupt
	}
	if _, err := s2.Decode(dst, src); err != nil {
		return ErrCorrupt
	}
	return nil
}
