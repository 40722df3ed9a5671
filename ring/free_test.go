package ring

import (
	"errors"
	"testing"
)

// What Free says there is room for can be appended, and not much more.
func TestFreeIsWhatCanBeAppended(t *testing.T) {
	for _, heap := range []bool{false, true} {
		r, err := Create(Options{Capacity: 1 << 14, Heap: heap})
		if err != nil {
			t.Fatal(err)
		}
		w, err := r.Writer()
		if err != nil {
			t.Fatal(err)
		}
		if free := w.Free(); free < r.Info().Capacity*3/4 {
			t.Errorf("heap %v: %d bytes are free where nobody gates", heap, free)
		}
		reader, err := r.Reader(ReaderOptions{})
		if err != nil {
			t.Fatal(err)
		}
		batch := make([]Record, 64)
		for round := range 50 {
			free := w.Free()
			for put := 0; put+104 <= free; put += 104 {
				if put == 0 {
					w.Trace([TraceSize]byte{1})
				}
				if _, err := w.Claim(88); err != nil {
					t.Fatalf("heap %v, round %d: %v after %d of %d free bytes", heap, round, err, put, free)
				}
				if err := w.Commit(88); err != nil {
					t.Fatal(err)
				}
			}
			if left := w.Free(); left > 104 {
				t.Errorf("heap %v, round %d: %d bytes are left of %d", heap, round, left, free)
			}
			n := reader.Peek(batch[:1+round])
			if err := reader.Release(n); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(reader.Close(), w.Close(), r.Close()); err != nil {
			t.Error(err)
		}
		if w.Free() != 0 {
			t.Error("a closed ring has room")
		}
	}
}

// A reader that died is let go of by who asks for room and never claims what is not there.
func TestFreeLetsGoOfTheDead(t *testing.T) {
	r, err := Create(Options{Capacity: 1 << 14})
	if err != nil {
		t.Fatal(err)
	}
	w, err := r.Writer()
	if err != nil {
		t.Fatal(err)
	}
	dead, err := r.Reader(ReaderOptions{Name: "dead", Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	for w.Free() > 200 {
		if _, err := w.Claim(100); err != nil {
			t.Fatal(err)
		}
		if err := w.Commit(100); err != nil {
			t.Fatal(err)
		}
	}
	if err := dead.Close(); err != nil {
		t.Fatal(err)
	}
	for looks := 0; w.Free() < 1<<13; looks++ {
		if looks > reapEvery+1 {
			t.Fatal("a dead reader holds the ring")
		}
	}
	if err := errors.Join(w.Close(), r.Close()); err != nil {
		t.Error(err)
	}
}
