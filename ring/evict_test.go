package ring

import (
	"errors"
	"path/filepath"
	"sync"
	"testing"
)

// Who watches over a ring cuts off a reader while the writer is at work, and only the one it saw.
func TestEvictFromAnotherGoroutine(t *testing.T) {
	r, err := Create(Options{Path: filepath.Join(t.TempDir(), "a.ring"), Capacity: 4096})
	if err != nil {
		t.Fatal(err)
	}
	w, err := r.Writer()
	if err != nil {
		t.Fatal(err)
	}
	stopped, err := r.Reader(ReaderOptions{Name: "stopped"})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for sent := 0; sent < 1000; {
			b, err := w.Claim(64)
			if errors.Is(err, ErrFull) {
				continue
			}
			if err != nil {
				t.Error(err)
				return
			}
			clear(b)
			if err := w.Commit(64); err != nil {
				t.Error(err)
			}
			sent++
		}
	})
	for {
		behind, err := r.Behind()
		if err != nil {
			t.Fatal(err)
		}
		if behind > 3000 {
			break
		}
	}
	readers, err := r.Readers()
	if err != nil || len(readers) != 1 {
		t.Fatal(readers, err)
	}
	moved, other := readers[0], readers[0]
	moved.Cursor += 8
	other.Name = "other"
	if r.Evict(moved) || r.Evict(other) {
		t.Error("a reader that is not as it was seen is evicted")
	}
	if !r.Evict(readers[0]) {
		t.Error("the reader that holds the writer up stays")
	}
	all.Wait()
	if r.Evict(readers[0]) || w.Evictions() != 1 {
		t.Errorf("%d evictions", w.Evictions())
	}
	batch := make([]Record, 8)
	stopped.Peek(batch)
	if err := stopped.Release(0); !errors.Is(err, ErrEvicted) {
		t.Errorf("the evicted reader is told %v", err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if r.Evict(readers[0]) {
		t.Error("evicted without a writer")
	}
	if err := stopped.Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Behind(); !errors.Is(err, ErrClosed) {
		t.Errorf("behind in a closed ring: %v", err)
	}
}
