package link

import (
	"github.com/alphapulse/transport/seal"
)

// tracedMost is how many bytes of records an envelope with a trace has at most.
const tracedMost = (seal.MaxBody - seal.TraceSize) &^ 7

// traced puts an envelope that begins with a traced frame into the batch, and its context behind: as it lies in the ring, packed by no
// codec. Of a frame in fragments that is the first part, and the others follow as of any frame. What is sent again carries none.
func (f *feed) traced(p *Peer, h *seal.Header, first, room int) {
	trace := p.options.Traced.Pass(f.channel.Name, seal.Carried, *f.trace, seal.Frame{Source: f.source, Epoch: uint64(f.epoch), Seq: f.seq})
	f.trace, h.Traced = nil, true
	if first > tracedMost {
		h.Kind = seal.Fragment
		head := p.scratch[:seal.FragmentHeader]
		seal.PutFragment(head, 0, first)
		f.offset = envelope
		p.out.traced(h, head, f.run[:envelope], trace)
		return
	}
	part, n := f.run, f.n
	if limit := min(room, tracedMost); len(part) > limit {
		part, n = seal.Cut(part, limit)
	}
	p.out.traced(h, nil, part, trace)
	f.done(p, len(part), n)
}

// traced is copied with a trace behind.
func (b *batch) traced(h *seal.Header, head, body []byte, t seal.Trace) {
	h.Length = len(head) + len(body) + seal.TraceSize
	out := b.place(seal.HeaderSize + h.Length)
	h.Put(out)
	at := seal.HeaderSize + copy(out[seal.HeaderSize:], head)
	at += copy(out[at:], body)
	copy(out[at:], t[:])
}
