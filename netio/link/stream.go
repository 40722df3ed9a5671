package link

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

const (
	statusSoon  = time.Millisecond      // between a frame that comes and its confirmation, if there is no reason to be quicker
	retryEvery  = 50 * time.Millisecond // between two tries to open a mirror
	statusParts = 4                     // parts of a mirror: a status is due when one has come since the last, or is free again
)

type streamKey struct {
	channel uint32
	source  uint64
}

// stream is one source of the other node as it arrives here.
type stream struct {
	channel *channel
	source  uint64
	mirror  *netio.Mirror // nil until there is a frame for it
	inside  bool          // this peer has entered the mirror
	next    uint64        // number that is due
	lost    uint64        // of those since the last that was delivered
	epoch   uint32
	virgin  bool // nothing was delivered: what is passed was never due
	held    bool // the mirror was there before, and was not entered yet
	met     bool // said hello on this connection
	asked   bool // a nak is on its way: what lies ahead is sent again
	stalled bool // the mirror was full: nothing more until it is not
	status  bool // it has to say where it stands
	nak     bool // and to ask for what is due

	said    uint64 // next, as it was told last
	limit   uint64 // bytes told beyond it, less what came
	moved   uint64 // bytes that came since
	saidAt  time.Duration
	heardAt time.Duration
	retryAt time.Duration
	part    []byte // of a record in fragments
	parted  int    // how much of it has come
	traces  netio.Traces
}

// reset begins a connection.
func (s *stream) reset() {
	s.met, s.asked, s.stalled, s.status, s.nak, s.parted = false, false, false, false, false, 0
}

// usual takes the usual: records in the clear that are next in the stream heard last. It reports false, and has done nothing, when the
// envelope is anything else.
func (p *Peer) usual(h *seal.Header, body []byte) bool {
	s := p.latest
	if s == nil || h.Source != s.source || h.Seq != s.next || h.Kind != seal.Data || h.Epoch != s.epoch || h.Channel != s.channel.id ||
		h.Codec != 0 || h.Traced || h.Sealed || !s.inside || !s.met || s.stalled || s.lost != 0 || s.parted != 0 {
		return false
	}
	n, err := seal.Records(body, h.Seq, s.channel.Largest+ring.HeaderSize)
	if err != nil || s.mirror.Bring(h.Epoch, h.Seq, 0, body, n) != nil {
		return false
	}
	netio.AgeOf(s.channel.Received, p.clock, body)
	s.brought(p, n, len(body))
	return true
}

// brought counts records that are in the mirror.
func (s *stream) brought(p *Peer, n, size int) {
	s.next += uint64(n)
	s.moved += uint64(size)
	s.asked, s.virgin, s.lost = false, false, 0
	p.stats.FramesIn += uint64(n)
	s.heardAt = p.clock
	if s.moved >= uint64(s.mirror.Capacity())/statusParts && s.channel.Reliability == Reliable {
		s.status, p.answers = true, true
	}
}

// brought takes what a sender says in a channel that flows: records, a part of one, where it stands, what it has not got any more.
func (p *Peer) brought(c *channel, h *seal.Header, body []byte) (taken bool, err error) {
	s := p.latest
	if s == nil || s.source != h.Source || s.channel != c {
		if s = p.streams[streamKey{c.id, h.Source}]; s == nil {
			if h.Kind != seal.Heartbeat {
				return false, p.broken(Misplaced)
			}
			if s = p.begin(c, h); s == nil {
				return true, nil
			}
		}
		p.latest = s
	}
	if h.Kind != seal.Heartbeat && !s.met {
		return false, p.broken(Misplaced)
	}
	if s.mirror != nil && !s.enter(p) {
		return false, nil
	}
	s.heardAt = p.clock
	switch h.Kind {
	case seal.Heartbeat:
		p.stands(s, h)
		return true, nil
	case seal.Lost:
		last, err := seal.ParseLost(body, h.Seq)
		if err != nil || last > lastSeq-1 {
			return false, p.broken(Malformed)
		}
		p.gone(s, h, last)
		return true, nil
	case seal.Fragment:
		return p.fragment(s, h, body)
	}
	if h.Codec != 0 {
		if c.Codec == nil || c.Codec.Unpack(p.expand[:h.Raw], body, h.Codec) != nil {
			return false, p.broken(Undecodable)
		}
		body = p.expand[:h.Raw]
	}
	n, err := seal.Records(body, h.Seq, c.Largest+ring.HeaderSize)
	if err != nil || h.Seq+uint64(n) < h.Seq {
		return false, p.broken(Malformed)
	}
	return true, p.records(s, h, body, n)
}

// begin begins the stream of a source that was not heard before. It returns nil when there are too many.
func (p *Peer) begin(c *channel, h *seal.Header) *stream {
	if c.streams >= c.inbox.Sources() && !p.forgetOne(c) {
		p.drop(ForeignSource, 1)
		p.trouble(c, h.Source, netio.ErrSources)
		return nil
	}
	s := &stream{channel: c, source: h.Source, next: h.Seq, virgin: true, retryAt: p.clock}
	p.streams[streamKey{c.id, h.Source}] = s
	p.all = append(p.all, s)
	c.streams++
	return s
}

// forgetOne makes room by forgetting a stream that fell silent.
func (p *Peer) forgetOne(c *channel) bool {
	for i, s := range p.all {
		if s.channel == c && !s.inside && (!s.met || p.clock-s.heardAt > p.options.Liveness) {
			if err := c.inbox.Forget(s.source); err != nil {
				p.trouble(c, s.source, err)
			}
			p.all = slices.Delete(p.all, i, i+1)
			delete(p.streams, streamKey{c.id, s.source})
			p.latest = nil
			c.streams--
			return true
		}
	}
	return false
}

// enter takes the mirror for this peer until leave. What another link has brought meanwhile is not due any more.
func (s *stream) enter(p *Peer) bool {
	if s.inside {
		return true
	}
	if !s.mirror.Enter() {
		return false
	}
	s.inside = true
	p.entered = append(p.entered, s)
	if seq := s.mirror.Seq(); seq > s.next || s.held {
		s.next, s.lost, s.virgin, s.parted, s.held = seq, 0, false, 0, false
	}
	return true
}

// stands takes a heartbeat, which asks where to go on.
func (p *Peer) stands(s *stream, h *seal.Header) {
	switch {
	case !s.met:
		s.met, s.asked = true, false
		if s.channel.Reliability == BestEffort {
			p.pass(s, h.Seq)
		}
		if s.retryAt <= p.clock {
			p.find(s, h.Seq)
		}
	default:
		if h.Seq > s.next {
			p.ahead(s, h.Seq)
		}
		if s.retryAt == 0 { // it may be a ring that has come back to its link, and waits for an answer
			s.status, p.answers = true, true
		}
	}
}

// find looks for the mirror of a former life, and has the stream say where it stands.
func (p *Peer) find(s *stream, first uint64) {
	if s.mirror == nil {
		m, err := s.channel.inbox.Held(s.source)
		s.held = err == nil && m != nil                                  // what is due it says once it is entered: another link may be at it
		if err == nil && m == nil && s.channel.Reliability == Reliable { // who opens it now, first says so
			m, err = s.channel.inbox.Open(s.source, s.next)
		}
		if err == nil && m != nil {
			err = s.adopt(m)
		}
		if err != nil {
			s.retryAt = p.clock + retryEvery
			p.trouble(s.channel, s.source, err)
			return
		}
		if s.mirror != nil && !s.enter(p) {
			s.retryAt = max(p.clock, 1)
			return
		}
		if s.mirror != nil && first > s.next && s.channel.Reliability == BestEffort {
			p.pass(s, first)
		}
	}
	p.well(s.channel)
	s.retryAt = 0
	s.status, p.answers = true, true
}

// adopt makes m the stream's mirror, if it takes what the contract promises.
func (s *stream) adopt(m *netio.Mirror) error {
	if least := s.channel.Largest + ring.HeaderSize; m.MaxRun() < least {
		return fmt.Errorf("mirror of source %x takes records of %d bytes, and the contract says %d: remove its file, or lower the largest payload", s.source, m.MaxRun(), least)
	}
	s.mirror = m
	return nil
}

// records takes n checked records.
func (p *Peer) records(s *stream, h *seal.Header, body []byte, n int) error {
	last := h.Seq + uint64(n) - 1
	switch {
	case last < s.next:
		p.drop(Duplicate, uint64(n))
		return nil
	case h.Seq > s.next:
		p.ahead(s, h.Seq)
		if s.asked || s.stalled {
			p.drop(Ahead, uint64(n))
			return nil
		}
	case h.Seq < s.next:
		p.drop(Duplicate, s.next-h.Seq)
		body = seal.After(body, h.Seq, s.next-1)
		n = int(last - s.next + 1)
	}
	if s.stalled {
		p.drop(Ahead, uint64(n))
		return nil
	}
	if h.Epoch < s.epoch {
		return p.broken(OldEpoch)
	}
	s.epoch = h.Epoch
	p.deliver(s, body, n)
	return nil
}

// ahead takes it that the sender is at number at, and the stream is not: on a reliable channel it has to go back, on another one what lies
// between is missing.
func (p *Peer) ahead(s *stream, at uint64) {
	switch {
	case s.asked || s.stalled:
	case s.channel.Reliability == BestEffort:
		p.pass(s, at)
	default:
		s.asked, s.nak, s.status, p.answers = true, true, true, true
		s.parted = 0
	}
}

// pass gives up the numbers before to. In a stream of which nothing was delivered they were never due.
func (p *Peer) pass(s *stream, to uint64) {
	if to <= s.next {
		return
	}
	if !s.virgin {
		p.drop(Missing, to-s.next)
		p.miss(s, to)
	}
	s.next = to
}

// miss notes that the numbers before to will not be delivered.
func (p *Peer) miss(s *stream, to uint64) {
	s.lost += to - s.next
	p.tell(Event{Kind: Gap, Channel: s.channel.Name, Source: s.source, First: s.next, Last: to - 1})
}

// deliver appends records of which the first is due.
func (p *Peer) deliver(s *stream, run []byte, n int) {
	if s.mirror == nil && !p.open(s) {
		return
	}
	for n > 0 {
		part, k := run, n
		if len(part) > s.mirror.MaxRun() {
			part, k = seal.Cut(part, s.mirror.MaxRun())
		}
		s.traces.About(s.mirror, s.channel.Name, seal.Frame{Source: s.source, Epoch: uint64(s.epoch), Seq: s.next}, p.options.Traced)
		if err := s.mirror.Bring(s.epoch, s.next, s.lost, part, k); err != nil {
			p.noRoom(s, err, n)
			return
		}
		netio.AgeOf(s.channel.Received, p.clock, part)
		s.brought(p, k, len(part))
		run, n = run[len(part):], n-k
	}
}

// open makes the mirror of a best-effort stream, with what is due as its first number.
func (p *Peer) open(s *stream) bool {
	if s.retryAt > p.clock {
		p.drop(ForeignSource, 1)
		return false
	}
	m, err := s.channel.inbox.Open(s.source, s.next)
	if err == nil {
		err = s.adopt(m)
	}
	if err != nil {
		s.retryAt = p.clock + retryEvery
		p.drop(ForeignSource, 1)
		p.trouble(s.channel, s.source, err)
		return false
	}
	p.well(s.channel)
	return s.enter(p)
}

// noRoom is deliver when the mirror refuses n records.
func (p *Peer) noRoom(s *stream, err error, n int) {
	if !errors.Is(err, ring.ErrFull) {
		p.trouble(s.channel, s.source, err)
	}
	if s.channel.Reliability == BestEffort {
		p.drop(Full, uint64(n))
		p.miss(s, s.next+uint64(n))
		s.next += uint64(n)
		return
	}
	p.drop(Ahead, uint64(n))
	s.stalled = true
}

// fragment takes a part of a record. Parts come in order; what is begun anew begins at its start.
func (p *Peer) fragment(s *stream, h *seal.Header, body []byte) (bool, error) {
	offset, total, part, err := seal.ParseFragment(body, s.channel.Largest+ring.HeaderSize)
	if err != nil {
		return false, p.broken(Malformed)
	}
	switch {
	case h.Seq < s.next:
		if offset == 0 {
			p.drop(Duplicate, 1)
		}
		return true, nil
	case h.Seq > s.next:
		if p.ahead(s, h.Seq); s.asked || s.stalled {
			return true, nil
		}
	}
	if s.stalled || s.asked && offset != 0 {
		return true, nil
	}
	if offset == 0 {
		s.parted = 0
		if padded := (total + 7) &^ 7; cap(s.part) < padded {
			s.part = make([]byte, padded)
		}
		s.part = s.part[:(total+7)&^7]
		clear(s.part[total:])
	}
	if offset != s.parted || (total+7)&^7 != len(s.part) {
		return false, p.broken(Malformed)
	}
	copy(s.part[offset:], part)
	if s.parted += len(part); s.parted < total {
		return true, nil
	}
	s.parted = 0
	if n, err := seal.Records(s.part, h.Seq, s.channel.Largest+ring.HeaderSize); err != nil || n != 1 || seal.RecordSize(s.part, h.Seq, total) != total {
		return false, p.broken(Malformed)
	}
	return true, p.records(s, h, s.part, 1)
}

// gone passes what the sender cannot send any more.
func (p *Peer) gone(s *stream, h *seal.Header, last uint64) {
	switch {
	case last < s.next:
		return
	case h.Seq > s.next:
		if p.ahead(s, h.Seq); s.asked || s.stalled {
			return
		}
	case s.stalled:
		return
	}
	s.asked, s.parted = false, 0
	if !s.virgin {
		p.stats.LostIn += last + 1 - s.next
		p.miss(s, last+1)
	}
	s.next = last + 1
}

// look is what time brings to a stream: a mirror that can be had now, room that is there again, a confirmation that waited.
func (s *stream) look(p *Peer) {
	if !s.met || s.channel.Reliability == BestEffort && s.retryAt == 0 {
		return
	}
	if s.mirror == nil || s.retryAt != 0 {
		if s.retryAt != 0 && s.retryAt <= p.clock {
			p.find(s, s.next)
		}
		return
	}
	if s.next != s.said && p.clock-s.saidAt >= statusSoon || s.tight() {
		if s.enter(p) {
			free := uint64(s.mirror.Free())
			part := uint64(s.mirror.Capacity()) / statusParts
			if s.stalled && free >= part {
				s.stalled = false
				s.asked, s.nak = true, true
				s.status, p.answers = true, true
			}
			if s.next != s.said || free >= s.limit-min(s.moved, s.limit)+part {
				s.status, p.answers = true, true
			}
		}
		p.leave()
	}
}

// tight reports whether the sender may have no room to go on.
func (s *stream) tight() bool {
	return s.limit-min(s.moved, s.limit) < uint64(s.mirror.Capacity())/2 || s.stalled
}

// answer says of all streams what they have to say, as far as the batch has room.
func (p *Peer) answer() {
	p.answers = false
	for _, s := range p.all {
		if !s.status && !s.nak {
			continue
		}
		if !p.out.spare() || s.mirror != nil && !s.enter(p) {
			p.answers = true
			continue
		}
		if s.nak {
			p.missing[0] = seal.Range{First: s.next, Last: s.next}
			p.say(s, seal.Nak, seal.AppendNak(p.scratch[:0], p.missing[:]))
			p.stats.Rewinds++
		}
		free := s.channel.Largest + ring.HeaderSize + 8
		if s.mirror != nil {
			free = s.mirror.Free()
		}
		body := p.scratch[:seal.StatusSize]
		(&seal.StatusBody{Next: s.next, Window: uint64(free), Receiver: 1}).Put(body)
		p.say(s, seal.Status, body)
		s.said, s.limit, s.moved, s.saidAt = s.next, uint64(free), 0, p.clock
		s.status, s.nak = false, false
	}
	p.leave()
}

func (p *Peer) say(s *stream, kind seal.Kind, body []byte) {
	h := seal.Header{Kind: kind, Channel: s.channel.id, Source: s.source, Epoch: s.epoch, Seq: 1}
	p.out.copied(&h, nil, body)
}

// trouble tells of trouble with a mirror, once until it works again.
func (p *Peer) trouble(c *channel, source uint64, err error) {
	if !c.trouble {
		c.trouble = true
		p.tell(Event{Kind: Trouble, Channel: c.Name, Source: source, Err: onChannel(c.Name, err)})
	}
}

func (p *Peer) well(c *channel) {
	if c.trouble {
		c.trouble = false
		p.tell(Event{Kind: Recovered, Channel: c.Name})
	}
}
