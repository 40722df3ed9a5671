package ring

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/sys"
)

// TestSleeperOfOneCommitDoesNotSleepThroughTheNext is the way two sleepers share one word. A arms; the writer commits and
// clears the flag; B takes the record and arms, which sets the flag again. If the word were a flag alone, A, on its way to
// the kernel, would find the value it armed with and sleep though there is something for it.
func TestSleeperOfOneCommitDoesNotSleepThroughTheNext(t *testing.T) {
	r := bedRing(t, 4096, false)
	w := bedWriter(t, r)
	a, b := bedReader(t, r, ReaderOptions{}), bedReader(t, r, ReaderOptions{})
	word, armed, ok := a.Arm()
	if !ok {
		t.Skip("no membarrier here: readers do not sleep")
	}
	publish(t, w, 8)
	if take(t, b) != 1 {
		t.Fatal("nothing arrived")
	}
	if _, again, ok := b.Arm(); !ok || again == armed {
		t.Errorf("armed with %d, again with %d, %v", armed, again, ok)
	}
	if now := r.cur.Load32(curParked); now == armed || now&1 == 0 {
		t.Errorf("word %d, A armed with %d", now, armed)
	}
	before := time.Now()
	if err := sys.FutexWait(word, armed, wakeLimit); err != nil {
		t.Fatal(err)
	}
	if slept := time.Since(before); slept >= wakeLimit {
		t.Errorf("slept %v through a commit", slept)
	}
}

// wakeLimit is far beyond any wake-up: whoever sleeps that long with a record before it was not woken.
const wakeLimit = 20 * time.Second

// TestParkedReadersLoseNoWakeUp lets readers park whenever they find nothing while a writer commits in bursts, so that
// commits and Arms meet all the time. With plain stores and without membarrier in Arm, or without the look at the commit
// word after it, a reader sleeps on for wakeLimit.
func TestParkedReadersLoseNoWakeUp(t *testing.T) {
	onBeds(t, 4096, func(t *testing.T, r *Ring) {
		seed := crashSeed(t)
		total := uint64(crashCount(400_000))
		ctx, cancel := context.WithTimeout(t.Context(), stormEnd)
		defer cancel()
		w := bedWriter(t, r)
		var running sync.WaitGroup
		for i := range 3 {
			o := ReaderOptions{}
			if i == 2 && !(raced && r.geo.capacity == r.data.span) {
				o.Mode = Lossy
			}
			rd := bedReader(t, r, o)
			running.Go(func() {
				if err := parkAndTake(ctx, rd, total); err != nil {
					t.Error(err)
					cancel()
				}
			})
		}
		rng := rand.New(rand.NewPCG(uint64(seed), 0))
		for w.Seq() <= total && ctx.Err() == nil {
			err := tryPublish(w, 1+rng.IntN(30))
			if err != nil && !errors.Is(err, ErrFull) {
				t.Fatal(err)
			}
			if err != nil || rng.IntN(4) == 0 {
				for range rng.IntN(200) {
					sys.Pause()
				}
				runtime.Gosched()
			}
		}
		running.Wait()
	})
}

// parkAndTake reads up to record total, and parks whenever there is nothing.
func parkAndTake(ctx context.Context, rd *Reader, total uint64) error {
	batch := make([]Record, 4)
	for rd.Seq() <= total && ctx.Err() == nil {
		if n := rd.Peek(batch); n > 0 {
			if err := rd.Release(n); err != nil {
				return err
			}
			continue
		}
		word, value, ok := rd.Arm()
		if !ok {
			runtime.Gosched()
			continue
		}
		before := time.Now()
		if err := sys.FutexWait(word, value, wakeLimit); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
		if time.Since(before) >= wakeLimit && rd.hdr.Load64(hdrPublished) > rd.next {
			return errors.New("slept through a commit: " + rd.opts.Mode.String())
		}
	}
	return rd.Err()
}

func TestWaitComesBackWhenItsTimeIsOver(t *testing.T) {
	r := bedRing(t, 4096, false)
	rd := bedReader(t, r, ReaderOptions{})
	for range 3 {
		if err := rd.Wait(time.Millisecond); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			t.Fatal(err)
		}
	}
	if rd.Peek(make([]Record, 1)) != 0 {
		t.Error("something came of nothing")
	}
}
