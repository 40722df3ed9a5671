package packet

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
)

// plainSum is the sum as RFC 1071 first says it: word by word.
func plainSum(b []byte) uint16 {
	var s uint64
	for ; len(b) > 1; b = b[2:] {
		s += uint64(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		s += uint64(b[0]) << 8
	}
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}

// The example of RFC 1071, 3.
func TestSumIsThatOfRFC1071(t *testing.T) {
	if got := sum([]byte{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7}); got != 0xddf2 {
		t.Errorf("%#x", got)
	}
}

func TestSumIsThePlainSumAtEveryLengthAndPlace(t *testing.T) {
	const seed = 7
	random := rand.New(rand.NewPCG(seed, 0))
	b := make([]byte, 1500)
	for _, fill := range []func(i int) byte{
		func(int) byte { return byte(random.Uint32()) },
		func(int) byte { return 0xff }, // each addition carries
		func(int) byte { return 0 },
		func(i int) byte { return byte(i%2) * 0xff },
	} {
		for i := range b {
			b[i] = fill(i)
		}
		for at := range 9 {
			for n := range 300 {
				if got, want := sum(b[at:at+n]), plainSum(b[at:at+n]); got != want {
					t.Fatalf("seed %d: %d bytes at %d: %#04x, not %#04x", seed, n, at, got, want)
				}
			}
		}
		if got, want := sum(b), plainSum(b); got != want {
			t.Fatalf("seed %d: %#04x, not %#04x", seed, got, want)
		}
	}
}

func BenchmarkSum(b *testing.B) {
	for _, n := range []int{64, 1472, 8972} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			bytes := make([]byte, n)
			b.SetBytes(int64(n))
			for b.Loop() {
				sum(bytes)
			}
		})
	}
}
