//go:build invariants || race

package ring

import (
	"testing"

	"github.com/alphapulse/transport/internal/check"
)

// A writer looks at the gates while a reader takes the slot of a dead one and starts further back than the dead one
// was: what the writer remembers of the dead is not held against the heir.
func TestHeirOfADeadReadersSlotIsNotTakenForForged(t *testing.T) {
	r, err := Create(Options{Heap: true, Capacity: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	w := writerOf(t, r)
	var batch [64]Record
	for range 2 { // slots 0 and 1
		if _, err := r.Reader(ReaderOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	commitMany(t, w, 20)
	dead, err := r.Reader(ReaderOptions{}) // slot 2, at record 21
	if err != nil {
		t.Fatal(err)
	}
	w.slowest()
	r.slots = 1<<MaxReaders - 1 - 1<<dead.index // every other slot belongs to somebody living
	for i := dead.index + 1; i < MaxReaders; i++ {
		r.slot(i).Store32(slotState, stateLossy)
	}

	begun, goOn, done := make(chan bool), make(chan bool), make(chan *Reader)
	looked := false
	check.Hook = func(point string) {
		switch {
		case point == "life" && !looked: // the gates are read, the life of slot 2 not yet
			looked = true
			go func() {
				heir, err := r.Reader(ReaderOptions{From: Oldest})
				if err != nil {
					t.Error(err)
				}
				done <- heir
			}()
			<-begun
		case point == "attach.life":
			begun <- true
			<-goOn
		}
	}
	defer func() { check.Hook = nil }()
	w.slowest()
	goOn <- true
	heir := <-done
	if heir == nil || heir.index != dead.index {
		t.Fatal("the heir has another slot")
	}
	w.slowest()
	if n := heir.Peek(batch[:]); n == 0 || heir.First() != 1 {
		t.Fatalf("peeked %d records from %d", n, heir.First())
	}
	if err := heir.Release(heir.out); err != nil || w.Evictions() != 0 {
		t.Errorf("%v, %d evictions", err, w.Evictions())
	}
}
