package udp

import (
	"time"

	"github.com/alphapulse/transport/seal"
)

const (
	traceRoom  = (seal.TraceSize + 7) &^ 7 // bytes of records that an envelope with a trace has less
	tracedPart = 1024                      // bytes of the part that carries the trace of a record in fragments
	tracesSent = 8                         // of a feed, which may be sent again
)

// sentTraces are the contexts that a feed sent last, for what is sent again.
type sentTraces struct {
	turn int
	kept [tracesSent]struct {
		seq   uint64
		trace seal.Trace
	}
}

func (s *sentTraces) add(seq uint64, t seal.Trace) {
	s.kept[s.turn].seq, s.kept[s.turn].trace = seq, t
	s.turn = (s.turn + 1) % tracesSent
}

// of returns the context that went with frame seq, nil if none is known.
func (s *sentTraces) of(seq uint64) []byte {
	for i := range s.kept {
		if k := &s.kept[i]; k.seq == seq {
			return k.trace[:]
		}
	}
	return nil
}

// tracedAgain is what of a run is sent again together with the trace of its first frame; no trace: none is known, or there is no room.
func (f *feed) tracedAgain(seq uint64, run []byte, bound int) (part, trace []byte, n int) {
	if trace = f.traces.of(seq); trace == nil || seal.RecordSize(run, seq, anyRecord) > bound-traceRoom {
		part, n = seal.Cut(run, bound)
		return part, nil, n
	}
	part, n = seal.Cut(run, bound-traceRoom)
	return part, trace, n
}

// traced puts an envelope that begins with a traced frame into the batch, and its context behind: as it lies in the ring, packed by no
// codec. Of a frame that needs fragments that is the first part, and the others follow as of any frame; sent again, these carry none.
func (s *Sender) traced(f *feed, first, bound int, now time.Duration) error {
	name := seal.Frame{Source: f.source, Epoch: uint64(f.epoch), Seq: f.seq}
	passed := s.options.Traced.Pass(s.options.Channel, seal.Carried, *f.trace, name)
	f.traces.add(f.seq, passed)
	trace := f.traces.of(f.seq)
	f.trace = nil
	h := seal.Header{Kind: seal.Data, Traced: true, Channel: s.channel, Source: f.source, Epoch: f.epoch, Seq: f.seq}
	if first > bound-traceRoom {
		h.Kind = seal.Fragment
		part := s.scratch[:seal.FragmentHeader+min(tracedPart, (bound-traceRoom-seal.FragmentHeader)&^7, (first-1)&^7)]
		seal.PutFragment(part, 0, first)
		f.offset = copy(part[seal.FragmentHeader:], f.run)
		return s.emit(f, &h, part, trace, false, 0, now)
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
	return s.emit(f, &h, part, trace, false, 0, now)
}
