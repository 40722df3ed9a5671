package pack

import (
	"bytes"
	"encoding/binary"
	"errors"
	"runtime"
	"testing"
)

// frame is a Zstd frame by hand: header with a content size of 4 bytes, then blocks.
type frame []byte

func zstdFrame(size uint32, single bool) frame {
	f := frame{0x28, 0xB5, 0x2F, 0xFD}
	if single {
		f = append(f, 0b10_1_0_0_0_00)
	} else {
		f = append(f, 0b10_0_0_0_0_00, 0xFF) // a window of 3.75 TiB
	}
	return binary.LittleEndian.AppendUint32(f, size)
}

// block appends a block's header, with last set, and data.
func (f frame) block(kind, size int, last bool, data ...byte) frame {
	word := size<<3 | kind<<1
	if last {
		word |= 1
	}
	return append(append(f, byte(word), byte(word>>8), byte(word>>16)), data...)
}

const blockRaw, blockRLE, blockPacked, blockReserved = 0, 1, 2, 3

// bombs are bodies that promise size bytes and would give something else.
func bombs(size int) map[string][]byte {
	full := zstdFrame(uint32(size), true)
	for range size / 1024 {
		full = full.block(blockRLE, 1024, false, 7)
	}
	huge := full
	for range 500 {
		huge = bytes.Clone(huge.block(blockRLE, size, false, 7))
	}
	n := uint32(zstdBlock)<<4 | 0b11_01 // literals: one byte, 128 KiB of it, and no sequences
	lits := []byte{byte(n), byte(n >> 8), byte(n >> 16), 7, 0}
	return map[string][]byte{
		"blocks that never end":       huge,
		"blocks far beyond the size":  huge.block(blockRLE, size, true, 7),
		"one block beyond the size":   full.block(blockRLE, size, true, 7),
		"literals beyond the size":    full.block(blockPacked, len(lits), true, lits...),
		"literals instead":            zstdFrame(uint32(size), true).block(blockPacked, len(lits), true, lits...),
		"a block short":               zstdFrame(uint32(size), true).block(blockRLE, size-1, true, 7),
		"empty blocks":                bytes.Clone(zstdFrame(uint32(size), true).block(blockRaw, 0, false).block(blockRLE, 0, true, 1)),
		"a window of terabytes":       zstdFrame(uint32(size), false).block(blockRLE, size, true, 7),
		"a reserved block":            zstdFrame(uint32(size), true).block(blockReserved, size, true, 7),
		"another size":                zstdFrame(1<<31, true).block(blockRLE, size, true, 7),
		"two frames":                  append(zstdFrame(uint32(size), true).block(blockRLE, size, true, 7), zstdFrame(uint32(size), true).block(blockRLE, size, true, 7)...),
		"padding alone":               {0x50, 0x2A, 0x4D, 0x18, 0, 0, 0, 0},
		"padding of gigabytes":        append(zstdFrame(uint32(size), true).block(blockRLE, size, true, 7), 0x50, 0x2A, 0x4D, 0x18, 0xFF, 0xFF, 0xFF, 0xFF),
		"a block of raw bytes behind": zstdFrame(uint32(size), true).block(blockRaw, 1<<20, true, 7),
	}
}

// allocated is how many bytes f allocates the second time it runs.
func allocated(f func()) uint64 {
	f()
	least := ^uint64(0)
	for range 5 { // the collector and other goroutines allocate, too, now and then
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	return least
}

func TestZstdBombsAreRefusedWithoutAllocating(t *testing.T) {
	const size = 64 << 10
	c := open(t, Options{})
	out := bytes.Repeat([]byte{0xA5}, size+64)
	good := zstdFrame(size, true).block(blockRLE, size, true, 7)
	good = append(good, make([]byte, 300)...) // as padding, so that the ratio is in bounds
	binary.LittleEndian.PutUint32(good[len(good)-300:], skipMagic)
	binary.LittleEndian.PutUint32(good[len(good)-296:], 292)
	if err := c.Unpack(out[:size], good, uint8(Zstd)); err != nil {
		t.Fatalf("a good frame by hand: %v", err)
	}
	for name, b := range bombs(size) {
		if short := size/MaxRatio - len(b); short > 0 { // each must get past the ratio
			padded := append(bytes.Clone(b), make([]byte, max(short, skipHeader))...)
			binary.LittleEndian.PutUint32(padded[len(b):], skipMagic)
			binary.LittleEndian.PutUint32(padded[len(b)+4:], uint32(len(padded)-len(b)-skipHeader))
			b = padded
		}
		var err error
		if n := allocated(func() { err = c.Unpack(out[:size], b, uint8(Zstd)) }); n > 4096 && !raced {
			t.Errorf("%s: %d bytes allocated", name, n)
		}
		if err != ErrCorrupt {
			t.Errorf("%s: %v", name, err)
		}
		if bytes.Count(out[size:], []byte{0xA5}) != 64 {
			t.Fatalf("%s: wrote behind dst", name)
		}
	}
	if err := c.Unpack(out[:size], good, uint8(Zstd)); err != nil {
		t.Errorf("a good frame after all those: %v", err)
	}
}

func TestSnappyAndLZ4BombsAreRefusedWithoutAllocating(t *testing.T) {
	const size = 64 << 10
	c := open(t, Options{})
	out := make([]byte, size)
	run := append(append([]byte{0x1F, 7, 1, 0}, bytes.Repeat([]byte{0xFF}, 400)...), 0) // 100 KB of one byte
	for _, try := range []struct {
		name string
		m    Method
		b    []byte
	}{
		{"4 GiB declared", Snappy, append(binary.AppendUvarint(nil, 1<<32-1), make([]byte, 300)...)},
		{"a length without end", Snappy, bytes.Repeat([]byte{0xFF}, 300)},
		{"a literal of 4 GiB", Snappy, append(binary.AppendUvarint(nil, size), append([]byte{63 << 2, 0xFF, 0xFF, 0xFF, 0xFF}, make([]byte, 300)...)...)},
		{"a copy from before the start", Snappy, append(binary.AppendUvarint(nil, size), bytes.Repeat([]byte{0xFE, 0xFF, 0xFF}, 200)...)},
		{"a match beyond dst", LZ4, run},
		{"literals beyond src", LZ4, bytes.Repeat([]byte{0xFF}, 300)},
		{"a match from before the start", LZ4, append([]byte{0x1F, 7, 0xFF, 0xFF}, make([]byte, 300)...)},
		{"an offset of zero", LZ4, append([]byte{0x1F, 7, 0, 0}, make([]byte, 300)...)},
	} {
		var err error
		if n := allocated(func() { err = c.Unpack(out, try.b, uint8(try.m)) }); n > 4096 && !raced {
			t.Errorf("%s, %s: %d bytes allocated", try.m, try.name, n)
		}
		if err != ErrCorrupt {
			t.Errorf("%s, %s: %v", try.m, try.name, err)
		}
	}
}

func TestTheRatioIsCheckedBeforeAnythingElse(t *testing.T) {
	c := open(t, Options{})
	out := make([]byte, MaxExpanded)
	each(t, func(t *testing.T, m Method) {
		for _, n := range []int{1, 5, 100, 2047} {
			b := make([]byte, n)
			if err := c.Unpack(out[:MaxRatio*n+1], b, uint8(m)); err != ErrRatio {
				t.Errorf("%d bytes: %v", n, err)
			}
			if err := c.Unpack(out[:MaxRatio*n], b, uint8(m)); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%d bytes, at the bound: %v", n, err)
			}
		}
	})
}
