package pack

import (
	"fmt"
	"testing"
)

// benched are the ways to pack that docs/pack.md speaks of.
func benched(b *testing.B) []struct {
	name string
	o    Options
} {
	return []struct {
		name string
		o    Options
	}{
		{"lz4", Options{Method: LZ4}},
		{"snappy", Options{Method: Snappy}},
		{"zstd", Options{Method: Zstd}},
		{"zstd-level-3", Options{Method: Zstd, Level: 3}},
		{"zstd-level-6", Options{Method: Zstd, Level: 6}},
		{"zstd-dictionary", Options{Method: Zstd, Dictionary: trained(b)}},
	}
}

var benchSizes = []int{256, 1400, 8 << 10, 65475}

func BenchmarkPack(b *testing.B) {
	for _, w := range benched(b) {
		for _, n := range benchSizes {
			b.Run(fmt.Sprintf("%s/%s", w.name, sized(n)), func(b *testing.B) {
				w.o.MinSize = 1
				c, src, dst := open(b, w.o), market(77, n), make([]byte, n)
				b.SetBytes(int64(n))
				b.ReportAllocs()
				size := 0
				for b.Loop() {
					size, _ = c.Pack(dst, src)
				}
				b.ReportMetric(float64(n)/float64(size), "ratio")
			})
		}
	}
}

func BenchmarkUnpack(b *testing.B) {
	for _, w := range benched(b) {
		for _, n := range benchSizes {
			b.Run(fmt.Sprintf("%s/%s", w.name, sized(n)), func(b *testing.B) {
				w.o.MinSize = 1
				c, out := open(b, w.o), make([]byte, n)
				src, codec := packed(b, c, market(77, n))
				if err := c.Unpack(out, src, codec); err != nil { // makes the decoder's memory
					b.Fatal(err)
				}
				b.SetBytes(int64(n))
				b.ReportAllocs()
				for b.Loop() {
					if err := c.Unpack(out, src, codec); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkIdle is what an Adaptive codec costs a batch while nothing waits.
func BenchmarkIdle(b *testing.B) {
	c, src, dst := open(b, Options{Method: Adaptive}), market(77, 1400), make([]byte, 1400)
	b.ReportAllocs()
	for b.Loop() {
		c.Observe(0, 1e6)
		c.Pack(dst, src)
	}
}
