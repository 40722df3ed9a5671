package netio

import (
	"encoding/binary"
	"errors"
	"sync"
	"testing"

	"github.com/alphapulse/transport/ring"
)

func recordOf(seq uint64, payload byte) []byte {
	b := make([]byte, 24)
	binary.LittleEndian.PutUint64(b, 17|seq<<32)
	b[16] = payload
	return b
}

// Two links bring the same source, each all of it: the mirror has each number once, in order.
func TestMirrorsThatAreSharedHaveEachNumberOnce(t *testing.T) {
	shared, err := NewMirrors(InboxOptions{Capacity: 1 << 16})
	if err != nil {
		t.Fatal(err)
	}
	const n = 20_000
	var links sync.WaitGroup
	var took [2]int
	for i := range took {
		inbox, err := NewInbox(InboxOptions{Shared: shared})
		if err != nil {
			t.Fatal(err)
		}
		links.Go(func() {
			m, err := inbox.Open(7, 1)
			if err != nil {
				t.Error(err)
				return
			}
			for !m.Enter() {
			}
			for m.Seq() <= n {
				for range 16 { // a batch
					if seq := m.Seq(); seq <= n {
						if err := m.Bring(1, seq, 0, recordOf(seq, 1), 1); err != nil {
							t.Error(err)
							return
						}
						took[i]++
					}
				}
				m.Flush()
				m.Leave()
				for !m.Enter() {
				}
			}
			m.Leave()
			if err := inbox.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	links.Wait()
	if took[0]+took[1] != n {
		t.Errorf("%v records", took)
	}
	if err := shared.Close(); err != nil {
		t.Error(err)
	}
}

func TestAMirrorThatIsTakenIsNotEntered(t *testing.T) {
	shared, err := NewMirrors(InboxOptions{Sources: 1})
	if err != nil {
		t.Fatal(err)
	}
	a, _ := NewInbox(InboxOptions{Shared: shared})
	b, _ := NewInbox(InboxOptions{Shared: shared})
	m, err := a.Open(7, 5)
	if err != nil {
		t.Fatal(err)
	}
	same, err := b.Held(7)
	if err != nil || same != m || m.Seq() != 5 {
		t.Fatal(same, m, err)
	}
	if !m.Enter() || same.Enter() {
		t.Error("a mirror is entered twice, or not at all")
	}
	if m.Leave(); !same.Enter() {
		t.Error("a mirror that was left is not free")
	}
	same.Leave()
	if _, err := b.Open(8, 1); !errors.Is(err, ErrSources) {
		t.Error(err)
	}
	if err := errors.Join(a.Forget(7), b.Forget(7)); err != nil {
		t.Error(err)
	}
	if _, err := b.Open(8, 1); err != nil { // nobody holds 7 any more
		t.Error(err)
	}
	if err := errors.Join(a.Close(), b.Close(), shared.Close()); err != nil {
		t.Error(err)
	}
	if _, err := NewMirrors(InboxOptions{Shared: shared}); err == nil {
		t.Error("what is shared is shared again")
	}
}

// A record that found no room and comes by another way has its own number, whatever was announced.
func TestBringGoesOnAfterARefusal(t *testing.T) {
	inbox, _ := NewInbox(InboxOptions{Capacity: 4096})
	m, err := inbox.Open(7, 1)
	if err != nil {
		t.Fatal(err)
	}
	r, err := m.Ring.Reader(ring.ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	seq := uint64(1)
	for ; m.Bring(1, seq, 0, recordOf(seq, 1), 1) == nil; seq++ {
	}
	if err := m.Bring(2, seq+9, 9, recordOf(seq+9, 1), 1); !errors.Is(err, ring.ErrFull) {
		t.Fatal(err)
	}
	m.Flush()
	batch := make([]ring.Record, 256)
	for n := r.Peek(batch); n > 0; n = r.Peek(batch) {
		if err := r.Release(n); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Bring(1, seq, 0, recordOf(seq, 2), 1); err != nil {
		t.Fatal(err)
	}
	m.Flush()
	if n := r.Peek(batch); n != 1 || r.First() != seq || r.Lost() != 0 || r.Epoch() != 1 {
		t.Error(n, r.First(), seq, r.Lost(), r.Epoch())
	}
	if err := errors.Join(r.Close(), inbox.Close()); err != nil {
		t.Error(err)
	}
}
