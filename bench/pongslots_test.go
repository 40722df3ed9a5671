package bench

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/alphapulse/transport/internal/sys"
)

func TestPingPongSlotIsOneLineOrTwo(t *testing.T) {
	if one, two := pongStride(defaultSize), pongStride(pongSize); one != 64 || two != 80 {
		t.Errorf("slots of %d and %d bytes", one, two)
	}
	for size := minSize; size <= maxSize; size++ {
		if s := pongStride(size); s%8 != 0 || s < uint64(pongPayload+size) {
			t.Fatalf("slots of %d bytes for payloads of %d", s, size)
		}
	}
}

// Both sides of the lane on one thread, for three laps of the ring.
func TestPingPongSlotsCarryEveryMessageOnce(t *testing.T) {
	for _, size := range []int{minSize, defaultSize, pongSize, maxSize} {
		s := laneSpec{Kind: kindSlots, Pattern: patternPingPong, Size: size, Offset: boardAreas}
		b := board{sys.Heap(boardAreas + int(areaOf(s)))}
		near, far := newPongSlotsNear(s, b, 1), newPongSlotsFar(s, b)
		for n := uint64(1); n <= 3*slotCount; n++ {
			if far.there.arrived() || near.back.arrived() {
				t.Fatalf("size %d: message %d arrived before it was sent", size, n)
			}
			binary.LittleEndian.PutUint64(near.out.payload(size), n)
			near.out.commit(size)
			b.stop(n)
			_, turn := stoppedTurn(t, n)
			turn.board = b
			if turn.messages = n - 1; far.serve(turn) != nil || turn.messages != n || turn.bad != 0 {
				t.Fatalf("size %d: %d of %d messages, wrong %d", size, turn.messages, n, turn.bad)
			}
			if !near.back.arrived() || binary.LittleEndian.Uint64(near.back.payload(size)) != n || near.back.length() != uint64(size) {
				t.Fatalf("size %d: message %d did not come back", size, n)
			}
			near.back.pass()
		}
	}
}

func TestPingPongSlotsSeeEveryChange(t *testing.T) {
	s := laneSpec{Kind: kindSlots, Pattern: patternPingPong, Size: defaultSize, Offset: boardAreas}
	back := pongArea(defaultSize) / 2
	for name, change := range map[string]func(sys.Mem){
		"the number echoed": func(m sys.Mem) { m.Store64(back+pongPayload, 77) },
		"the last byte":     func(m sys.Mem) { b := m.Bytes(back+pongPayload, defaultSize); b[defaultSize-1]++ },
		"the length":        func(m sys.Mem) { m.Store64(back+slotLength, defaultSize-1) },
	} {
		b := board{sys.Heap(boardAreas + int(areaOf(s)))}
		near := newPongSlotsNear(s, b, 1)
		_, answer := pongRings(s, b) // as the far side would have answered, and then the change
		move(answer.payload(s.Size), near.msg)
		binary.LittleEndian.PutUint64(answer.payload(s.Size), 1)
		answer.commit(s.Size)
		change(b.At(boardAreas))
		if err := near.run(alone(false)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s changed: %v", name, err)
		}
	}
	b, turn := stoppedTurn(t, 1)
	near := newPongSlotsNear(s, b, 1)
	near.out.commit(s.Size - 1)
	if err := newPongSlotsFar(s, b).serve(turn); err != nil || turn.messages != 1 || turn.bad != 1 {
		t.Errorf("a shorter message: %d of %d are wrong, %v", turn.bad, turn.messages, err)
	}
}
