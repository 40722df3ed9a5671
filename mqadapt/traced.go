package mqadapt

import (
	"github.com/alphapulse/transport/seal"
)

// traceRoom is how many bytes of records an envelope with a trace has less.
const traceRoom = (seal.TraceSize + 7) &^ 7

// withTrace makes an envelope that begins with a traced frame, and puts its context behind: queues whose messages have headers say it there, too.
// It lies in the slab. Of a frame in fragments that is the first part. What is put again, because it was not accepted, has its trace again.
func (f *feed) withTrace(s *Shipper, e Envelope, first int) (Envelope, flight, bool) {
	trace := s.options.Traced.Pass(s.options.Channel, seal.Carried, *f.reader.Trace(), seal.Frame{Source: f.source, Epoch: uint64(f.epoch), Seq: f.seq})
	f.traced, e.Traced = false, true
	most := s.options.Body - traceRoom
	if first > most {
		total := seal.RecordSize(f.run, f.seq, anyRecord)
		f.offset = min(most-seal.FragmentHeader, total-1) &^ 7
		body := s.slab[:seal.FragmentHeader]
		seal.PutFragment(body, 0, total)
		body = append(append(body, f.run[:f.offset]...), trace[:]...)
		e.Kind, e.Body = seal.Fragment, body
		return e, flight{feed: f, first: f.seq, last: f.seq}, true
	}
	part, n := f.run, f.n
	if len(part) > most {
		part, n = seal.Cut(part, most)
	}
	e.Body = append(append(s.slab[:0], part...), trace[:]...)
	w := flight{feed: f, first: f.seq, last: f.seq + uint64(n) - 1, whole: true, frames: n}
	f.run, f.n, f.seq, f.due = f.run[len(part):], f.n-n, w.last+1, w.last+1
	return e, w, true
}
