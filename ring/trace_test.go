package ring

import (
	"bytes"
	"errors"
	"testing"

	"pgregory.net/rapid"
)

func traceOf(seq uint64) (t [TraceSize]byte) {
	for i := range t {
		t[i] = byte(seq) + byte(i)
	}
	return t
}

// TestTraceStaysWithItsRecord writes traced records and others in every way a writer has, through several lives, carries them by runs into a
// mirror, and looks at both rings with readers of every kind: each trace is seen with its record, and with no other.
func TestTraceStaysWithItsRecord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		src := mustRing(t, Options{Heap: rapid.Bool().Draw(t, "heap"), Capacity: 1 << 14})
		defer src.Close()
		dst := mustRing(t, Options{Heap: rapid.Bool().Draw(t, "mirror on the heap"), Capacity: 1 << 14, First: 1})
		defer dst.Close()
		m, err := dst.Writer()
		mustDo(t, err)
		in, err := src.Reader(ReaderOptions{})
		mustDo(t, err)
		type seeing struct {
			*Reader
			name string
			due  uint64
		}
		var all []*seeing
		for name, r := range map[string]*Ring{"source": src, "mirror": dst} {
			for _, mode := range []Mode{Gate, Lossy} {
				rd, err := r.Reader(ReaderOptions{Mode: mode, From: Oldest})
				mustDo(t, err)
				all = append(all, &seeing{rd, name, 1})
			}
		}
		traced := map[uint64]bool{}
		see := func(s *seeing) {
			batch := make([]Record, rapid.IntRange(1, 9).Draw(t, "batch"))
			for n := s.Peek(batch); n > 0; n = s.Peek(batch) {
				if s.First() != s.due {
					t.Fatalf("%s: record %d, want %d", s.name, s.First(), s.due)
				}
				for i := range n {
					seq := s.First() + uint64(i)
					got := s.Trace()
					if i > 0 && traced[seq] {
						t.Fatalf("%s: record %d is traced, and is the %d-th of its batch", s.name, seq, i)
					}
					if i == 0 && (got != nil) != traced[seq] {
						t.Fatalf("%s: record %d: trace %v, want one: %v", s.name, seq, got, traced[seq])
					}
					if want := traceOf(seq); i == 0 && got != nil && *got != want {
						t.Fatalf("%s: record %d has the trace %x", s.name, seq, *got)
					}
				}
				s.due += uint64(n)
				mustDo(t, s.Release(n))
			}
			mustDo(t, s.Err())
		}
		for range rapid.IntRange(1, 3).Draw(t, "lives") {
			w, err := src.Writer()
			mustDo(t, err)
			for range rapid.IntRange(1, 12).Draw(t, "steps") {
				if rapid.Bool().Draw(t, "trace") {
					w.Trace(traceOf(w.Seq() + 1)) // another takes its place
					w.Trace(traceOf(w.Seq()))
					traced[w.Seq()] = true
				}
				n := rapid.IntRange(1, 300).Draw(t, "size")
				switch rapid.IntRange(0, 3).Draw(t, "way") {
				case 0:
					_, err := w.Claim(n)
					mustDo(t, err)
					mustDo(t, w.Commit(n))
				case 1:
					for range 3 {
						_, err := w.Claim(n)
						mustDo(t, err)
						mustDo(t, w.Stage(n))
					}
					w.Flush()
				case 2:
					b, err := w.ClaimBatch(n, 4)
					mustDo(t, err)
					mustDo(t, w.CommitBatch(b.Len()))
				case 3: // given back
					_, err := w.Claim(n)
					mustDo(t, err)
					w.Abort()
					if rapid.Bool().Draw(t, "flush") {
						w.Flush()
					}
					_, err = w.Claim(300)
					mustDo(t, err)
					mustDo(t, w.Commit(300))
				}
				for run, n := in.PeekRun(2000); n > 0; run, n = in.PeekRun(2000) {
					for len(run) > m.MaxRun() {
						t.Fatal("the test's runs are larger than the mirror's")
					}
					mustDo(t, m.Continue(in.Epoch(), in.First(), 0))
					if tr := in.Trace(); tr != nil {
						m.Trace(*tr)
					}
					mustDo(t, m.Append(run, n))
					m.Flush()
					mustDo(t, in.Release(n))
				}
				for _, s := range all {
					see(s)
				}
			}
			if rapid.Bool().Draw(t, "dies behind a trace") {
				w.Trace(traceOf(1))
				_, err := w.Claim(1)
				mustDo(t, err)
				w.Abort()
				w.Flush()
			}
			mustDo(t, w.Close())
		}
	})
}

// However large a record is, its trace fits before it: also where the rest of a single mapping has to be filled up.
func TestTheLargestRecordMayBeTraced(t *testing.T) {
	onBeds(t, 4096, func(t *testing.T, r *Ring) {
		w, err := r.Writer()
		mustDo(t, err)
		gate := bedReader(t, r, ReaderOptions{})
		batch := make([]Record, 2)
		for i := range 200 {
			if i%2 == 0 { // with an epoch before it, too
				mustDo(t, w.Close())
				w, err = r.Writer()
				mustDo(t, err)
			}
			if i%3 == 0 { // so that the end of the ring comes at every distance
				_, err := w.Claim(1 + i)
				mustDo(t, err)
				mustDo(t, w.Commit(1+i))
				if n := gate.Peek(batch); n != 1 || gate.Trace() != nil {
					t.Fatalf("round %d: %d records, trace %v", i, n, gate.Trace())
				}
				mustDo(t, gate.Release(1))
			}
			w.Trace(traceOf(w.Seq()))
			_, err := w.Claim(w.MaxPayload())
			mustDo(t, err)
			mustDo(t, w.Commit(w.MaxPayload()))
			if n := gate.Peek(batch); n != 1 || gate.Trace() == nil || *gate.Trace() != traceOf(gate.First()) {
				t.Fatalf("round %d: %d records, trace %v: %v", i, n, gate.Trace(), gate.Err())
			}
			mustDo(t, gate.Release(1))
		}
		mustDo(t, w.Close())
	})
}

// A run that finds no room takes its trace along when it comes again, and leaves none to another.
func TestContinueForgetsATrace(t *testing.T) {
	r := mustRing(t, Options{Capacity: 1 << 13})
	w, err := r.Writer()
	mustDo(t, err)
	out, err := r.Reader(ReaderOptions{})
	mustDo(t, err)
	w.Trace(traceOf(1))
	mustDo(t, w.Continue(5, 1, 0))
	_, err = w.Claim(8)
	mustDo(t, err)
	mustDo(t, w.Commit(8))
	if n := out.Peek(make([]Record, 2)); n != 1 || out.Trace() != nil {
		t.Errorf("%d records, trace %v", n, out.Trace())
	}
	mustDo(t, errors.Join(out.Close(), w.Close(), r.Close()))
}

// Records before and after a trace lie where they would lie in a cache line without it.
func TestTraceKeepsRecordsOnTheirLines(t *testing.T) {
	r := mustRing(t, Options{Capacity: 1 << 13})
	w, err := r.Writer()
	mustDo(t, err)
	for i := range 8 {
		if i%3 == 0 {
			w.Trace(traceOf(1))
		}
		b, err := w.Claim(48)
		mustDo(t, err)
		copy(b, bytes.Repeat([]byte{1}, 48))
		if w.Position()%64 != 0 {
			t.Errorf("record %d begins at %d", i, w.Position())
		}
		mustDo(t, w.Commit(48))
	}
	mustDo(t, errors.Join(w.Close(), r.Close()))
}
