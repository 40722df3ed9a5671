package ring

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/check"
	"github.com/alphapulse/transport/internal/sys"
)

// Words of the ledger of two processes that take turns, by byte.
const (
	wordSeen  = 0 // the sleeper's: it has read up to this seq
	wordReady = 8 // the sleeper's: it is attached, or about to sleep
)

func init() {
	roles["park.reader"] = parkReader
	roles["park.writer"] = parkWriter
}

// linger passes a random moment, often none, so that two processes meet at all their steps.
func linger(rng *rand.Rand, most int) {
	if rng.IntN(4) == 0 {
		return
	}
	for range rng.IntN(most) {
		sys.Pause()
	}
}

// parkReader sleeps after every record, and lingers between the steps of going to sleep.
func parkReader(p part) error {
	ledger, err := openLedger(p.Ledger)
	if err != nil {
		return err
	}
	r, err := p.ring()
	if err != nil {
		return err
	}
	rd, err := r.Reader(ReaderOptions{Mode: p.Mode, From: Oldest})
	if err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(uint64(p.Seed), 1))
	check.Hook = func(string) { linger(rng, 500) }
	ledger.Store64(wordReady, 1)
	batch := make([]Record, 8)
	for seen := uint64(0); seen < uint64(p.Count); {
		word, value, ok := rd.Arm()
		if ok {
			linger(rng, 500)
			began := time.Now()
			if err := sys.FutexWait(word, value, patience); err != nil {
				return err
			}
			if time.Since(began) >= patience && rd.mem.Load64(rd.next&rd.mask) != 0 {
				return fmt.Errorf("slept through record %d", seen+1)
			}
		}
		n := rd.Peek(batch)
		for i := range n {
			if _, err := checkCrash(batch[i], seen+1); err != nil {
				return err
			}
			seen++
		}
		if err := errors.Join(rd.Err(), rd.Release(n)); err != nil {
			return err
		}
		ledger.Store64(wordSeen, seen)
	}
	return nil
}

// parkWriter commits a record as soon as the one before was seen, or a little later.
func parkWriter(p part) error {
	ledger, err := openLedger(p.Ledger)
	if err != nil {
		return err
	}
	r, err := p.ring()
	if err != nil {
		return err
	}
	w, err := r.Writer()
	if err != nil {
		return err
	}
	w.SetStamp(p.Life)
	rng := rand.New(rand.NewPCG(uint64(p.Seed), 2))
	check.Hook = func(string) { linger(rng, 200) }
	for w.Seq() <= uint64(p.Count) {
		linger(rng, 2000)
		if rng.IntN(64) == 0 { // long enough to be asleep
			time.Sleep(time.Duration(rng.IntN(200)) * time.Microsecond)
		}
		if err := commitCrash(w, crashLeast+rng.IntN(100), rng.IntN(2) == 0, p.Life); err != nil {
			return err
		}
		last := w.Seq() - 1
		for spins := 0; ledger.Load64(wordSeen) != last; spins++ {
			if spins < 1000 {
				sys.Pause()
				continue
			}
			if !comes(patience/2, func() bool { sys.Yield(); return ledger.Load64(wordSeen) == last }) {
				return fmt.Errorf("record %d was committed and its reader sleeps, parked %#x", last, w.cur.Load32(curParked))
			}
		}
	}
	return nil
}

// commitCrash appends one record of n bytes.
func commitCrash(w *Writer, n int, staged bool, life uint64) error {
	b, err := w.Claim(n)
	if err != nil {
		return err
	}
	w.SetStamp(life)
	fillCrash(b, w.Seq(), life)
	if !staged {
		return w.Commit(n)
	}
	if err := w.Stage(n); err != nil {
		return err
	}
	w.Flush()
	return nil
}

// A reader in one process goes to sleep while a writer in another commits, at all moments of it.
func TestParkedReaderLosesNoWakeUpAcrossProcesses(t *testing.T) {
	for _, mode := range []Mode{Gate, Lossy} {
		t.Run(mode.String(), func(t *testing.T) {
			r := crashRing(t, Options{Capacity: 64 << 10})
			_, ledger := newLedger(t)
			p := part{Path: r.opts.Path, Ledger: ledger, Seed: crashSeed(t), Life: 1, Count: crashCount(100_000), Mode: mode}
			p.Role = "park.reader"
			reader := startChild(t, p)
			p.Role = "park.writer"
			writer := startChild(t, p)
			select { // whoever finds something ends first; the reader ends right after the last record
			case <-writer.done:
			case <-reader.done:
			case <-time.After(4 * time.Minute):
				t.Fatal("not done after 4 minutes")
			}
			if ended(writer) && !writer.cmd.ProcessState.Success() {
				t.Fatal(writer.ended())
			}
			if err := errors.Join(writer.ended(), reader.ended()); err != nil {
				t.Error(err)
			}
		})
	}
}
