package pack

import (
	"bytes"
	"encoding/binary"
	"errors"
	"runtime"
	"testing"

	"pgregory.net/rapid"
)

// The seam as the caller will declare it.
var _ interface {
	Pack(dst, src []byte) (n int, codec uint8)
	Unpack(dst, src []byte, codec uint8) error
} = (*Codec)(nil)

func TestWhatIsPackedExpandsToTheSame(t *testing.T) {
	for m := None; m <= Adaptive; m++ {
		t.Run(m.String(), func(t *testing.T) {
			c, back := open(t, Options{Method: m, MinSize: 1}), open(t, Options{})
			rapid.Check(t, func(t *rapid.T) {
				src := anyBody(t)
				room := rapid.IntRange(0, len(src)+1000).Draw(t, "room")
				roundTrip(t, c, back, src, room)
			})
		})
	}
}

// anyBody is noise, records, repetitions and zeroes in a row.
func anyBody(t *rapid.T) (src []byte) {
	for range rapid.IntRange(1, 4).Draw(t, "parts") {
		n := rapid.OneOf(rapid.IntRange(1, 600), rapid.IntRange(1, 70_000)).Draw(t, "size")
		seed := rapid.Uint64().Draw(t, "seed")
		switch rapid.SampledFrom([]string{"noise", "records", "repeat", "zeroes"}).Draw(t, "kind") {
		case "noise":
			src = append(src, noise(seed, n)...)
		case "records":
			src = append(src, market(seed, n)...)
		case "repeat":
			src = append(src, bytes.Repeat(noise(seed, 1+n%40), 1+n/40)...)
		default:
			src = append(src, make([]byte, n)...)
		}
	}
	return src
}

type failer interface {
	Fatalf(format string, args ...any)
}

// roundTrip packs src into room bytes and expands what came of it, watching the bytes behind either buffer.
func roundTrip(t failer, c, back *Codec, src []byte, room int) {
	const guard = 64
	dst := bytes.Repeat([]byte{0xA5}, room+guard)
	before := bytes.Clone(src)
	busyIfAdaptive(c)
	n, codec := c.Pack(dst[:room], src)
	if !bytes.Equal(src, before) {
		t.Fatalf("Pack wrote into its source")
	}
	if n < 0 || n > room || (n == 0) != (codec == 0) || n > 0 && n >= len(src) {
		t.Fatalf("%d bytes into %d: %d, codec %d", len(src), room, n, codec)
	}
	if untouched := bytes.Count(dst[room:], []byte{0xA5}); untouched != guard {
		t.Fatalf("Pack wrote %d bytes behind dst", guard-untouched)
	}
	if n == 0 {
		return
	}
	if len(src) > MaxRatio*n {
		t.Fatalf("%d bytes from %d: Unpack would refuse that", n, len(src))
	}
	out := bytes.Repeat([]byte{0xA5}, len(src)+guard)
	if err := back.Unpack(out[:len(src)], dst[:n], codec); err != nil {
		t.Fatalf("%d bytes from %d, codec %d: %v", n, len(src), codec, err)
	}
	if !bytes.Equal(out[:len(src)], src) {
		t.Fatalf("codec %d: expanded to something else", codec)
	}
	if untouched := bytes.Count(out[len(src):], []byte{0xA5}); untouched != guard {
		t.Fatalf("Unpack wrote %d bytes behind dst", guard-untouched)
	}
}

func busyIfAdaptive(c *Codec) {
	for range streakLong {
		busy(c)
	}
}

func TestBodiesOfEverySizeArePackedAndExpanded(t *testing.T) {
	each(t, func(t *testing.T, m Method) {
		c := open(t, Options{Method: m})
		for _, n := range sizes {
			src := market(7, n)
			b, codec := packed(t, c, src)
			if Method(codec) != m {
				t.Errorf("codec %d from %s", codec, m)
			}
			out := make([]byte, n)
			if err := c.Unpack(out, b, codec); err != nil || !bytes.Equal(out, src) {
				t.Errorf("%d bytes: %v", n, err)
			}
		}
	})
}

func TestWhatIsNotWorthItTravelsAsItIs(t *testing.T) {
	each(t, func(t *testing.T, m Method) {
		c := open(t, Options{Method: m})
		good := market(1, 4096)
		b, _ := packed(t, c, good)
		for name, try := range map[string]struct{ dst, src []byte }{
			"noise":         {make([]byte, 8192), noise(1, 4096)},
			"small":         {make([]byte, 4096), good[:DefaultMinSize-1]},
			"nothing":       {make([]byte, 4096), nil},
			"no room":       {nil, good},
			"too little":    {make([]byte, len(b)-1), good},
			"beyond bounds": {make([]byte, MaxExpanded), market(1, MaxExpanded+1)},
		} {
			if n, codec := c.Pack(try.dst, try.src); n != 0 || codec != 0 {
				t.Errorf("%s: %d, codec %d", name, n, codec)
			}
		}
		if n, _ := c.Pack(make([]byte, len(b)), good); n != len(b) {
			t.Errorf("into exactly enough room: %d, not %d", n, len(b))
		}
	})
}

// Zeroes shrink beyond what Unpack takes; Pack must not hand out such a body.
func TestWhatShrinksTooWellIsStillAccepted(t *testing.T) {
	each(t, func(t *testing.T, m Method) {
		c := open(t, Options{Method: m, MinSize: 1})
		for n := 32; n <= MaxExpanded; n = n*3/2 + 8 {
			src := make([]byte, n)
			b, codec := packed(t, c, src)
			if err := c.Unpack(make([]byte, n), b, codec); err != nil {
				t.Errorf("%d zeroes in %d bytes: %v", n, len(b), err)
			}
		}
	})
}

func TestOnlyAcceptedCodecsAreExpanded(t *testing.T) {
	src, out := market(1, 4096), make([]byte, 4096)
	each(t, func(t *testing.T, m Method) {
		b, codec := packed(t, open(t, Options{Method: m}), src)
		if err := open(t, Options{Accept: []Method{m}}).Unpack(out, b, codec); err != nil {
			t.Errorf("accepted alone: %v", err)
		}
		for other := None; other <= Snappy; other++ {
			if other == m {
				continue
			}
			if err := open(t, Options{Accept: []Method{other}}).Unpack(out, b, codec); err != ErrCodec {
				t.Errorf("where %s is accepted: %v", other, err)
			}
		}
	})
	c := open(t, Options{})
	for codec := range 256 {
		if codec >= int(LZ4) && codec <= int(Snappy) {
			continue
		}
		if err := c.Unpack(out, src, uint8(codec)); err != ErrCodec {
			t.Errorf("codec %d: %v", codec, err)
		}
	}
}

func TestNothingIsAllocatedPerBody(t *testing.T) {
	if raced {
		return // the race detector makes pools forget on purpose; the other runs hold this
	}
	dictionary := trained(t)
	for name, o := range map[string]Options{
		"none": {}, "lz4": {Method: LZ4}, "snappy": {Method: Snappy}, "zstd": {Method: Zstd}, "adaptive": {Method: Adaptive},
		"zstd 3": {Method: Zstd, Level: 3}, "zstd 6": {Method: Zstd, Level: 6}, "zstd with dictionary": {Method: Zstd, Dictionary: dictionary},
	} {
		t.Run(name, func(t *testing.T) {
			c := open(t, o)
			for _, n := range sizes {
				for kind, src := range map[string][]byte{"records": market(3, n), "noise": noise(3, n), "zeroes": make([]byte, n)} {
					dst, out := make([]byte, n), make([]byte, n)
					var did int
					allocs := testing.AllocsPerRun(50, func() {
						busy(c)
						var codec uint8
						if did, codec = c.Pack(dst, src); did == 0 {
							return
						}
						if err := c.Unpack(out, dst[:did], codec); err != nil {
							t.Fatal(err)
						}
					})
					if allocs != 0 {
						t.Errorf("%s of %s, packed to %d: %v allocations", sized(n), kind, did, allocs)
					}
				}
			}
		})
	}
}

// Bodies of the usual sizes find their memory made: New has packed a body before the first one comes.
func TestTheFirstBodyAllocatesNothing(t *testing.T) {
	if raced {
		return // the race detector makes pools forget on purpose; the other runs hold this
	}
	each(t, func(t *testing.T, m Method) {
		const tries = 20
		src, dst := market(9, 64<<10), make([]byte, 64<<10)
		codecs := make([]*Codec, 0, tries+1)
		for range tries + 1 {
			codecs = append(codecs, open(t, Options{Method: m}))
		}
		next := 0
		if allocs := testing.AllocsPerRun(tries, func() {
			codecs[next].Pack(dst, src)
			next++
		}); allocs != 0 {
			t.Errorf("%v allocations", allocs)
		}
	})
}

func TestRefusalsNameTheirReason(t *testing.T) {
	c := open(t, Options{})
	src := market(1, 4096)
	each(t, func(t *testing.T, m Method) {
		b, codec := packed(t, open(t, Options{Method: m}), src)
		for _, try := range []struct {
			name string
			dst  int
			src  []byte
			want error
		}{
			{"nothing arrived", 64, nil, ErrCorrupt},
			{"nothing promised", 0, b, ErrCorrupt},
			{"too much promised", MaxExpanded + 1, make([]byte, 65475), ErrTooLarge},
			{"ratio", MaxRatio*20 + 1, b[:20], ErrRatio},
			{"a byte more promised", len(src) + 1, b, ErrCorrupt},
			{"a byte less promised", len(src) - 1, b, ErrCorrupt},
			{"a byte behind", len(src), append(bytes.Clone(b), 0), ErrCorrupt},
			{"zeroes", 64, make([]byte, 64), ErrCorrupt},
		} {
			if err := c.Unpack(make([]byte, try.dst), try.src, codec); err != try.want {
				t.Errorf("%s: %v, not %v", try.name, err, try.want)
			}
		}
	})
}

func TestEveryTruncationIsRefused(t *testing.T) {
	c := open(t, Options{})
	each(t, func(t *testing.T, m Method) {
		for _, src := range [][]byte{market(2, 3000), make([]byte, 3000), append(make([]byte, 70_000), market(2, 900)...)} {
			b, codec := packed(t, open(t, Options{Method: m}), src)
			out := make([]byte, len(src))
			for n := range len(b) {
				// The end of a Zstd body may be padding, which nothing depends on: what is left without all of it is whole.
				if err := c.Unpack(out, b[:n], codec); err == nil && !(m == Zstd && bytes.Equal(out, src)) {
					t.Errorf("the first %d of %d bytes were taken", n, len(b))
				}
			}
		}
	})
}

func TestFlippedBitsAreRefusedOrFillTheBufferExactly(t *testing.T) {
	c := open(t, Options{})
	each(t, func(t *testing.T, m Method) {
		src := market(2, 1400)
		b, codec := packed(t, open(t, Options{Method: m}), src)
		out := make([]byte, len(src)+8)
		taken := 0
		for bit := range len(b) * 8 {
			b[bit/8] ^= 1 << (bit % 8)
			clear(out)
			err := c.Unpack(out[:len(src)], b, codec)
			b[bit/8] ^= 1 << (bit % 8)
			switch {
			case err == nil:
				taken++
			case !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrDictionary):
				t.Fatalf("bit %d: %v", bit, err)
			}
			if binary.LittleEndian.Uint64(out[len(src):]) != 0 {
				t.Fatalf("bit %d: bytes behind dst were written", bit)
			}
		}
		if err := c.Unpack(out[:len(src)], b, codec); err != nil || !bytes.Equal(out[:len(src)], src) {
			t.Errorf("after all those the good one: %v", err)
		}
		t.Logf("%d of %d flips changed content alone", taken, len(b)*8)
	})
}

func TestNoGoroutineIsStarted(t *testing.T) {
	before := runtime.NumGoroutine()
	for m := None; m <= Adaptive; m++ {
		c := open(t, Options{Method: m})
		busyIfAdaptive(c)
		src, dst := market(1, 100_000), make([]byte, 100_000)
		if n, codec := c.Pack(dst, src); n > 0 {
			if err := c.Unpack(src, dst[:n], codec); err != nil {
				t.Error(err)
			}
		}
	}
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("%d goroutines, %d before", after, before)
	}
}
