package quic

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alphapulse/transport/internal/check"
	"github.com/alphapulse/transport/netio/link"
	"github.com/alphapulse/transport/ring"
)

const bestEffort = link.BestEffort

// Link is the conversation with one node, over one connection after the other. It runs by itself, on goroutines; its methods may be called
// from any. The zero Link is not valid: use Dial, or Listen.
type Link struct {
	options Common
	node    string
	lanes   []*lane
	keeper  keeper
	heard   atomic.Int64 // when something came last
	tally   tally
	dial    *dialer // nil: a listener brings connections

	ctx    context.Context
	cancel context.CancelFunc
	group  sync.WaitGroup

	mu      sync.Mutex
	session *session // the connection that stands
	closed  bool

	events sync.Mutex
	told   bool // Disconnected was, and not Connected since
}

func newLink(o Common, node string) (*Link, error) {
	o.Link.Peer = node
	l := &Link{options: o, node: node, keeper: newKeeper()}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	for _, c := range o.Link.Channels {
		n, err := newLane(l, c)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("quic: %w", err), l.closeLanes())
		}
		n.loose = slices.Contains(o.Datagrams, c.Name)
		l.lanes = append(l.lanes, n)
	}
	l.group.Go(l.keep)
	return l, nil
}

// Add has the link carry a ring in a channel, beside those it carries. The ring must outlive the link, or be removed.
func (l *Link) Add(channel string, r *ring.Ring) error {
	return l.on(channel, func(n *lane) error { return n.add(r) })
}

// on does something to a lane, while the link is open.
func (l *Link) on(channel string, do func(*lane) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return fmt.Errorf("quic: link to %q: channel %q: %w", l.node, channel, ring.ErrClosed)
	}
	n := l.lane(channel)
	if n == nil {
		return fmt.Errorf("quic: link to %q: %w: %q", l.node, link.ErrChannel, channel)
	}
	if err := do(n); err != nil {
		return fmt.Errorf("quic: link to %q: %w", l.node, err)
	}
	return nil
}

// Remove has the link carry a ring no more, see link.Peer. Once it returns, the ring may be closed.
func (l *Link) Remove(channel string, r *ring.Ring) (bool, error) {
	if n := l.lane(channel); n != nil {
		return n.remove(r)
	}
	return false, nil
}

// Channel returns one channel of the link as what transport.Node.Carry gives rings to.
func (l *Link) Channel(name string) Channel { return Channel{l.Add, name} }

// Channel is one channel of a link, or of all links of a listener.
type Channel struct {
	add  func(string, *ring.Ring) error
	name string
}

// Add has the link carry a ring, too. ring.ErrClosed says that it is closed.
func (c Channel) Add(r *ring.Ring) error { return c.add(c.name, r) }

func (l *Link) lane(channel string) *lane {
	for _, n := range l.lanes {
		if n.channel.Name == channel {
			return n
		}
	}
	return nil
}

// Node is the other node's name.
func (l *Link) Node() string { return l.node }

// Alive reports whether there is a connection on which the other node greeted, and was heard within the liveness.
func (l *Link) Alive() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.session != nil && l.session.met.Load() && l.session.ctx.Err() == nil
}

// Flows reports whether a channel flows: both nodes mean the same by it.
func (l *Link) Flows(channel string) bool {
	n := l.lane(channel)
	if n == nil {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.peer.Flows(channel)
}

// Drained reports whether everything that was committed is confirmed, or, on a best-effort channel, carried.
func (l *Link) Drained() bool {
	for _, n := range l.lanes {
		n.mu.Lock()
		ok := n.peer.Drained()
		n.mu.Unlock()
		if !ok {
			return false
		}
	}
	return true
}

// Lag returns how many bytes of the rings are not confirmed.
func (l *Link) Lag() (lag uint64) {
	for _, n := range l.lanes {
		n.mu.Lock()
		lag += n.peer.Lag()
		n.mu.Unlock()
	}
	return lag
}

// LagOf returns how many bytes of a channel's rings are not confirmed.
func (l *Link) LagOf(channel string) uint64 {
	n := l.lane(channel)
	if n == nil {
		return 0
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.peer.Lag()
}

// Way returns what the quickest of the last round trips took, and by how much the other node's clock is ahead of the own, to within half of
// that. ok is false before the first.
func (l *Link) Way() (trip, offset time.Duration, ok bool) {
	for _, n := range l.lanes {
		n.mu.Lock()
		t, o, has := n.peer.Way()
		n.mu.Unlock()
		if has && (!ok || t < trip) {
			trip, offset, ok = t, o, true
		}
	}
	return trip, offset, ok
}

// String names the link.
func (l *Link) String() string { return fmt.Sprintf("quic link to %q", l.node) }

// Close ends the connection and closes mirrors. The link's places in the rings stay for its successor.
func (l *Link) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return fmt.Errorf("quic: link to %q: %w", l.node, net.ErrClosed)
	}
	l.closed = true
	s := l.session
	l.mu.Unlock()
	if s != nil {
		s.end(errClosing)
		<-s.done
	}
	l.cancel()
	l.keeper.wake()
	l.group.Wait()
	return l.closeLanes()
}

func (l *Link) closeLanes() error {
	l.cancel()
	var faults []error
	for _, n := range l.lanes {
		n.mu.Lock()
		faults = append(faults, n.peer.Close())
		n.mu.Unlock()
	}
	return errors.Join(faults...)
}

// keep is the link's keeper. Lanes that heard something lately have confirmations that wait for no longer than soon; the others are looked
// at four times in a heartbeat.
func (l *Link) keep() {
	every := l.options.Link.Heartbeat / 4
	var allAt, someAt time.Duration
	for l.ctx.Err() == nil {
		at := now()
		busy := at-time.Duration(l.heard.Load()) < lately
		switch {
		case at >= allAt:
			allAt, someAt = at+every, at+soon
			l.tend(at, true)
		case busy && at >= someAt:
			someAt = at + soon
			l.tend(at, false)
		}
		until := allAt
		if busy {
			until = min(someAt, allAt)
		}
		l.keeper.sleep(max(until-now(), 0) + 1)
	}
}

// tend looks after the lanes.
func (l *Link) tend(at time.Duration, all bool) {
	for _, n := range l.lanes {
		if !all && at-time.Duration(n.heard.Load()) > lately {
			continue
		}
		ok, err := n.tend()
		if err != nil {
			l.mu.Lock()
			s := l.session
			l.mu.Unlock()
			if s != nil {
				s.end(err)
			}
		}
		if ok {
			n.kick()
		}
	}
}

// hears notes that something came, and has the keeper look more often if it did not.
func (l *Link) hears(at time.Duration) {
	if before := l.heard.Swap(int64(at)); at-time.Duration(before) > lately {
		l.keeper.wake()
	}
}

// hear hands on what a lane has to tell. That it is connected, or not any more, the link tells of all lanes together.
func (l *Link) hear(e link.Event) {
	if e.Kind != link.Connected && e.Kind != link.Disconnected {
		l.events.Lock()
		defer l.events.Unlock()
		l.tell(e)
	}
}

func (l *Link) tell(e link.Event) {
	check.That(e.Kind != 0, "an event has a kind")
	if f := l.options.Link.Events; f != nil {
		e.Node = l.node
		f(e)
	}
}

// connected tells of a connection on which the other node greeted.
func (l *Link) connected() {
	l.tally.connections.Add(1)
	l.events.Lock()
	defer l.events.Unlock()
	l.told = false
	l.tell(link.Event{Kind: link.Connected})
}

// disconnected tells of one that ended or was not made, once until connected.
func (l *Link) disconnected(why error) {
	l.events.Lock()
	defer l.events.Unlock()
	if !l.told {
		l.told = true
		l.tell(link.Event{Kind: link.Disconnected, Err: why})
	}
}
