package bench

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/ring"
)

// The ring lanes carry messages through package ring, with named rings in shared memory and gating readers. A payload is bytes that
// depend on the seed; the far side copies it out, or back, whole.
const (
	streamCapacity = ring.DefaultCapacity
	pingCapacity   = 64 << 10
	peekAtMost     = 256
	pongSuffix     = ".pong"
)

// ringWriter is one ring and its writer.
type ringWriter struct {
	ring   *ring.Ring
	writer *ring.Writer
}

func createRing(path string, capacity int) (*ringWriter, error) {
	r, err := ring.Create(ring.Options{Path: path, Capacity: capacity})
	if err != nil {
		return nil, err
	}
	w, err := r.Writer()
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return &ringWriter{r, w}, nil
}

// claim waits until n bytes fit.
func (w *ringWriter) claim(s *slice, n int) ([]byte, error) {
	for spins := 1; ; spins++ {
		b, err := w.writer.Claim(n)
		if err == nil || !errors.Is(err, ring.ErrFull) {
			return b, err
		}
		sys.Pause()
		if spins%lookEvery == 0 {
			if err := s.look(); err != nil {
				return nil, err
			}
		}
	}
}

// ringPing is the near side of the ping-pong: writer of one ring, reader of the other.
type ringPing struct {
	out    *ringWriter
	back   *ring.Ring
	reader *ring.Reader
	msg    []byte
	seq    uint64
}

func newRingPing(s laneSpec, seed uint64) (*ringPing, error) {
	out, err := createRing(s.Path, pingCapacity)
	if err != nil {
		return nil, err
	}
	back, err := ring.Create(ring.Options{Path: s.Path + pongSuffix, Capacity: pingCapacity})
	if err != nil {
		return nil, errors.Join(err, out.ring.Close())
	}
	r, err := back.Reader(ring.ReaderOptions{Name: "near"})
	if err != nil {
		return nil, errors.Join(err, back.Close(), out.ring.Close())
	}
	return &ringPing{out: out, back: back, reader: r, msg: newPayload(seed, s.Size)}, nil
}

func (l *ringPing) run(s *slice) error {
	var batch [1]ring.Record
	defer l.out.writer.Abort()
	for more := true; more; {
		l.seq++
		buf, err := l.out.writer.Claim(len(l.msg))
		if err != nil {
			return err
		}
		t0 := s.clock.now()
		move(buf, l.msg)
		binary.LittleEndian.PutUint64(buf, l.seq)
		if err := l.out.writer.Commit(len(l.msg)); err != nil {
			return err
		}
		for spins := 1; l.reader.Peek(batch[:]) == 0; spins++ {
			sys.Pause()
			if spins%lookEvery == 0 {
				if err := errors.Join(s.look(), l.reader.Err()); err != nil {
					return err
				}
			}
		}
		got := batch[0].Payload()
		number, last := binary.LittleEndian.Uint64(got), got[len(got)-1]
		t1 := s.clock.now()
		if number != l.seq || last != l.msg[len(l.msg)-1] {
			return ErrCorrupt
		}
		if err := l.reader.Release(1); err != nil {
			return err
		}
		more = s.lap(t0, t1)
	}
	return nil
}

func (l *ringPing) close() error { return errors.Join(l.out.ring.Close(), l.back.Close()) }

// ringPong is the far side of the ping-pong: it copies each payload from one ring into the other.
type ringPong struct {
	there  *ring.Ring
	back   *ring.Ring
	reader *ring.Reader
	writer *ring.Writer
	size   int
}

func newRingPong(s laneSpec) (l *ringPong, err error) {
	l = &ringPong{size: s.Size}
	if l.there, err = ring.Attach(s.Path, ring.Options{}); err != nil {
		return nil, err
	}
	if l.back, err = ring.Attach(s.Path+pongSuffix, ring.Options{}); err != nil {
		return nil, errors.Join(err, l.there.Close())
	}
	if l.reader, err = l.there.Reader(ring.ReaderOptions{Name: "far"}); err == nil {
		l.writer, err = l.back.Writer()
	}
	if err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

// serve answers. It claims the reply's room while it waits, as any answering loop can, and writes and commits once the message is there.
func (l *ringPong) serve(t *turn) error {
	var batch [1]ring.Record
	defer l.writer.Abort()
	for {
		buf, err := l.writer.Claim(l.size)
		if err != nil {
			return err
		}
		for spins := 1; l.reader.Peek(batch[:]) == 0; spins++ {
			sys.Pause()
			if spins%lookEvery == 0 {
				if err := l.reader.Err(); err != nil {
					return err
				}
				if t.over() {
					return nil
				}
			}
		}
		move(buf, batch[0].Payload())
		if err := l.writer.Commit(l.size); err != nil {
			return err
		}
		if err := l.reader.Release(1); err != nil {
			return err
		}
		t.messages++
	}
}

// move copies a payload. The usual sizes, one and two cache lines with their record's header, are copied without a call.
func move(dst, src []byte) {
	switch {
	case len(dst) == defaultSize && len(src) == defaultSize:
		*(*[defaultSize]byte)(dst) = *(*[defaultSize]byte)(src)
	case len(dst) == payloadSize && len(src) == payloadSize:
		*(*[payloadSize]byte)(dst) = *(*[payloadSize]byte)(src)
	default:
		copy(dst, src)
	}
}

func (l *ringPong) close() error { return errors.Join(l.there.Close(), l.back.Close()) }

// ringSource is the near side of a stream or an open loop.
type ringSource struct {
	*ringWriter
	batch int
	rate  float64
	msg   []byte
	fixed [payloadSize]byte // the head of msg
}

func newRingSource(s laneSpec, seed uint64) (*ringSource, error) {
	if s.Batch < 1 || s.Batch > clockEvery {
		return nil, fmt.Errorf("bench: batch of %d messages", s.Batch)
	}
	w, err := createRing(s.Path, streamCapacity)
	if err != nil {
		return nil, err
	}
	l := &ringSource{ringWriter: w, batch: s.Batch, msg: newPayload(seed, s.Size)}
	copy(l.fixed[:], l.msg)
	if s.Pattern == patternOneWay {
		l.rate = s.Rate
	}
	return l, nil
}

func (l *ringSource) run(s *slice) error {
	if l.rate > 0 {
		return pace(s, l.rate, l.sendAt, pause)
	}
	send := l.sendBatches
	if l.batch == 1 {
		send = l.sendEach
	}
	for {
		if err := send(s, clockEvery); err != nil {
			return err
		}
		s.sent += clockEvery
		if !s.running(s.clock.now()) {
			return nil
		}
	}
}

// sendBatches publishes n messages, a batch at once.
func (l *ringSource) sendBatches(s *slice, n int) error {
	for n > 0 {
		b, err := l.claimBatch(s, min(l.batch, n))
		if err != nil {
			return err
		}
		k := b.Len()
		for i := range k {
			l.fill(b.At(i))
		}
		if err := l.writer.CommitBatch(k); err != nil {
			return err
		}
		n -= k
	}
	return nil
}

// claimBatch waits until at least one message fits.
func (l *ringSource) claimBatch(s *slice, k int) (*ring.Batch, error) {
	for spins := 1; ; spins++ {
		b, err := l.writer.ClaimBatch(len(l.msg), k)
		if err == nil || !errors.Is(err, ring.ErrFull) {
			return b, err
		}
		sys.Pause()
		if spins%lookEvery == 0 {
			if err := s.look(); err != nil {
				return nil, err
			}
		}
	}
}

// sendEach publishes n messages, each by itself.
func (l *ringSource) sendEach(s *slice, n int) error {
	w, size := l.writer, len(l.msg)
	for range n {
		buf, err := w.Claim(size)
		if err != nil {
			if buf, err = l.claim(s, size); err != nil {
				return err
			}
		}
		l.fill(buf)
		if err := w.Commit(size); err != nil {
			return err
		}
	}
	return nil
}

// sendAt publishes one message whose stamp is the instant it was meant for.
func (l *ringSource) sendAt(s *slice, intended uint64) error {
	l.writer.SetStamp(intended)
	return l.sendEach(s, 1)
}

// fill writes a message. Its number is the record's own, as a slot's number is the slot's. The usual size is copied without a call.
func (l *ringSource) fill(buf []byte) {
	if len(buf) == payloadSize {
		*(*[payloadSize]byte)(buf) = l.fixed
	} else {
		copy(buf, l.msg)
	}
}

func (l *ringSource) close() error { return l.ring.Close() }

// ringSink is the far side of a stream or an open loop: one thread that carries all readers.
type ringSink struct {
	ring    *ring.Ring
	readers []*ring.Reader
	want    []uint64
	batch   [peekAtMost]ring.Record
	fixed   [payloadSize]byte
	copied  [maxSize]byte
	timed   bool
}

func newRingSink(s laneSpec) (*ringSink, error) {
	r, err := ring.Attach(s.Path, ring.Options{})
	if err != nil {
		return nil, err
	}
	l := &ringSink{ring: r, want: make([]uint64, s.Readers), timed: s.Pattern == patternOneWay}
	for i := range s.Readers {
		reader, err := r.Reader(ring.ReaderOptions{Name: fmt.Sprint("reader", i)})
		if err != nil {
			return nil, errors.Join(err, r.Close())
		}
		l.readers = append(l.readers, reader)
	}
	return l, nil
}

func (l *ringSink) serve(t *turn) error {
	for spins := 1; ; spins++ {
		moved := 0
		for i, r := range l.readers {
			n := r.Peek(l.batch[:])
			if n == 0 {
				continue
			}
			moved += n
			l.want[i] = l.take(t, l.batch[:n], l.want[i])
			if err := r.Release(n); err != nil {
				return err
			}
		}
		if moved > 0 {
			continue
		}
		if spins%64 == 0 {
			if done, err := l.over(t); done || err != nil {
				return err
			}
		}
		sys.Pause()
	}
}

// take copies a batch's payloads out, checks their numbers from the one after want on, and returns the last.
func (l *ringSink) take(t *turn, batch []ring.Record, want uint64) uint64 {
	for _, rec := range batch {
		p := rec.Payload()
		if want++; uint64(rec.Seq32()) != want&math.MaxUint32 {
			t.bad++
		}
		if len(p) == payloadSize {
			l.fixed = *(*[payloadSize]byte)(p)
		} else {
			copy(l.copied[:], p)
		}
		if l.timed {
			recordSince(t, rec.Stamp())
		}
	}
	t.messages += uint64(len(batch))
	return want
}

// over reports whether every reader has seen all there is. The turn counts all readers' messages, the near side counts each once.
func (l *ringSink) over(t *turn) (bool, error) {
	var err error
	for _, r := range l.readers {
		err = errors.Join(err, r.Err())
	}
	if err != nil || !t.board.stopped() {
		return false, err
	}
	seen := t.messages
	t.messages = seen / uint64(len(l.readers))
	if t.over() {
		return true, nil
	}
	t.messages = seen
	return false, nil
}

func (l *ringSink) close() error { return l.ring.Close() }
