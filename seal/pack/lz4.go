package pack

import "github.com/pierrec/lz4/v4"

// packLZ4 gives the compressor no more room than is worth filling: it stops there by itself.
func (c *Codec) packLZ4(dst, src []byte, most int) int {
	n, err := c.lz4.CompressBlock(src, dst[:most:most])
	if err != nil {
		return 0
	}
	return n
}

// unpackLZ4: a block does not say its length. The decoder ends at the end of src or of dst; only both at once is right.
func unpackLZ4(dst, src []byte) error {
	n, err := lz4.UncompressBlock(src, dst)
	if err != nil || n != len(dst) {
		return ErrCorrupt
	}
	return nil
}
