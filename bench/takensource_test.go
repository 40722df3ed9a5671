package bench

import (
	"encoding/binary"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alphapulse/transport/ring"
)

// stutter sees the first of each batch twice.
type stutter struct{ taker }

func (t stutter) take(see func([]ring.Record)) error {
	return t.taker.take(func(batch []ring.Record) {
		see(batch[:1])
		see(batch)
	})
}

func briefSlice() *slice {
	s := &slice{clock: newClock(), hist: newHistogram(), gone: new(atomic.Bool), waits: 2 * time.Second}
	s.begin(0, 2*time.Millisecond)
	return s
}

func publishSpec(kind, pattern string) laneSpec {
	return laneSpec{Name: "lane", Kind: kind, Pattern: pattern, Size: payloadSize, Batch: batchSize, CPU: twoProcessors()[1]}
}

func TestRepeatedMessageOfATakerEndsTheRun(t *testing.T) {
	for _, naps := range []bool{false, true} {
		l := &floodNear{batch: batchSize}
		if err := l.open(publishSpec(kindRing, patternFlood), 1, naps); err != nil {
			t.Fatal(err)
		}
		l.taker = stutter{l.taker}
		if err := l.run(briefSlice()); !errors.Is(err, ErrCorrupt) {
			t.Errorf("naps %v: %v", naps, err)
		}
		if err := l.close(); err != nil {
			t.Error(err)
		}
	}
}

func TestOneMessageAtATimeIsTimedUntilItWasTaken(t *testing.T) {
	near, err := newArrive(publishSpec(kindRing, patternArrive), 1)
	if err != nil {
		t.Fatal(err)
	}
	l := near.(*arriveNear)
	for range 2 {
		s, first := briefSlice(), l.next
		if err := l.run(s); err != nil {
			t.Fatal(err)
		}
		if got := l.seen.Load(); got != l.next-1 || s.sent != l.next-first || s.hist.TotalCount() != int64(s.ops) || s.ops == 0 {
			t.Errorf("%d published, %d taken, %d sent, %d timed", l.next-1, got, s.sent, s.hist.TotalCount())
		}
	}
	if err := l.close(); err != nil {
		t.Error(err)
	}
}

// The publisher's own allocations are told from those of whoever takes.
func TestPublisherDoesNotAnswerForWhatATakerAllocates(t *testing.T) {
	near, err := newPublish(publishSpec(kindRing, patternPublish), 1)
	if err != nil {
		t.Fatal(err)
	}
	l := near.(*publishNear)
	l.taker = wasteful{l.taker}
	var least uint64 = 1
	for range 10 { // the runtime has a thread or timer of its own now and then
		s := briefSlice()
		if err := l.run(s); err != nil {
			t.Fatal(err)
		}
		if s.ownOps != publishAtOnce {
			t.Fatal("allocations are not counted")
		}
		least = min(least, s.own)
	}
	if least != 0 {
		t.Error("a publisher allocates")
	}
	if err := l.close(); err != nil {
		t.Error(err)
	}
}

type wasteful struct{ taker }

var waste []byte

func (t wasteful) take(see func([]ring.Record)) error {
	return t.taker.take(func(batch []ring.Record) {
		waste = binary.LittleEndian.AppendUint64(nil, uint64(len(batch)))
		see(batch)
	})
}

func TestQueueTakerConfirmsAndReadsEverything(t *testing.T) {
	spec := publishSpec(kindQueue, patternFlood)
	spec.Queue, spec.Path = queueJournal, t.TempDir()+"/lane"
	near, err := newFlood(spec, 1)
	if err != nil {
		t.Fatal(err)
	}
	l := near.(*floodNear)
	for range 3 {
		if err := l.run(briefSlice()); err != nil {
			t.Fatal(err)
		}
		q := l.taker.(*queueTaker)
		if got := q.shipper.Stats().Frames; got != l.next-1 || got != l.seen.Load() {
			t.Errorf("%d published, %d confirmed, %d read", l.next-1, got, l.seen.Load())
		}
	}
	if err := l.close(); err != nil {
		t.Error(err)
	}
}
