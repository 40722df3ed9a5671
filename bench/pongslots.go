package bench

import (
	"encoding/binary"

	"github.com/alphapulse/transport/internal/sys"
)

// The slots lane of the ping-pong is the pair of rings one writes by hand for it: how far package ring is from what a bare ring
// reaches at this hour, on these processors. Nobody waits for room, since one message is under way; no variable lengths, no second
// reader, no crash safety, and nothing is zeroed, since a slot's next number differs from its last.
//
// The writer copies the payload and then stores the number, and with it the message is out. The reader polls the number of the slot
// that comes next. A payload of 48 bytes makes a slot one cache line, one of 64 makes it two, as in package ring.
//
//	0              there  1024 slots: number u64, length u64, payload   near side
//	1024 × stride  back   1024 slots                                    far side
const pongPayload = 16 // after number and length

// pongStride is how far slots lie apart: 64 bytes for 48, 80 for 64.
func pongStride(size int) uint64 { return uint64(pongPayload+size+7) &^ 7 }

func pongArea(size int) uint64 { return 2 * slotCount * pongStride(size) }

// pongRing is one of the two rings as one side sees it: its slots and the next message's number, from 1.
type pongRing struct {
	mem    sys.Mem
	slots  []byte
	stride uint64
	at     uint64 // offset of the slot of number
	number uint64
}

// pongRings returns the ring to the far side and the one back.
func pongRings(s laneSpec, b board) (there, back pongRing) {
	ring := func(offset uint64) pongRing {
		stride := pongStride(s.Size)
		mem := b.At(s.Offset + offset)
		return pongRing{mem: mem, slots: mem.Bytes(0, slotCount*stride), stride: stride, number: 1}
	}
	return ring(0), ring(pongArea(s.Size) / 2)
}

// payload lends the next message's n bytes.
func (r *pongRing) payload(n int) []byte { return r.slots[r.at+pongPayload:][:n] }

// commit publishes the next message, n bytes of payload that are written.
func (r *pongRing) commit(n int) {
	binary.LittleEndian.PutUint64(r.slots[r.at+slotLength:], uint64(n))
	r.mem.Store64(r.at+slotNumber, r.number)
	r.pass()
}

// arrived says whether the next message is there.
func (r *pongRing) arrived() bool { return r.mem.Load64(r.at+slotNumber) == r.number }

// length is what the next message, which has arrived, says of itself.
func (r *pongRing) length() uint64 { return binary.LittleEndian.Uint64(r.slots[r.at+slotLength:]) }

// pass goes on to the message after the next.
func (r *pongRing) pass() {
	r.number++
	if r.at += r.stride; r.at == uint64(len(r.slots)) {
		r.at = 0
	}
}

type pongSlotsNear struct {
	out, back pongRing
	msg       []byte
}

func newPongSlotsNear(s laneSpec, b board, seed uint64) *pongSlotsNear {
	l := &pongSlotsNear{msg: newPayload(seed, s.Size)}
	l.out, l.back = pongRings(s, b)
	return l
}

// run times what ringPing.run times: the slot is known before, the payload written and its answer looked at within.
func (l *pongSlotsNear) run(s *slice) error {
	for more := true; more; {
		number, buf := l.out.number, l.out.payload(len(l.msg))
		t0 := s.clock.now()
		move(buf, l.msg)
		binary.LittleEndian.PutUint64(buf, number)
		l.out.commit(len(l.msg))
		for spins := 1; !l.back.arrived(); spins++ {
			sys.Pause()
			if spins%lookEvery == 0 {
				if err := s.look(); err != nil {
					return err
				}
			}
		}
		got := l.back.payload(len(l.msg))
		echoed, last := binary.LittleEndian.Uint64(got), got[len(got)-1]
		t1 := s.clock.now()
		if echoed != number || last != l.msg[len(l.msg)-1] || l.back.length() != uint64(len(l.msg)) {
			return ErrCorrupt
		}
		l.back.pass()
		more = s.lap(t0, t1)
	}
	return nil
}

func (l *pongSlotsNear) close() error { return nil }

type pongSlotsFar struct {
	there, back pongRing
	size        int
}

func newPongSlotsFar(s laneSpec, b board) *pongSlotsFar {
	l := &pongSlotsFar{size: s.Size}
	l.there, l.back = pongRings(s, b)
	return l
}

// serve answers: it copies each payload from one ring into the other.
func (l *pongSlotsFar) serve(t *turn) error {
	for {
		buf := l.back.payload(l.size)
		for spins := 1; !l.there.arrived(); spins++ {
			sys.Pause()
			if spins%lookEvery == 0 && t.over() {
				return nil
			}
		}
		move(buf, l.there.payload(l.size))
		l.back.commit(l.size)
		if l.there.length() != uint64(l.size) {
			t.bad++
		}
		l.there.pass()
		t.messages++
	}
}

func (l *pongSlotsFar) close() error { return nil }
