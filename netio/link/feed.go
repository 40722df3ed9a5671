package link

import (
	"errors"
	"fmt"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// feed is one ring as a peer reads it. On each connection it says which frame it would send first, and sends nothing until the other node
// has said which it waits for, and for how many bytes it has room: that is the source's own credit, so that a slow subscriber there fills
// its own mirror and nobody else's.
type feed struct {
	channel *channel
	ring    *ring.Ring
	reader  *ring.Reader
	source  uint64
	run     []byte // peeked and not in an envelope yet
	n       int    // its records
	seq     uint64 // number of the first
	pos     uint64 // where it lies
	epoch   uint32
	offset  int                   // how much of a record in fragments is in envelopes
	trace   *[ring.TraceSize]byte // of the first record of the run in hand; nil: none. Until the next peek
	due     uint64                // number that the other node is sent next
	acked   uint64                // it has what lies below
	window  uint64                // bytes of records that it takes beyond what it has confirmed
	said    bool                  // heartbeat, on this connection
	open    bool                  // it answered
	fresh   bool                  // something is in the batch
	spoke   bool                  // since the last beat
	ended   bool
}

// anyRecord is more bytes than any record has.
const anyRecord = 1<<28 - 1

func newFeed(c *channel, name string, r *ring.Ring) (*feed, error) {
	o := ring.ReaderOptions{From: c.From, Name: name}
	if c.Reliability == Reliable {
		o.From, o.Durable = ring.Oldest, true
	}
	reader, err := r.Reader(o)
	if err != nil {
		return nil, err
	}
	f := &feed{channel: c, ring: r, reader: reader, source: r.Info().Instance, epoch: uint32(reader.Epoch())}
	f.reset()
	return f, nil
}

// reset begins a connection: at the oldest frame that is not released.
func (f *feed) reset() {
	f.said, f.open, f.fresh, f.window, f.acked = false, false, false, 0, 0
	f.back()
	f.due = f.reader.Owed()
}

// back makes the oldest frame that is not released the next to peek.
func (f *feed) back() {
	f.run, f.n, f.offset = nil, 0, 0
	if f.reader.Position() != f.reader.Cursor() {
		_ = f.reader.Seek(f.reader.Cursor()) // its own cursor: what is wrong with the ring, the next peek tells
	}
}

// hello says which frame would come first, or that there is nothing new.
func (f *feed) hello(p *Peer) {
	h := seal.Header{Kind: seal.Heartbeat, Channel: f.channel.id, Source: f.source, Epoch: f.epoch, Seq: f.due}
	p.out.envelope(&h, nil, nil)
	f.said, f.spoke = true, true
}

// beat says where a feed stands that has said nothing for a while.
func (f *feed) beat(p *Peer) {
	if f.open && !f.spoke && p.out.spare() {
		f.hello(p)
	}
	f.spoke = false
}

// peek makes sure that there is a run in hand, from the frame that is due on.
func (f *feed) peek(p *Peer) bool {
	limit := envelope
	if f.channel.Codec != nil {
		limit = seal.MaxBody &^ 7
	}
	for {
		if len(f.run) == 0 {
			if f.run, f.n = f.reader.PeekRun(limit); f.n == 0 {
				if err := f.reader.Err(); err != nil {
					f.end(p, err)
				}
				return false
			}
			f.seq, f.pos, f.epoch, f.offset = f.reader.First(), f.reader.Position()-uint64(len(f.run)), uint32(f.reader.Epoch()), 0
			f.trace = f.reader.Trace()
		}
		if f.seq >= f.due {
			return true
		}
		k := min(f.due-f.seq, uint64(f.n)) // the other node has it, by another link or from before
		rest := seal.After(f.run, f.seq, f.seq+k-1)
		f.take(len(f.run)-len(rest), int(k))
		f.offset, f.trace = 0, nil
		if f.confirm(p); f.ended {
			return false
		}
	}
}

// take takes the first part of the run out: n records.
func (f *feed) take(part, n int) {
	f.run, f.n = f.run[part:], f.n-n
	f.seq, f.pos = f.seq+uint64(n), f.pos+uint64(part)
}

// fill puts one envelope into the batch. It reports false when there is none.
func (f *feed) fill(p *Peer) bool {
	if !f.open {
		if !f.said && !f.ended && f.channel.flows {
			f.hello(p)
		}
		return false
	}
	if f.ended || !f.peek(p) {
		return false
	}
	c := f.channel
	if f.seq != f.due { // numbers that the ring passes over, or does not hold any more
		f.lost(p, f.seq-1)
		return true
	}
	first := seal.RecordSize(f.run, f.seq, anyRecord)
	switch {
	case first == 0: // overwritten: the reader was evicted
		f.end(p, fmt.Errorf("record %d changed under its link", f.seq))
		return false
	case first-ring.HeaderSize > c.largest:
		p.drop(TooLarge, 1)
		f.take((first+7)&^7, 1)
		f.trace = nil
		f.lost(p, f.seq-1)
		return true
	}
	room := f.room()
	if (first+7)&^7 > room {
		return false
	}
	f.spoke, f.fresh = true, true
	if f.offset == 0 {
		netio.AgeOf(c.Carried, p.clock, f.run)
	}
	h := seal.Header{Kind: seal.Data, Channel: c.id, Source: f.source, Epoch: f.epoch, Seq: f.seq}
	if f.trace != nil {
		f.traced(p, &h, first, room)
		return true
	}
	if first > seal.MaxBody&^7 || f.offset > 0 {
		f.fragment(p, &h, first)
		return true
	}
	part, n := f.run, f.n
	if limit := min(room, seal.MaxBody&^7); len(part) > limit {
		part, n = seal.Cut(part, limit)
	}
	if c.Codec != nil {
		if o, ok := c.Codec.(seal.Observer); ok {
			o.Observe(int64(f.reader.Lag()), p.rate.bytes)
		}
		if size, codec := c.Codec.Pack(p.packed[:len(part)], part); codec != 0 {
			h.Codec, h.Raw = codec, len(part)
			p.out.copied(&h, nil, p.packed[:size])
			f.done(p, len(part), n)
			return true
		}
	}
	p.out.envelope(&h, nil, part)
	f.done(p, len(part), n)
	return true
}

// done takes n records out that are in the batch.
func (f *feed) done(p *Peer, part, n int) {
	f.take(part, n)
	f.due = f.seq
	p.stats.FramesOut += uint64(n)
}

// room is how many bytes of records may be sent now. With nothing on its way it is the other node's whole window, whatever lies between
// records in this ring.
func (f *feed) room() int {
	if f.channel.Reliability == BestEffort {
		return anyRecord
	}
	under := f.pos - f.reader.Cursor()
	if f.reader.Owed() == f.seq {
		under = 0
	}
	return int(f.window - min(under, f.window))
}

// fragment puts the next part of the record in hand into the batch.
func (f *feed) fragment(p *Peer, h *seal.Header, total int) {
	n := min(envelope, total-f.offset)
	head := p.scratch[:seal.FragmentHeader]
	seal.PutFragment(head, f.offset, total)
	h.Kind = seal.Fragment
	p.out.envelope(h, head, f.run[f.offset:f.offset+n])
	if f.offset += n; f.offset == total {
		f.offset = 0
		f.done(p, (total+7)&^7, 1)
	}
}

// lost says that the numbers from the one that is due to last cannot be had.
func (f *feed) lost(p *Peer, last uint64) {
	body := p.scratch[:seal.LostSize]
	seal.PutLost(body, last)
	h := seal.Header{Kind: seal.Lost, Channel: f.channel.id, Source: f.source, Epoch: f.epoch, Seq: f.due}
	p.out.copied(&h, nil, body)
	p.stats.LostOut += last - f.due + 1
	f.due, f.spoke, f.fresh = last+1, true, true
}

// carried lets go of what a best-effort channel has carried, and of what was confirmed while it was on its way out.
func (f *feed) carried(p *Peer) {
	f.fresh = false
	if f.channel.Reliability == BestEffort {
		f.acked = f.held()
	}
	f.confirm(p)
}

// idle lets go of what a best-effort channel cannot carry while there is no connection.
func (f *feed) idle(p *Peer) {
	if f.channel.Reliability != BestEffort || f.ended || f.open {
		return
	}
	f.run, f.n = nil, 0
	for range 16 {
		_, n := f.reader.PeekRun(batchBytes)
		if n == 0 {
			break
		}
		p.drop(Unsent, uint64(n))
	}
	if f.release(p, f.reader.Seq()); f.reader.Err() != nil {
		f.end(p, f.reader.Err())
	}
}

// held is the number of the first record that is not in an envelope yet.
func (f *feed) held() uint64 {
	if len(f.run) > 0 {
		return f.seq
	}
	return f.reader.Seq()
}

func (f *feed) release(p *Peer, to uint64) {
	if to <= f.reader.Owed() {
		return
	}
	if err := f.reader.ReleaseTo(to); err != nil {
		f.end(p, err)
	}
}

// end tells of a ring that cannot be read any more. The others go on.
func (f *feed) end(p *Peer, err error) {
	if !f.ended {
		f.ended, f.run, f.n = true, nil, 0
		p.out.own()
		p.tell(Event{Kind: Trouble, Channel: f.channel.Name, Source: f.source, Err: onChannel(f.channel.Name, errors.Join(err, f.reader.Err()))})
	}
}

// answered takes what the other node says of a source that goes there.
func (p *Peer) answered(c *channel, h *seal.Header, body []byte) error {
	var f *feed
	for _, one := range p.feeds {
		if one.source == h.Source && one.channel == c {
			f = one
		}
	}
	if f == nil || f.ended { // removed meanwhile
		return nil
	}
	if h.Kind == seal.Nak {
		var ranges [seal.MaxRanges]seal.Range
		if _, err := seal.ParseNak(body, &ranges); err != nil || f.open && ranges[0].First > f.due {
			return p.broken(Malformed)
		}
		if !f.open { // said before the ring came back
			return nil
		}
		p.stats.Rewinds++
		f.acked = max(f.acked, ranges[0].First)
		f.confirm(p)
		f.back()
		f.due = ranges[0].First
		return nil
	}
	var b seal.StatusBody
	if b.Parse(body) != nil || b.Next == 0 || b.Next > lastSeq {
		return p.broken(Malformed)
	}
	f.window = b.Window
	if !f.open || b.Next > f.due { // by another link, too
		f.open, f.due = true, b.Next
	}
	if c.Reliability == Reliable {
		f.acked = max(f.acked, b.Next)
		f.confirm(p)
	}
	return nil
}

// confirm lets go of what the other node has, but for what is not written yet, whatever it says.
func (f *feed) confirm(p *Peer) {
	if !f.fresh {
		f.release(p, min(f.acked, f.held()))
	}
}
