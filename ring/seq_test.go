package ring

import (
	"encoding/binary"
	"testing"
)

// TestNumbersGoOnPastTheirLowHalf: a record carries the low half of its number. Where that is 0, as after 2^32 records,
// a word of zeroes still means that nothing is committed.
func TestNumbersGoOnPastTheirLowHalf(t *testing.T) {
	const start = 1<<32 - 50
	r, err := Create(Options{Heap: true, Capacity: 4096})
	if err != nil {
		t.Fatal(err)
	}
	storeMark(r.data.hdr, 0, mark{pos: r.geo.capacity, seq: start})
	w, err := r.Writer()
	if err != nil {
		t.Fatal(err)
	}
	gate, err := r.Reader(ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	lossy, err := r.Reader(ReaderOptions{Mode: Lossy})
	if err != nil {
		t.Fatal(err)
	}
	batch := make([]Record, 4)
	for seq := uint64(start); seq < start+100; seq++ {
		for _, rd := range []*Reader{gate, lossy} {
			if n := rd.Peek(batch); n != 0 || rd.Err() != nil {
				t.Fatalf("before %#x: %d records, %v", seq, n, rd.Err())
			}
			if word, value, ok := rd.Arm(); !ok {
				t.Fatalf("before %#x: no sleep on %v %d", seq, word, value)
			}
		}
		b, err := w.Claim(8)
		if err != nil {
			t.Fatal(err)
		}
		binary.LittleEndian.PutUint64(b, seq)
		if w.Seq() != seq || w.Commit(8) != nil {
			t.Fatalf("commit of %#x as %#x", seq, w.Seq())
		}
		for _, rd := range []*Reader{gate, lossy} {
			if n := rd.Peek(batch); n != 1 || rd.First() != seq || binary.LittleEndian.Uint64(batch[0].Payload()) != seq {
				t.Fatalf("at %#x: %d records from %#x, %v", seq, n, rd.First(), rd.Err())
			}
			if err := rd.Release(1); err != nil {
				t.Fatal(err)
			}
		}
	}
}
