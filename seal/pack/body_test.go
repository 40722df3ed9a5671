package pack

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
)

// market returns size bytes of records as they lie in a ring: commit word, stamp, a trade of 40 bytes behind a header of 32.
func market(seed uint64, size int) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, 0, size+96)
	le := binary.LittleEndian
	now, price := uint64(1755893490012637000), int64(11682785000000)
	for seq := uint64(r.Uint32()); len(b) < size; seq++ {
		now += r.Uint64N(50_000)
		price += r.Int64N(2_000_001) - 1_000_000
		b = le.AppendUint64(b, 80|seq<<32)
		b = le.AppendUint64(b, now)
		b = append(b, 0xef, 0xbe, 0xad, 0xde, 1, 1, 3, 0)
		b = le.AppendUint64(b, seq)
		b = le.AppendUint64(b, now-r.Uint64N(1000))
		b = append(b, 42, 0, 0, 0, 0, 0, 0, 0, 1, 40)
		b = le.AppendUint64(b, 4779518975120983040+r.Uint64N(8))
		b = le.AppendUint64(b, uint64(price))
		b = le.AppendUint64(b, r.Uint64N(100_000_000))
		b = le.AppendUint64(b, now)
		b = append(b, 0x66, 0, 0x33, 0, byte(r.UintN(2)), 0)
	}
	return b[:size]
}

func noise(seed uint64, size int) []byte {
	r := rand.New(rand.NewPCG(seed, 2))
	b := make([]byte, size)
	for i := 0; i < size; i += 8 {
		var word [8]byte
		binary.LittleEndian.PutUint64(word[:], r.Uint64())
		copy(b[i:], word[:])
	}
	return b
}

func open(t testing.TB, o Options) *Codec {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// packed returns src packed, which must have worked.
func packed(t testing.TB, c *Codec, src []byte) ([]byte, uint8) {
	t.Helper()
	dst := make([]byte, len(src))
	n, codec := c.Pack(dst, src)
	if n == 0 {
		t.Fatalf("%d bytes were not packed", len(src))
	}
	return dst[:n], codec
}

// busy makes an Adaptive codec compress: a link of 1 MB/s that is a second behind.
func busy(c *Codec) {
	c.Observe(1e6, 1e6)
}

// each runs f for every method that packs.
func each(t *testing.T, f func(t *testing.T, m Method)) {
	for m := LZ4; m <= Snappy; m++ {
		t.Run(m.String(), func(t *testing.T) { f(t, m) })
	}
}

var sizes = []int{256, 300, 1400, 8 << 10, 16 << 10, 65475, 64 << 10, 128<<10 + 8, MaxExpanded}

func sized(n int) string { return fmt.Sprintf("%dB", n) }
