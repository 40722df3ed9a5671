package spans

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/alphapulse/transport/seal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func some(seq uint64) Span {
	return Span{Hop: seal.Received, Channel: "quotes", Medium: "tcp", Source: 5, Epoch: 6, Seq: seq}
}

// readAll reads until so many have come.
func readAll(t *testing.T, tail *Tail, n int) (all []Span, by map[string]int) {
	t.Helper()
	by = map[string]int{}
	for end := time.Now().Add(10 * time.Second); len(all) < n; time.Sleep(time.Millisecond) {
		_, err := tail.Read(func(process string, s Span) {
			all = append(all, s)
			by[process]++
		})
		must(t, err)
		if time.Now().After(end) {
			t.Fatalf("%d spans of %d", len(all), n)
		}
	}
	return all, by
}

// Each hop is the child of the one before, also through processes, and what a former life of a process left is read as well.
func TestSpansOfAllProcessesAndLives(t *testing.T) {
	dir := t.TempDir()
	tail := NewTail(dir)
	a, b := NewLog(dir, "feed"), NewLog(dir, "feed") // two living processes of one name
	begun := Begin()
	first := a.Pass(begun, some(1))
	second := b.Pass(first, some(1))
	all, by := readAll(t, tail, 2)
	if by["feed"] != 1 || by["feed.1"] != 1 {
		t.Errorf("%v", by)
	}
	if all[0].Hop == all[1].Hop && all[0].Seq != all[1].Seq || first.ID() != begun.ID() || second.Span() == first.Span() {
		t.Errorf("%+v", all)
	}
	for _, s := range all {
		switch s.Trace {
		case first:
			if s.Parent != [8]byte{} {
				t.Errorf("the first has a parent: %+v", s)
			}
		case second:
			if s.Parent != first.Span() {
				t.Errorf("the second is no child of the first: %+v", s)
			}
		default:
			t.Errorf("%+v", s)
		}
	}
	must(t, errors.Join(a.Close(), b.Close()))
	a = NewLog(dir, "feed")
	a.Pass(begun, some(2))
	must(t, a.Close())
	if again, _ := readAll(t, tail, 1); again[0].Seq != 2 {
		t.Errorf("%+v", again)
	}
	if late, _ := readAll(t, tailOf(t, dir), 3); len(late) != 3 {
		t.Errorf("%d spans", len(late))
	}
	must(t, tail.Close())
}

// tailOf is a tail that the test closes.
func tailOf(t *testing.T, dir string) *Tail {
	tail := NewTail(dir)
	t.Cleanup(func() { must(t, tail.Close()) })
	return tail
}

// A tail that is too slow loses what is overwritten, and counts exactly that.
func TestTailCountsWhatItLost(t *testing.T) {
	dir := t.TempDir()
	l := NewLog(dir, "node")
	tail := tailOf(t, dir)
	l.Pass(Begin(), some(1))
	readAll(t, tail, 1)
	const n = 10_000
	for i := range n { // more than its ring holds; the queue is waited for
		for len(l.queue) == queued {
			time.Sleep(10 * time.Microsecond)
		}
		l.Pass(Begin(), some(uint64(i)))
	}
	must(t, l.Close())
	got := 0
	for end := time.Now().Add(10 * time.Second); uint64(got)+tail.Lost() < n; {
		k, err := tail.Read(func(string, Span) {})
		must(t, err)
		if got += k; time.Now().After(end) {
			break
		}
	}
	if l.Dropped() != 0 || tail.Lost() == 0 || uint64(got)+tail.Lost() != n {
		t.Errorf("%d read, %d lost, %d dropped of %d", got, tail.Lost(), l.Dropped(), n)
	}
}

// A queue that is full drops, and waits for nobody; so does a directory that cannot be had.
func TestLogWaitsForNobody(t *testing.T) {
	l := &Log{queue: make(chan Span, 1)} // nobody takes from it
	for range 3 {
		l.Pass(Begin(), some(1))
	}
	if l.Dropped() != 2 {
		t.Errorf("%d dropped", l.Dropped())
	}
	path := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(path, nil, 0o600))
	bad := NewLog(path, "node")
	bad.Pass(Begin(), some(1))
	must(t, bad.Close())
	if bad.Dropped() != 1 {
		t.Errorf("%d dropped", bad.Dropped())
	}
}

// What is not sampled nobody keeps, and a log that is nil passes contexts on as they came.
func TestUnsampledAndNobody(t *testing.T) {
	l := &Log{queue: make(chan Span, 1)}
	quiet := Begin()
	quiet[24] = 0
	if on := l.Pass(quiet, some(1)); on.ID() != quiet.ID() || on.Flags() != 0 || len(l.queue) != 0 {
		t.Errorf("%s, %d kept", on, len(l.queue))
	}
	var none *Log
	if on := none.Pass(quiet, some(1)); on != quiet || none.Dropped() != 0 || none.Close() != nil {
		t.Errorf("%s", on)
	}
}

func TestPassAllocatesNothing(t *testing.T) {
	l := &Log{queue: make(chan Span, queued)}
	begun := Begin()
	if n := testing.AllocsPerRun(100, func() { begun = l.Pass(begun, some(1)) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestSpanBeginsAndEndsNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &Log{queue: make(chan Span, 1)}
		l.Pass(Begin(), some(1))
		if s := <-l.queue; s.Start != time.Now().UnixNano() || s.End != s.Start {
			t.Errorf("%+v", s)
		}
	})
}

func FuzzParse(f *testing.F) {
	s := some(7)
	s.Trace, s.Start, s.End = Child(Begin()), 5, 6
	b := make([]byte, s.size())
	s.put(b)
	f.Add(b)
	f.Add(b[:spanSize])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Parse(b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		again := make([]byte, s.size())
		s.put(again)
		copy(b[5:8], "\x00\x00\x00") // reserved
		if !bytes.Equal(again, b) {
			t.Fatalf("%x became %x", b, again)
		}
	})
}
