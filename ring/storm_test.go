package ring

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// stormEnd bounds a storm; it takes a fraction of that.
const stormEnd = 3 * time.Minute

// storming is one storm: a writer, gates and lossy readers, each a goroutine, until total records are written.
type storming struct {
	ring    *Ring
	total   uint64
	largest int
	done    atomic.Bool // the writer has written all
	ctx     context.Context
}

func TestStormReachesEveryGateOnceInOrderAndLossyReadersCountTheRest(t *testing.T) {
	for _, capacity := range []int{4096, 64 << 10} {
		onBeds(t, capacity, func(t *testing.T, r *Ring) {
			seed := crashSeed(t)
			ctx, cancel := context.WithTimeout(t.Context(), stormEnd)
			defer cancel()
			s := &storming{ring: r, total: uint64(crashCount(3_000_000)), largest: int(maxPayload(uint64(capacity))), ctx: ctx}
			lossy := 2
			if raced && r.geo.capacity == r.data.span {
				lossy = 0
			}
			s.run(t, seed, 2, lossy)
		})
	}
}

func (s *storming) run(t *testing.T, seed int64, gates, lossy int) {
	w := bedWriter(t, s.ring)
	var running sync.WaitGroup
	for i := range gates + lossy {
		o := ReaderOptions{Name: fmt.Sprint(i), From: Oldest}
		if i >= gates {
			o.Mode = Lossy
		}
		rd := bedReader(t, s.ring, o)
		rng := rand.New(rand.NewPCG(uint64(seed), uint64(i)))
		running.Go(func() {
			if err := s.read(rd, rng); err != nil {
				t.Errorf("%s reader %d: %v", o.Mode, i, err)
				_ = rd.Close() // so that the writer does not wait for it
			}
		})
	}
	if err := s.write(w, rand.New(rand.NewPCG(uint64(seed), 99))); err != nil {
		t.Error("writer:", err)
	}
	s.done.Store(true)
	running.Wait()
}

// write appends the records one by one, staged and in batches, small ones mostly.
func (s *storming) write(w *Writer, rng *rand.Rand) error {
	for w.Seq() <= s.total {
		n := 1 + rng.IntN(64)
		if rng.IntN(64) == 0 {
			n = 1 + rng.IntN(s.largest)
		}
		var err error
		switch way := rng.IntN(8); {
		case way < 4:
			err = s.one(w, n, w.Commit)
		case way < 7:
			if err = s.one(w, n, w.Stage); rng.IntN(8) == 0 {
				w.Flush()
			}
		default:
			err = s.many(w, n)
		}
		if errors.Is(err, ErrFull) {
			runtime.Gosched()
			err = s.ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("record %d: %w", w.Seq(), err)
		}
	}
	w.Flush()
	s.total = w.Seq() - 1
	return nil
}

func (s *storming) one(w *Writer, n int, end func(int) error) error {
	b, err := w.Claim(n)
	if err != nil {
		return err
	}
	fillSeq(b, w.Seq())
	return end(n)
}

func (s *storming) many(w *Writer, n int) error {
	batch, err := claimBatch(w, n, 16)
	if err != nil {
		return err
	}
	for i, b := range batch {
		fillSeq(b, w.Seq()+uint64(i))
	}
	return w.CommitBatch(len(batch))
}

// read takes all there is; what it sees and what it lost must add up to what was written.
func (s *storming) read(rd *Reader, rng *rand.Rand) error {
	batch := make([]Record, 32)
	delivered, expected := uint64(0), uint64(1)
	for {
		done := s.done.Load()
		n := rd.Peek(batch[:1+rng.IntN(len(batch))])
		if err := rd.Err(); err != nil {
			return err
		}
		if n == 0 {
			if done && delivered+rd.Lost() == s.total {
				return nil
			}
			if done && delivered+rd.Lost() > s.total || s.ctx.Err() != nil {
				return fmt.Errorf("%d delivered, %d lost of %d, in %d laps", delivered, rd.Lost(), s.total, rd.Laps())
			}
			expected = delivered + rd.Lost() + 1
			runtime.Gosched()
			continue
		}
		if rd.First() != expected {
			return fmt.Errorf("batch begins with %d, want %d", rd.First(), expected)
		}
		for i, rec := range batch[:n] {
			if seq := expected + uint64(i); rec.Seq32() != uint32(seq) || !isSeq(rec.Payload(), seq) {
				return fmt.Errorf("record %d is torn: %x", seq, rec)
			}
		}
		delivered += uint64(n)
		expected += uint64(n)
		if err := rd.Release(n); err != nil {
			return err
		}
	}
}

// TestLossyReadersOfAFreeWriterLoseExactlyWhatTheyMiss has no gate at all, so that the writer laps them all the time.
func TestLossyReadersOfAFreeWriterLoseExactlyWhatTheyMiss(t *testing.T) {
	onBeds(t, 4096, func(t *testing.T, r *Ring) {
		if raced && r.geo.capacity == r.data.span {
			return
		}
		seed := crashSeed(t)
		ctx, cancel := context.WithTimeout(t.Context(), stormEnd)
		defer cancel()
		s := &storming{ring: r, total: uint64(crashCount(10_000_000)), largest: int(maxPayload(4096)), ctx: ctx}
		s.run(t, seed, 0, 3)
	})
}

// TestReadersComeAndGoUnderAWriter attaches and closes gates all the time: each must see an unbroken run of whole
// records from where it started, and never be evicted. Without the order "gate, then look at limit" against "limit, fence,
// then look at gates" a new gate starts in bytes that are being overwritten.
func TestReadersComeAndGoUnderAWriter(t *testing.T) {
	onBeds(t, 4096, func(t *testing.T, r *Ring) {
		if raced && r.geo.capacity == r.data.span {
			return // an attaching reader walks bytes that may be overwritten, and looks again
		}
		seed := crashSeed(t)
		ctx, cancel := context.WithTimeout(t.Context(), stormEnd)
		defer cancel()
		w := bedWriter(t, r)
		s := &storming{ring: r, total: 1 << 62, largest: int(maxPayload(4096)), ctx: ctx}
		var running sync.WaitGroup
		for i := range 3 {
			rng := rand.New(rand.NewPCG(uint64(seed), uint64(i)))
			running.Go(func() {
				for range crashCount(20_000) {
					if err := s.visit(rng); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		ended := make(chan struct{})
		go func() { running.Wait(); close(ended) }()
		rng := rand.New(rand.NewPCG(uint64(seed), 99))
		for open := true; open; {
			select {
			case <-ended:
				open = false
			default:
				if err := s.one(w, 1+rng.IntN(s.largest), w.Commit); errors.Is(err, ErrFull) {
					runtime.Gosched()
				} else if err != nil {
					t.Fatal(err)
				}
			}
		}
		if n := w.Evictions(); n != 0 {
			t.Errorf("%d readers evicted", n)
		}
	})
}

// visit attaches, reads a few batches and leaves.
func (s *storming) visit(rng *rand.Rand) error {
	rd, err := s.ring.Reader(ReaderOptions{From: From(rng.IntN(2))})
	if err != nil {
		return err
	}
	batch := make([]Record, 8)
	expected := rd.Seq()
	for range rng.IntN(20) {
		n := rd.Peek(batch)
		for i, rec := range batch[:n] {
			if seq := expected + uint64(i); rec.Seq32() != uint32(seq) || !isSeq(rec.Payload(), seq) {
				return errors.Join(fmt.Errorf("record %d is torn: %x", seq, rec), rd.Close())
			}
		}
		expected += uint64(n)
		if err := rd.Release(n); err != nil {
			return errors.Join(err, rd.Close())
		}
	}
	return errors.Join(rd.Err(), rd.Close())
}
