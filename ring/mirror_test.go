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
		if err := w.Continue(life+1, seq+1<<31+1, 0); !errors.Is(err, ErrRange) {
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
	again := make([]Record, 8)
	if n := in.Again(at[1], 3, again); n != 3 || again[0].Payload()[0] != 2 || again[2].Payload()[0] != 4 {
		t.Fatalf("again: %d records", n)
	}
	if n := in.Again(at[1], 4, again); n != 0 {
		t.Fatal("a record under another number")
	}
	if n := in.Again(at[4], 6, again); n != 0 {
		t.Fatal("a record that was not peeked")
	}
	mustDo(t, in.Release(3))
	if n := in.Again(at[1], 3, again); n != 0 {
		t.Fatal("a record that was released")
	}
	if n := in.Again(at[2], 4, again); n != 2 {
		t.Fatalf("the two that are held: %d", n)
	}
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
