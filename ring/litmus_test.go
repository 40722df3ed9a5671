package ring

import (
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/alphapulse/transport/internal/sys"
)

// TestCommitAndArmCannotMissEachOther lets a writer commit and a reader arm at the same instant, over and over: store
// against store, then load against load. If the reader may sleep and the writer saw nobody to wake, the wake-up is lost.
// Without the fence that Arm has the kernel put into the writer, it happens within a few thousand rounds: the commit
// word waits in the store buffer while the load of parked passes it.
func TestCommitAndArmCannotMissEachOther(t *testing.T) {
	if runtime.NumCPU() < 2 {
		t.Skip("needs hardware with two processors")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), 4)))
	r := bedRing(t, 1<<16, false)
	w, rd := bedWriter(t, r), bedReader(t, r, ReaderOptions{})
	rounds := uint64(crashCount(2_000_000))
	var start, done atomic.Uint64
	failed := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		for round := uint64(1); round <= rounds; round++ {
			b, err := w.Claim(48)
			if err != nil {
				failed <- err
				return
			}
			b[0] = byte(round)
			for start.Load() != round {
			}
			for range round * 7 % 64 { // the two sides drift past each other
				spinNothing()
			}
			_ = w.Commit(48)
			done.Store(round)
		}
		failed <- nil
	}()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	batch := make([]Record, 8)
	sleeps := 0
	for round := uint64(1); round <= rounds; round++ {
		rd.Peek(batch) // the line is shared now: the writer's store has to wait for it
		start.Store(round)
		for range round * 5 % 64 {
			spinNothing()
		}
		_, value, ok := rd.Arm()
		for done.Load() != round {
			select {
			case err := <-failed:
				t.Fatal(err)
			default:
				sys.Pause()
			}
		}
		if ok {
			sleeps++
			if r.cur.Load32(curParked) == value {
				t.Fatalf("round %d: the reader may sleep and the writer woke nobody", round)
			}
		}
		if n := rd.Peek(batch); n != 1 || rd.Release(n) != nil {
			t.Fatalf("round %d: %d records, %v", round, n, rd.Err())
		}
	}
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
	t.Logf("%d of %d rounds may sleep", sleeps, rounds)
}

//go:noinline
func spinNothing() {}
