//go:build invariants || race

package ring

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/check"
)

func init() {
	roles["park.victim"] = parkVictim
	roles["create.victim"] = createVictim
	roles["remove"] = removeSlowly
}

// parkVictim kills itself at a point of its first commit, while somebody sleeps.
func parkVictim(p part) error {
	r, err := p.ring()
	if err != nil {
		return err
	}
	w, err := r.Writer()
	if err != nil {
		return err
	}
	ledger, err := openLedger(p.Ledger)
	if err != nil {
		return err
	}
	// The first commit of a life is a batch: an epoch record goes before it.
	if err := commitCrash(w, 100, false, p.Life); err != nil {
		return err
	}
	if !comes(patience, func() bool { return ledger.Load64(wordSeen) == 1 && w.cur.Load32(curParked)&1 == 1 }) {
		return errors.New("nobody sleeps")
	}
	time.Sleep(5 * time.Millisecond) // from announced to asleep; how long that takes decides only how much is tested
	check.Hook = func(point string) {
		if point == p.Name {
			killSelf()
		}
	}
	err = commitCrash(w, 100, p.Name == "flushed", p.Life)
	return fmt.Errorf("lived on behind %q: %w", p.Name, err)
}

// A writer that dies between the commit word and the wake-up leaves a sleeper behind; its successor wakes it.
func TestSuccessorWakesWhomTheDeadWriterDidNot(t *testing.T) {
	for _, point := range []string{"committed", "flushed", "wake.seen", "wake"} {
		t.Run(point, func(t *testing.T) {
			r := crashRing(t, Options{Capacity: 64 << 10})
			words, ledger := newLedger(t)
			p := part{Path: r.opts.Path, Ledger: ledger, Life: 1, Count: 2, Role: "park.reader"}
			reader := startChild(t, p)
			p.Role, p.Name = "park.victim", point
			writer := startChild(t, p)
			<-writer.done
			if !writer.killed() {
				t.Fatal("writer was not killed: ", writer.ended())
			}
			asleep := words.Load64(wordSeen) == 1
			w, err := r.Writer()
			if err != nil {
				t.Fatal(err)
			}
			soon(t, "reader woken", func() bool { return words.Load64(wordSeen) == 2 })
			if err := reader.ended(); err != nil {
				t.Error(err)
			}
			t.Logf("reader was asleep: %v", asleep)
			if err := w.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func createVictim(p part) error {
	_, err := Create(Options{Path: p.Path, Capacity: p.Count})
	return fmt.Errorf("lived on behind %q: %w", p.Point, err)
}

func TestCreatorKilledAnywhereLeavesNothingThatMatters(t *testing.T) {
	for _, point := range []string{"create.data", "create.cursors", "create.filled", "create.swept", "create.linked", "created"} {
		t.Run(point, func(t *testing.T) {
			crashRing(t, Options{}) // or skip
			dir := privateDir(t)
			p := part{Role: "create.victim", Path: filepath.Join(dir, "ring"), Count: 64 << 10, Point: point, Pass: 1}
			for range 2 { // the second one finds what the first one left
				victim := startChild(t, p)
				<-victim.done
				if point == "created" && !victim.killed() {
					break
				}
				if !victim.killed() {
					t.Fatal("creator was not killed: ", victim.ended())
				}
				_, err := Attach(p.Path, Options{})
				if whole := err == nil; whole != (point == "created") {
					t.Fatalf("attach after a creator died at %s: %v", point, err)
				}
				if names := entries(t, dir); len(names) > 1 && point != "created" {
					t.Fatalf("left behind: %v", names)
				}
			}
			capacity := 128 << 10
			if point == "created" {
				capacity = p.Count
			}
			r, err := Open(Options{Path: p.Path, Capacity: 128 << 10})
			if err != nil {
				t.Fatal(err)
			}
			if r.Info().Capacity != capacity {
				t.Errorf("capacity %d, want %d", r.Info().Capacity, capacity)
			}
			works(t, r)
			if err := errors.Join(r.Close(), Remove(p.Path)); err != nil {
				t.Error(err)
			}
			if names := entries(t, dir); len(names) != 0 {
				t.Errorf("left behind: %v", names)
			}
		})
	}
}

func entries(t *testing.T, dir string) (names []string) {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		names = append(names, e.Name())
	}
	return names
}

// removeSlowly stops half-way until it is told to go on, or dies there.
func removeSlowly(p part) error {
	if p.Point == "" {
		check.Hook = func(point string) {
			if point == "remove.data" {
				fmt.Println("half-way")
				_, _ = hearLine()
			}
		}
	}
	return Remove(p.Path)
}

func TestRemoverKilledHalfWayLeavesNothingThatMatters(t *testing.T) {
	r := crashRing(t, Options{Capacity: 64 << 10})
	c := startChild(t, part{Role: "remove", Path: r.opts.Path, Point: "remove.data", Pass: 1})
	<-c.done
	if !c.killed() {
		t.Fatal("remover was not killed: ", c.ended())
	}
	again, err := Open(Options{Path: r.opts.Path, Capacity: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	works(t, again)
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

// A ring made while another process removes its predecessor keeps both its files.
func TestRemoverTakesNothingFromANewRing(t *testing.T) {
	r := crashRing(t, Options{Capacity: 64 << 10})
	c := startChild(t, part{Role: "remove", Path: r.opts.Path})
	c.hear("half-way")
	made := make(chan error)
	go func() {
		again, err := Create(Options{Path: r.opts.Path, Capacity: 64 << 10})
		if err == nil {
			err = again.Close()
		}
		made <- err
	}()
	var err error
	select { // it either waits for its turn, or is done before the other goes on: both are to end well
	case err = <-made:
		c.say("go on")
	case <-time.After(100 * time.Millisecond):
		c.say("go on")
		err = <-made
	}
	if err := errors.Join(err, c.ended()); err != nil {
		t.Fatal(err)
	}
	again, err := Attach(r.opts.Path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	works(t, again)
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}
