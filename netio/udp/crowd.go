package udp

import (
	"time"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// crowd is what a feed knows of its receivers, and how far it may go by them.
type crowd struct {
	index     *index // nil on a best-effort channel
	receivers []receiver
	limit     uint64 // position up to which it may be sent
	acked     uint64 // numbers below it are confirmed
	ackedAt   uint64 // a position at or before which acked lies
	wants     []want // at most mostWants of a receiver
	at        int    // whose turn it is
}

// receiver is one that said where it stands.
type receiver struct {
	id      uint64 // on all lines
	names   [MaxLines]uint64
	from    sys.Address
	path    uint8
	next    uint64 // number it waits for
	window  uint64
	tag     uint64
	heardAt time.Duration
	tokens  int64 // bytes it may have sent again
	paidAt  time.Duration

	missed   uint64 // what it asked for first, last time
	missedAt time.Duration
	vain     int // times that it asked for that again
}

// want is a range that a receiver asked for.
type want struct {
	seal.Range
	id     uint64
	offset int // how much of a first record in parts is in envelopes again
}

// hear takes what receivers say, a few envelopes per line.
func (s *Sender) hear(now time.Duration) error {
	if s.options.Reliability != Repaired && s.options.Secret == nil {
		return nil
	}
	for _, w := range s.wires {
		if w.medium != nil {
			if err := s.hearMedium(w); err != nil {
				return err
			}
			continue
		}
		for range 16 {
			n, err := w.socket.RecvOne(s.inbound)
			if n == 0 {
				if err == nil || err == sys.ErrAgain {
					break
				}
				if !sys.Transient(err) {
					return err
				}
				s.refused(w, err)
				break
			}
			data, _ := s.inbound.Message(0)
			from := s.inbound.From(0)
			if err := s.heardOne(w, data, &from, now); err != nil {
				return err
			}
		}
	}
	return nil
}

// heardOne judges one datagram from a receiver.
func (s *Sender) heardOne(w *wire, data []byte, from *sys.Address, now time.Duration) error {
	var h seal.Header
	if h.Parse(data) != nil {
		s.drop(Malformed, 1)
		return nil
	}
	if h.Channel != s.channel {
		s.drop(ForeignChannel, 1)
		return nil
	}
	var f *feed
	for _, one := range s.feeds {
		if one.source == h.Source {
			f = one
		}
	}
	if f == nil {
		s.drop(ForeignSource, 1)
		return nil
	}
	env := data[:seal.HeaderSize+h.Length]
	body := env[seal.HeaderSize:]
	if h.Kind == seal.HelloKind {
		return s.greet(w, f, &h, body, from)
	}
	if h.Kind != seal.Nak && h.Kind != seal.Status || h.Sealed != (s.options.Secret != nil) || s.options.Reliability != Repaired {
		s.drop(Misplaced, 1)
		return nil
	}
	if h.Sealed {
		if body = s.unsealed(w, f, &h, env); body == nil {
			return nil
		}
	}
	if h.Kind == seal.Nak {
		s.asked(w, f, &h, body)
	} else {
		s.stands(w, f, &h, body, from, now)
	}
	return nil
}

// stands takes a status.
func (s *Sender) stands(w *wire, f *feed, h *seal.Header, body []byte, from *sys.Address, now time.Duration) {
	var b seal.StatusBody
	sent := f.reader.Seq()
	if b.Parse(body) != nil || b.Next > sent && b.Next-sent > uint64(f.ring.Info().Capacity)/(ring.HeaderSize+8) {
		s.drop(Malformed, 1)
		return
	}
	r := f.receiver(b.Receiver)
	if r == nil {
		if len(f.receivers) == maxReceivers {
			s.drop(OverBudget, 1)
			return
		}
		f.receivers = append(f.receivers, receiver{id: b.Receiver, tokens: budgetBurst, paidAt: now})
		r = &f.receivers[len(f.receivers)-1]
		s.tell(Event{Kind: Connected, Source: f.source, Peer: from.AddrPort()})
	}
	r.from, r.path, r.heardAt, r.window, r.tag = *from, w.path, now, b.Window, b.Tag
	r.names[w.path] = h.Seq
	r.next = max(r.next, min(b.Next, sent)) // it may have more from a former life of this sender, which was not told so
	f.settle(s)
}

func (f *feed) receiver(id uint64) *receiver {
	for i := range f.receivers {
		if f.receivers[i].id == id {
			return &f.receivers[i]
		}
	}
	return nil
}

// named is the receiver that calls itself name on a line: sealed, it has another name in each session.
func (f *feed) named(path uint8, name uint64) *receiver {
	for i := range f.receivers {
		if f.receivers[i].names[path] == name {
			return &f.receivers[i]
		}
	}
	return nil
}

// heard drops receivers that have been silent for too long.
func (f *feed) heard(s *Sender, now time.Duration) {
	for i := 0; i < len(f.receivers); i++ {
		if r := &f.receivers[i]; now-r.heardAt > s.options.Liveness {
			peer := r.from.AddrPort()
			f.receivers = append(f.receivers[:i], f.receivers[i+1:]...)
			i--
			s.tell(Event{Kind: Disconnected, Source: f.source, Peer: peer})
			f.settle(s)
		}
	}
}

// forgive takes it that no receiver could be heard for a while.
func (f *feed) forgive(d, now time.Duration) {
	for i := range f.receivers {
		r := &f.receivers[i]
		r.heardAt = min(r.heardAt+d, now)
	}
}

// settle finds how far the feed may go, and releases what is confirmed. Without receivers it stands where it is.
func (f *feed) settle(s *Sender) {
	confirmed, limit, any := uint64(0), uint64(0), false
	for i := range f.receivers {
		r := &f.receivers[i]
		if s.options.Flow == FlowTagged && r.tag != s.options.Tag {
			continue
		}
		pos, ok := f.index.position(r.next)
		if !ok || pos < f.ackedAt {
			pos = f.ackedAt
		}
		end := pos + min(r.window, ^pos)
		if !any || (s.options.Flow == FlowMax) == (r.next > confirmed) {
			confirmed = r.next
		}
		if !any || (s.options.Flow == FlowMax) == (end > limit) {
			limit = end
		}
		any = true
	}
	if !any {
		return
	}
	f.limit = limit
	if confirmed > f.acked {
		f.acked = confirmed
		if pos, ok := f.index.position(confirmed); ok {
			f.ackedAt = max(f.ackedAt, pos)
		}
		if err := f.reader.ReleaseTo(min(confirmed, f.held())); err != nil {
			s.ended(f, err)
		}
	}
}

// held is the number of the first record that is not in an envelope yet.
func (f *feed) held() uint64 {
	if len(f.run) > 0 {
		return f.seq
	}
	return f.reader.Seq()
}

// vainAsks is how often a receiver asks in vain for what it waits for before its path is taken for one that drops large datagrams.
const vainAsks = 8

// despair makes datagrams smaller where a receiver that hears heartbeats, since it has not fallen silent, never gets what it waits for: a
// path that became too small and says nothing of it, as RFC 4821 §7.7 calls a black hole.
func (s *Sender) despair(r *receiver, first uint64) {
	now, w := s.clock.now, s.wires[r.path]
	if first != r.missed || first != r.next {
		r.missed, r.missedAt, r.vain = first, now, 0
		return
	}
	if r.vain++; r.vain < vainAsks || now-r.missedAt < 3*s.options.Liveness {
		return
	}
	r.missedAt, r.vain = now, 0
	before := w.room
	if s.shrink(w); w.room < before {
		s.told(w, sys.ErrTooBig)
		s.drop(Unsendable, 1)
	}
}

// mostWants is as many ranges of a receiver as two naks ask for.
const mostWants = 2 * seal.MaxRanges

// wantsOf counts a receiver's.
func (f *feed) wantsOf(id uint64) (n int) {
	for i := range f.wants {
		if f.wants[i].id == id {
			n++
		}
	}
	return n
}

// waitsFor reports whether a receiver asked for a range that is to be sent still.
func (f *feed) waitsFor(id uint64, one seal.Range) bool {
	for i := range f.wants {
		if w := &f.wants[i]; w.id == id && w.First <= one.First && one.Last <= w.Last {
			return true
		}
	}
	return false
}

// asked takes a nak: what it wants is sent as far as the receiver's budget goes, and it will ask again for the rest.
func (s *Sender) asked(w *wire, f *feed, h *seal.Header, body []byte) {
	var ranges [seal.MaxRanges]seal.Range
	n, err := seal.ParseNak(body, &ranges)
	if err != nil || ranges[n-1].Last >= f.reader.Seq() {
		s.drop(Malformed, 1)
		return
	}
	r := f.named(w.path, h.Seq)
	if r == nil { // it says where it stands first
		s.drop(Misplaced, 1)
		return
	}
	if r.tokens > 0 { // else it is its budget, and not the path, that lets it ask in vain
		s.despair(r, ranges[0].First)
	}
	s.Naks += uint64(n)
	s.dirty = true
	for _, one := range ranges[:n] {
		if f.waitsFor(r.id, one) {
			continue
		}
		if f.wantsOf(r.id) >= mostWants {
			s.drop(OverBudget, 1)
			return
		}
		f.wants = append(f.wants, want{Range: one, id: r.id})
	}
}
