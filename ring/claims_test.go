package ring

import (
	"errors"
	"testing"
)

// TestShortCommitUsesTheClaimUp: what a record left of its claim is not lent any more.
func TestShortCommitUsesTheClaimUp(t *testing.T) {
	w := bedWriter(t, bedRing(t, 1<<16, false))
	for _, end := range []func(int) error{w.Commit, w.Stage} {
		if _, err := w.Claim(1000); err != nil {
			t.Fatal(err)
		}
		if err := end(8); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(w.Commit(8)); !errors.Is(err, ErrNoClaim) {
			t.Errorf("second commit of a claim: %v", err)
		}
	}
}

// TestSmallBatchAcrossTheEndStaysWhole: only a batch past an eighth of the ring is flushed by itself.
func TestSmallBatchAcrossTheEndStaysWhole(t *testing.T) {
	r := bedRing(t, 1<<20, false)
	w, rd := bedWriter(t, r), bedReader(t, r, ReaderOptions{})
	batch := make([]Record, 64)
	for w.Position() < 5<<20 {
		for range 6 {
			if _, err := w.Claim(1000); err != nil {
				t.Fatal(err)
			}
			if err := w.Stage(1000); err != nil {
				t.Fatal(err)
			}
			if n := rd.Peek(batch); n != 0 {
				t.Fatalf("%d records before the flush at %d", n, w.Position())
			}
		}
		w.Flush()
		for rd.Seq() < w.Seq() {
			if n := rd.Peek(batch); rd.Err() != nil || rd.Release(n) != nil {
				t.Fatal(rd.Err())
			}
		}
	}
}

// TestPeekAfterTheEndFindsNothing: also when the reader knew of more to come, and the first reason stays.
func TestPeekAfterTheEndFindsNothing(t *testing.T) {
	for name, end := range map[string]func(*Writer, *Reader) error{
		"close": func(_ *Writer, rd *Reader) error { return rd.Close() },
		"evict": func(w *Writer, rd *Reader) error { w.Evict(0); return nil },
	} {
		r := bedRing(t, 1<<16, false)
		w, rd := bedWriter(t, r), bedReader(t, r, ReaderOptions{})
		for range 200 {
			if _, err := w.Claim(40); err != nil {
				t.Fatal(err)
			}
			if err := w.Commit(40); err != nil {
				t.Fatal(err)
			}
		}
		batch := make([]Record, 4)
		for range 3 {
			if err := rd.Release(rd.Peek(batch)); err != nil {
				t.Fatal(err)
			}
		}
		if err := end(w, rd); err != nil {
			t.Fatal(err)
		}
		want := ErrClosed
		if name == "evict" {
			want = ErrEvicted
			if err := rd.Release(rd.Peek(batch)); !errors.Is(err, want) {
				t.Errorf("release after %s: %v", name, err)
			}
		}
		if n := rd.Peek(batch); n != 0 || !errors.Is(rd.Err(), want) {
			t.Errorf("after %s: %d records, %v", name, n, rd.Err())
		}
	}
}
