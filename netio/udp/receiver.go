package udp

import (
	"bytes"
	"errors"
	"sync/atomic"
	"time"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/seal"
)

const (
	recvMessages = 8       // messages per receive; with UDP_GRO each holds many datagrams
	recvSize     = 1 << 16 // bytes of one
	choresEvery  = 200 * time.Microsecond
	anyRecord    = 1<<28 - 1 // bytes: more than any record has
)

// Receiver fills mirrors of a channel's rings from datagrams. It is a worker: Do takes what has arrived, and nothing waits.
// It belongs to one goroutine, but for Stats and SetSecrets. The zero Receiver is not valid: use NewReceiver.
type Receiver struct {
	options ReceiverOptions
	channel uint32
	id      uint64 // names this receiver to senders
	lines   []*line
	inbox   *netio.Inbox
	shared  bool // others bring into the inbox's mirrors, too
	streams map[uint64]*stream
	all     []*stream
	latest  *stream // the stream of the last envelope
	clock   clock
	due     time.Duration // when chores are due
	expand  []byte        // where codecs put records
	tally
	pending  [pendings]pending // sessions asked for
	assembly []byte            // where fragments become a record
	scratch  []byte            // where answers are written
	whole    int               // bytes of the datagram at hand that are not answered yet: no answers to it are larger together
	trouble  bool              // told to Events and not over
	secrets  []seal.Secret     // that open announces
	next     atomic.Pointer[[]seal.Secret]
	closed   bool
}

// NewReceiver opens the sockets and allocates everything. It must be called in the network namespace it receives in.
func NewReceiver(o ReceiverOptions) (*Receiver, error) {
	o, err := o.checked()
	if err != nil {
		return nil, err
	}
	inbox, err := netio.NewInbox(o.Inbox)
	if err != nil {
		return nil, err
	}
	if m := o.Inbox.Shared; m != nil {
		o.Inbox.Capacity, o.Inbox.Sources = m.Capacity(), inbox.Sources()
	}
	r := &Receiver{options: o, channel: seal.ChannelID(o.Channel), shared: o.Inbox.Shared != nil, id: seal.NewReceiver(), inbox: inbox, streams: map[uint64]*stream{},
		clock: newClock(), tally: newTally(), scratch: make([]byte, 1200), assembly: make([]byte, largestRecord(o.Inbox.Capacity)+8)}
	if o.Secret != nil {
		r.secrets = []seal.Secret{*o.Secret}
	}
	if o.Codec != nil {
		r.expand = make([]byte, seal.MaxRaw)
	}
	for i, l := range o.Lines {
		one, err := listen(l, o.Socket, uint8(i))
		if err != nil {
			return nil, errors.Join(onLine(o.Channel, i, err), r.Close())
		}
		r.lines = append(r.lines, one)
	}
	return r, nil
}

// SetNow lends the time of a cycle, see numa.Clocked.
func (r *Receiver) SetNow(now time.Time) { r.clock.lend(now) }

// Do takes at most one batch from each line and returns how many frames it delivered. Errors of the network are counted and
// told to Events; what Do returns ends the receiver: its socket is closed, or a mirror's file was cut short.
func (r *Receiver) Do() (frames int, err error) {
	before := r.Frames
	if r.shared {
		r.again()
	}
	for _, l := range r.lines {
		n, err := l.receive()
		if err != nil {
			if !sys.Transient(err) {
				return 0, onChannel(r.options.Channel, err)
			}
			continue
		}
		for i := range n {
			r.message(l, i)
		}
		if n > 0 {
			r.flush()
		}
	}
	if now := r.clock.read(); now >= r.due {
		r.due = now + choresEvery
		if err := r.chores(now); err != nil {
			return int(r.Frames - before), err
		}
		r.flush()
	}
	for _, l := range r.lines {
		if l.said {
			if err := r.answers(l); err != nil {
				return int(r.Frames - before), err
			}
		}
	}
	r.dirty = r.dirty || r.Frames != before
	r.publish()
	return int(r.Frames - before), nil
}

// message takes a message apart into datagrams.
func (r *Receiver) message(l *line, i int) {
	if l.medium != nil {
		r.arrived(l, i)
		return
	}
	data, segment := l.batch.Message(i)
	if l.batch.Truncated(i) {
		r.drop(Truncated, 1)
		return
	}
	if l.stamped {
		l.waits.add(l.batch.Stamp(i))
	}
	r.Bytes += uint64(len(data))
	if !l.mute && !l.batch.FromIs(i, &l.from) {
		l.from = l.batch.From(i)
		l.turns++
	}
	for len(data) > 0 {
		size := min(segment, len(data))
		r.Datagrams++
		r.datagram(l, data[:size:size])
		data = data[size:]
	}
	r.dirty = true
}

// datagram takes its envelopes one after the other.
func (r *Receiver) datagram(l *line, data []byte) {
	var h seal.Header
	rest := data
	r.whole = len(data)
	for {
		if h.Parse(rest) != nil {
			r.drop(Malformed, 1)
			return
		}
		end := seal.HeaderSize + h.Length
		if !r.usual(l, &h, rest[seal.HeaderSize:end]) {
			r.envelope(l, &h, rest[:end:end])
		}
		if rest = rest[end:]; !seal.Ended(rest) {
			continue
		}
		if l.bare { // behind the padding the next datagram may begin
			rest = bytes.TrimLeft(rest, "\x00")
		}
		if seal.Ended(rest) {
			return
		}
	}
}

// usual takes the usual: records in the clear that are next in the stream heard last. It reports false, and has done nothing, when the
// envelope is anything else.
func (r *Receiver) usual(l *line, h *seal.Header, body []byte) bool {
	s := r.latest
	if s == nil || h.Source != s.source || h.Seq != s.next || h.Epoch != s.voice || h.Kind != seal.Data || h.Sealed || h.Traced || h.Codec != 0 ||
		h.Channel != r.channel || r.options.Secret != nil || len(r.lines) > 1 || !s.connected || s.mirror == nil || r.shared || !s.stash.empty() {
		return false
	}
	n, err := seal.Records(body, h.Seq, s.largest)
	if err != nil || s.mirror.Seq() != h.Seq || s.mirror.Append(body, n) != nil {
		return false
	}
	s.next += uint64(n)
	if s.next >= s.top {
		s.top, s.holeAt = s.next, -1
	}
	s.epoch, s.fresh, s.staged = h.Epoch, false, true
	s.bytes += len(body)
	r.Frames += uint64(n)
	if s.received != nil {
		netio.AgeOf(s.received, r.clock.stamp(), body)
	}
	s.spoke(l, r.clock.now)
	return true
}

// envelope judges one envelope by the cost of judging: channel, kind, source, session, epoch, and only then its body.
func (r *Receiver) envelope(l *line, h *seal.Header, env []byte) {
	if h.Channel != r.channel {
		r.drop(ForeignChannel, 1)
		return
	}
	switch {
	case h.Kind == seal.Announced && !h.Sealed && r.options.Secret != nil:
		r.announced(l, h, env)
		return
	case h.Kind > seal.Lost || h.Sealed != (r.options.Secret != nil):
		r.drop(Misplaced, 1)
		return
	case h.Source == 0 || h.Seq == 0:
		r.drop(Malformed, 1)
		return
	}
	s := r.latest
	if s == nil || s.source != h.Source {
		if s = r.streams[h.Source]; s == nil {
			if h.Sealed {
				r.drop(NoSession, 1)
				r.knock(l, h)
				return
			}
			if reason := r.doubts(h, env[seal.HeaderSize:]); reason != reasons {
				r.drop(reason, 1)
				return
			}
			if s = r.meet(h.Source); s == nil {
				r.drop(ForeignSource, 1)
				return
			}
		}
		r.latest = s
	}
	body := env[seal.HeaderSize:]
	if h.Sealed {
		if body = r.open(l, s, h, env); body == nil {
			return
		}
	}
	if h.Traced {
		if len(body) < seal.TraceSize {
			r.drop(Malformed, 1)
			return
		}
		s.traces.Note(h.Seq, seal.Trace(body[len(body)-seal.TraceSize:]))
		body = body[:len(body)-seal.TraceSize]
	}
	if h.Epoch < s.epoch && h.Seq >= s.next {
		r.drop(OldEpoch, 1)
		return
	}
	r.take(l, s, h, body)
}

// doubts is why no stream shall begin with an envelope in the clear: it is not what it says. A stream costs its stash, and may cost
// another one its place. reasons: there is no doubt.
func (r *Receiver) doubts(h *seal.Header, body []byte) Reason {
	err := error(nil)
	if h.Traced {
		if len(body) < seal.TraceSize {
			return Malformed
		}
		body = body[:len(body)-seal.TraceSize]
	}
	switch h.Kind {
	case seal.Data:
		if h.Codec != 0 {
			if r.options.Codec == nil || r.options.Codec.Unpack(r.expand[:h.Raw], body, h.Codec) != nil {
				return Undecodable
			}
			body = r.expand[:h.Raw]
		}
		_, err = seal.Records(body, h.Seq, anyRecord)
	case seal.Fragment:
		_, _, _, err = seal.ParseFragment(body, anyRecord)
	case seal.Lost:
		_, err = seal.ParseLost(body, h.Seq)
	}
	if err != nil {
		return Malformed
	}
	return reasons
}

// take handles an envelope that is what it says, in a stream that is open.
func (r *Receiver) take(l *line, s *stream, h *seal.Header, body []byte) {
	switch h.Kind {
	case seal.Data:
		if h.Codec != 0 {
			if body = r.unpack(h, body); body == nil {
				return
			}
		}
		n, err := seal.Records(body, h.Seq, s.largest)
		if err != nil {
			r.mixed(l, s, h, body)
			return
		}
		r.heard(l, s, h, h.Seq+uint64(n))
		r.records(s, h, body, n)
	case seal.Fragment:
		offset, total, part, err := seal.ParseFragment(body, anyRecord)
		if err != nil {
			r.drop(Malformed, 1)
			return
		}
		r.heard(l, s, h, h.Seq+1)
		if total > min(s.largest, r.options.Stash/2) || offset+len(part) < total && total/len(part) > stashPieces/2 {
			r.beyond(s, h.Seq)
			return
		}
		r.part(s, h, offset, total, part)
	case seal.Heartbeat:
		if len(body) != 0 {
			r.drop(Malformed, 1)
			return
		}
		r.heard(l, s, h, h.Seq)
	case seal.Lost:
		last, err := seal.ParseLost(body, h.Seq)
		if err != nil || last == ^uint64(0) || last >= s.top && r.options.Reliability != Repaired {
			r.drop(Malformed, 1)
			return
		}
		r.heard(l, s, h, last+1)
		r.gone(s, h, last)
	}
}

// mixed takes records of which some are larger than the mirror takes, or drops bytes that are no records.
func (r *Receiver) mixed(l *line, s *stream, h *seal.Header, body []byte) {
	n, err := seal.Records(body, h.Seq, anyRecord)
	if err != nil {
		r.drop(Malformed, 1)
		return
	}
	r.heard(l, s, h, h.Seq+uint64(n))
	one := *h
	for ; n > 0; n-- {
		rest := seal.After(body, one.Seq, one.Seq)
		record := body[:len(body)-len(rest)]
		if seal.RecordSize(record, one.Seq, s.largest) == 0 {
			r.beyond(s, one.Seq)
		} else {
			r.records(s, &one, record, 1)
		}
		body = rest
		one.Seq++
	}
}

// beyond passes a frame that is larger than this receiver takes, once it is due: it would not fit the next time either.
func (r *Receiver) beyond(s *stream, seq uint64) {
	r.drop(TooLarge, 1)
	if seq == s.next {
		r.pass(s, seq+1)
		r.drain(s)
	}
}

// unpack expands a compressed body into the receiver's own room, or returns nil. Raw bounds it before anything is written.
func (r *Receiver) unpack(h *seal.Header, body []byte) []byte {
	if r.options.Codec == nil || r.options.Codec.Unpack(r.expand[:h.Raw], body, h.Codec) != nil {
		r.drop(Undecodable, 1)
		return nil
	}
	return r.expand[:h.Raw]
}

// flush lets subscribers see what this batch brought.
func (r *Receiver) flush() {
	for _, s := range r.all {
		if s.staged {
			s.flush()
		}
	}
}

// flush publishes what is in the mirror, and leaves it.
func (s *stream) flush() {
	s.mirror.Flush()
	s.staged = false
	if s.inside {
		s.inside = false
		s.mirror.Leave()
	}
}

// Stats is what the receiver has done. It may be called from any goroutine.
func (r *Receiver) Stats() Stats { return r.snapshot() }

// Features says what is in force on the first line's socket; nothing is where a medium is.
func (r *Receiver) Features() sys.Features {
	if r.lines[0].medium != nil {
		return sys.Features{}
	}
	return r.lines[0].socket.Features()
}

// Close closes sockets and mirrors.
func (r *Receiver) Close() error {
	if r.closed {
		return nil
	}
	r.closed = true
	r.flush()
	r.publish()
	faults := []error{r.inbox.Close()}
	for _, l := range r.lines {
		faults = append(faults, l.close())
	}
	return errors.Join(faults...)
}
