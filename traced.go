package transport

import (
	"time"

	"github.com/alphapulse/transport/internal/spans"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/seal"
	"github.com/alphapulse/transport/tlv"
)

// A message may be traced: its publisher gives it a context, which goes with it wherever it is carried, and each hop on the way leaves a span
// in its process's file (internal/spans). Each span is the child of the one before: committed, then carried and received once per medium, then
// delivered once per subscriber. What is not traced pays nothing for it.

const withinHost = "ring" // the medium of who publishes and who subscribes

// Trace has the next message that is claimed go on with a trace: a context that Subscriber.Trace returned, or that came from elsewhere. It
// returns the context as the message carries it. It is called before Claim, and of a batch it is about the first message. A context without
// an id is none.
func (p *Publisher) Trace(t seal.Trace) seal.Trace {
	if t.ID() == [16]byte{} {
		return t
	}
	p.traced = p.Seq()
	on := p.spans.Pass(t, spans.Span{Hop: seal.Committed, Channel: p.channel, Medium: withinHost, Source: p.source, Epoch: p.Epoch(), Seq: p.Seq()})
	if on.Span() == [8]byte{} { // nobody keeps spans here: a receiver elsewhere may
		on = spans.Child(on)
	}
	p.Writer.Trace(on)
	return on
}

// Sample has the message that is about to be claimed begin a trace where it is the one of Channel.TraceEvery, or where that was the last batch's; it
// reports whether. A message that Trace was called for goes on with that, and one that found no room counts once however often it is tried. Send
// calls it by itself.
func (p *Publisher) Sample() bool {
	if p.Seq() < p.due {
		return false
	}
	return p.sample()
}

func (p *Publisher) sample() bool {
	p.due = p.Seq() + uint64(p.every)
	if p.traced == p.Seq() {
		return false
	}
	p.Trace(spans.Begin())
	return true
}

// delivery is a traced frame as a subscriber has it.
type delivery struct {
	spans       *spans.Log
	trace, on   seal.Trace
	source, seq uint64 // 0: there is none at hand
	epoch       uint64
	start       int64
}

// Trace returns the context of a frame that Poll's function was called with, and false if it is not traced, which most are not: the context is
// for Publisher.Trace, if what is published answers the frame. It may be called until that function returns.
func (s *Subscriber) Trace(f seal.Frame) (t seal.Trace, ok bool) {
	if f.Seq != s.at.seq || f.Source != s.at.source || f.Seq == 0 {
		return t, false
	}
	return s.at.on, true
}

// begin notes that a batch begins with a traced frame.
func (s *Subscriber) begin(f *feed) {
	d := &s.at
	d.trace = *f.reader.Trace()
	if d.on = d.trace; d.spans != nil {
		d.on = spans.Child(d.trace)
	}
	d.source, d.epoch, d.seq, d.start = f.source, f.reader.Epoch(), f.reader.First(), time.Now().UnixNano()
}

// end notes the span, now that the batch is done with.
func (s *Subscriber) end() {
	d := &s.at
	d.spans.Note(d.trace, d.on, spans.Span{Hop: seal.Delivered, Channel: s.channel, Medium: withinHost, Source: d.source, Epoch: d.epoch, Seq: d.seq,
		Start: d.start, End: max(d.start, time.Now().UnixNano())})
	d.seq = 0
}

// traced is what media tell of traced frames; nil: this node keeps nothing.
func (n *Node) traced(medium string) netio.Traced {
	if n.spans == nil {
		return nil
	}
	return func(channel string, hop seal.Hop, t seal.Trace, name seal.Frame) seal.Trace {
		return n.spans.Pass(t, spans.Span{Hop: hop, Channel: channel, Medium: medium, Source: name.Source, Epoch: name.Epoch, Seq: name.Seq})
	}
}

// TraceOf is the context that a protocol_v2 message carries in a TraceContext TLV. That has an id and no span: the context is the beginning of
// a trace, for Publisher.Trace. ok is false for an id of zeroes.
func TraceOf(c tlv.TraceContext) (t seal.Trace, ok bool) {
	copy(t[:], c.ID[:])
	t[seal.TraceSize-1] = seal.Sampled
	return t, c.ID != tlv.TraceID{}
}

// TraceContext is a context as a protocol_v2 message carries it: the trace's id. Its times and stages are the caller's.
func TraceContext(t seal.Trace) tlv.TraceContext { return tlv.TraceContext{ID: t.ID()} }
