package ring

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// A history of a ring is a sequence of these, each with the time it was called and the time it came back.
type logCall struct {
	reader  int // -1: the writer
	append  int // bytes of the record the writer appends
	release bool
}

type logAnswer struct {
	full bool
	seqs []uint64 // what the reader was lent
}

// logState is the ring as everybody should see it: how much was appended, and how far each gate came. Positions are
// in bytes as in the ring.
type logState struct {
	ends     string // the end of each record, as fixed-size text, so that states compare
	peeked   [linearReaders]int
	released [linearReaders]int
}

const linearReaders = 2

// linearModel is a FIFO log with one writer and gates. ErrFull is allowed only when a gate really is about a ring behind.
var linearModel = porcupine.Model{
	Init: func() any { return logState{} },
	Step: func(state, input, output any) (bool, any) {
		s, in, out := state.(logState), input.(logCall), output.(logAnswer)
		written := len(s.ends) / 8
		switch {
		case in.reader < 0 && out.full:
			slowest := min(s.released[0], s.released[1])
			return s.end(written)-s.end(slowest)+in.append+linearSlack > linearCapacity, s
		case in.reader < 0:
			s.ends += fmt.Sprintf("%08d", s.end(written)+int(stride(uint64(in.append)+HeaderSize)))
			if held := s.end(written+1) - s.end(min(s.released[0], s.released[1])); held > linearCapacity {
				return false, s
			}
			return true, s
		case in.release:
			s.released[in.reader] = s.peeked[in.reader]
			return true, s
		}
		// what is answered is next in order, and nothing only when all was peeked
		for _, seq := range out.seqs {
			if s.peeked[in.reader]++; seq != uint64(s.peeked[in.reader]) || int(seq) > written {
				return false, s
			}
		}
		return len(out.seqs) > 0 || s.peeked[in.reader] == written, s
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v → %+v", input, output) },
}

const (
	linearCapacity = 4096
	linearSlack    = 4 * 450 // what the model does not count: two pads, headers, the epoch record
)

// end is the position after the first n records.
func (s logState) end(n int) int {
	at := 0
	if n > 0 {
		_, _ = fmt.Sscanf(s.ends[(n-1)*8:n*8], "%d", &at)
	}
	return at
}

// TestHistoriesAreThoseOfALog records what a writer and two gates, each a goroutine, called and were answered, and asks
// whether one order of all calls explains it.
func TestHistoriesAreThoseOfALog(t *testing.T) {
	seed := crashSeed(t)
	onBeds(t, linearCapacity, func(t *testing.T, _ *Ring) {
		heap := t.Name()[len(t.Name())-len("single"):] == "single"
		for i := range crashCount(1000) {
			history := recordHistory(t, bedRing(t, linearCapacity, heap), seed+int64(i))
			switch porcupine.CheckOperationsTimeout(linearModel, history, 20*time.Second) {
			case porcupine.Illegal:
				t.Fatalf("seed %d: no order of the calls explains the answers", seed+int64(i))
			case porcupine.Unknown:
				t.Logf("seed %d: undecided after 20 s", seed+int64(i))
			}
		}
	})
}

// recordHistory runs one bounded history: everybody makes a fixed number of calls.
func recordHistory(t *testing.T, r *Ring, seed int64) []porcupine.Operation {
	w := bedWriter(t, r)
	start := time.Now()
	var mu sync.Mutex
	var all []porcupine.Operation
	note := func(in logCall, called time.Duration, out logAnswer) {
		back := time.Since(start)
		mu.Lock()
		defer mu.Unlock()
		all = append(all, porcupine.Operation{ClientId: in.reader + 1, Input: in, Call: int64(called), Output: out, Return: int64(back)})
	}
	var running sync.WaitGroup
	for i := range linearReaders {
		rd := bedReader(t, r, ReaderOptions{})
		rng := rand.New(rand.NewPCG(uint64(seed), uint64(i)))
		running.Go(func() {
			batch := make([]Record, 6)
			for range 30 {
				called := time.Since(start)
				n := rd.Peek(batch[:1+rng.IntN(6)])
				var out logAnswer
				for j := range n {
					out.seqs = append(out.seqs, rd.First()+uint64(j))
				}
				note(logCall{reader: i}, called, out)
				if rng.IntN(3) > 0 {
					called = time.Since(start)
					if err := rd.Release(rd.out); err != nil {
						t.Error(err)
					}
					note(logCall{reader: i, release: true}, called, logAnswer{})
				}
			}
		})
	}
	rng := rand.New(rand.NewPCG(uint64(seed), 99))
	for range 30 {
		n := 200 + rng.IntN(200)
		called := time.Since(start)
		b, err := w.Claim(n)
		if errors.Is(err, ErrFull) {
			note(logCall{reader: -1, append: n}, called, logAnswer{full: true})
			runtime.Gosched()
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		fillSeq(b, w.Seq())
		if err := w.Commit(n); err != nil {
			t.Fatal(err)
		}
		note(logCall{reader: -1, append: n}, called, logAnswer{})
	}
	running.Wait()
	return all
}
