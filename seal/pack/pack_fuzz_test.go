package pack

import (
	"bytes"
	"testing"
)

// FuzzRoundTrip: any body, packed by any method into any room, expands to itself or travels as it is. The body is the fuzzer's bytes,
// repeated: what it sends is short and compresses badly otherwise.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("a body"), uint8(0), uint8(Zstd), uint32(1000))
	f.Add(market(1, 960), uint8(2), uint8(LZ4), uint32(2000))
	f.Add(market(1, 300), uint8(200), uint8(Snappy), uint32(70_000))
	f.Add([]byte{0}, uint8(255), uint8(Adaptive), uint32(300))
	f.Add(noise(1, 500), uint8(0), uint8(5), uint32(600))
	dictionary := trained(f)
	var codecs [6]*Codec
	for m := None; m <= Adaptive; m++ {
		codecs[m] = open(f, Options{Method: m, MinSize: 1})
	}
	codecs[5] = open(f, Options{Method: Zstd, MinSize: 1, Dictionary: dictionary})
	back := open(f, Options{Dictionary: dictionary})
	f.Fuzz(func(t *testing.T, b []byte, again, which uint8, room uint32) {
		src := bytes.Repeat(b, 1+int(again))
		if len(src) > MaxExpanded {
			src = src[:MaxExpanded]
		}
		roundTrip(t, codecs[int(which)%len(codecs)], back, src, int(room%(MaxExpanded+4096)))
	})
}
