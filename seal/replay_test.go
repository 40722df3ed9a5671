package seal

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// plainReplay is the window as one would explain it: a set, and what has fallen behind.
type plainReplay struct {
	last uint64
	seen map[uint64]bool
}

func (r *plainReplay) check(n uint64) bool {
	return n != 0 && !r.seen[n] && (n > r.last || r.last-n < ReplayWindow)
}

func (r *plainReplay) commit(n uint64) {
	r.seen[n] = true
	r.last = max(r.last, n)
}

func TestReplayAgreesWithASet(t *testing.T) {
	if ReplayWindow < 1024 {
		t.Fatalf("a window of %d", ReplayWindow)
	}
	rapid.Check(t, func(t *rapid.T) {
		var r Replay
		plain := plainReplay{seen: map[uint64]bool{}}
		start := rapid.SampledFrom([]uint64{0, 1, 63, 64, 65, ReplayWindow, replayBlocks * blockBits, 1 << 32,
			math.MaxUint64 - 3*replayBlocks*blockBits, math.MaxUint64 - 1}).Draw(t, "start")
		at := start
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			var n uint64
			switch step := rapid.Uint64Range(0, 3*replayBlocks*blockBits).Draw(t, "step"); rapid.IntRange(0, 5).Draw(t, "kind") {
			case 0:
				n = at + 1
			case 1:
				n = at + step
			case 2:
				n = at - step
			case 3: // around the edge of the window
				n = at - ReplayWindow + step%5 - 2
			case 4: // around the edges of blocks
				n = at/blockBits*blockBits - step%8*blockBits + step%3 - 1
			default:
				n = rapid.Uint64().Draw(t, "far")
				if n > plain.last && step%8 > 0 { // far jumps are rare, or nothing else would be new
					n = plain.last
				}
			}
			if got, want := r.Check(n), plain.check(n); got != want {
				t.Fatalf("Check(%d) is %v after %d", n, got, r.last)
			}
			if plain.check(n) && rapid.Bool().Draw(t, "authentic") {
				r.Commit(n)
				plain.commit(n)
				at = plain.last
			}
		}
	})
}

func TestReplayAtItsEdges(t *testing.T) {
	var r Replay
	if r.Check(0) {
		t.Error("0 is new")
	}
	if !r.Check(1) || !r.Check(math.MaxUint64) {
		t.Error("nothing is new to a new window")
	}
	for _, last := range []uint64{ReplayWindow - 1, ReplayWindow, ReplayWindow + 1, 1 << 40, math.MaxUint64} {
		r = Replay{}
		r.Commit(last)
		edge := last - min(last-1, ReplayWindow-1) // the lowest that is still within
		if r.Check(last) || !r.Check(edge) || !r.Check(last-1) || edge > 1 && r.Check(edge-1) {
			t.Errorf("after %d: last %v, edge %v, before it %v", last, r.Check(last), r.Check(edge), r.Check(edge-1))
		}
		r.Commit(edge)
		if r.Check(edge) || !r.Check(edge+1) || r.Check(last) {
			t.Errorf("after %d and %d", last, edge)
		}
	}
}

func TestReplayForgetsNothingOfALap(t *testing.T) {
	var r Replay
	const lap = replayBlocks * blockBits
	for n := uint64(1); n <= 3*lap; n++ {
		if !r.Check(n) {
			t.Fatal(n)
		}
		r.Commit(n)
		for _, old := range []uint64{n, n - 1, n - min(n, ReplayWindow-1), n - min(n, lap), n - min(n, blockBits)} {
			if r.Check(old) {
				t.Fatalf("%d is new after %d", old, n)
			}
		}
	}
	r.Commit(9 * lap) // everything between is new, everything before is behind
	if r.Check(3*lap) || !r.Check(9*lap-ReplayWindow+1) || r.Check(9*lap-ReplayWindow) || !r.Check(9*lap-1) {
		t.Error("a jump of many laps")
	}
}

func BenchmarkReplay(b *testing.B) {
	var r Replay
	for n := uint64(1); b.Loop(); n++ {
		if m := n ^ 1; r.Check(m) { // neighbours change places
			r.Commit(m)
		}
	}
}
