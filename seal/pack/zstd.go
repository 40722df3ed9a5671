package pack

import (
	"encoding/binary"

	"github.com/klauspost/compress/zstd"
)

// zstdEnd is both halves of Zstd, each nil unless needed.
type zstdEnd struct {
	enc        *zstd.Encoder
	dec        *zstd.Decoder
	dictionary uint32 // its number, 0 without one
	header     zstd.Header
}

// zstdWindow holds the largest body, so that every frame is a single segment: the decoder needs no window besides its output.
const zstdWindow = 1 << 19

const _ = uint(zstdWindow - MaxExpanded)

const (
	zstdBlock = 128 << 10 // bytes a block may expand to at most (RFC 8878 §3.1.1.2.4)
	zstdSlack = 1 << 10   // bytes the library may write before it notices that a block did not shrink, and copies past an end
)

func (z *zstdEnd) open(o Options, dictionary uint32, packs, unpacks bool) (err error) {
	z.dictionary = dictionary
	if packs {
		opts := []zstd.EOption{
			zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(o.Level)),
			zstd.WithWindowSize(zstdWindow),
			zstd.WithEncoderConcurrency(1), // EncodeAll on the caller's goroutine
			zstd.WithEncoderCRC(false),     // the datagram has a checksum, or a tag
			zstd.WithSingleSegment(true),
		}
		if dictionary != 0 {
			opts = append(opts, zstd.WithEncoderDict(o.Dictionary))
		}
		if z.enc, err = zstd.NewWriter(nil, opts...); err != nil {
			return err
		}
	}
	if unpacks {
		opts := []zstd.DOption{
			zstd.WithDecoderConcurrency(1),
			zstd.WithDecoderLowmem(false), // buffers of the largest block at once, not longer ones again and again
			zstd.WithDecoderMaxMemory(MaxExpanded),
			zstd.WithDecoderMaxWindow(zstdWindow),
			zstd.WithDecodeAllCapLimit(true),
		}
		if dictionary != 0 {
			opts = append(opts, zstd.WithDecoderDicts(o.Dictionary))
		}
		z.dec, err = zstd.NewReader(nil, opts...)
	}
	return err
}

func (c *Codec) packZstd(dst, src []byte, most int) int {
	out := c.place(dst, c.zstd.enc.MaxEncodedSize(len(src))+len(src)/8+zstdSlack)
	n := settle(dst, c.zstd.enc.EncodeAll(src, out[:0]), most)
	if n == 0 {
		return 0
	}
	return padZstd(dst[:most], n, (len(src)+MaxRatio-1)/MaxRatio)
}

// A skippable frame (RFC 8878 §3.1.2) carries what decoders pass over: magic, length, bytes.
const (
	skipMagic  = 0x184D2A50
	skipHeader = 8
)

// padZstd brings a frame of n bytes in dst to at least least bytes: one that shrank more than MaxRatio is followed by a skippable
// frame of zeroes.
func padZstd(dst []byte, n, least int) int {
	if n >= least {
		return n
	}
	end := max(least, n+skipHeader)
	if end > len(dst) {
		return 0
	}
	pad := dst[n:end]
	clear(pad)
	binary.LittleEndian.PutUint32(pad, skipMagic)
	binary.LittleEndian.PutUint32(pad[4:], uint32(len(pad)-skipHeader))
	return end
}

// unpackZstd has the frame expanded into scratch: the library compares output with bounds only after each block, so with dst as its
// room a forged last block would make it allocate. In scratch there is space for one block more than the frame may have.
func (c *Codec) unpackZstd(dst, src []byte) error {
	frame, err := c.zstd.frame(len(dst), src)
	if err != nil {
		return err
	}
	room := c.scratch(len(dst) + zstdBlock + zstdSlack)
	out, err := c.zstd.dec.DecodeAll(frame, room[:0])
	if err != nil || len(out) != len(dst) {
		return ErrCorrupt
	}
	copy(dst, out)
	return nil
}

// frame checks what a body says of itself before anything is expanded: one frame that declares size bytes and no dictionary but
// ours, blocks that end where they say, and at most one skippable frame behind, up to the end. It returns the frame alone.
func (z *zstdEnd) frame(size int, src []byte) ([]byte, error) {
	h := &z.header
	rest, err := h.DecodeAndStrip(src)
	if err != nil || h.Skippable || !h.HasFCS || h.FrameContentSize != uint64(size) {
		return nil, ErrCorrupt
	}
	if h.DictionaryID != 0 && h.DictionaryID != z.dictionary {
		return nil, ErrDictionary
	}
	if rest, err = skipBlocks(rest); err != nil {
		return nil, err
	}
	if h.HasCheckSum {
		if len(rest) < 4 {
			return nil, ErrCorrupt
		}
		rest = rest[4:]
	}
	if !isPadding(rest) {
		return nil, ErrCorrupt
	}
	return src[:len(src)-len(rest)], nil
}

// skipBlocks returns what follows the last block (RFC 8878 §3.1.1.2).
func skipBlocks(b []byte) (rest []byte, err error) {
	const rle = 1 // one byte travels, whatever the size says
	for last := false; !last; {
		if len(b) < 3 {
			return nil, ErrCorrupt
		}
		word := int(b[0]) | int(b[1])<<8 | int(b[2])<<16
		size := word >> 3
		if word>>1&3 == rle {
			size = 1
		}
		if size > len(b)-3 {
			return nil, ErrCorrupt
		}
		last, b = word&1 != 0, b[3+size:]
	}
	return b, nil
}

// isPadding: nothing, or one skippable frame up to the end.
func isPadding(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	return len(b) >= skipHeader && binary.LittleEndian.Uint32(b) == skipMagic &&
		uint64(binary.LittleEndian.Uint32(b[4:])) == uint64(len(b)-skipHeader)
}
