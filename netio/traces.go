package netio

import (
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// Traced is told of each hop of a traced frame of a channel: its context there and its name, without a payload. It returns the context that goes on with the
// frame. It runs on the threads of workers, once for each traced frame, and must not block.
type Traced func(channel string, hop seal.Hop, t seal.Trace, name seal.Frame) seal.Trace

// Pass is Traced of who may be nil: then the context goes on as it came.
func (f Traced) Pass(channel string, hop seal.Hop, t [ring.TraceSize]byte, name seal.Frame) seal.Trace {
	if f == nil {
		return t
	}
	return f(channel, hop, t, name)
}

const _ = uint(seal.TraceSize - ring.TraceSize)
const _ = uint(ring.TraceSize - seal.TraceSize)

// tracesKept is how many traces of a stream wait for their frames: frames that came before their turn. Another one takes the oldest's place,
// and that frame goes on without.
const tracesKept = 8

// Traces are the contexts that came with envelopes, until the frames they are about are brought into their mirror. The zero Traces is valid.
type Traces struct {
	some bool
	turn int
	kept [tracesKept]struct {
		seq   uint64 // 0: nothing
		trace seal.Trace
	}
}

// Note keeps the context of frame seq.
func (t *Traces) Note(seq uint64, trace seal.Trace) {
	at := &t.kept[t.turn]
	for i := range t.kept { // an envelope that came twice
		if t.kept[i].seq == seq {
			at = &t.kept[i]
		}
	}
	if at == &t.kept[t.turn] {
		t.turn = (t.turn + 1) % tracesKept
	}
	at.seq, at.trace, t.some = seq, trace, true
}

// About tells a channel's mirror what is known of the frame that comes next: it is brought next, or the same frame later. told is told of it.
func (t *Traces) About(m *Mirror, channel string, name seal.Frame, told Traced) {
	if !t.some || m.about == name.Seq {
		return
	}
	t.some = false
	for i := range t.kept {
		k := &t.kept[i]
		if k.seq == name.Seq && k.seq != 0 {
			m.About(k.seq, told.Pass(channel, seal.Received, k.trace, name))
		}
		if k.seq <= name.Seq { // those below are past
			k.seq = 0
		}
		t.some = t.some || k.seq != 0
	}
}

// About has the record of number seq, if it is the first that a Bring brings, be traced.
func (m *Mirror) About(seq uint64, t seal.Trace) { m.about, m.trace = seq, t }
