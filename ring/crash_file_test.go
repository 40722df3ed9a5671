package ring

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/alphapulse/transport/internal/check"
	"github.com/alphapulse/transport/internal/sys"
)

func init() {
	roles["cut.reader"] = cutReader
	roles["cut.writer"] = cutWriter
}

// passOn makes an anonymous ring and the part of a process that inherits its files.
func passOn(t *testing.T, p part) (*Ring, part) {
	t.Helper()
	r, err := Create(Options{Capacity: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	data, cursors, err := r.Files()
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("no anonymous mapped rings on this system")
	}
	if err != nil {
		t.Fatal(err)
	}
	p.Fds, p.files = true, []*os.File{data, cursors}
	return r, p
}

func TestAnonymousRingWorksAcrossProcesses(t *testing.T) {
	r, p := passOn(t, part{Role: "follow", Name: "heir"})
	c := startChild(t, p)
	c.hear("attached 1")
	w := writerOf(t, r)
	commitMany(t, w, 5000)
	commitLast(t, w)
	if said := c.hear("seen"); said != "5001 0 5001" {
		t.Errorf("heir saw, lost, ended at %s", said)
	}
	if err := errors.Join(c.ended(), w.Close()); err != nil {
		t.Error(err)
	}
}

// Inherited descriptors share one open file, and a lock belongs to the open file: each side must hold its own.
func TestInheritedRingStillTellsTheLivingApart(t *testing.T) {
	r, p := passOn(t, part{Role: "own"})
	w := writerOf(t, r)
	startChild(t, p).hear("owned")
	commitMany(t, w, 10)
	p.Role, p.Name = "hold", "heir"
	c := startChild(t, p)
	c.hear("peeked 10")
	fillUntilFull(t, w)
	for range 3 * reapEvery {
		if _, err := w.Claim(200); !errors.Is(err, ErrFull) {
			t.Fatal("a living heir is in the way: ", err)
		}
	}
	if slowest, ok := w.Slowest(); !ok || !slowest.Alive || slowest.PID != c.pid() || w.Evictions() != 0 {
		t.Errorf("in the way: %+v, %d evictions", slowest, w.Evictions())
	}
	c.kill()
	<-c.done
	commitMany(t, w, 1000)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	p.Role = "own"
	c = startChild(t, p)
	c.hear("owns")
	if _, err := r.Writer(); !errors.Is(err, ErrOwned) {
		t.Errorf("beside a writing heir: %v", err)
	}
	c.kill()
	<-c.done
	works(t, r)
}

func TestRemovedRingGoesOnForWhoHasIt(t *testing.T) {
	r := crashRing(t, Options{Capacity: 64 << 10})
	c := startChild(t, part{Role: "follow", Path: r.opts.Path})
	c.hear("attached 1")
	w := writerOf(t, r)
	commitMany(t, w, 100)
	if err := Remove(r.opts.Path); err != nil {
		t.Fatal(err)
	}
	other, err := Create(Options{Path: r.opts.Path, Capacity: 128 << 10})
	if err != nil {
		t.Fatal(err)
	}
	if other.Info().Instance == r.Info().Instance {
		t.Error("the new ring is the old one")
	}
	works(t, other) // its writer is another's business
	commitMany(t, w, 2000)
	commitLast(t, w)
	if said := c.hear("seen"); said != "2101 0 2101" {
		t.Errorf("reader saw, lost, ended at %s", said)
	}
	if other.Info().Published > 2*128<<10 {
		t.Error("the old ring's records are in the new one")
	}
	if err := errors.Join(c.ended(), w.Close(), other.Close(), Remove(r.opts.Path)); err != nil {
		t.Error(err)
	}
}

// cutReader reads in a loop until the file is cut off under it, and says what the loop ended with.
func cutReader(p part) error {
	r, err := p.ring()
	if err != nil {
		return err
	}
	rd, err := r.Reader(ReaderOptions{Mode: p.Mode})
	if err != nil {
		return err
	}
	fmt.Println("attached")
	batch := make([]Record, 16)
	err = sys.Guard(func() error { // as every loop that carries workers does
		for {
			n := rd.Peek(batch)
			if err := errors.Join(rd.Err(), rd.Release(n)); err != nil {
				return err
			}
			if n == 0 {
				sys.Yield()
			}
		}
	})
	return afterCut(r, rd, err)
}

func cutWriter(p part) error {
	r, err := p.ring()
	if err != nil {
		return err
	}
	w, err := r.Writer()
	if err != nil {
		return err
	}
	fmt.Println("attached")
	err = sys.Guard(func() error {
		for {
			switch err := commitCrash(w, 100, false, p.Life); {
			case errors.Is(err, ErrFull):
				sys.Yield()
			case err != nil:
				return err
			}
		}
	})
	return afterCut(r, w, err)
}

// afterCut says what the loop ended with, and does everything slow once more: it may fail, and the process goes on.
func afterCut(r *Ring, end interface{ Close() error }, err error) error {
	fmt.Println("ended", errors.Is(err, ErrCorrupt), err)
	_, _ = r.Readers()
	_, _ = r.WriterAlive()
	_ = r.Info()
	if rd, err := r.Reader(ReaderOptions{}); err == nil {
		_ = rd.Close()
	}
	if w, err := r.Writer(); err == nil {
		_ = w.Close()
	}
	_ = r.Forget("nobody")
	_ = end.Close()
	_ = r.Close()
	fmt.Println("alive")
	return nil
}

// A file cut short by somebody else ends the loops that use it with ErrCorrupt, and no process.
func TestTruncatedRingEndsItsLoopsAndNoProcess(t *testing.T) {
	if check.Race { // the fault may hit the detector's code, and then it is the child's end
		return
	}
	for _, file := range []string{"", cursorsSuffix} {
		for _, p := range []part{{Role: "cut.reader"}, {Role: "cut.reader", Mode: Lossy}, {Role: "cut.writer"}} {
			t.Run(fmt.Sprint("data", file, " ", p.Role, " ", p.Mode), func(t *testing.T) {
				r := crashRing(t, Options{Capacity: 64 << 10})
				p.Path = r.opts.Path
				if p.Role != "cut.writer" {
					// A parked loop would be a loop that sees nothing: records flow until the cut.
					feeder := startChild(t, part{Role: "cut.writer", Path: p.Path, Life: 1})
					feeder.hear("attached")
					defer func() { feeder.hear("ended true "); feeder.hear("alive") }()
				}
				c := startChild(t, p)
				c.hear("attached")
				if err := os.Truncate(p.Path+file, 0); err != nil {
					t.Fatal(err)
				}
				c.hear("ended true ")
				c.hear("alive")
				if err := c.ended(); err != nil {
					t.Error(err)
				}
				if _, err := Attach(p.Path, Options{}); !errors.Is(err, ErrSize) {
					t.Errorf("attach what is left: %v", err)
				}
				if err := Remove(p.Path); err != nil {
					t.Error(err)
				}
				again, err := Open(Options{Path: p.Path, Capacity: 64 << 10})
				if err != nil {
					t.Fatal(err)
				}
				works(t, again)
				if err := again.Close(); err != nil {
					t.Error(err)
				}
				if err := sys.Guard(r.Close); err != nil {
					t.Error(err)
				}
			})
		}
	}
}
