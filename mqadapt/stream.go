package mqadapt

import (
	"errors"
	"fmt"
	"time"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// stream is what a taker knows of one source.
type stream struct {
	source uint64
	mirror *netio.Mirror
	inside bool   // the mirror was entered: no other way is at it
	next   uint64 // number that is due
	lost   uint64 // of those since the last that was delivered
	epoch  uint32 // of the frame delivered last
	fresh  bool   // nothing was delivered: what is passed was never due
	lax    bool   // the next gap is passed
	staged bool

	early int       // deliveries that came before their turn
	since time.Time // when the first of them came, or the last one's turn did

	traces netio.Traces

	part   []byte   // a record that comes in fragments, as far as it has come
	partOf uint64   // its number
	partAt uint64   // position of its first fragment; 0: there is none
	parts  []uint64 // positions of all of them
}

// fate is what became of a delivery.
type fate uint8

const (
	taken   fate = iota // nothing of it is needed any more
	kept                // a part of a record, which is needed until the record is whole
	blocked             // the mirror is full: the same again, later
	ahead               // others come before it
)

// take carries one delivery.
func (t *Taker) take(d Delivery) (fate, error) {
	var h seal.Header
	t.met = meeting{}
	t.counts.envelopes.Add(1)
	if h.Parse(d.Envelope) != nil || h.Length != len(d.Envelope)-seal.HeaderSize || h.Source == 0 || h.Seq == 0 {
		return taken, t.refuse(d, &t.counts.malformed, ErrMalformed)
	}
	if h.Channel != t.channel || h.Kind != seal.Data && h.Kind != seal.Fragment && h.Kind != seal.Lost {
		return taken, t.refuse(d, &t.counts.foreign, ErrForeign)
	}
	body, err := t.undress.off(&h, d.Envelope)
	if err != nil {
		return taken, t.refuse(d, &t.counts.undecodable, err)
	}
	last, offset, total, part := h.Seq, 0, 0, []byte(nil)
	switch h.Kind {
	case seal.Data:
		var n int
		n, err = seal.Records(body, h.Seq, anyRecord)
		last = h.Seq + uint64(n) - 1
	case seal.Fragment:
		offset, total, part, err = seal.ParseFragment(body, anyRecord)
	case seal.Lost:
		last, err = seal.ParseLost(body, h.Seq)
	}
	if err != nil {
		return taken, t.refuse(d, &t.counts.malformed, ErrMalformed)
	}
	s, err := t.stream(&h)
	if err != nil {
		return taken, err
	}
	t.met = meeting{s, h.Epoch, h.Kind, h.Seq, last, offset}
	if !t.enter(s) {
		return blocked, nil
	}
	if last < s.next {
		if h.Kind != seal.Lost && offset == 0 {
			t.counts.repeated.Add(last - h.Seq + 1)
		}
		return taken, nil
	}
	if h.Epoch < s.epoch && h.Kind != seal.Lost {
		return taken, t.refuse(d, &t.counts.oldEpoch, ErrOldEpoch)
	}
	if h.Seq > s.next {
		if !s.lax && !s.fresh {
			return ahead, nil
		}
		t.pass(s, h.Seq)
	}
	if t.undress.trace != nil {
		s.traces.Note(h.Seq, *t.undress.trace)
	}
	s.lax = false
	switch h.Kind {
	case seal.Lost:
		t.pass(s, last+1)
		return taken, nil
	case seal.Fragment:
		return t.assemble(s, &h, d, offset, total, part)
	}
	if h.Seq < s.next {
		t.counts.repeated.Add(s.next - h.Seq)
		body = seal.After(body, h.Seq, s.next-1)
	}
	return t.deliver(s, h.Epoch, body, d)
}

// stream finds the stream of a source, or begins it: after what its mirror has, or with the envelope at hand.
func (t *Taker) stream(h *seal.Header) (*stream, error) {
	if s := t.streams[h.Source]; s != nil {
		return s, nil
	}
	m, err := t.inbox.Held(h.Source)
	if err != nil {
		return nil, err
	}
	s := &stream{source: h.Source, mirror: m}
	if m == nil {
		if s.mirror, err = t.inbox.Open(h.Source, h.Seq); err != nil {
			return nil, err
		}
		s.fresh = true
	}
	s.next = s.mirror.Stood()
	t.streams[h.Source] = s
	return s, nil
}

// enter takes the mirror until the batch ends. What another way has brought meanwhile is not due any more.
func (t *Taker) enter(s *stream) bool {
	if s.inside {
		return true
	}
	if s.inside = s.mirror.Enter(); !s.inside {
		return false
	}
	if seq := s.mirror.Seq(); seq > s.next {
		s.next, s.lost, s.fresh = seq, 0, false
		t.unpart(s)
	}
	return true
}

// unpart forgets the parts at hand: they are done with.
func (t *Taker) unpart(s *stream) {
	t.over(s.parts...)
	s.parts, s.partAt = s.parts[:0], 0
}

// leave gives all mirrors back.
func (t *Taker) leave() {
	for _, s := range t.streams {
		if s.flush(); s.inside {
			s.mirror.Leave()
			s.inside = false
		}
	}
}

// pass gives the numbers before to up. In a stream of which nothing was delivered yet they were never due.
func (t *Taker) pass(s *stream, to uint64) {
	if to > s.next {
		if !s.fresh {
			t.counts.lost.Add(to - s.next)
			s.lost += to - s.next
		}
		s.next = to
		t.unpart(s)
	}
}

// giveUp passes the frame that is due.
func (s *stream) giveUp() {
	if s.next++; !s.fresh {
		s.lost++
	}
}

// deliver appends checked records, of which the first is due. What the mirror has no room for comes again: the numbers tell where to go on.
func (t *Taker) deliver(s *stream, epoch uint32, run []byte, d Delivery) (fate, error) {
	w := s.mirror.Writer
	for len(run) > 0 {
		part, n := first(run, s.next, w.MaxRun())
		if n == 0 {
			if err := t.refuse(d, &t.counts.tooLarge, ErrTooLarge); err != nil {
				return taken, err
			}
			rest := seal.After(run, s.next, s.next)
			s.giveUp()
			run = rest
			continue
		}
		s.traces.About(s.mirror, t.options.Channel, seal.Frame{Source: s.source, Epoch: uint64(epoch), Seq: s.next}, t.options.Traced)
		switch err := s.mirror.Bring(epoch, s.next, s.lost, part, n); {
		case errors.Is(err, ring.ErrFull):
			t.counts.full.Add(1)
			return blocked, nil
		case err != nil:
			return taken, err
		}
		s.epoch, s.lost, s.fresh, s.staged = epoch, 0, false, true
		s.next += uint64(n)
		t.counts.frames.Add(uint64(n))
		t.options.received.take(part)
		run = run[len(part):]
	}
	return taken, nil
}

// first returns the first records of a run that fit into limit bytes, and how many they are: none if the very first does not.
func first(run []byte, seq uint64, limit int) (part []byte, n int) {
	if len(run) <= limit {
		count, err := seal.Records(run, seq, anyRecord)
		if err == nil {
			return run, count
		}
	}
	size := 0
	for size < len(run) {
		next := (seal.RecordSize(run[size:], seq+uint64(n), anyRecord) + 7) &^ 7
		if next == 0 || size+next > min(limit, len(run)) {
			break
		}
		size += next
		n++
	}
	return run[:size], n
}

// assemble takes a part of a record. Parts come in order; one that is not next was repeated, or the whole record comes again.
func (t *Taker) assemble(s *stream, h *seal.Header, d Delivery, offset, total int, part []byte) (fate, error) {
	if total > s.mirror.MaxRun() {
		if offset+len(part) < total {
			return taken, nil
		}
		s.giveUp()
		return taken, t.refuse(d, &t.counts.tooLarge, ErrTooLarge)
	}
	switch {
	case offset == 0:
		if cap(s.part) < total+7 {
			s.part = make([]byte, 0, total+7)
		}
		t.unpart(s)
		s.part, s.partOf, s.partAt = s.part[:0], h.Seq, d.Position
	case s.partAt == 0 || s.partOf != h.Seq || offset > len(s.part):
		return taken, nil // its beginning was not accepted: all of it comes again
	}
	fresh := offset + len(part) - len(s.part)
	if fresh > 0 {
		s.part = append(s.part, part[len(part)-fresh:]...)
	}
	if len(s.part) < total {
		if fresh <= 0 {
			return taken, nil
		}
		s.parts = append(s.parts, d.Position)
		return kept, nil
	}
	record := s.part[:(total+7)&^7]
	clear(record[total:])
	if seal.RecordSize(record, h.Seq, anyRecord) != total {
		t.unpart(s)
		return taken, t.refuse(d, &t.counts.malformed, fmt.Errorf("%w: its parts contradict each other", ErrMalformed))
	}
	what, err := t.deliver(s, h.Epoch, record, d)
	if what == taken {
		t.unpart(s)
	}
	return what, err
}

func (s *stream) flush() {
	if s.staged {
		s.mirror.Flush()
		s.staged = false
	}
}
