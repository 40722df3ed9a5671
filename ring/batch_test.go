package ring

import (
	"errors"
	"testing"
)

// TestBatchIsOnlyTheLastClaims: a Batch that was committed, aborted, replaced or closed lends nothing, so that it cannot
// touch what readers see.
func TestBatchIsOnlyTheLastClaims(t *testing.T) {
	r := bedRing(t, 4096, false)
	w, rd := bedWriter(t, r), bedReader(t, r, ReaderOptions{})
	claim := func() *Batch {
		b, err := w.ClaimBatch(8, 2)
		if err != nil || b.Len() != 2 {
			t.Fatal(b, err)
		}
		copy(b.At(0), "first...")
		copy(b.At(1), "second..")
		return b
	}
	ends := map[string]func(){
		"commit": func() {
			if err := w.CommitBatch(2); err != nil {
				t.Fatal(err)
			}
		},
		"abort": func() { w.Abort() },
		"claim": func() {
			if _, err := w.Claim(8); err != nil {
				t.Fatal(err)
			}
			if err := w.Commit(8); err != nil {
				t.Fatal(err)
			}
		},
	}
	batch := make([]Record, 8)
	for name, end := range ends {
		b := claim()
		end()
		if b.Len() != 0 || b.At(0) != nil || b.At(1) != nil {
			t.Errorf("after %s: a batch of %d", name, b.Len())
		}
		if err := w.CommitBatch(1); !errors.Is(err, ErrNoClaim) {
			t.Errorf("after %s: commit of the batch: %v", name, err)
		}
		for rd.Seq() < w.Seq() {
			n := rd.Peek(batch)
			if rd.Err() != nil || rd.Release(n) != nil {
				t.Fatal(rd.Err())
			}
		}
	}
	b := claim()
	if err := w.Commit(8); !errors.Is(err, ErrNoClaim) {
		t.Errorf("single commit of a batch: %v", err)
	}
	if err := errors.Join(rd.Close(), w.Close(), r.Close()); err != nil {
		t.Fatal(err)
	}
	if b.At(0) != nil {
		t.Error("a batch of a closed writer lends memory")
	}
}

// TestUnaskedRecordsOfABatchArePlainRecords: Commit of what was not asked for is a commit of bytes nobody wrote, and no
// hole for readers to fall into.
func TestUnaskedRecordsOfABatchArePlainRecords(t *testing.T) {
	r := bedRing(t, 4096, false)
	w, rd := bedWriter(t, r), bedReader(t, r, ReaderOptions{})
	batch := make([]Record, 8)
	for lap := range 200 {
		b, err := w.ClaimBatch(40+lap%3*8, 3)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.CommitBatch(b.Len()); err != nil {
			t.Fatal(err)
		}
		for rd.Seq() < w.Seq() {
			n := rd.Peek(batch)
			if rd.Err() != nil || rd.Release(n) != nil {
				t.Fatal(rd.Err())
			}
			for _, rec := range batch[:n] {
				if len(rec.Payload()) != 40+lap%3*8 {
					t.Fatalf("a record of %d bytes", len(rec.Payload()))
				}
			}
		}
	}
}
