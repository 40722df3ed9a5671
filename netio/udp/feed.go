package udp

import (
	"errors"
	"fmt"
	"time"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// gatherFrom is the size of a body from which the kernel gathers it out of the ring; a smaller one is copied behind its header, since
// each further piece of a message costs the kernel more than that.
const gatherFrom = 4096

// separateAtOnce is how many bytes of frames that travel apart are peeked together.
const separateAtOnce = 8 << 10

// feed is one ring as a sender reads it. A frame is peeked, put into envelopes, carried, and given back once it is carried
// or confirmed; until then the ring is where it is read again.
type feed struct {
	ring      *ring.Ring
	reader    *ring.Reader
	source    uint64
	run       []byte // peeked and not in an envelope yet
	seq       uint64 // number of its first record
	n         int    // its records
	pos       uint64 // where it lies
	epoch     uint32
	traces    sentTraces
	offset    int                   // how much of a record in fragments is in envelopes
	trace     *[ring.TraceSize]byte // of the first record of the run in hand; nil: none. Until the next peek
	lump      int                   // bytes of records tried with the codec
	since     time.Duration
	waits     bool // since is when what waits for more began to wait
	carriedAt time.Duration
	beatAt    time.Duration
	silence   time.Duration
	ended     bool
	sessions  [MaxLines]*outbound
	crowd
}

func newFeed(o *SenderOptions, r *ring.Ring) (*feed, error) {
	ro := ring.ReaderOptions{From: o.From, Name: o.Name}
	if o.Reliability == Repaired {
		ro.From = ring.Oldest
		ro.Durable = r.Info().Path != ""
	}
	reader, err := r.Reader(ro)
	if err != nil {
		return nil, err
	}
	f := &feed{ring: r, reader: reader, source: r.Info().Instance, silence: heartFirst}
	f.epoch = uint32(reader.Epoch())
	if o.Reliability == Repaired {
		f.index = newIndex(r.Info().Capacity)
	}
	f.acked, f.limit = reader.Seq(), reader.Position()+uint64(o.Window)
	f.ackedAt = reader.Position()
	return f, nil
}

// peek makes sure that there is a run in hand, of at most limit bytes if its first record is not larger.
func (f *feed) peek(limit int) bool {
	if len(f.run) > 0 {
		return true
	}
	f.run, f.n = f.reader.PeekRun(limit)
	if f.n == 0 {
		return false
	}
	f.seq, f.pos, f.epoch, f.offset = f.reader.First(), f.reader.Position()-uint64(len(f.run)), uint32(f.reader.Epoch()), 0
	f.trace = f.reader.Trace()
	return true
}

// take takes the first part of the run out: n records.
func (f *feed) take(part, n int) {
	f.run, f.n = f.run[part:], f.n-n
	f.seq, f.pos = f.seq+uint64(n), f.pos+uint64(part)
}

// carried gives back what a best-effort sender has sent.
func (f *feed) carried() error {
	if len(f.run) > 0 {
		return f.reader.ReleaseAt(f.pos, f.seq)
	}
	if f.reader.Cursor() == f.reader.Position() {
		return nil
	}
	return f.reader.ReleaseTo(f.reader.Seq())
}

// fill puts what is there into envelopes, until the batch is full.
func (s *Sender) fill(f *feed, now time.Duration) error {
	w, bound := s.wires[0], s.bound()
	// The usual is copied behind its header straight into the one line's slab.
	straight := len(s.wires) == 1 && s.options.Secret == nil && bound < gatherFrom
	bare := straight && !s.options.Separate
	for !f.ended && s.spare() && s.paced.allows() {
		limit := s.limit(f, bound)
		if limit == 0 || s.options.Linger > 0 && len(f.run) == 0 && !f.ripe(limit, now, s.options.Linger) || !f.peek(limit) {
			return nil
		}
		s.carries(f, now)
		first := seal.RecordSize(f.run, f.seq, anyRecord)
		if first == 0 { // overwritten: the reader was evicted
			s.ended(f, errors.Join(f.carried(), f.reader.Err(), fmt.Errorf("record %d changed under its sender", f.seq)))
			return nil
		}
		if s.options.Carried != nil && f.offset == 0 {
			netio.AgeOf(s.options.Carried, s.clock.stamp(), f.run)
		}
		if f.trace != nil {
			if err := s.traced(f, first, bound, now); err != nil {
				return err
			}
			continue
		}
		if first > bound || f.offset > 0 {
			if err := s.fragments(f, bound, now); err != nil {
				return err
			}
			continue
		}
		h := seal.Header{Kind: seal.Data, Channel: s.channel, Source: f.source, Epoch: f.epoch, Seq: f.seq}
		if straight && s.options.Separate && s.options.Codec == nil {
			s.apart(f, w, &h, bound)
			continue
		}
		if s.options.Codec != nil && len(f.run) <= seal.MaxRaw && s.pack(f, &h, bound) {
			body := s.packed[:h.Length]
			f.index.note(f, len(f.run), f.n)
			f.take(len(f.run), f.n)
			if err := s.emit(f, &h, nil, body, false, 0, now); err != nil {
				return err
			}
			continue
		}
		part, n := f.run, f.n
		switch {
		case s.options.Separate:
			part, n = f.run[:(first+7)&^7], 1
		case len(part) > bound:
			part, n = seal.Cut(f.run, bound)
		}
		f.index.note(f, len(part), n)
		f.take(len(part), n)
		s.Frames += uint64(n)
		// Only what nearly fills a datagram is worth filling up, and so worth looking whether more follows.
		pad, more := 0, len(f.run) > 0
		if w.medium == nil && len(part) > bound/2 && !s.options.Separate && (more || w.full() || f.reader.Position() < f.most(s) && f.peek(limit)) {
			pad, more = w.room, true
		}
		if bare && !more && w.datagrams == 0 && s.one(&h, part) {
			return nil
		}
		if !straight {
			if err := s.emit(f, &h, nil, part, true, pad, now); err != nil {
				return err
			}
		} else if !s.copyOut(w, w.to, &h, nil, part, pad) {
			s.drop(Unsendable, 1)
		}
	}
	return nil
}

// limit is how many bytes of f are peeked at once; 0: it is as far ahead as its receivers can take.
func (s *Sender) limit(f *feed, bound int) int {
	limit := bound
	switch {
	case s.options.Separate && s.options.Codec != nil:
		limit = 1 // the next one: a codec takes all of a run
	case s.options.Separate:
		limit = separateAtOnce
	case s.options.Codec != nil:
		f.lump = max(f.lump, bound)
		limit = f.lump
	}
	if s.options.Reliability != Repaired {
		return limit
	}
	if f.reader.Position() >= f.limit && len(f.run) == 0 {
		return 0
	}
	return min(limit, max(int(f.limit-min(f.reader.Position(), f.limit)), 1))
}

// apart puts each record of the run in hand into an envelope of its own, up to one that needs fragments.
func (s *Sender) apart(f *feed, w *wire, h *seal.Header, bound int) {
	run, seq := f.run, f.seq
	for len(run) > 0 && w.spare() && s.paced.allows() {
		size := (seal.RecordSize(run, seq, bound) + 7) &^ 7
		if h.Seq = seq; size == 0 || !s.copyOut(w, w.to, h, nil, run[:size], 0) {
			break
		}
		if f.index != nil {
			f.index.add(entry{seq, f.pos + uint64(len(f.run)-len(run)), f.epoch}, 1, uint64(size))
		}
		run = run[size:]
		seq++
	}
	n := int(seq - f.seq)
	s.Frames += uint64(n)
	f.take(len(f.run)-len(run), n)
}

// most is the position up to which f may be sent.
func (f *feed) most(s *Sender) uint64 {
	if s.options.Reliability == Repaired {
		return f.limit
	}
	return ^uint64(0)
}

// note keeps where a part of the run in hand lies, on channels that are repaired.
func (x *index) note(f *feed, size, n int) {
	if x != nil {
		x.add(entry{f.seq, f.pos, f.epoch}, n, uint64(size))
	}
}

// carries notes that there is something under way.
func (s *Sender) carries(f *feed, now time.Duration) {
	f.carriedAt, f.silence, f.waits = now, heartFirst, false
}

// ripe reports whether there is enough to fill a datagram, or waited long enough.
func (f *feed) ripe(limit int, now, linger time.Duration) bool {
	n := f.reader.Measure(limit)
	if n == 0 {
		return false
	}
	if !f.waits {
		f.waits, f.since = true, now
	}
	return n > limit/2 || now-f.since >= linger
}

// pack compresses the run in hand into packed, if that pays, and learns how many records to try next time.
func (s *Sender) pack(f *feed, h *seal.Header, bound int) bool {
	if o, ok := s.options.Codec.(seal.Observer); ok {
		o.Observe(int64(f.reader.Lag()), s.rate.bytes)
	}
	n, codec := s.options.Codec.Pack(s.packed[:bound], f.run)
	if codec == 0 {
		f.lump = max(f.lump/2, bound)
		return false
	}
	h.Codec, h.Raw, h.Length = codec, len(f.run), n
	s.Frames += uint64(f.n)
	if n < bound*3/4 {
		f.lump = min(f.lump+bound, seal.MaxRaw&^7)
	}
	return true
}

// fragments puts the record in hand into envelopes, part by part, as long as the batch has room.
func (s *Sender) fragments(f *feed, bound int, now time.Duration) error {
	total := seal.RecordSize(f.run, f.seq, anyRecord)
	for f.offset < total {
		if !s.spare() {
			return nil
		}
		n := min(bound-seal.FragmentHeader, total-f.offset)
		if n < total-f.offset {
			n &^= 7
		}
		var head [seal.FragmentHeader]byte
		seal.PutFragment(head[:], f.offset, total)
		h := seal.Header{Kind: seal.Fragment, Channel: s.channel, Source: f.source, Epoch: f.epoch, Seq: f.seq}
		part := f.run[f.offset : f.offset+n]
		f.offset += n
		if err := s.emit(f, &h, head[:], part, true, 0, now); err != nil {
			return err
		}
	}
	size := (total + 7) &^ 7
	f.index.note(f, size, 1)
	f.take(size, 1)
	f.offset = 0
	s.Frames++
	return nil
}

// one sends a single envelope by the shortest way. It reports false when the socket will not have it now.
func (s *Sender) one(h *seal.Header, run []byte) bool {
	w := s.wires[0]
	if w.trouble {
		return false // flush tells when it is over
	}
	h.Length = len(run)
	if w.medium != nil {
		return s.oneOver(w, h, run)
	}
	out := w.mem[:seal.HeaderSize+len(run)]
	h.Put(out)
	copy(out[seal.HeaderSize:], run)
	var err error
	if w.to != nil {
		err = w.socket.SendOneTo(out, w.to)
	} else {
		err = w.socket.SendOne(out)
	}
	if err != nil {
		if err == sys.ErrRefused {
			s.refused(w, err)
		}
		return false
	}
	s.counts(len(out))
	return true
}

func (s *Sender) counts(size int) {
	s.Datagrams++
	s.Bytes += uint64(size)
	s.paced.spend(size)
	s.dirty = true
}

// emit puts an envelope on every line. head and body are its body; mapped says that body lies where the kernel can fetch it, and
// stays. pad is the size the datagram is filled up to.
func (s *Sender) emit(f *feed, h *seal.Header, head, body []byte, mapped bool, pad int, now time.Duration) error {
	for _, w := range s.wires {
		if err := s.emitTo(w, w.to, f, h, head, body, mapped, pad, now); err != nil {
			return err
		}
	}
	return nil
}

// emitTo puts an envelope on one line, to one place.
func (s *Sender) emitTo(w *wire, to *sys.Address, f *feed, h *seal.Header, head, body []byte, mapped bool, pad int, now time.Duration) error {
	var ok bool
	switch {
	case s.options.Secret != nil:
		var err error
		if ok, err = s.sealOut(w, to, f, h, head, body, pad, now); err != nil {
			return err
		}
	case mapped && len(body) >= gatherFrom && w.medium == nil:
		h.Length = len(head) + len(body)
		out := w.lend(seal.HeaderSize + len(head))
		h.Put(out)
		copy(out[seal.HeaderSize:], head)
		if ok = w.add(to, out, body, pad); ok {
			s.counts(max(len(out)+len(body), pad))
		}
	default:
		ok = s.copyOut(w, to, h, head, body, pad)
	}
	if !ok { // spare said otherwise: pieces ran out, and a repair or the receiver's count will tell
		s.drop(Unsendable, 1)
	}
	return nil
}

// copyOut puts an envelope that is not sealed on one line, with its body copied. It reports false when the batch is full.
func (s *Sender) copyOut(w *wire, to *sys.Address, h *seal.Header, head, body []byte, pad int) bool {
	h.Length = len(head) + len(body)
	size := seal.HeaderSize + h.Length
	out := w.place(to, max(size, pad))
	if out == nil {
		return false
	}
	h.Put(out)
	at := seal.HeaderSize
	if len(head) > 0 {
		at += copy(out[at:], head)
	}
	copy(out[at:], body)
	if pad > size {
		clear(out[size:])
	}
	s.counts(len(out))
	return true
}

// beat says where a feed stands. Sealed, it is as large as a hello, so that it may be answered with one.
func (s *Sender) beat(f *feed, now time.Duration) error {
	if !s.spare() {
		return nil
	}
	seq := f.reader.Seq()
	if len(f.run) > 0 {
		seq = f.seq
	}
	pad := 0
	if s.options.Secret != nil {
		pad = helloWhole
	}
	h := seal.Header{Kind: seal.Heartbeat, Channel: s.channel, Source: f.source, Epoch: f.epoch, Seq: seq}
	return s.emit(f, &h, nil, nil, false, pad, now)
}

// spare reports whether every line has room for another datagram.
func (s *Sender) spare() bool {
	for _, w := range s.wires {
		if !w.spare() {
			return false
		}
	}
	return true
}

// bound is the most bytes of records in an envelope that fits every line.
func (s *Sender) bound() int {
	n := s.wires[0].bound(s.options.Secret != nil)
	for _, w := range s.wires[1:] {
		n = min(n, w.bound(s.options.Secret != nil))
	}
	return n
}
