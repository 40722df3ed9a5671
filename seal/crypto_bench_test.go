package seal

import (
	"fmt"
	"testing"
)

func BenchmarkSealAndOpen(b *testing.B) {
	for _, suite := range suites {
		for _, size := range []int{64, 1400, 8900} {
			b.Run(fmt.Sprintf("%s/%d", suite, size), func(b *testing.B) {
				secret := NewSecret()
				s, err := NewSealer(secret, suite, sealedSession, Limits{})
				if err != nil {
					b.Fatal(err)
				}
				o, err := NewOpener(secret, suite, sealedSession, s.Salt(), Window{})
				if err != nil {
					b.Fatal(err)
				}
				header, body, sealed := sealedHeader(0), make([]byte, size), make([]byte, size+Overhead)
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					if header[keyEpochAt], err = s.Next(0); err != nil {
						b.Fatal(err)
					}
					if _, err = s.Seal(sealed, header, body); err != nil {
						b.Fatal(err)
					}
					if _, err = o.Open(body, header, sealed, header[keyEpochAt], 0); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkNextKey(b *testing.B) {
	s, err := NewSealer(NewSecret(), BestSuite(), sealedSession, Limits{})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := s.Rotate(); err != nil {
			b.Fatal(err)
		}
	}
}
