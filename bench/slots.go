package bench

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"

	"github.com/alphapulse/transport/internal/sys"
)

// The slots lane is the ring one writes by hand for one writer, one reader and one size of message, with every trick that pays and
// nothing else: no variable lengths, no second reader, no crash safety. It is the yardstick for throughput.
//
// The writer fills a batch of slots in place and publishes its index once; the reader drains all that is published, at most a quarter
// of the ring, and releases it once. Each side keeps the other's index until it runs out. The ring stays inside a second-level cache.
//
//	0     head   index of the next slot to publish   near side
//	128   tail   index of the next slot to read      far side
//	256   slots  1024 × 80 bytes: number u64, length u64, payload 64
const (
	slotsHead    = 0
	slotsTail    = 128
	slotsFirst   = 256
	slotCount    = 1024
	slotStride   = 80
	slotNumber   = 0
	slotLength   = 8
	slotPayload  = 16
	payloadSize  = 64
	slotsArea    = slotsFirst + slotCount*slotStride
	drainAtMost  = slotCount / 4
	clockEvery   = 2048 // messages between two readings of the clock while streaming
	slotsAllData = slotCount * slotStride
)

// newPayload returns bytes that depend on the seed alone.
func newPayload(seed uint64, size int) []byte {
	r := rand.New(rand.NewPCG(seed, uint64(size)))
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

type slotsNear struct {
	mem   sys.Mem
	slots []byte
	head  uint64 // published
	free  uint64 // tail as last seen
	at    int    // byte offset of the next slot
	batch int
	rate  float64 // open loop: messages per second, 0 for a stream
	msg   [payloadSize]byte
}

func newSlotsNear(s laneSpec, b board, seed uint64) (*slotsNear, error) {
	if s.Size != payloadSize || s.Batch < 1 || s.Batch > drainAtMost {
		return nil, fmt.Errorf("bench: slots carry %d bytes in batches of 1 to %d", payloadSize, drainAtMost)
	}
	mem := b.At(s.Offset)
	l := &slotsNear{mem: mem, slots: mem.Bytes(slotsFirst, slotsAllData), batch: s.Batch}
	if s.Pattern == patternOneWay {
		l.rate = s.Rate
	}
	copy(l.msg[:], newPayload(seed, payloadSize))
	return l, nil
}

func (l *slotsNear) run(s *slice) error {
	if l.rate > 0 {
		return pace(s, l.rate, l.sendAt, pause)
	}
	for {
		for range clockEvery / l.batch {
			if err := l.room(s); err != nil {
				return err
			}
			l.put(l.batch)
		}
		s.sent += uint64(clockEvery / l.batch * l.batch)
		if !s.running(s.clock.now()) {
			return nil
		}
	}
}

// sendAt sends one message that carries the instant it was meant for.
func (l *slotsNear) sendAt(s *slice, intended uint64) error {
	if err := l.room(s); err != nil {
		return err
	}
	binary.LittleEndian.PutUint64(l.msg[:], intended)
	l.put(1)
	return nil
}

// room waits until a batch fits.
func (l *slotsNear) room(s *slice) error {
	for spins := 1; l.head+uint64(l.batch)-l.free > slotCount; spins++ {
		if l.free = l.mem.Load64(slotsTail); l.head+uint64(l.batch)-l.free <= slotCount {
			return nil
		}
		sys.Pause()
		if spins%lookEvery == 0 {
			if err := s.look(); err != nil {
				return err
			}
		}
	}
	return nil
}

// put writes n messages straight into their slots and publishes them at once.
func (l *slotsNear) put(n int) {
	slots, at, head := l.slots, l.at, l.head
	for range n {
		slot := (*[slotStride]byte)(slots[at:])
		binary.LittleEndian.PutUint64(slot[slotNumber:], head)
		binary.LittleEndian.PutUint64(slot[slotLength:], payloadSize)
		*(*[payloadSize]byte)(slot[slotPayload:]) = l.msg
		head++
		if at += slotStride; at == slotsAllData {
			at = 0
		}
	}
	l.at, l.head = at, head
	l.mem.Store64(slotsHead, head)
}

func (l *slotsNear) close() error { return nil }

type slotsFar struct {
	mem    sys.Mem
	slots  []byte
	tail   uint64
	at     int
	timed  bool // payloads begin with their intended instant
	copied [payloadSize]byte
}

func newSlotsFar(s laneSpec, b board) *slotsFar {
	mem := b.At(s.Offset)
	return &slotsFar{mem: mem, slots: mem.Bytes(slotsFirst, slotsAllData), timed: s.Pattern == patternOneWay}
}

func (l *slotsFar) serve(t *turn) error {
	for spins := 1; ; spins++ {
		n := min(l.mem.Load64(slotsHead)-l.tail, drainAtMost)
		if n == 0 {
			if spins%64 == 0 && t.over() {
				return nil
			}
			sys.Pause()
			continue
		}
		if l.timed {
			l.drainTimed(t, int(n))
		} else {
			t.bad += l.drain(int(n))
		}
		l.mem.Store64(slotsTail, l.tail)
		t.messages += n
	}
}

// drain copies n payloads out and returns how many were not the expected ones.
func (l *slotsFar) drain(n int) (bad uint64) {
	slots, at, tail := l.slots, l.at, l.tail
	for range n {
		slot := (*[slotStride]byte)(slots[at:])
		if binary.LittleEndian.Uint64(slot[slotNumber:]) != tail || binary.LittleEndian.Uint64(slot[slotLength:]) != payloadSize {
			bad++
		}
		l.copied = *(*[payloadSize]byte)(slot[slotPayload:])
		tail++
		if at += slotStride; at == slotsAllData {
			at = 0
		}
	}
	l.at, l.tail = at, tail
	return bad
}

func (l *slotsFar) drainTimed(t *turn, n int) {
	for range n {
		t.bad += l.drain(1)
		recordSince(t, binary.LittleEndian.Uint64(l.copied[:]))
	}
}

func (l *slotsFar) close() error { return nil }
