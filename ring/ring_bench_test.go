package ring

import (
	"errors"
	"fmt"
	"runtime"
	"testing"
)

func BenchmarkWrite(b *testing.B) {
	for _, n := range []int{48, 64, 240} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w := bedWriter(b, bedRing(b, 1<<20, false))
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				if m, err := w.Claim(n); err == nil {
					m[0] = 1
				}
				if err := w.Commit(n); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkWriteBatch(b *testing.B) {
	w := bedWriter(b, bedRing(b, 1<<20, false))
	b.ReportAllocs()
	for left := b.N; left > 0; {
		batch, err := w.ClaimBatch(64, min(left, 32))
		if err != nil {
			b.Fatal(err)
		}
		for i := range batch.Len() {
			batch.At(i)[0] = 1
		}
		if err := w.CommitBatch(batch.Len()); err != nil {
			b.Fatal(err)
		}
		left -= batch.Len()
	}
}

func BenchmarkRead(b *testing.B) {
	for _, mode := range []Mode{Gate, Lossy} {
		b.Run(mode.String(), func(b *testing.B) {
			r := bedRing(b, 1<<20, false)
			w := bedWriter(b, r)
			rd := bedReader(b, r, ReaderOptions{Mode: mode})
			publish(b, w, 64)
			take(b, rd)
			start := rd.Position()
			for range 8000 {
				publish(b, w, 64)
			}
			batch := make([]Record, 64)
			b.ReportAllocs()
			for read := 0; read < b.N; {
				n := rd.Peek(batch)
				if read += n; n == 0 || rd.Seq() > 7900 {
					if err := rd.Seek(start); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

// BenchmarkStream has a writer and a reader on two threads.
func BenchmarkStream(b *testing.B) {
	r := bedRing(b, 1<<18, false)
	w, rd := bedWriter(b, r), bedReader(b, r, ReaderOptions{})
	ended := make(chan error, 1)
	b.ReportAllocs()
	b.ResetTimer()
	go func() {
		batch := make([]Record, 64)
		for read := 0; read < b.N; {
			n := rd.Peek(batch)
			if err := rd.Release(n); err != nil {
				ended <- err
				return
			}
			read += n
		}
		ended <- nil
	}()
	for range b.N {
		m, err := w.Claim(64)
		for ; errors.Is(err, ErrFull); m, err = w.Claim(64) {
			runtime.Gosched()
		}
		if err != nil {
			b.Fatal(err)
		}
		m[0] = 1
		if err := w.Commit(64); err != nil {
			b.Fatal(err)
		}
	}
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
}
