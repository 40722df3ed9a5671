package ring

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

func init() {
	roles["race"] = race
	roles["write.on"] = writeOn
}

// A pid says nothing about who is alive: one counts from 1 in its own namespace, another is given out anew.
func TestProcessInAnotherPidNamespaceIsAlive(t *testing.T) {
	r := crashRing(t, Options{Capacity: 64 << 10})
	w := writerOf(t, r)
	commitMany(t, w, 10)
	c, err := launchChild(t, part{Role: "hold", Path: r.opts.Path, Name: "elsewhere", apart: true})
	if errors.Is(err, os.ErrPermission) {
		unavailable(t, "a pid namespace needs root: "+err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	if said := c.hear("peeked"); said != "10 1" {
		t.Fatalf("peeked, as process: %s; want 10 1", said)
	}
	fillUntilFull(t, w)
	for range 3 * reapEvery {
		if _, err := w.Claim(200); !errors.Is(err, ErrFull) {
			t.Fatal(err)
		}
	}
	if slowest, ok := w.Slowest(); !ok || !slowest.Alive || slowest.PID != 1 || slowest.Name != "elsewhere" || w.Evictions() != 0 {
		t.Errorf("in the way: %+v, %d evictions", slowest, w.Evictions())
	}
	c.kill()
	<-c.done
	commitMany(t, w, 1000)
	if err := w.Close(); err != nil {
		t.Error(err)
	}

	c = startChild(t, part{Role: "own", Path: r.opts.Path, Life: 2, apart: true})
	c.hear("owns")
	if pid := r.Info().WriterPID; pid != 1 {
		t.Errorf("writer says it is process %d", pid)
	}
	if _, err := r.Writer(); !errors.Is(err, ErrOwned) {
		t.Errorf("beside a writer in another namespace: %v", err)
	}
	c.kill()
	<-c.done
	works(t, r)
}

func TestReusedPidOfTheDeadFoolsNobody(t *testing.T) {
	r := crashRing(t, Options{Capacity: 64 << 10})
	w := writerOf(t, r)
	commitMany(t, w, 10)
	c := startChild(t, part{Role: "hold", Path: r.opts.Path, Name: "gone"})
	c.hear("peeked 10")
	c.kill()
	<-c.done
	all, err := r.Readers()
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	r.slot(all[0].Slot).Store32(slotPID, uint32(os.Getpid())) // as if the kernel had given its number to us
	if all, err = r.Readers(); err != nil || all[0].Alive || all[0].PID != os.Getpid() {
		t.Errorf("%+v, %v", all, err)
	}
	commitMany(t, w, 1000)
	if w.Evictions() != 1 {
		t.Errorf("%d evictions", w.Evictions())
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}

	c = startChild(t, part{Role: "own", Path: r.opts.Path})
	c.hear("owns")
	c.kill()
	<-c.done
	if err := r.writableHeader(func(d data) { d.hdr.Store32(hdrPID, uint32(os.Getpid())) }); err != nil {
		t.Fatal(err)
	}
	works(t, r)
}

// writableHeader lets a test write where only a writer does.
func (r *Ring) writableHeader(fn func(data)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	d, err := r.writableData()
	if err == nil {
		fn(d)
	}
	return err
}

// race waits for the start, tries to become what it is told, and keeps it until told.
func race(p part) error {
	ledger, err := openLedger(p.Ledger)
	if err != nil {
		return err
	}
	r, err := p.ring()
	if err != nil {
		return err
	}
	fmt.Println("ready")
	for n := 0; ledger.Load64(wordReady) == 0; n++ {
		if n%1000 == 999 { // with fewer CPUs than racers
			time.Sleep(time.Microsecond)
		}
	}
	var end interface{ Close() error }
	if p.Name == "" {
		end, err = r.Writer()
	} else {
		end, err = r.Reader(ReaderOptions{Name: p.Name, Durable: true})
	}
	switch {
	case errors.Is(err, ErrOwned):
		fmt.Println("lost")
	case err != nil:
		return err
	default:
		fmt.Println("won")
	}
	if _, told := hearLine(); told != nil || err != nil {
		return told
	}
	return errors.Join(end.Close(), r.Close())
}

// raceRound lets n processes race once and returns how many won.
func raceRound(t *testing.T, r *Ring, name string, n int) (won int) {
	t.Helper()
	words, ledger := newLedger(t)
	racers := make([]*child, n)
	for i := range racers {
		racers[i] = startChild(t, part{Role: "race", Path: r.opts.Path, Ledger: ledger, Name: name})
	}
	for _, c := range racers {
		c.hear("ready")
	}
	words.Store64(wordReady, 1)
	for _, c := range racers {
		if c.hear("") == "won" {
			won++
		}
	}
	for _, c := range racers {
		c.say("end")
	}
	for _, c := range racers {
		if err := c.ended(); err != nil {
			t.Error(err)
		}
	}
	return won
}

func TestOfWritersInARaceExactlyOneWins(t *testing.T) {
	r := crashRing(t, Options{Capacity: 64 << 10})
	for range crashCount(200) {
		if won := raceRound(t, r, "", 3); won != 1 {
			t.Fatalf("%d writers", won)
		}
	}
}

func TestOfDurableReadersOfOneNameAtMostOneLives(t *testing.T) {
	r := crashRing(t, Options{Capacity: 64 << 10})
	for i := range crashCount(200) {
		name := fmt.Sprint("keeper ", i)
		if won := raceRound(t, r, name, 3); won > 1 {
			t.Fatalf("%d readers of one name", won)
		}
		works(t, r)
		if err := r.Forget(name); err != nil && !errors.Is(err, ErrRange) {
			t.Fatal(err)
		}
		if all, err := r.Readers(); len(all) != 0 || err != nil {
			t.Fatalf("slots left: %v, %v", all, err)
		}
	}
}

// writeOn commits until it no longer may.
func writeOn(p part) error {
	r, err := p.ring()
	if err != nil {
		return err
	}
	w, err := r.Writer()
	if err != nil {
		return err
	}
	fmt.Println("owns", w.Epoch())
	for {
		if err := commitCrash(w, 100, false, p.Life); err != nil {
			fmt.Println("answer", err)
			again := commitCrash(w, 100, false, p.Life)
			fmt.Println("again", errors.Is(err, ErrFenced) && errors.Is(again, ErrFenced))
			return errors.Join(w.Close(), r.Close())
		}
	}
}

// Were there ever a second writer, the epoch in the header would tell the first.
func TestWriterOfAnOldEpochStops(t *testing.T) {
	r := crashRing(t, Options{Capacity: 64 << 10})
	c := startChild(t, part{Role: "write.on", Path: r.opts.Path, Life: 1})
	c.hear("owns")
	if err := r.writableHeader(func(d data) { d.hdr.Store64(hdrEpoch, d.hdr.Load64(hdrEpoch)+1) }); err != nil {
		t.Fatal(err)
	}
	if said := c.hear("answer"); !strings.Contains(said, ErrFenced.Error()) {
		t.Errorf("writer of an old epoch: %s", said)
	}
	if said := c.hear("again"); said != "true" {
		t.Error("a fenced writer went on")
	}
	if err := c.ended(); err != nil {
		t.Error(err)
	}
	works(t, r)
}
