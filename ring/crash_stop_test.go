package ring

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

func init() {
	roles["follow"] = follow
	roles["hold"] = hold
	roles["own"] = own
}

// lastLife marks the record after which a follower ends.
const lastLife = 1 << 40

// follow reads up to the last record, checks each, and says how many it saw and how many it lost.
func follow(p part) error {
	r, err := p.ring()
	if err != nil {
		return err
	}
	rd, err := r.Reader(ReaderOptions{Mode: p.Mode, Name: p.Name})
	if err != nil {
		return err
	}
	fmt.Println("attached", rd.Seq())
	batch := make([]Record, 16)
	seen, next := uint64(0), rd.Seq()
	for {
		n := rd.Peek(batch)
		if n > 0 && rd.First() != next {
			if p.Mode == Gate || rd.First()-next > rd.Lost() {
				return fmt.Errorf("record %d after %d, lost %d", rd.First(), next-1, rd.Lost())
			}
			next = rd.First()
		}
		for _, rec := range batch[:n] {
			life, err := checkCrash(rec, next)
			if err != nil {
				return err
			}
			seen++
			next++
			if life == lastLife {
				fmt.Println("seen", seen, rd.Lost(), next-1)
				return errors.Join(rd.Close(), r.Close())
			}
		}
		if err := errors.Join(rd.Err(), rd.Release(n)); err != nil {
			return err
		}
		if n == 0 {
			if err := rd.Wait(patience); err != nil {
				return err
			}
		}
	}
}

// hold peeks what there is, and releases it, or peeks once more, when told.
func hold(p part) error {
	r, err := p.ring()
	if err != nil {
		return err
	}
	rd, err := r.Reader(ReaderOptions{Name: p.Name, From: Oldest})
	if err != nil {
		return err
	}
	batch := make([]Record, 16)
	all := 0
	for n := 1; n > 0; all += n {
		n = rd.Peek(batch)
	}
	fmt.Println("peeked", all, os.Getpid())
	for {
		line, err := hearLine()
		if err != nil {
			return err
		}
		switch line {
		case "release":
			err = rd.Release(1)
		case "peek":
			for err == nil && rd.Peek(batch) > 0 {
				err = rd.Err()
			}
			err = errors.Join(err, rd.Err())
		case "close":
			return errors.Join(rd.Close(), r.Close())
		}
		switch {
		case errors.Is(err, ErrEvicted):
			fmt.Println("evicted")
		default:
			fmt.Println("answer", err)
		}
	}
}

// own takes the writing end and commits a record whenever told.
func own(p part) error {
	r, err := p.ring()
	if err != nil {
		return err
	}
	w, err := r.Writer()
	if errors.Is(err, ErrOwned) {
		fmt.Println("owned")
		return r.Close()
	}
	if err != nil {
		return err
	}
	fmt.Println("owns", w.Epoch())
	for {
		line, err := hearLine()
		if err != nil || line == "close" {
			return errors.Join(w.Close(), r.Close())
		}
		fmt.Println("answer", commitCrash(w, 100, false, p.Life))
	}
}

// stopTime is how long processes are stopped: ten seconds, scaled.
func stopTime() time.Duration { return time.Duration(crashCount(10_000)) * time.Millisecond }

// For as long as its reader is stopped, a full ring says who is in the way, and goes on without loss afterwards.
func TestStoppedGateReaderIsNamedAndLosesNothing(t *testing.T) {
	r := crashRing(t, Options{Capacity: 64 << 10})
	c := startChild(t, part{Role: "follow", Path: r.opts.Path, Name: "strategy"})
	c.hear("attached 1")
	w := writerOf(t, r)
	commitMany(t, w, 1000)
	c.stop()
	written := w.Seq()
	fillUntilFull(t, w)
	if w.Seq() == written {
		t.Error("nothing fitted into the ring after its reader had stopped")
	}
	for end := time.Now().Add(stopTime()); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		for range 2 * reapEvery {
			if _, err := w.Claim(200); !errors.Is(err, ErrFull) {
				t.Fatal("claim while the reader is stopped: ", err)
			}
		}
		slowest, ok := w.Slowest()
		comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", c.pid()))
		if !ok || slowest.PID != c.pid() || slowest.Name != "strategy" || !slowest.Alive || !slowest.Gating ||
			slowest.Command != strings.TrimSpace(string(comm)) || slowest.Command == "" ||
			slowest.Lag != w.Position()-slowest.Cursor || slowest.Lag < uint64(r.Info().Capacity)/2 {
			t.Fatalf("in the way: %+v", slowest)
		}
	}
	if w.Evictions() != 0 {
		t.Errorf("%d evictions: a stopped process is alive", w.Evictions())
	}
	c.signal(syscall.SIGCONT)
	commitMany(t, w, 1000)
	written = w.Seq()
	commitLast(t, w)
	if said := c.hear("seen"); said != fmt.Sprint(written, 0, written) {
		t.Errorf("reader saw, lost, ended at %s; %d were written", said, written)
	}
	if err := errors.Join(c.ended(), w.Close()); err != nil {
		t.Error(err)
	}
}

// A stopped lossy reader holds nobody back, and knows exactly what it missed.
func TestStoppedLossyReaderCountsWhatItMissed(t *testing.T) {
	r := crashRing(t, Options{Capacity: 64 << 10})
	c := startChild(t, part{Role: "follow", Path: r.opts.Path, Mode: Lossy, Name: "screen"})
	c.hear("attached 1")
	w := writerOf(t, r)
	commitMany(t, w, 100)
	c.stop()
	for end := time.Now().Add(stopTime()); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		for range 200 {
			if err := commitCrash(w, 200, false, 1); err != nil {
				t.Fatal("a stopped lossy reader is in the way: ", err)
			}
		}
	}
	c.signal(syscall.SIGCONT)
	// It goes on behind what it finds written, so the last record is written until it comes by.
	soon(t, "lossy reader comes to the end", func() bool {
		commitLast(t, w)
		return ended(c)
	})
	var seen, lost, at uint64
	if _, err := fmt.Sscan(c.hear("seen"), &seen, &lost, &at); err != nil {
		t.Fatal(err)
	}
	if seen+lost != at || lost < 1000 {
		t.Errorf("saw %d, lost %d, ended at %d", seen, lost, at)
	}
	if err := errors.Join(c.ended(), w.Close()); err != nil {
		t.Error(err)
	}
}

func TestStoppedWriterIsAlive(t *testing.T) {
	r := crashRing(t, Options{Capacity: 64 << 10})
	c := startChild(t, part{Role: "own", Path: r.opts.Path, Life: 1})
	c.hear("owns")
	c.stop()
	for end := time.Now().Add(stopTime() / 10); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if _, err := r.Writer(); !errors.Is(err, ErrOwned) {
			t.Fatalf("a second writer beside a stopped one: %v", err)
		}
		if alive, err := r.WriterAlive(); !alive || err != nil {
			t.Fatalf("stopped writer alive: %v, %v", alive, err)
		}
	}
	c.signal(syscall.SIGCONT)
	c.say("commit")
	c.hear("answer <nil>")
	c.kill()
	<-c.done
	if alive, err := r.WriterAlive(); alive || err != nil {
		t.Errorf("dead writer alive: %v, %v", alive, err)
	}
	works(t, r)
}

// Whoever evicts a living reader lets it know at its next step, whichever that is.
func TestEvictedWhileStoppedReaderIsTold(t *testing.T) {
	for _, step := range []string{"release", "peek"} {
		t.Run(step, func(t *testing.T) {
			r := crashRing(t, Options{Capacity: 64 << 10})
			w := writerOf(t, r)
			commitMany(t, w, 10)
			c := startChild(t, part{Role: "hold", Path: r.opts.Path, Name: "frozen"})
			c.hear("peeked 10")
			c.stop()
			fillUntilFull(t, w)
			slowest, ok := w.Slowest()
			if !ok || !w.Evict(slowest.Slot) || w.Evict(slowest.Slot) {
				t.Fatalf("evict %+v", slowest)
			}
			commitMany(t, w, 5000)
			if _, ok := w.Slowest(); ok {
				t.Error("an evicted reader is in the way")
			}
			c.signal(syscall.SIGCONT)
			c.say(step)
			c.hear("evicted")
			c.say("close")
			if err := c.ended(); err != nil {
				t.Error(err)
			}
			if all, err := r.Readers(); len(all) != 0 || err != nil {
				t.Errorf("slots left: %v, %v", all, err)
			}
			if err := w.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A dead durable reader is kept until the ring is full of it; its successor then knows what it missed.
func TestDeadDurableReaderGatesUntilTheRingIsFull(t *testing.T) {
	r := crashRing(t, Options{Capacity: 64 << 10})
	w := writerOf(t, r)
	o := ReaderOptions{Name: "journal", Durable: true, From: Oldest}
	rd, err := r.Reader(o)
	if err != nil {
		t.Fatal(err)
	}
	commitMany(t, w, 20)
	batch := make([]Record, 5)
	if n := rd.Peek(batch); n != 5 {
		t.Fatal(n)
	}
	if err := errors.Join(rd.Release(3), rd.Close()); err != nil {
		t.Fatal(err)
	}
	if rd, err = r.Reader(o); err != nil || rd.Seq() != 4 || rd.Lost() != 0 {
		t.Fatalf("adopted at %d, lost %d, %v; want 4", rd.Seq(), rd.Lost(), err)
	}
	if err := rd.Close(); err != nil {
		t.Fatal(err)
	}
	commitMany(t, w, 2000) // laps
	if w.Evictions() != 1 {
		t.Errorf("%d evictions", w.Evictions())
	}
	if rd, err = r.Reader(o); err != nil || rd.Lost() != rd.Seq()-4 || rd.Lost() == 0 {
		t.Fatalf("goes on at %d, lost %d, %v", rd.Seq(), rd.Lost(), err)
	}
	if err := errors.Join(rd.Close(), r.Forget("journal"), w.Close()); err != nil {
		t.Error(err)
	}
}

func writerOf(t *testing.T, r *Ring) *Writer {
	t.Helper()
	w, err := r.Writer()
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// commitMany commits n records, and waits while the ring is full.
func commitMany(t *testing.T, w *Writer, n int) {
	t.Helper()
	for range n {
		soon(t, "room in the ring", func() bool {
			err := commitCrash(w, 100+int(w.Seq()%100), w.Seq()%3 == 0, 1)
			if err != nil && !errors.Is(err, ErrFull) {
				t.Fatal(err)
			}
			return err == nil
		})
	}
}

func commitLast(t *testing.T, w *Writer) {
	t.Helper()
	soon(t, "room in the ring", func() bool { return commitCrash(w, 100, false, lastLife) == nil })
}

// fillUntilFull commits until the ring is full.
func fillUntilFull(t *testing.T, w *Writer) {
	t.Helper()
	for range w.capacity / 8 {
		err := commitCrash(w, 200, false, 1)
		if errors.Is(err, ErrFull) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("the ring is never full")
}
