//go:build invariants || race

package ring

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/alphapulse/transport/internal/check"
)

// at calls fn, once if so asked, whenever the ring passes the named point; the ring may be used meanwhile, and points
// passed by fn count for nothing.
func at(t *testing.T, point string, once bool, fn func()) {
	t.Helper()
	inside, spent := false, false
	check.Hook = func(p string) {
		if p != point || inside || spent {
			return
		}
		inside, spent = true, once
		fn()
		inside = false
	}
	t.Cleanup(func() { check.Hook = nil })
}

// TestOldPayloadIsNeverReadAsACommit writes payload that looks like the commit words of the next lap, where they would
// be, and into the rest of each claim. The next word is zero before Commit stores its own; without that the reader, looking
// right after the store, takes the old payload for the next record.
func TestOldPayloadIsNeverReadAsACommit(t *testing.T) {
	r := bedRing(t, 4096, false)
	if !r.Info().Double {
		t.Skip("single-mapped here: pads shift the laps")
	}
	w, rd := bedWriter(t, r), bedReader(t, r, ReaderOptions{})
	const n, next = 56, 72
	var base uint64 // position of record 1
	batch := make([]Record, 4)
	at(t, "committed", false, func() {
		seen := rd.Peek(batch)
		if rd.Seq() > w.Seq()+1 { // the record just committed is not counted yet
			t.Fatalf("record %d was never written", rd.Seq()-1)
		}
		for _, rec := range batch[:seen] {
			if len(rec) != next || binary.LittleEndian.Uint64(rec.Payload()) != 1 {
				t.Fatalf("record %d is old payload: %x", rd.First(), rec)
			}
		}
		if err := errors.Join(rd.Err(), rd.Release(seen)); err != nil {
			t.Fatal(err)
		}
	})
	for range 2000 {
		b, err := w.Claim(n + 64*int(w.Seq()%2)) // what the record does not take is written too, as if it were the next
		if err != nil {
			t.Fatal(err)
		}
		if w.Seq() == 1 {
			base = w.Position()
		}
		for j := n; j < len(b); j += 8 {
			binary.LittleEndian.PutUint64(b[j:], 24|(w.Seq()+1)<<seqShift)
		}
		b = b[:n]
		binary.LittleEndian.PutUint64(b, 1)
		for j := 8; j < n; j += 8 {
			later := w.Position() + HeaderSize + uint64(j) + 4096
			binary.LittleEndian.PutUint64(b[j:], 24|((later-base)/next+1)<<seqShift)
		}
		if err := w.Commit(n); err != nil {
			t.Fatal(err)
		}
	}
	if take := rd.Seq(); take < 1990 {
		t.Errorf("reader is at %d", take)
	}
}

// TestOldPayloadBehindLargeRecords is the same for records at and beyond what a window clears.
func TestOldPayloadBehindLargeRecords(t *testing.T) {
	for n := windowSize - 48; n < windowSize+32; n++ {
		r := bedRing(t, 1<<16, false)
		w, rd := bedWriter(t, r), bedReader(t, r, ReaderOptions{})
		var base uint64
		next := stride(uint64(n) + HeaderSize)
		batch := make([]Record, 4)
		at(t, "committed", false, func() {
			if err := rd.Release(rd.Peek(batch)); err != nil || rd.Seq() > w.Seq()+1 {
				t.Fatalf("records of %d: number %d was never written (%v)", n, rd.Seq()-1, err)
			}
		})
		for range 80 {
			b, err := w.Claim(n)
			if err != nil {
				t.Fatal(err)
			}
			if w.Seq() == 1 {
				base = w.Position()
			}
			for j := 0; j+8 <= n; j += 8 {
				later := w.Position() + HeaderSize + uint64(j) + 1<<16
				binary.LittleEndian.PutUint64(b[j:], 24|((later-base)/next+1)<<seqShift)
			}
			if err := w.Commit(n); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestBatchAppearsWhole looks at every point on the way of a batch. Its first commit word is stored last: stored in order,
// readers would get the first records while the caller may still abort or die.
func TestBatchAppearsWhole(t *testing.T) {
	onBeds(t, 4096, func(t *testing.T, r *Ring) {
		w := bedWriter(t, r)
		rd, lossy := bedReader(t, r, ReaderOptions{}), bedReader(t, r, ReaderOptions{Mode: Lossy})
		batch, first := make([]Record, 8), uint64(1)
		appeared := false
		check.Hook = func(p string) {
			switch p {
			case "staged", "prepared", "flush", "control":
				for _, x := range []*Reader{rd, lossy} {
					if n := x.Peek(batch); n != 0 {
						t.Errorf("%d records of %s at %q", n, x.opts.Mode, p)
					}
				}
			case "flushed":
				for _, x := range []*Reader{rd, lossy} {
					if n := take(t, x); n != 5 || x.Seq() != first+5 {
						t.Errorf("%d records of %s at %q", n, x.opts.Mode, p)
					}
				}
				appeared = true
			}
		}
		defer func() { check.Hook = nil }()
		for i := range 200 {
			if i%2 == 0 {
				for range 5 {
					b, err := w.Claim(30)
					if err != nil {
						t.Fatal(err)
					}
					fillSeq(b, w.Seq())
					if err := w.Stage(30); err != nil {
						t.Fatal(err)
					}
				}
				w.Flush()
			} else {
				all, err := claimBatch(w, 30, 5)
				if err != nil {
					t.Fatal(err)
				}
				for j, b := range all {
					fillSeq(b, w.Seq()+uint64(j))
				}
				for len(all) < 5 { // the end of the ring: commit what fits is a batch of its own size
					w.Abort()
					check.Hook, appeared = nil, true
					break
				}
				if check.Hook == nil {
					return
				}
				if err := w.CommitBatch(5); err != nil {
					t.Fatal(err)
				}
			}
			if !appeared {
				t.Fatal("the batch never appeared")
			}
			appeared, first = false, first+5
		}
	})
}

// TestNewGateIsHeldWhereverTheWriterIs attaches a gate at each point of the writer's look at the readers. Either the
// writer sees the gate or the gate sees limit; without the second look at limit it starts in bytes that the writer was
// already granted.
func TestNewGateIsHeldWhereverTheWriterIs(t *testing.T) {
	for _, point := range []string{"limit", "granted", "life", "published", "control"} {
		for _, from := range []From{Now, Oldest} {
			onBeds(t, 4096, func(t *testing.T, r *Ring) {
				w := bedWriter(t, r)
				old := bedReader(t, r, ReaderOptions{}) // so that there is a life to look at
				for range 300 {
					publish(t, w, 100)
					take(t, old)
				}
				var rd *Reader
				at(t, point, true, func() { rd = bedReader(t, r, ReaderOptions{From: from}) })
				for n := 0; n < 200; n++ {
					if err := tryPublish(w, 100); errors.Is(err, ErrFull) {
						if rd == nil || w.Position()+4096/8+200 < rd.Cursor()+4096 {
							t.Fatalf("full at %d", w.Position())
						}
						take(t, rd)
					} else if err != nil {
						t.Fatal(err)
					}
					if rd != nil && w.Position() > rd.Cursor()+4096 {
						t.Fatalf("%q: the writer at %d passed the gate at %d", point, w.Position(), rd.Cursor())
					}
					take(t, old)
				}
				if rd != nil {
					take(t, rd)
				}
				if w.Evictions() != 0 {
					t.Errorf("%q: %d evictions", point, w.Evictions())
				}
			})
		}
	}
}

// TestWriterRunningPastAnAttachingGateMovesItsStart lets the writer come round between the gate's choice of a place and
// its bit: it must start further on.
func TestWriterRunningPastAnAttachingGateMovesItsStart(t *testing.T) {
	for _, point := range []string{"attach.life", "attach.cursor"} {
		for _, from := range []From{Now, Oldest} {
			onBeds(t, 4096, func(t *testing.T, r *Ring) {
				w := bedWriter(t, r)
				for range 100 {
					publish(t, w, 100)
				}
				at(t, point, true, func() {
					for range 100 {
						publish(t, w, 100)
					}
				})
				rd := bedReader(t, r, ReaderOptions{From: from})
				if w.Position() > rd.Cursor()+4096 {
					t.Fatalf("the gate starts at %d, the writer is at %d", rd.Cursor(), w.Position())
				}
				publish(t, w, 100)
				if n := take(t, rd); uint64(n) != w.Seq()-rd.Seq()+uint64(n) || n < 1 {
					t.Errorf("%d records up to %d, writer at %d", n, rd.Seq(), w.Seq())
				}
			})
		}
	}
}

// TestReaderInAUsedSlotIsNoForger lets a gate leave and another, further back, take its slot between the writer's look
// at the slot's life and at its cursor. Without the second look at the life that cursor seems set back.
func TestReaderInAUsedSlotIsNoForger(t *testing.T) {
	onBeds(t, 4096, func(t *testing.T, r *Ring) {
		w := bedWriter(t, r)
		first := bedReader(t, r, ReaderOptions{})
		for range 300 {
			publish(t, w, 100)
			take(t, first)
		}
		var second *Reader
		at(t, "life", true, func() {
			if err := first.Close(); err != nil {
				t.Fatal(err)
			}
			second = bedReader(t, r, ReaderOptions{From: Oldest})
		})
		for second == nil {
			publish(t, w, 100)
		}
		if second.index != first.index {
			t.Fatalf("slot %d, want %d", second.index, first.index)
		}
		if take(t, second) == 0 || w.Evictions() != 0 {
			t.Errorf("%d evictions", w.Evictions())
		}
	})
}

// TestLossyReaderBelievesLimitBeforeItsEyes stops the writer right after it announced what it will overwrite: the bytes are
// still whole, and a lossy reader must leave them alone, since it cannot know.
func TestLossyReaderBelievesLimitBeforeItsEyes(t *testing.T) {
	onBeds(t, 4096, func(t *testing.T, r *Ring) {
		w := bedWriter(t, r)
		rd := bedReader(t, r, ReaderOptions{Mode: Lossy})
		batch := make([]Record, 4)
		laps := 0
		at(t, "limit", false, func() {
			if rd.Position() >= r.data.hdr.Load64(hdrLimit)-4096 {
				return
			}
			laps++
			before := rd.Seq()
			if n := rd.Peek(batch); n != 0 || rd.Laps() != uint64(laps) || rd.Lost() == 0 || rd.Seq() <= before {
				t.Errorf("%d records of announced bytes, %d laps, %d lost", n, rd.Laps(), rd.Lost())
			}
		})
		for range 1000 {
			publish(t, w, 100)
		}
		if laps < 10 {
			t.Errorf("%d laps", laps)
		}
	})
}

// TestCommitWhileArmingIsSeen commits between the flag and the look at the commit word: Arm must look after the flag.
func TestCommitWhileArmingIsSeen(t *testing.T) {
	onBeds(t, 4096, func(t *testing.T, r *Ring) {
		w := bedWriter(t, r)
		for _, mode := range []Mode{Gate, Lossy} {
			rd := bedReader(t, r, ReaderOptions{Mode: mode})
			if _, _, ok := rd.Arm(); !ok {
				t.Fatal("no sleep on an empty ring")
			}
			at(t, "armed", true, func() { publish(t, w, 8) })
			if _, _, ok := rd.Arm(); ok {
				t.Error("sleeps though there is something")
			}
			if take(t, rd) != 1 {
				t.Error("nothing there")
			}
		}
	})
}
