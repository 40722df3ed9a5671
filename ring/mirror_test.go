package ring

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"pgregory.net/rapid"
)

// runOf lays records that follow each other in their ring side by side, as they travel.
func runOf(records []Record) []byte {
	var run []byte
	for _, r := range records {
		run = append(run, r...)
		run = append(run, make([]byte, (8-len(r)%8)%8)...)
	}
	return run
}

// TestMirrorKeepsNumbersEpochsAndLosses carries random records from ring to ring, losing some on the way, and compares what
// a reader of the mirror sees with what was carried.
func TestMirrorKeepsNumbersEpochsAndLosses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type message struct {
			epoch, seq, stamp uint64
			payload           []byte
		}
		src := mustRing(t, Options{Heap: rapid.Bool().Draw(t, "heap"), Capacity: 64 << 10})
		defer src.Close()
		in, err := src.Reader(ReaderOptions{})
		mustDo(t, err)
		dst := mustRing(t, Options{Heap: rapid.Bool().Draw(t, "heap"), Capacity: 16 << 10, Instance: 7, First: 1})
		defer dst.Close()
		w, err := dst.Writer()
		mustDo(t, err)
		out, err := dst.Reader(ReaderOptions{})
		mustDo(t, err)
		var carried []message
		next := uint64(1)
		for range rapid.IntRange(1, 4).Draw(t, "lives") {
			pub, err := src.Writer()
			mustDo(t, err)
			for range rapid.IntRange(1, 8).Draw(t, "batches") {
				for range rapid.IntRange(1, 9).Draw(t, "records") {
					pub.SetStamp(pub.Seq() * 3)
					b, err := pub.Claim(rapid.IntRange(1, 90).Draw(t, "size"))
					mustDo(t, err)
					for i := range b {
						b[i] = byte(pub.Seq()) + byte(i)
					}
					mustDo(t, pub.Commit(len(b)))
				}
				batch := make([]Record, rapid.IntRange(1, 12).Draw(t, "batch"))
				for n := in.Peek(batch); n > 0; n = in.Peek(batch) {
					first := in.First()
					if rapid.IntRange(0, 3).Draw(t, "lose") > 0 {
						mustDo(t, w.Continue(in.Epoch(), first, first-next))
						mustDo(t, w.Append(runOf(batch[:n]), n))
						for i, r := range batch[:n] {
							carried = append(carried, message{in.Epoch(), first + uint64(i), r.Stamp(), bytes.Clone(r.Payload())})
						}
						next = first + uint64(n)
						if rapid.Bool().Draw(t, "flush") {
							w.Flush()
						}
					}
					mustDo(t, in.Release(n))
				}
			}
			mustDo(t, pub.Close())
		}
		w.Flush()
		lost := next - 1 - uint64(len(carried))
		batch, got := make([]Record, 5), 0
		for n := out.Peek(batch); n > 0; n = out.Peek(batch) {
			for i, r := range batch[:n] {
				want := carried[got]
				if out.Epoch() != want.epoch || out.First()+uint64(i) != want.seq || r.Stamp() != want.stamp || !bytes.Equal(r.Payload(), want.payload) {
					t.Fatalf("message %d: epoch %d seq %d stamp %d, want %d %d %d", got, out.Epoch(), out.First()+uint64(i), r.Stamp(), want.epoch, want.seq, want.stamp)
				}
				got++
			}
			for left := n; left > 0; {
				k := rapid.IntRange(1, left).Draw(t, "release")
				mustDo(t, out.Release(k))
				left -= k
			}
		}
		mustDo(t, out.Err())
		if got != len(carried) || out.Lost() != lost {
			t.Fatalf("%d messages of %d, %d lost of %d", got, len(carried), out.Lost(), lost)
		}
		if dst.Info().Instance != 7 {
			t.Fatal("the mirror has an instance of its own")
		}
	})
}

func TestMirrorGoesOnAfterItsWriterAndFromAnyNumber(t *testing.T) {
	const first = 1<<40 + 5
	r := mustRing(t, Options{Capacity: 16 << 10, First: first})
	defer r.Close()
	out, err := r.Reader(ReaderOptions{})
	mustDo(t, err)
	record := func(seq uint64) []byte {
		b := make([]byte, 24)
		binary.LittleEndian.PutUint64(b, 24|seq<<32)
		binary.LittleEndian.PutUint64(b[16:], seq)
		return b
	}
	seq := uint64(first)
	for life := range uint64(3) {
		w, err := r.Writer()
		mustDo(t, err)
		if w.Seq() != seq {
			t.Fatalf("life %d begins at %d, want %d", life, w.Seq(), seq)
		}
		if err := w.Continue(life+1, seq-1, 0); !errors.Is(err, ErrRange) {
			t.Fatalf("a number before Seq: %v", err)
		}
		if err := w.Continue(life+1, seq+1<<62+1, 0); !errors.Is(err, ErrRange) {
			t.Fatalf("a number too far beyond Seq: %v", err)
		}
		mustDo(t, w.Continue(life+1, seq+10, 4))
		seq += 10
		for range 3 {
			mustDo(t, w.Append(record(seq), 1))
			seq++
		}
		mustDo(t, w.Close())
	}
	late, err := r.Reader(ReaderOptions{From: Oldest, Mode: Lossy})
	mustDo(t, err)
	for _, reader := range []*Reader{out, late} {
		batch, n := make([]Record, 4), 0
		for k := reader.Peek(batch); k > 0; k = reader.Peek(batch) {
			for i := range batch[:k] {
				if got := binary.LittleEndian.Uint64(batch[i].Payload()); got != reader.First()+uint64(i) {
					t.Fatalf("number %d under the name %d", got, reader.First()+uint64(i))
				}
			}
			n += k
			mustDo(t, reader.Release(k))
		}
		mustDo(t, reader.Err())
		if n != 9 || reader.Lost() != 12 || reader.Epoch() != 3 || reader.Seq() != seq {
			t.Fatalf("%d records, %d lost, epoch %d, next %d", n, reader.Lost(), reader.Epoch(), reader.Seq())
		}
	}
}

func TestAgainLendsWhatIsHeldAndNothingElse(t *testing.T) {
	r := mustRing(t, Options{Capacity: 16 << 10})
	defer r.Close()
	w, err := r.Writer()
	mustDo(t, err)
	in, err := r.Reader(ReaderOptions{})
	mustDo(t, err)
	var at []uint64
	for i := range 6 {
		b, err := w.Claim(8 + i)
		mustDo(t, err)
		b[0] = byte(i)
		mustDo(t, w.Commit(len(b)))
		at = append(at, w.Position())
	}
	batch := make([]Record, 8)
	if n := in.Peek(batch[:5]); n != 5 {
		t.Fatalf("%d records", n)
	}
	again := func(i int, seq uint64, limit, want int, first byte) {
		t.Helper()
		run, n := in.Again(at[i], seq, limit)
		if n != want || n > 0 && (run[HeaderSize] != first || len(run) > limit && n > 1) {
			t.Fatalf("again from %d: %d records in %d bytes, want %d", seq, n, len(run), want)
		}
	}
	again(1, 3, 1000, 3, 2)
	again(1, 3, 1, 1, 2)
	again(1, 3, 60, 1, 2)
	again(1, 3, 64, 2, 2)
	again(1, 4, 1000, 0, 0) // another number
	again(4, 6, 1000, 0, 0) // not peeked
	mustDo(t, in.ReleaseTo(1))
	mustDo(t, in.ReleaseTo(4))
	mustDo(t, in.ReleaseTo(2))
	again(1, 3, 1000, 0, 0) // released
	again(2, 4, 1000, 2, 3)
	mustDo(t, in.ReleaseTo(100))
	if in.Cursor() != in.Position() || in.Release(1) == nil {
		t.Fatal("everything that was peeked is released")
	}
}

// TestRunsAreWhatPeekLends carries one ring by records and by runs and compares.
func TestRunsAreWhatPeekLends(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := mustRing(t, Options{Heap: rapid.Bool().Draw(t, "heap"), Capacity: 8 << 10})
		defer r.Close()
		a, err := r.Reader(ReaderOptions{})
		mustDo(t, err)
		b, err := r.Reader(ReaderOptions{})
		mustDo(t, err)
		batch := make([]Record, 16)
		for range rapid.IntRange(1, 3).Draw(t, "lives") {
			w, err := r.Writer()
			mustDo(t, err)
			for range rapid.IntRange(1, 30).Draw(t, "steps") {
				for range rapid.IntRange(0, 5).Draw(t, "records") {
					p, err := w.Claim(rapid.IntRange(1, 200).Draw(t, "size"))
					mustDo(t, err)
					p[0] = byte(w.Seq())
					mustDo(t, w.Commit(len(p)))
				}
				limit := rapid.IntRange(0, 900).Draw(t, "limit")
				for run, n := b.PeekRun(limit); n > 0; run, n = b.PeekRun(limit) {
					if n > 1 && len(run) > limit {
						t.Fatalf("%d records in %d bytes, limit %d", n, len(run), limit)
					}
					first, epoch := b.First(), b.Epoch()
					for i := 0; i < n; {
						k := a.Peek(batch[:min(n-i, 16)])
						want := runOf(batch[:k])
						if k == 0 || a.First() != first+uint64(i) || a.Epoch() != epoch || len(run) < len(want) {
							t.Fatalf("run from %d of epoch %d: peek found %d from %d of %d", first, epoch, k, a.First(), a.Epoch())
						}
						for _, rec := range batch[:k] {
							if !bytes.Equal(run[:len(rec)], rec) {
								t.Fatalf("record %d differs", first+uint64(i))
							}
							run = run[(len(rec)+7)&^7:]
						}
						i += k
						mustDo(t, a.Release(k))
					}
					if len(run) != 0 {
						t.Fatalf("%d bytes beyond the last record", len(run))
					}
					mustDo(t, b.Release(n))
				}
				if n := a.Peek(batch); n != 0 {
					t.Fatalf("%d records that no run lent", n)
				}
			}
			mustDo(t, w.Close())
		}
	})
}

type fataler interface {
	Helper()
	Fatal(...any)
}

func mustRing(t fataler, o Options) *Ring {
	t.Helper()
	r, err := Create(o)
	mustDo(t, err)
	return r
}

func mustDo(t fataler, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// However many numbers a skip passes over, every position keeps its number: for readers that stand, come late, or seek back behind it.
func TestSkipMayBeAsFarAsNumbersGo(t *testing.T) {
	for _, far := range []uint64{1<<31 + 7, 5_000_000_000, 1 << 40, 1<<61 + 3} {
		r := mustRing(t, Options{Capacity: 64 << 10})
		w, err := r.Writer()
		mustDo(t, err)
		stands, err := r.Reader(ReaderOptions{})
		mustDo(t, err)
		type place struct{ pos, seq uint64 }
		var places []place
		append3 := func(from uint64) {
			for seq := from; seq < from+3; seq++ {
				b := make([]byte, 24)
				binary.LittleEndian.PutUint64(b, 24|seq<<32)
				binary.LittleEndian.PutUint64(b[16:], seq)
				mustDo(t, w.Append(b, 1))
				places = append(places, place{w.Position() - 24, seq})
			}
			w.Flush()
		}
		append3(1)
		mustDo(t, w.Continue(1, far, far-4))
		append3(far)
		mustDo(t, w.Continue(1, 2*far, 1))
		append3(2 * far)
		late, err := r.Reader(ReaderOptions{From: Oldest, Mode: Lossy})
		mustDo(t, err)
		for name, reader := range map[string]*Reader{"stands": stands, "late": late} {
			var got []uint64
			batch := make([]Record, 4)
			for k := reader.Peek(batch); k > 0; k = reader.Peek(batch) {
				for i := range batch[:k] {
					got = append(got, reader.First()+uint64(i))
				}
				mustDo(t, reader.Release(k))
			}
			if len(got) != 9 || got[3] != far || got[8] != 2*far+2 || reader.Lost() != far-3 || reader.Seq() != 2*far+3 {
				t.Errorf("skip to %d, %s: %d, lost %d, next %d: %v", far, name, got, reader.Lost(), reader.Seq(), reader.Err())
			}
		}
		for _, p := range places {
			if err := late.Seek(p.pos); err != nil || late.Seq() != p.seq {
				t.Errorf("skip to %d: position %d is number %d, not %d: %v", far, p.pos, p.seq, late.Seq(), err)
			}
			after := mark{pos: w.Position(), seq: w.Seq(), epoch: 1}
			if m, ok := late.backward(p.pos, after); !ok || m.seq != p.seq {
				t.Errorf("skip to %d: from behind, position %d is number %d, not %d", far, p.pos, m.seq, p.seq)
			}
		}
		mustDo(t, errors.Join(stands.Close(), late.Close(), w.Close(), r.Close()))
	}
}
