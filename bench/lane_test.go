package bench

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/sys"
)

// far side's turn over a board of its own that says stop after sent messages.
func stoppedTurn(t *testing.T, sent uint64) (board, *turn) {
	t.Helper()
	b := board{sys.Heap(1 << 20)}
	b.stop(sent)
	return b, &turn{board: b, clock: clockFrom(clockFacts{Kind: clockMonotonic, Hz: 1e9, Step: 1}), hist: newHistogram()}
}

// alone is a slice whose far side never answers.
func alone(gone bool) *slice {
	s := &slice{clock: clockFrom(clockFacts{Kind: clockMonotonic, Hz: 1e9, Step: 1}), hist: newHistogram(), gone: new(atomic.Bool)}
	s.gone.Store(gone)
	s.begin(0, time.Hour)
	s.limit = newBound(s.clock, time.Millisecond)
	return s
}

func TestSlotsFarSideSeesEveryChange(t *testing.T) {
	spec := laneSpec{Kind: kindSlots, Size: payloadSize, Batch: 4, Offset: boardAreas}
	for name, change := range map[string]func(sys.Mem){
		"nothing":          func(sys.Mem) {},
		"a number":         func(m sys.Mem) { m.Store64(slotsFirst+2*slotStride, 77) },
		"a length":         func(m sys.Mem) { m.Store64(slotsFirst+3*slotStride+slotLength, 63) },
		"a lap before its": func(m sys.Mem) { m.Store64(slotsFirst, slotCount) },
	} {
		b, turn := stoppedTurn(t, 4)
		n, err := newSlotsNear(spec, b, 1)
		if err != nil {
			t.Fatal(err)
		}
		n.put(4)
		change(b.At(boardAreas))
		if err := newSlotsFar(spec, b).serve(turn); err != nil {
			t.Fatal(err)
		}
		want := uint64(1)
		if name == "nothing" {
			want = 0
		}
		if turn.messages != 4 || turn.bad != want {
			t.Errorf("%s changed: %d of %d messages are wrong", name, turn.bad, turn.messages)
		}
	}
}

func TestLostMessageEndsTheTurnShort(t *testing.T) {
	b, turn := stoppedTurn(t, 5)
	spec := laneSpec{Kind: kindSlots, Size: payloadSize, Batch: 4, Offset: boardAreas}
	n, err := newSlotsNear(spec, b, 1)
	if err != nil {
		t.Fatal(err)
	}
	n.put(4)
	var now uint64
	turn.clock.now = func() uint64 { now += uint64(10 * time.Millisecond); return now }
	if err := newSlotsFar(spec, b).serve(turn); err != nil || turn.messages != 4 {
		t.Errorf("%d messages, %v", turn.messages, err)
	}
}

func TestNearSideNeverWaitsForever(t *testing.T) {
	spec := laneSpec{Size: payloadSize, Batch: 32, Offset: boardAreas}
	for _, c := range []struct {
		gone bool
		want error
	}{{false, ErrSilent}, {true, ErrPeer}} {
		b, _ := stoppedTurn(t, 0)
		slots, err := newSlotsNear(spec, b, 1)
		if err != nil {
			t.Fatal(err)
		}
		if err := slots.run(alone(c.gone)); !errors.Is(err, c.want) {
			t.Errorf("slots: %v instead of %v", err, c.want)
		}
		if err := newPongSlotsNear(spec, b, 1).run(alone(c.gone)); !errors.Is(err, c.want) {
			t.Errorf("ping-pong slots: %v instead of %v", err, c.want)
		}
		if err := newLineNear(spec, b).run(alone(c.gone)); !errors.Is(err, c.want) {
			t.Errorf("line: %v instead of %v", err, c.want)
		}
		ringSpec := spec
		ringSpec.Path, ringSpec.Readers = t.TempDir()+"/ring", 1
		source, err := newRingSource(ringSpec, 1)
		if err != nil {
			t.Fatal(err)
		}
		sink, err := newRingSink(ringSpec)
		if err != nil {
			t.Fatal(err)
		}
		if err := source.run(alone(c.gone)); !errors.Is(err, c.want) {
			t.Errorf("ring: %v instead of %v", err, c.want)
		}
		if err := errors.Join(source.close(), sink.close()); err != nil {
			t.Error(err)
		}
	}
}

func TestAreasOfTheBoardDoNotOverlap(t *testing.T) {
	specs := []laneSpec{
		{Kind: kindLine}, {Kind: kindSlots}, {Kind: kindRing}, {Kind: kindSlots, Pattern: patternPingPong, Size: maxSize}, {Kind: kindSlots},
		{Kind: kindStall},
	}
	size := uint64(place(specs))
	end := uint64(boardAreas)
	for _, s := range specs {
		if s.Offset < end || s.Offset%4096 != 0 {
			t.Errorf("%+v begins before %d", s, end)
		}
		end = s.Offset + areaOf(s)
	}
	if end > size {
		t.Errorf("areas end at %d, the board at %d", end, size)
	}
}

func TestLaneOfUnknownKindIsAnError(t *testing.T) {
	b, _ := stoppedTurn(t, 0)
	_, nearErr := openNear(laneSpec{Kind: "pigeon"}, b, 1)
	_, farErr := openFar(laneSpec{Kind: "pigeon"}, b)
	if nearErr == nil || farErr == nil {
		t.Error(nearErr, farErr)
	}
	if _, err := newSlotsNear(laneSpec{Size: 48, Batch: 1}, b, 1); err == nil {
		t.Error("slots took another size")
	}
}

func TestForeignShareLeavesOwnWorkOut(t *testing.T) {
	before := load{busy: 100, stolen: 10, all: 1000}
	after := load{busy: 400, stolen: 60, all: 2000}
	others, stolen := foreign(before, after, 200)
	if others != 0.1 || stolen != 0.05 {
		t.Errorf("others %g, stolen %g", others, stolen)
	}
	if others, stolen := foreign(before, before, 0); others != 0 || stolen != 0 {
		t.Error("a share of no time")
	}
}
