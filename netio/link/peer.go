package link

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/numa"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// Why a connection ends. Whoever carries it closes it, tells the peer by Shut, and makes another.
var (
	// ErrProtocol: what arrived is nothing that a node says. The text says what.
	ErrProtocol = errors.New("link: the other node broke the protocol")

	// ErrSilent: nothing was heard for Liveness.
	ErrSilent = errors.New("link: the other node is silent")

	// ErrSlow: the other node has not greeted within Patience.
	ErrSlow = errors.New("link: the other node does not greet")

	// ErrStranger: another node than the one that was meant, or another of its links. The operator looks at the addresses.
	ErrStranger = errors.New("link: another node answers")
)

// ErrChannel: a channel that the peer was not made for, or that does not go this way.
var ErrChannel = errors.New("link: no such channel")

const tickEvery = 200 * time.Microsecond // between two looks at what time brings

// Peer is the conversation with one other node, over one connection after the other. Time is an argument: a reading of the caller's clock,
// from whatever instant on. It belongs to one goroutine at a time, and allocates nothing once sources are known. The zero Peer is not
// valid: use NewPeer.
type Peer struct {
	options  Options
	channels map[uint32]*channel
	feeds    []*feed
	turn     int // the feed that is filled first
	streams  map[streamKey]*stream
	all      []*stream
	latest   *stream // the stream of the last envelope
	entered  []*stream
	answers  bool   // a stream has something to say
	expand   []byte // where codecs put records
	packed   []byte // and where they put bodies
	out      batch
	greeting []byte
	scratch  [64]byte // where small bodies are written
	missing  [1]seal.Range
	sleepers []numa.Sleeper
	connection
	told  bool // Disconnected was, and not Connected since
	clock time.Duration
	stats Stats
}

// connection is what ends with a connection.
type connection struct {
	live    bool
	greeted bool // the other node did
	node    string
	openAt  time.Duration
	heardAt time.Duration
	rate    rate
	tickAt  time.Duration
	beatAt  time.Duration
	beats   beats
}

// channel is one that the peer was made for.
type channel struct {
	Channel
	id      uint32
	flows   bool // as both sides mean it
	largest int  // payload that the other node takes
	inbox   *netio.Inbox
	streams int
	trouble bool
}

// NewPeer checks the options and opens inboxes.
func NewPeer(o Options) (*Peer, error) {
	o, err := o.checked()
	if err != nil {
		return nil, err
	}
	p := &Peer{options: o, channels: map[uint32]*channel{}, streams: map[streamKey]*stream{}, out: newBatch()}
	g := Greeting{Node: o.Node, Start: o.Start, Link: o.Link}
	for _, c := range o.Channels {
		one := &channel{Channel: c, id: seal.ChannelID(c.Name)}
		if c.Takes {
			if one.inbox, err = netio.NewInbox(c.Inbox); err != nil {
				return nil, errors.Join(fmt.Errorf("%w: channel %q: %w", ErrOptions, c.Name, err), p.Close())
			}
		}
		if c.Codec != nil && p.packed == nil {
			p.packed, p.expand = make([]byte, seal.MaxBody), make([]byte, seal.MaxRaw)
		}
		p.channels[one.id] = one
		g.Channels = append(g.Channels, c.Contract)
	}
	if p.greeting, err = AppendGreeting(nil, g); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// Add has the peer carry a ring in a channel. It opens a gating reader: on a reliable channel a durable one, which takes over where one of
// the same name left off. The ring must outlive the peer, or be removed.
func (p *Peer) Add(name string, r *ring.Ring) error {
	c := p.channels[seal.ChannelID(name)]
	if c == nil || c.Name != name || !c.Sends {
		return fmt.Errorf("%w: %q to send in", ErrChannel, name)
	}
	f, err := newFeed(c, p.options.Name, r)
	if err != nil {
		return onChannel(name, err)
	}
	p.feeds = append(p.feeds, f)
	return nil
}

// Remove has the peer carry a ring no more. What is not confirmed stays in the ring: on a reliable channel the link's place there gates
// on, for another link of the same name that is given the same *ring.Ring, until ring.Ring.Forget. It reports whether the peer had the ring.
func (p *Peer) Remove(name string, r *ring.Ring) (bool, error) {
	id := seal.ChannelID(name)
	for i, f := range p.feeds {
		if f.ring == r && f.channel.id == id {
			p.feeds = append(p.feeds[:i:i], p.feeds[i+1:]...)
			p.out.own()
			return true, f.reader.HandOver()
		}
	}
	return false, nil
}

// Open begins a connection: what the last one has not confirmed goes again.
func (p *Peer) Open(now time.Duration) {
	p.connection = connection{live: true, openAt: now, heardAt: now, tickAt: now, beatAt: now}
	p.stats.Connections++
	p.clock = now
	p.out.reset()
	p.out.lend(p.greeting)
	for _, s := range p.all {
		s.reset()
	}
	for _, f := range p.feeds {
		f.reset()
	}
}

// Shut ends the connection, for a reason that Events is told once.
func (p *Peer) Shut(why error) {
	p.out.reset()
	p.live = false
	if !p.told {
		p.told = true
		p.tell(Event{Kind: Disconnected, Err: why})
	}
	p.greeted = false
	p.leave()
}

// Greeted reports whether the other node greeted on this connection, and who it is.
func (p *Peer) Greeted() (node string, ok bool) { return p.node, p.greeted }

// Flows reports whether a channel flows: both nodes mean the same by it.
func (p *Peer) Flows(name string) bool {
	c := p.channels[seal.ChannelID(name)]
	return c != nil && c.Name == name && c.flows && p.greeted
}

// Fill returns what is to be written next: pieces, in order, that stay as they are until Sent says that they were written. None: there is
// nothing. An error ends the connection.
func (p *Peer) Fill(now time.Duration) (pieces [][]byte, err error) {
	p.clock = now
	empty := p.out.empty()
	if empty {
		p.out.reset()
	}
	if now-p.tickAt >= tickEvery {
		if err := p.tick(now, empty); err != nil {
			return nil, err
		}
	}
	if empty && p.greeted {
		if p.answers {
			p.answer()
		}
		p.carry()
	}
	return p.out.pieces[p.out.at:], nil
}

// Sent says that the first n bytes of what Fill returned were written.
func (p *Peer) Sent(n int) {
	p.stats.BytesOut += uint64(n)
	p.out.sent(n)
	if !p.out.empty() {
		return
	}
	for _, f := range p.feeds {
		if f.fresh {
			f.carried(p)
		}
	}
}

// carry puts records into envelopes, feed by feed, an envelope each in turns, each time with another one first.
func (p *Peer) carry() {
	n := len(p.feeds)
	if n == 0 {
		return
	}
	if p.turn++; p.turn >= n {
		p.turn = 0
	}
	for more := true; more; {
		more = false
		for i := range n {
			at := p.turn + i
			if at >= n {
				at -= n
			}
			if !p.out.spare() {
				return
			}
			more = p.feeds[at].fill(p) || more
		}
	}
}

// tick is what time brings; of signs of life only where nothing waits to be written.
func (p *Peer) tick(now time.Duration, empty bool) error {
	o := &p.options
	if stood := now - p.tickAt; stood > o.Liveness/4 { // while it was not run it heard nobody, which is nobody's silence
		p.heardAt = min(p.heardAt+stood, now)
		p.openAt = min(p.openAt+stood, now)
	}
	p.tickAt = now
	p.rate.meet(now, p.stats.BytesOut)
	if !p.live || now-p.openAt > o.Liveness {
		for _, f := range p.feeds {
			f.idle(p)
		}
	}
	switch {
	case !p.live:
		return nil
	case !p.greeted:
		if now-p.openAt > o.Patience {
			return fmt.Errorf("%w within %s", ErrSlow, o.Patience)
		}
		return nil
	case now-p.heardAt > o.Liveness:
		return fmt.Errorf("%w for %s", ErrSilent, o.Liveness)
	}
	for _, s := range p.all {
		s.look(p)
	}
	if !empty || now-p.beatAt < o.Heartbeat {
		return nil
	}
	p.beatAt = now
	p.beat(now)
	for _, f := range p.feeds {
		f.beat(p)
	}
	return nil
}

// Take takes what arrived: b begins where the last Take ended. It returns how many bytes it has taken; of the rest there is either more to
// come, or a mirror is taken by another link: then it is to be given again later, with busy true. An error ends the connection.
func (p *Peer) Take(now time.Duration, b []byte) (n int, busy bool, err error) {
	p.clock = now
	if !p.greeted {
		if n, err = p.meet(b); n == 0 || err != nil {
			return n, false, err
		}
	}
	n, busy, err = p.take(b, n)
	p.heardAt = now
	p.stats.BytesIn += uint64(n)
	p.leave()
	return n, busy, err
}

// take takes envelopes from b[n:] on.
func (p *Peer) take(b []byte, n int) (int, bool, error) {
	var h seal.Header
	for {
		rest := b[n:]
		if len(rest) < seal.HeaderSize {
			return n, false, nil
		}
		size := seal.HeaderSize + int(rest[20]) + int(rest[21])<<8 // the header's length, before anything is believed
		if len(rest) < size {
			if size > seal.HeaderSize+seal.MaxBody {
				return n, false, p.broken(Malformed)
			}
			return n, false, nil
		}
		if h.Parse(rest[:size]) != nil {
			return n, false, p.broken(Malformed)
		}
		taken, err := true, error(nil)
		if done := p.usual(&h, rest[seal.HeaderSize:size]); !done {
			taken, err = p.envelope(&h, rest[seal.HeaderSize:size])
		}
		if err != nil || !taken {
			return n, err == nil, err
		}
		n += size
	}
}

// envelope judges one envelope. It reports false when it has to come again later.
func (p *Peer) envelope(h *seal.Header, body []byte) (taken bool, err error) {
	switch {
	case h.Sealed || h.Traced && h.Kind != seal.Data && h.Kind != seal.Fragment:
		return false, p.broken(Misplaced)
	case h.Kind == seal.Beat:
		return true, p.heardBeat(body)
	case h.Kind == seal.HelloKind || h.Kind == seal.Announced:
		return false, p.broken(Misplaced)
	case h.Source == 0 || h.Seq == 0:
		return false, p.broken(Malformed)
	}
	c := p.channels[h.Channel]
	if c == nil || !c.flows {
		p.drop(ForeignChannel, 1)
		return true, nil
	}
	if h.Kind == seal.Status || h.Kind == seal.Nak {
		if !c.Sends {
			return false, p.broken(Misplaced)
		}
		return true, p.answered(c, h, body)
	}
	if !c.Takes {
		return false, p.broken(Misplaced)
	}
	if h.Traced {
		if s := p.streams[streamKey{c.id, h.Source}]; s != nil {
			s.traces.Note(h.Seq, seal.Trace(body[len(body)-seal.TraceSize:]))
		}
		body = body[:len(body)-seal.TraceSize]
	}
	return p.brought(c, h, body)
}

// leave lets subscribers see what was brought, and other links get at their mirrors.
func (p *Peer) leave() {
	for i, s := range p.entered {
		s.mirror.Flush()
		s.mirror.Leave()
		s.inside = false
		p.entered[i] = nil
	}
	p.entered = p.entered[:0]
}

// meet takes the other node's greeting.
func (p *Peer) meet(b []byte) (n int, err error) {
	if len(b) == 0 {
		return 0, nil
	}
	g, n, err := ParseGreeting(b)
	if n == 0 || err != nil {
		return 0, err
	}
	if o := &p.options; o.Peer != "" && (g.Node != o.Peer || g.Link != o.Link) {
		return 0, fmt.Errorf("%w: %q, link %d, in place of %q, link %d", ErrStranger, g.Node, g.Link, o.Peer, o.Link)
	}
	p.greeted, p.node, p.heardAt, p.told = true, g.Node, p.clock, false
	p.tickAt = p.clock - tickEvery
	p.beatAt = p.clock - p.options.Heartbeat
	p.tell(Event{Kind: Connected})
	for _, c := range p.channels {
		c.agree(p, &g)
	}
	return n, nil
}

// agree compares a channel with what the other node means by it.
func (c *channel) agree(p *Peer, g *Greeting) {
	c.flows = false
	theirs, ok := g.Contract(c.Name)
	if !ok {
		p.tell(Event{Kind: Refused, Channel: c.Name, Err: fmt.Errorf("%w: %q has no channel %q", ErrContract, g.Node, c.Name)})
		return
	}
	if differences := Compare(c.Contract, theirs); len(differences) > 0 {
		faults := make([]error, len(differences))
		for i, d := range differences {
			faults[i] = fmt.Errorf("%w: channel %q: %s", ErrContract, c.Name, d)
		}
		p.tell(Event{Kind: Refused, Channel: c.Name, Err: errors.Join(faults...)})
		return
	}
	c.flows, c.largest = true, theirs.Largest
}

// broken counts what ends the connection, and says so.
func (p *Peer) broken(r Reason) error {
	p.drop(r, 1)
	return fmt.Errorf("%w: %s", ErrProtocol, r)
}

func (p *Peer) drop(r Reason, n uint64) { p.stats.Dropped[r] += n }

// tell hands an event on.
func (p *Peer) tell(e Event) {
	if p.options.Events != nil {
		if e.Node = p.node; e.Node == "" {
			e.Node = p.options.Peer
		}
		p.options.Events(e)
	}
}

// Frames returns how many frames went out and came in.
func (p *Peer) Frames() (out, in uint64) { return p.stats.FramesOut, p.stats.FramesIn }

// Liveness is the silence after which the other node counts as gone.
func (p *Peer) Liveness() time.Duration { return p.options.Liveness }

// Stats is what the peer has done.
func (p *Peer) Stats() Stats { return p.stats }

// Drained reports whether everything that was committed is confirmed, or, on a best-effort channel, carried.
func (p *Peer) Drained() bool {
	for _, f := range p.feeds {
		if !f.ended && (len(f.run) > 0 || f.reader.Measure(1) > 0 || f.reader.Owed() != f.reader.Seq()) {
			return false
		}
	}
	return true
}

// LagOf returns how many bytes of a channel's rings are not confirmed.
func (p *Peer) LagOf(name string) (n uint64) {
	id := seal.ChannelID(name)
	for _, f := range p.feeds {
		if f.channel.id == id {
			n += f.reader.Lag()
		}
	}
	return n
}

// Lag returns how many bytes of the rings are not confirmed.
func (p *Peer) Lag() (n uint64) {
	for _, f := range p.feeds {
		n += f.reader.Lag()
	}
	return n
}

// Alive reports whether there is a connection on which the other node was heard lately.
func (p *Peer) Alive() bool { return p.greeted }

// Close closes readers and mirrors. The link's places in the rings stay for its successor.
func (p *Peer) Close() error {
	p.leave()
	p.live, p.greeted = false, false
	p.out.reset()
	var faults []error
	for _, f := range p.feeds {
		faults = append(faults, f.reader.Close())
	}
	p.feeds = nil
	for _, c := range p.channels {
		if c.inbox != nil {
			faults = append(faults, c.inbox.Close())
		}
	}
	return errors.Join(faults...)
}

func onChannel(name string, err error) error { return fmt.Errorf("link: channel %q: %w", name, err) }

const lastSeq = math.MaxUint64 - 1
