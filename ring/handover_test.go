package ring

import (
	"errors"
	"path/filepath"
	"testing"
)

// A durable reader that is handed over holds the writer like a living one; one that is closed does not once the ring is full.
func TestAHandedOverReaderIsNotEvicted(t *testing.T) {
	for _, path := range []string{"", filepath.Join(t.TempDir(), "a.ring")} {
		r, err := Create(Options{Path: path, Capacity: 4096})
		if err != nil {
			t.Fatal(err)
		}
		w, err := r.Writer()
		if err != nil {
			t.Fatal(err)
		}
		open := func() *Reader {
			t.Helper()
			rd, err := r.Reader(ReaderOptions{Name: "to left", Durable: true, From: Oldest})
			if err != nil {
				t.Fatal(err)
			}
			return rd
		}
		next := uint64(1)
		fill := func() (full error) {
			for i := 0; i < 1000; i++ {
				b, err := w.Claim(64)
				if err != nil {
					return err
				}
				b[0] = 1
				if err := w.Commit(64); err != nil {
					t.Fatal(err)
				}
			}
			return nil
		}
		take := func(rd *Reader, n int) {
			t.Helper()
			batch := make([]Record, n)
			if got := rd.Peek(batch); got != n || rd.First() != next {
				t.Fatalf("%d records from %d on, %d from %d are due", got, rd.First(), n, next)
			}
			next += uint64(n)
			if err := rd.Release(n); err != nil {
				t.Fatal(err)
			}
		}
		rd := open()
		for range 20 {
			if err := fill(); !errors.Is(err, ErrFull) {
				t.Fatalf("path %q: %v", path, err)
			}
			take(rd, 3)
			batch := make([]Record, 5)
			rd.Peek(batch) // and not released: it comes again
			if err := rd.HandOver(); err != nil {
				t.Fatal(err)
			}
			if rd.Peek(batch) != 0 || !errors.Is(rd.HandOver(), ErrClosed) {
				t.Fatal("a reader works on after it was handed over")
			}
			if err := fill(); !errors.Is(err, ErrFull) {
				t.Fatalf("path %q: handed over, and the writer went on: %v", path, err)
			}
			rd = open()
			if _, err := r.Reader(ReaderOptions{Name: "to left", Durable: true}); !errors.Is(err, ErrOwned) {
				t.Fatalf("path %q: two readers of one name: %v", path, err)
			}
			take(rd, 2)
			if rd.Lost() != 0 {
				t.Fatalf("%d lost", rd.Lost())
			}
		}
		if err := rd.HandOver(); err != nil {
			t.Fatal(err)
		}
		if err := r.Forget("to left"); err != nil {
			t.Fatal(err)
		}
		if err := fill(); err != nil {
			t.Fatalf("path %q: forgotten, and the writer waits: %v", path, err)
		}
		if err := r.Forget("to left"); !errors.Is(err, ErrRange) {
			t.Fatal(err)
		}
		if rd = open(); rd.Close() != nil || rd.Lost() != 0 {
			t.Fatal("the name is not free again")
		}
		fill() // until it is closed and evicted
		if err := fill(); err != nil {
			t.Fatalf("path %q: closed, and the writer waits: %v", path, err)
		}
		if err := errors.Join(w.Close(), r.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

// What was handed over and never taken ends with the Ring: the next one of the file finds a dead reader.
func TestAHandOverEndsWithTheRing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.ring")
	r, err := Create(Options{Path: path, Capacity: 4096})
	if err != nil {
		t.Fatal(err)
	}
	other, err := Attach(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	rd, err := other.Reader(ReaderOptions{Name: "to left", Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := rd.HandOver(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Reader(ReaderOptions{Name: "to left", Durable: true}); !errors.Is(err, ErrOwned) {
		t.Fatalf("another Ring takes it: %v", err)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	if rd, err = r.Reader(ReaderOptions{Name: "to left", Durable: true}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(rd.Close(), r.Close()); err != nil {
		t.Fatal(err)
	}
}

// A place that is held stops the writer however long nobody has it, also once a successor who does not know of it has died.
func TestAHeldPlaceIsWaitedFor(t *testing.T) {
	r, err := Create(Options{Path: filepath.Join(t.TempDir(), "a.ring"), Capacity: 4096})
	if err != nil {
		t.Fatal(err)
	}
	w, err := r.Writer()
	if err != nil {
		t.Fatal(err)
	}
	open := func(o ReaderOptions) *Reader {
		t.Helper()
		o.Name, o.Durable, o.From = "to left", true, Oldest
		rd, err := r.Reader(o)
		if err != nil {
			t.Fatal(err)
		}
		return rd
	}
	fill := func() error {
		for range 100 {
			if _, err := w.Claim(64); err != nil {
				return err
			}
			if err := w.Commit(64); err != nil {
				t.Fatal(err)
			}
		}
		return nil
	}
	held := ReaderOptions{Held: true}
	for range 3 {
		if err := open(held).Close(); err != nil {
			t.Fatal(err)
		}
		if err := fill(); !errors.Is(err, ErrFull) {
			t.Fatalf("held, and the writer went on: %v", err)
		}
		if all, err := r.Readers(); err != nil || len(all) != 1 || !all[0].Held || all[0].Alive {
			t.Fatal(all, err)
		}
		rd := open(ReaderOptions{})
		if rd.Lost() != 0 || rd.Seq() != 1 {
			t.Fatalf("%d lost, at %d", rd.Lost(), rd.Seq())
		}
		if err := rd.Close(); err != nil {
			t.Fatal(err)
		}
		held.Held = false
	}
	if err := r.Forget("to left"); err != nil {
		t.Fatal(err)
	}
	if err := fill(); err != nil {
		t.Fatal(err)
	}
	if err := open(ReaderOptions{}).Close(); err != nil { // the name is an ordinary one again
		t.Fatal(err)
	}
	for range 2 {
		if err := fill(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Reader(ReaderOptions{Name: "x", Held: true}); !errors.Is(err, ErrOptions) {
		t.Fatal(err)
	}
	if err := errors.Join(w.Close(), r.Close()); err != nil {
		t.Fatal(err)
	}
}
