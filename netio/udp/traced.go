package udp

import (
	"time"

	"github.com/alphapulse/transport/seal"
)

const (
	traceRoom  = (seal.TraceSize + 7) &^ 7 // bytes of records that an envelope with a trace has less
	tracedPart = 1024                      // bytes of the part that carries the trace of a record in fragments
)

// traced puts an envelope that begins with a traced frame into the batch, and its context behind: as it lies in the ring, packed by no
// codec. Of a frame that needs fragments that is the first part, and the others follow as of any frame. What is sent again carries none.
func (s *Sender) traced(f *feed, first, bound int, now time.Duration) error {
	name := seal.Frame{Source: f.source, Epoch: uint64(f.epoch), Seq: f.seq}
	trace := s.options.Traced.Pass(s.options.Channel, seal.Carried, *f.trace, name)
	f.trace = nil
	h := seal.Header{Kind: seal.Data, Traced: true, Channel: s.channel, Source: f.source, Epoch: f.epoch, Seq: f.seq}
	if first > bound-traceRoom {
		h.Kind = seal.Fragment
		part := s.scratch[:seal.FragmentHeader+min(tracedPart, (bound-traceRoom-seal.FragmentHeader)&^7, (first-1)&^7)]
		seal.PutFragment(part, 0, first)
		f.offset = copy(part[seal.FragmentHeader:], f.run)
		return s.emit(f, &h, part, trace[:], false, 0, now)
	}
	part, n := f.run, f.n
	switch {
	case s.options.Separate:
		part, n = f.run[:(first+7)&^7], 1
	case len(part) > bound-traceRoom:
		part, n = seal.Cut(f.run, bound-traceRoom)
	}
	f.index.note(f, len(part), n)
	f.take(len(part), n)
	s.Frames += uint64(n)
	return s.emit(f, &h, part, trace[:], false, 0, now)
}
