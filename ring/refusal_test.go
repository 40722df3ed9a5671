package ring

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alphapulse/transport/internal/sys"
)

func TestWriterRefusesWhatNoRecordCanBe(t *testing.T) {
	onBeds(t, 4096, func(t *testing.T, r *Ring) {
		w := bedWriter(t, r)
		claim := func(n int) error { _, err := w.Claim(n); return err }
		batch := func(n, k int) error { _, err := w.ClaimBatch(n, k); return err }
		for _, n := range []int{0, -1, -15, -16, -17, -1 << 62} {
			wants(t, fmt.Sprint("claim of ", n), claim(n), ErrEmpty)
			wants(t, fmt.Sprint("batch of ", n), batch(n, 3), ErrEmpty)
		}
		for _, n := range []int{w.MaxPayload() + 1, 4096, 1 << 28, 1<<63 - 1} {
			wants(t, fmt.Sprint("claim of ", n), claim(n), ErrTooLarge)
			wants(t, fmt.Sprint("batch of ", n), batch(n, 3), ErrTooLarge)
		}
		for _, k := range []int{0, -1, -1 << 62} {
			wants(t, fmt.Sprint("batch of records ", k), batch(8, k), ErrEmpty)
		}
		wants(t, "commit first", w.Commit(1), ErrNoClaim)
		wants(t, "stage first", w.Stage(1), ErrNoClaim)
		wants(t, "batch commit first", w.CommitBatch(1), ErrNoClaim)
		if err := claim(8); err != nil {
			t.Fatal(err)
		}
		for _, end := range []func(int) error{w.Commit, w.Stage} {
			wants(t, "nothing of a claim", end(0), ErrEmpty)
			wants(t, "less of a claim", end(-1), ErrEmpty)
			wants(t, "more than the claim", end(9), ErrTooLarge)
		}
		wants(t, "a claim as a batch", w.CommitBatch(1), ErrNoClaim)
		if err := w.Commit(8); err != nil {
			t.Fatal("the claim is gone:", err)
		}
		wants(t, "second commit", w.Commit(8), ErrNoClaim)
		if err := claim(8); err != nil {
			t.Fatal(err)
		}
		w.Abort()
		wants(t, "commit after abort", w.Commit(8), ErrNoClaim)
		if err := batch(8, 3); err != nil {
			t.Fatal(err)
		}
		wants(t, "a batch as a claim", w.Commit(8), ErrNoClaim)
		wants(t, "nothing of a batch", w.CommitBatch(0), ErrEmpty)
		wants(t, "more than the batch", w.CommitBatch(4), ErrTooLarge)
		w.Abort()
		wants(t, "batch after abort", w.CommitBatch(1), ErrNoClaim)
		if w.Seq() != 2 {
			t.Errorf("refusals left seq at %d", w.Seq())
		}
	})
}

func TestFullRingSaysSoAndNamesTheSlowest(t *testing.T) {
	onBeds(t, 4096, func(t *testing.T, r *Ring) {
		w := bedWriter(t, r)
		if _, ok := w.Slowest(); ok {
			t.Error("somebody gates a ring without readers")
		}
		bedReader(t, r, ReaderOptions{Mode: Lossy, Name: "lossy"})
		slow := bedReader(t, r, ReaderOptions{Name: "slow"})
		fast := bedReader(t, r, ReaderOptions{Name: "fast"})
		total := 0
		for {
			if err := tryPublish(w, 100); errors.Is(err, ErrFull) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			take(t, fast)
			total++
		}
		if total < 4096/120-4 {
			t.Errorf("full after %d records of 120 bytes", total)
		}
		who, ok := w.Slowest()
		if !ok || who.Name != "slow" || who.PID != os.Getpid() || !who.Alive || who.Lag != slow.Lag() || who.Lag < 3600 {
			t.Errorf("%v, lag %d", who, slow.Lag())
		}
		if !strings.Contains(who.String(), `gate reader "slow" of process`) {
			t.Error(who)
		}
		if take(t, slow) != total {
			t.Error("records were lost")
		}
		publish(t, w, 100)
	})
}

func TestReaderRefusesWhatItWasNotLent(t *testing.T) {
	onBeds(t, 4096, func(t *testing.T, r *Ring) {
		w := bedWriter(t, r)
		for _, mode := range []Mode{Gate, Lossy} {
			rd := bedReader(t, r, ReaderOptions{Mode: mode})
			wants(t, "release of nothing peeked", rd.Release(1), ErrReleased)
			wants(t, "release of less", rd.Release(-1), ErrReleased)
			publish(t, w, 10)
			publish(t, w, 10)
			batch := make([]Record, 4)
			for tries := 0; rd.Peek(batch) == 0 && tries < patientPeeks; tries++ {
			}
			wants(t, "release of more", rd.Release(99), ErrReleased)
			for _, pos := range []uint64{0, 1, rd.Position() + 1, rd.Position() + 4096, rd.Position() - 8, 1<<64 - 8, 1<<64 - 1} {
				wants(t, fmt.Sprint("seek to ", pos), rd.Seek(pos), ErrRange)
			}
			if err := rd.Release(1); err != nil {
				t.Error(err)
			}
			if err := rd.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestOneWriterAtATime(t *testing.T) {
	onBeds(t, 4096, func(t *testing.T, r *Ring) {
		w := bedWriter(t, r)
		_, err := r.Writer()
		wants(t, "second writer", err, ErrOwned)
		if alive, err := r.WriterAlive(); !alive || err != nil {
			t.Error(alive, err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if alive, err := r.WriterAlive(); alive || err != nil {
			t.Error(alive, err)
		}
		if next := bedWriter(t, r); next.Epoch() <= w.Epoch() {
			t.Errorf("epoch %d after %d", next.Epoch(), w.Epoch())
		}
	})
	t.Run("through two openings", func(t *testing.T) {
		r := fileRing(t, 4096)
		w := bedWriter(t, r)
		other, err := Attach(r.opts.Path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		_, err = other.Writer()
		wants(t, "second writer", err, ErrOwned)
		if alive, err := other.WriterAlive(); !alive || err != nil {
			t.Error(alive, err)
		}
		rd := bedReader(t, r, ReaderOptions{Name: "a", Durable: true})
		_, err = other.Reader(ReaderOptions{Name: "a", Durable: true})
		wants(t, "durable reader twice", err, ErrOwned)
		wants(t, "forgetting the living", other.Forget("a"), ErrOwned)
		wants(t, "forgetting nobody", other.Forget("b"), ErrRange)
		if err := errors.Join(rd.Close(), w.Close()); err != nil {
			t.Fatal(err)
		}
		bedWriter(t, other)
		bedReader(t, other, ReaderOptions{Name: "a", Durable: true})
	})
}

func TestFencedWriterStopsForGood(t *testing.T) {
	onBeds(t, 4096, func(t *testing.T, r *Ring) {
		w := bedWriter(t, r)
		rd := bedReader(t, r, ReaderOptions{Mode: Lossy})
		publish(t, w, 8)
		r.data.hdr.Load64(hdrEpoch)
		writableHeader(t, r).hdr.Store64(hdrEpoch, w.Epoch()+1)
		var err error
		n := 0
		for ; err == nil && n < 100; n++ {
			_, err = w.Claim(100)
			if err == nil {
				err = w.Stage(100)
			}
		}
		wants(t, "claim", err, ErrFenced)
		before := w.Position()
		w.Flush()
		wants(t, "commit", w.Commit(1), ErrFenced)
		wants(t, "batch", w.CommitBatch(1), ErrFenced)
		_, err = w.ClaimBatch(8, 2)
		wants(t, "batch claim", err, ErrFenced)
		if w.Position() != before {
			t.Error("a fenced writer moved")
		}
		if seen := take(t, rd); seen >= n {
			t.Errorf("%d records of a fenced writer's %d", seen, n)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestSixtyFiveReadersAreOneTooMany(t *testing.T) {
	onBeds(t, 4096, func(t *testing.T, r *Ring) {
		w := bedWriter(t, r)
		all := make([]*Reader, MaxReaders)
		for i := range all {
			all[i] = bedReader(t, r, ReaderOptions{Mode: Mode(i % 2), Name: "n", Durable: i == 0})
		}
		_, err := r.Reader(ReaderOptions{})
		wants(t, "reader 65", err, ErrNoSlot)
		publish(t, w, 8)
		for i, rd := range all {
			if take(t, rd) != 1 {
				t.Errorf("reader %d saw nothing", i)
			}
		}
		if infos, err := r.Readers(); len(infos) != MaxReaders || err != nil {
			t.Errorf("%d readers, %v", len(infos), err)
		}
		if err := all[0].Close(); err != nil { // durable: it stays
			t.Fatal(err)
		}
		_, err = r.Reader(ReaderOptions{})
		wants(t, "the slot of a durable reader", err, ErrNoSlot)
		if err := all[5].Close(); err != nil {
			t.Fatal(err)
		}
		if rd := bedReader(t, r, ReaderOptions{}); rd.index != 5 {
			t.Errorf("slot %d", rd.index)
		}
		if err := r.Forget("n"); err != nil {
			t.Fatal(err)
		}
		bedReader(t, r, ReaderOptions{})
	})
}

// TestNothingIsTouchedAfterClose closes ring, writer and readers in every order and calls everything after each step:
// answers, but no fault of memory that is gone.
func TestNothingIsTouchedAfterClose(t *testing.T) {
	orders := [][]int{{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 0, 2, 3}, {2, 0, 3, 1}, {1, 2, 3, 0}, {0, 3, 2, 1}}
	for _, order := range orders {
		onBeds(t, 4096, func(t *testing.T, r *Ring) {
			w := bedWriter(t, r)
			gate, lossy := bedReader(t, r, ReaderOptions{}), bedReader(t, r, ReaderOptions{Mode: Lossy})
			publish(t, w, 8)
			publish(t, w, 8)
			closes := []func() error{r.Close, w.Close, gate.Close, lossy.Close}
			closed := map[int]bool{}
			err := sys.Guard(func() error {
				for _, i := range order {
					if err := closes[i](); err != nil {
						t.Errorf("close %d: %v", i, err)
					}
					closed[i] = true
					wants(t, "second close", closes[i](), ErrClosed)
					useAll(t, r, w, []*Reader{gate, lossy}, closed)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

func useAll(t *testing.T, r *Ring, w *Writer, readers []*Reader, closed map[int]bool) {
	t.Helper()
	_, err := r.Reader(ReaderOptions{})
	if closed[0] {
		wants(t, "reader of a closed ring", err, ErrClosed)
	} else if err != nil {
		t.Error(err)
	}
	_ = r.Info()
	_, _ = r.Readers()
	_, _ = w.Slowest()
	_ = w.Evict(0) && w.Evictions() == 0 && w.Position()+w.Seq()+w.Epoch() == 0
	if closed[1] {
		_, err := w.Claim(8)
		wants(t, "claim", err, ErrClosed)
		wants(t, "commit", w.Commit(8), ErrClosed)
		wants(t, "stage", w.Stage(8), ErrClosed)
		_, err = w.ClaimBatch(8, 2)
		wants(t, "batch", err, ErrClosed)
		wants(t, "commit of a batch", w.CommitBatch(1), ErrClosed)
		w.Flush()
		w.Abort()
	}
	if closed[0] && closed[1] {
		_, err := r.Writer()
		wants(t, "writer of a closed ring", err, ErrClosed)
		wants(t, "forget in a closed ring", r.Forget("x"), ErrClosed)
	}
	for i, rd := range readers {
		n := rd.Peek(make([]Record, 4))
		if !closed[2+i] {
			continue
		}
		if n != 0 {
			t.Errorf("%d records of a closed reader", n)
		}
		wants(t, "err", rd.Err(), ErrClosed)
		wants(t, "release", rd.Release(0), ErrClosed)
		wants(t, "release", rd.Release(1), ErrClosed)
		wants(t, "seek", rd.Seek(4096), ErrClosed)
		wants(t, "wait", rd.Wait(0), ErrClosed)
		if _, _, ok := rd.Arm(); ok {
			t.Error("a closed reader sleeps")
		}
		_ = rd.Lag() + rd.Cursor() + rd.Position() + rd.Seq() + rd.First() + rd.Lost() + rd.Laps() + rd.Epoch()
	}
}

func TestOptionsNameAllFaultsAtOnce(t *testing.T) {
	_, err := Create(Options{Path: filepath.Join(t.TempDir(), "r"), Capacity: 5000, Heap: true, GID: -1})
	wants(t, "create", err, ErrOptions)
	for _, part := range []string{"5000", "heap", "group -1"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not name %s", err, part)
		}
	}
	for _, capacity := range []int{-1, 1, 2048, 4095, 3 * 4096, MaxCapacity * 2, -1 << 63} {
		_, err := Create(Options{Capacity: capacity, Heap: true})
		wants(t, fmt.Sprint("capacity ", capacity), err, ErrOptions)
	}
	_, err = Create(Options{Capacity: 4096, HugePages: true})
	wants(t, "a ring smaller than its page", err, ErrOptions)
	r := bedRing(t, 4096, true)
	_, err = r.Reader(ReaderOptions{Name: strings.Repeat("x", 41), Mode: 7, Durable: true})
	wants(t, "reader", err, ErrOptions)
	for _, part := range []string{"41 bytes", "mode 7", "durable"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not name %s", err, part)
		}
	}
	_, err = r.Reader(ReaderOptions{Durable: true})
	wants(t, "a durable reader without a name", err, ErrOptions)
	if _, _, err := r.Files(); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("files of a ring on the heap: %v", err)
	}
}
