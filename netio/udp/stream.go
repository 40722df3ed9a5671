package udp

import (
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

const (
	stashPieces = 4096 // runs and parts that wait in one stream
	mirrorSpare = 160  // what a ring needs beside the largest run in an eighth of it: header, epoch, skip, next word
	passedKept  = 16   // ranges that were passed and are remembered, to tell late frames from repeated ones
	arrivals    = 256  // envelopes whose arrival is remembered, for the skew between lines
)

// stream is what a receiver knows of one source.
type stream struct {
	source  uint64
	mirror  *netio.Mirror // nil until there is a frame for it
	largest int           // of a record, header included
	epoch   uint32        // of the frame delivered last
	voice   uint32        // epoch the mirror was told
	next    uint64        // number that is due
	top     uint64        // numbers below it are known to exist
	joined  bool          // next is settled
	staged  bool          // the mirror holds a batch to flush, or is to be left
	sharing
	fresh  bool // nothing was delivered: what is passed was never due
	stash  *stash
	holeAt time.Duration // when the hole at next was first seen; negative: there is none
	passed [passedKept]seal.Range
	passes int
	traces netio.Traces

	metAt     time.Duration
	connected bool
	heardAt   time.Duration
	at        *line       // where the sender was heard last
	peer      sys.Address // and from whom
	turn      uint        // turns of that line then
	paths     [MaxLines]path
	firsts    [arrivals]arrival
	asking
	sessions [MaxLines]session

	received *netio.Spread // how old its messages are in the mirror; nil: it is not kept
}

// path is a stream as one line brings it.
type path struct {
	heard  bool
	at     time.Duration
	first  uint64 // number it began with
	top    uint64 // number after the highest
	frames uint64
	wins   uint64 // frames that it brought first
	skew   time.Duration
	skews  uint64
	on     *line       // where the sender was heard last on this path
	turn   uint        // turns of that line then
	from   sys.Address // and from whom
}

type arrival struct {
	seq  uint64
	at   time.Duration
	path uint8
}

// largestRecord is the largest record, header included, of a ring of this capacity that a run can bring.
func largestRecord(capacity int) int {
	return (orDefault(capacity, ring.DefaultCapacity)/8 - mirrorSpare) &^ 7
}

// meet begins the stream of a source that was not heard before. It returns nil when there are too many.
func (r *Receiver) meet(source uint64) *stream {
	if len(r.streams) >= orDefault(r.options.Inbox.Sources, netio.DefaultSources) && !r.forgetOne() {
		return nil
	}
	s := &stream{source: source, received: r.options.Received, largest: largestRecord(r.options.Inbox.Capacity), fresh: true, holeAt: -1, metAt: r.clock.now,
		stash: newStash(r.options.Stash, stashPieces)}
	if m, err := r.inbox.Held(source); err != nil {
		r.told(source, err)
		return nil
	} else if m != nil { // a former life of this receiver left off here
		r.adopt(s, m)
		s.next, s.joined, s.fresh = m.Stood(), true, false
	}
	r.streams[source] = s
	r.all = append(r.all, s)
	r.lines[0].alike = false
	return s
}

// forgetOne makes room by closing a stream whose sender is gone.
func (r *Receiver) forgetOne() bool {
	for source, s := range r.streams {
		if !s.connected {
			if s.staged {
				s.flush()
			}
			if err := r.inbox.Forget(source); err != nil {
				r.told(source, err)
			}
			delete(r.streams, source)
			r.all = slices.DeleteFunc(r.all, func(one *stream) bool { return one == s })
			r.latest = nil
			return true
		}
	}
	return false
}

func (r *Receiver) adopt(s *stream, m *netio.Mirror) {
	s.mirror, s.largest = m, m.MaxRun()
	s.voice = ^uint32(0)
	if least := s.largest + 8; least > len(r.assembly) { // a file keeps the capacity of a former life
		r.assembly = make([]byte, least)
	}
}

// heard notes that numbers below top exist, and who said so.
func (r *Receiver) heard(l *line, s *stream, h *seal.Header, top uint64) {
	s.spoke(l, r.clock.now)
	if !s.joined {
		s.joined, s.next = true, 1
		if r.options.Reliability == BestEffort || r.options.FromNow {
			s.next = h.Seq
		}
		s.top = s.next
	}
	if top > s.top {
		s.top = top
	}
	if !s.connected && !l.mute { // by a message that tells from whom it is
		s.connected = true
		r.tell(Event{Kind: Connected, Source: s.source, Peer: l.from.AddrPort()})
	}
	if len(r.lines) > 1 {
		r.compare(l, s, h, top)
	}
}

// spoke notes when the sender was heard, on which line, and from where.
func (s *stream) spoke(l *line, now time.Duration) {
	s.heardAt = now
	if s.at != l || s.turn != l.turns {
		s.at, s.turn, s.peer = l, l.turns, l.from
	}
}

// compare keeps what tells lines apart: what each missed, and by how much one is behind the other.
func (r *Receiver) compare(l *line, s *stream, h *seal.Header, top uint64) {
	p := &s.paths[l.path]
	if !p.heard {
		p.heard, p.first, p.top = true, h.Seq, h.Seq
	}
	p.at = r.clock.now
	if p.on != l || p.turn != l.turns {
		p.on, p.turn, p.from = l, l.turns, l.from
	}
	if h.Kind == seal.Data || h.Kind == seal.Fragment && h.Seq >= p.top { // a frame's first part counts for it
		p.frames += top - h.Seq
		switch a := &s.firsts[h.Seq%arrivals]; {
		case h.Seq > a.seq:
			*a = arrival{h.Seq, r.clock.now, l.path}
			p.wins += top - h.Seq
		case a.path != l.path: // of a later number, when it is so far behind: then it is so late at least
			p.skew += r.clock.now - a.at
			p.skews++
		}
	}
	p.top = max(p.top, top)
}

// records takes n checked records from h.Seq on.
func (r *Receiver) records(s *stream, h *seal.Header, body []byte, n int) {
	last := h.Seq + uint64(n) - 1
	if r.shared {
		r.follow(s)
	}
	switch {
	case last < s.next:
		r.repeated(s, h.Seq, last)
	case h.Seq <= s.next:
		if h.Seq < s.next {
			r.repeated(s, h.Seq, s.next-1)
			body = seal.After(body, h.Seq, s.next-1)
		}
		due := s.next
		if !r.deliver(s, due, last, h.Epoch, body) {
			if (r.options.Reliability == Repaired || s.taken) && s.next <= last {
				r.keep(s, piece{first: s.next, last: last, epoch: h.Epoch}, seal.After(body, due, s.next-1))
			}
			return
		}
		r.drain(s)
	default:
		r.keep(s, piece{first: h.Seq, last: last, epoch: h.Epoch}, body)
	}
}

// part takes one part of a record.
func (r *Receiver) part(s *stream, h *seal.Header, offset, total int, part []byte) {
	if h.Seq < s.next {
		if offset == 0 {
			r.repeated(s, h.Seq, h.Seq)
		}
		return
	}
	r.keep(s, piece{first: h.Seq, last: h.Seq, epoch: h.Epoch, offset: offset, total: total}, part)
	if h.Seq == s.next {
		s.holeAt = -1 // it is on its way, however long its parts take
		r.drain(s)
	}
}

// keep puts what came early into the stash.
func (r *Receiver) keep(s *stream, p piece, b []byte) {
	held, full := s.stash.add(p, b)
	if full && p.first == s.next && r.options.Reliability == Repaired { // what is due comes before all that waits for it, which is sent again
		r.drop(StashFull, uint64(s.stash.yield(s.next)))
		if held, full = s.stash.add(p, b); full { // parts that came late lie behind what was let go
			r.drop(StashFull, uint64(len(s.stash.pieces)))
			s.stash.drop(len(s.stash.pieces))
			held, full = s.stash.add(p, b)
		}
	}
	switch {
	case held && p.total == 0:
		r.drop(Duplicate, p.last-p.first+1)
	case full:
		r.drop(StashFull, 1)
	}
	if r.options.Reliability == BestEffort && r.options.Reorder == 0 && len(r.lines) == 1 && p.total == 0 {
		r.pass(s, p.first)
		r.drain(s)
	}
}

// deliver appends the records first to last, of which the first is due, and moves next. It reports false when some found
// no room: a repaired stream waits with them, any other goes on without.
func (r *Receiver) deliver(s *stream, first, last uint64, epoch uint32, run []byte) bool {
	if s.mirror == nil && !r.open1(s, first) {
		return false
	}
	m := s.mirror
	if r.shared {
		due := r.enter(s, first)
		if due == 0 {
			return false
		}
		if due > last {
			r.repeated(s, first, last)
			return true
		}
		if due > first {
			r.repeated(s, first, due-1)
			run, first = seal.After(run, first, due-1), due
		}
	}
	lost := first - m.Seq()
	if s.fresh {
		lost = 0
	}
	for len(run) > 0 {
		part, n := run, int(last-first)+1
		if len(part) > m.MaxRun() {
			part, n = seal.Cut(run, m.MaxRun())
		}
		s.traces.About(m, r.options.Channel, seal.Frame{Source: s.source, Epoch: uint64(epoch), Seq: first}, r.options.Traced)
		if err := m.Bring(epoch, first, lost, part, n); err != nil {
			return r.noRoom(s, err, first, last)
		}
		lost = 0
		if s.received != nil {
			netio.AgeOf(s.received, r.clock.stamp(), part)
		}
		s.voice, s.epoch, s.fresh, s.staged = epoch, epoch, false, true
		first += uint64(n)
		r.Frames += uint64(n)
		s.bytes += len(part)
		s.next = first
		run = run[len(part):]
	}
	return true
}

// noRoom is deliver when the mirror refuses.
func (r *Receiver) noRoom(s *stream, err error, first, last uint64) bool {
	switch {
	case errors.Is(err, ring.ErrTooLarge):
		r.drop(TooLarge, last-first+1)
	case !errors.Is(err, ring.ErrFull):
		r.told(s.source, err)
		r.drop(ForeignSource, 1)
		return false
	case r.options.Reliability == Repaired:
		return false
	default:
		r.drop(Full, last-first+1)
	}
	s.next = last + 1 // the mirror counts them as lost when it goes on
	r.miss(s, first, last)
	return true
}

// miss counts frames that will not be delivered.
func (r *Receiver) miss(s *stream, first, last uint64) {
	r.Lost += last - first + 1
	r.tell(Event{Kind: Gap, Source: s.source, Peer: s.peer.AddrPort(), First: first, Last: last})
}

// open1 makes the mirror, with first as its first number.
func (r *Receiver) open1(s *stream, first uint64) bool {
	m, err := r.inbox.Open(s.source, first)
	if err != nil {
		r.told(s.source, err)
		r.drop(ForeignSource, 1)
		return false
	}
	r.adopt(s, m)
	return true
}

// drain delivers what the stash has of the numbers that are due.
func (r *Receiver) drain(s *stream) {
	for !s.stash.empty() && s.stash.pieces[0].first <= s.next {
		p := &s.stash.pieces[0]
		switch {
		case p.last < s.next:
			if p.total == 0 {
				r.drop(Duplicate, p.last-p.first+1)
			}
			s.stash.drop(1)
		case p.total == 0:
			run, last := s.stash.bytes(p), p.last
			if p.first < s.next {
				run = seal.After(run, p.first, s.next-1)
			}
			if !r.deliver(s, s.next, last, p.epoch, run) {
				return
			}
			s.stash.drop(1)
		default:
			if !r.assemble(s) {
				return
			}
		}
	}
	if s.next >= s.top {
		s.holeAt = -1
	}
}

// assemble delivers the record that is due out of its parts, once all are there.
func (r *Receiver) assemble(s *stream) bool {
	parts, total := s.stash.whole(s.next)
	padded := (total + 7) &^ 7
	if parts == 0 || padded > len(r.assembly) {
		return false
	}
	record := r.assembly[:padded]
	clear(record[total:])
	for i := range s.stash.pieces[:parts] {
		p := &s.stash.pieces[i]
		copy(record[p.offset:], s.stash.bytes(p))
	}
	seq, epoch := s.next, s.stash.pieces[0].epoch
	if seal.RecordSize(record, seq, s.largest) != total { // parts that contradict each other
		r.drop(Malformed, 1)
		s.stash.drop(parts)
		return true
	}
	if !r.deliver(s, seq, seq, epoch, record) {
		return false
	}
	s.stash.drop(parts)
	return true
}

// repeated counts frames that are behind next: late ones, if they were given up, else repeats.
func (r *Receiver) repeated(s *stream, first, last uint64) {
	late := uint64(0)
	for _, p := range s.passed {
		if from, to := max(first, p.First), min(last, p.Last); p.First != 0 && from <= to {
			late += to - from + 1
		}
	}
	late = min(late, last-first+1)
	r.drop(Late, late)
	r.drop(Duplicate, last-first+1-late)
}

// pass gives up the numbers before to. In a stream of which nothing was delivered yet they were never due.
func (r *Receiver) pass(s *stream, to uint64) {
	if to <= s.next {
		return
	}
	if !s.fresh {
		r.drop(Missing, to-s.next)
		r.miss(s, s.next, to-1)
	}
	s.passed[s.passes%passedKept] = seal.Range{First: s.next, Last: to - 1}
	s.passes++
	s.next, s.holeAt = to, -1
}

// gone passes what the sender says cannot be had any more, but for what is in the stash.
func (r *Receiver) gone(s *stream, h *seal.Header, last uint64) {
	if h.Seq > s.next {
		return // asked for anew when it is due
	}
	for s.next <= last {
		before := s.next
		to := last + 1
		if !s.stash.empty() {
			if p := &s.stash.pieces[0]; p.total == 0 {
				to = min(to, max(p.first, s.next))
			}
		}
		r.pass(s, to)
		r.drain(s)
		if s.next == before {
			return
		}
	}
}

// tell hands an event on.
func (r *Receiver) tell(e Event) {
	if r.options.Events != nil {
		e.Channel = r.options.Channel
		r.options.Events(e)
	}
}

// told tells of trouble with a mirror, once until it works again.
func (r *Receiver) told(source uint64, err error) {
	if !r.trouble {
		r.trouble = true
		r.tell(Event{Kind: Trouble, Source: source, Err: onChannel(r.options.Channel, err)})
	}
}

// Line is what a receiver knows of one source on one of its lines.
type Line struct {
	Source uint64
	Path   int
	From   netip.AddrPort
	Frames uint64        // arrived, repeats included
	Wins   uint64        // frames that arrived here first
	Lost   uint64        // frames of which this line brought nothing
	Skew   time.Duration // by how much this line is behind, on average, where it is
}

// Lines compares the lines of every source. It belongs to the receiver's goroutine, and with one line returns nothing.
func (r *Receiver) Lines() (all []Line) {
	for _, s := range r.streams {
		for i := range r.lines {
			p := &s.paths[i]
			if !p.heard {
				continue
			}
			one := Line{Source: s.source, Path: i, From: p.from.AddrPort(), Frames: p.frames, Wins: p.wins}
			if due := s.top - min(p.first, s.top); due > p.frames {
				one.Lost = due - p.frames
			}
			if p.skews > 0 {
				one.Skew = p.skew / time.Duration(p.skews)
			}
			all = append(all, one)
		}
	}
	return all
}
