package pack

import (
	"bytes"
	"errors"
	"testing"
)

// FuzzUnpack: whatever arrives with whatever codec and promise, the answer is one of the named errors or exactly that many bytes,
// nothing behind dst is written, and a good body is expanded afterwards as if nothing had happened.
func FuzzUnpack(f *testing.F) {
	good, bad := market(1, 1400), noise(1, 64)
	for m := LZ4; m <= Snappy; m++ {
		b, codec := packed(f, open(f, Options{Method: m}), good)
		f.Add(b, codec, uint32(len(good)))
		f.Add(bad, codec, uint32(1000))
	}
	dictionary := trained(f)
	b, codec := packed(f, open(f, Options{Method: Zstd, Dictionary: dictionary}), good)
	f.Add(b, codec, uint32(len(good)))
	f.Add(bombs(4096)["one block beyond the size"], uint8(Zstd), uint32(4096))
	c := open(f, Options{Dictionary: dictionary})
	room := make([]byte, MaxExpanded+2)
	check := make([]byte, len(good))
	f.Fuzz(func(t *testing.T, src []byte, codec uint8, size uint32) {
		n := int(size % (MaxExpanded + 2))
		dst := room[:n:n]
		behind := room[n:min(n+64, len(room))]
		for i := range behind {
			behind[i] = 0xA5
		}
		before := bytes.Clone(src)
		err := c.Unpack(dst, src, codec)
		if named := errors.Is(err, ErrCorrupt) || errors.Is(err, ErrRatio) || errors.Is(err, ErrTooLarge) || errors.Is(err, ErrCodec) ||
			errors.Is(err, ErrDictionary); err != nil && !named {
			t.Errorf("an error without a name: %v", err)
		}
		if err == nil && (n == 0 || n > MaxExpanded || n > MaxRatio*len(src) || codec == 0 || codec > uint8(Snappy)) {
			t.Errorf("codec %d, %d bytes from %d were taken", codec, n, len(src))
		}
		if bytes.Count(behind, []byte{0xA5}) != len(behind) {
			t.Error("bytes behind dst were written")
		}
		if !bytes.Equal(src, before) {
			t.Error("the source was written")
		}
		if len(c.room) > MaxExpanded+zstdBlock+zstdSlack+roomStep {
			t.Errorf("scratch of %d bytes", len(c.room))
		}
		if err := c.Unpack(check, b, uint8(Zstd)); err != nil || !bytes.Equal(check, good) {
			t.Errorf("a good body afterwards: %v", err)
		}
	})
}
