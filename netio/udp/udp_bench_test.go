package udp

import (
	"testing"

	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// BenchmarkReceive is what a receiver adds to the kernel's work, per frame: datagrams of 18 records of 64 bytes, checked,
// mirrored and released, without a socket.
func BenchmarkReceive(b *testing.B) {
	for _, per := range []int{1, 18} {
		b.Run(map[int]string{1: "separate", 18: "packed"}[per], func(b *testing.B) {
			bed := newBed(b, SenderOptions{}, ReceiverOptions{}, nil)
			record := make([]byte, 80*per)
			r := bed.recv
			l := r.lines[0]
			seq := uint64(1)
			data := make([]byte, 32+len(record))
			h := seal.Header{Kind: seal.Data, Channel: r.channel, Source: 7, Epoch: 1, Length: len(record)}
			var batch [256]ring.Record
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				h.Seq = seq
				h.Put(data)
				for k := range per {
					word := 80 | (seq+uint64(k))<<32
					putWord(data[32+80*k:], word)
				}
				seq += uint64(per)
				r.datagram(l, data)
				if i%8 == 7 {
					r.flush()
					for n := len(batch); n == len(batch); {
						if n = bed.mirrors[0].Peek(batch[:]); bed.mirrors[0].Release(n) != nil {
							b.Fatal("release")
						}
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*per), "ns/frame")
		})
	}
}

func putWord(b []byte, v uint64) {
	for i := range 8 {
		b[i] = byte(v >> (8 * i))
	}
}

// BenchmarkFill is what a sender adds to the kernel's work, per frame: 64-byte messages published 32 at a time, put into
// envelopes and released, without a socket.
func BenchmarkFill(b *testing.B) {
	for _, separate := range []bool{true, false} {
		b.Run(map[bool]string{true: "separate", false: "packed"}[separate], func(b *testing.B) {
			bed := newBed(b, SenderOptions{Separate: separate}, ReceiverOptions{}, nil)
			s := bed.send
			s.adopt()
			frames := 0
			b.ReportAllocs()
			for b.Loop() {
				for range 8 {
					batch, err := bed.pub.ClaimBatch(64, 32)
					if err != nil {
						b.Fatal(err)
					}
					for i := range batch.Len() {
						batch.At(i)
					}
					frames += batch.Len()
					if bed.pub.CommitBatch(batch.Len()) != nil {
						b.Fatal("commit")
					}
				}
				for s.Frames < uint64(frames) {
					s.wires[0].reset()
					if s.fill(s.feeds[0], 0) != nil || s.feeds[0].carried() != nil {
						b.Fatal("fill")
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(frames), "ns/frame")
		})
	}
}

// BenchmarkLoopback is the whole way of a frame, kernel included, by one thread: published 32 at a time, carried, received, read.
func BenchmarkLoopback(b *testing.B) {
	for _, separate := range []bool{true, false} {
		b.Run(map[bool]string{true: "separate", false: "packed"}[separate], func(b *testing.B) {
			bed := newBed(b, SenderOptions{Separate: separate}, ReceiverOptions{}, nil)
			bed.publish(1, 64)
			bed.until("start", func() bool { return len(bed.mirrors) > 0 })
			var batch [256]ring.Record
			frames, got := 0, 0
			b.ReportAllocs()
			for b.Loop() {
				for range 16 {
					claim, err := bed.pub.ClaimBatch(64, 32)
					if err != nil {
						b.Fatal(err)
					}
					for i := range claim.Len() {
						claim.At(i)
					}
					frames += claim.Len()
					if bed.pub.CommitBatch(claim.Len()) != nil {
						b.Fatal("commit")
					}
				}
				for n := 1; n > 0; {
					var err error
					if n, err = bed.send.Do(); err != nil {
						b.Fatal(err)
					}
				}
				for n := 1; n > 0; {
					var err error
					if n, err = bed.recv.Do(); err != nil {
						b.Fatal(err)
					}
					for k := len(batch); k == len(batch); {
						k = bed.mirrors[0].Peek(batch[:])
						got += k
						if bed.mirrors[0].Release(k) != nil {
							b.Fatal("release")
						}
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(got), "ns/frame")
			b.ReportMetric(float64(got)/float64(frames), "delivered")
		})
	}
}

// BenchmarkSingle is the whole way of one 64-byte message by one thread, and bare is what the kernel asks for it.
func BenchmarkSingle(b *testing.B) {
	b.Run("bare", func(b *testing.B) {
		bed := newBed(b, SenderOptions{}, ReceiverOptions{}, nil)
		out, l := bed.send.wires[0], bed.recv.lines[0]
		data := make([]byte, 112)
		for b.Loop() {
			if err := out.socket.SendOne(data); err != nil {
				b.Fatal(err)
			}
			if n, err := l.socket.RecvBare(l.batch); n != 1 || err != nil {
				b.Fatal(n, err)
			}
		}
	})
	b.Run("whole", func(b *testing.B) {
		bed := newBed(b, SenderOptions{}, ReceiverOptions{}, nil)
		bed.publish(1, 64)
		bed.until("start", func() bool { return len(bed.mirrors) > 0 })
		bed.step()
		var batch [1]ring.Record
		b.ReportAllocs()
		for b.Loop() {
			bed.recv.lines[0].empty, bed.recv.lines[0].found = quietAfter, 0
			if _, err := bed.pub.Claim(64); err != nil || bed.pub.Commit(64) != nil {
				b.Fatal(err)
			}
			if _, err := bed.send.Do(); err != nil {
				b.Fatal(err)
			}
			if _, err := bed.recv.Do(); err != nil {
				b.Fatal(err)
			}
			for _, m := range bed.mirrors {
				if n := m.Peek(batch[:]); n > 0 && m.Release(n) != nil {
					b.Fatal("release")
				}
			}
		}
	})
}
