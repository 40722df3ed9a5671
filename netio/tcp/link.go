package tcp

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/alphapulse/transport/netio/link"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

const (
	recvBytes    = 64 << 10                                   // read at once
	roomBytes    = recvBytes + seal.HeaderSize + seal.MaxBody // and what is left of the envelope before
	connectEvery = 100 * time.Microsecond                     // between two looks at a connection that is being made
)

// connection carries bytes both ways and never blocks: it takes and gives what it can now.
type connection interface {
	Send(pieces [][]byte) (int, error)
	Recv(p []byte) (int, error)
	Close() error
}

// attempt is a connection that is being made.
type attempt interface {
	made() (connection, error) // nil, nil: not yet
	Close() error
}

// Link is the conversation with one node, over one connection after the other. It is a worker: Do sends what is there and takes what has
// arrived, and nothing waits. Do belongs to one goroutine; everything else may be called from any. The zero Link is not valid: use Dial,
// or Listen.
type Link struct {
	mu       sync.Mutex // held by Do, too: it gives up rather than wait
	peer     *link.Peer
	node     string
	number   int
	dial     *DialOptions // nil: a listener brings connections
	clock    clock
	timed    bool // ages are recorded, by a clock that is read in every cycle
	conn     connection
	trying   attempt
	since    time.Duration // when that began
	lookAt   time.Duration
	retryAt  time.Duration
	pause    time.Duration
	at       int  // of the node's addresses: which is tried, or led to it
	met      bool // the nodes greeted each other over this connection
	buf      []byte
	from     int // of what arrived and is not taken
	to       int
	waits    bool // what arrived is to be taken though nothing more does
	greeting bool // due
	closed   bool
}

// Dial makes a link that connects, and connects again. Nothing is sent before its first Do.
func Dial(o DialOptions) (*Link, error) {
	o, err := o.checked()
	if err != nil {
		return nil, err
	}
	l, err := newLink(o.Link)
	if err != nil {
		return nil, err
	}
	l.dial, l.pause = &o, o.Pause
	return l, nil
}

func newLink(o link.Options) (*Link, error) {
	p, err := link.NewPeer(o)
	if err != nil {
		return nil, fmt.Errorf("tcp: %w", err)
	}
	return &Link{peer: p, node: o.Peer, number: o.Link, clock: newClock(), timed: o.Timed(), buf: make([]byte, roomBytes)}, nil
}

// SetNow lends the time of a cycle, see numa.Clocked.
func (l *Link) SetNow(now time.Time) { l.clock.lend(now) }

// Do sends at most one batch, takes at most one, and returns how many frames they were. An end of the connection is told to Events, and
// another one is made; what Do returns ends the link: net.ErrClosed.
func (l *Link) Do() (frames int, err error) {
	if !l.mu.TryLock() {
		return 0, nil
	}
	defer l.mu.Unlock()
	return l.do()
}

func (l *Link) do() (frames int, err error) {
	if l.closed {
		return 0, fmt.Errorf("tcp: link to %q: %w", l.node, net.ErrClosed)
	}
	now := l.clock.read()
	if l.timed {
		now = l.clock.exact()
	}
	if l.conn == nil {
		l.connect(now)
		if l.conn == nil {
			_, err := l.peer.Fill(now) // what time brings, without a connection, too
			return 0, err
		}
	}
	out, in := l.peer.Frames()
	if err := l.carry(now); err != nil {
		l.end(now, err)
		return 0, nil
	}
	out2, in2 := l.peer.Frames()
	return int(out2 - out + in2 - in), nil
}

// carry sends, and takes what has arrived.
func (l *Link) carry(now time.Duration) error {
	pieces, err := l.peer.Fill(now)
	if err != nil {
		return err
	}
	if len(pieces) > 0 {
		n, err := l.conn.Send(pieces)
		if err != nil {
			return err
		}
		l.peer.Sent(n)
	}
	if l.from > 0 && len(l.buf)-l.to < recvBytes { // what is left of the envelope that is not whole
		l.to = copy(l.buf, l.buf[l.from:l.to])
		l.from = 0
	}
	n, err := l.conn.Recv(l.buf[l.to:min(l.to+recvBytes, len(l.buf))])
	if err != nil {
		return err
	}
	if l.to += n; n == 0 && !l.waits {
		return nil
	}
	return l.take(now)
}

// take has the peer take what has arrived.
func (l *Link) take(now time.Duration) error {
	n, busy, err := l.peer.Take(now, l.buf[l.from:l.to])
	l.waits = busy
	if l.from += n; l.from == l.to {
		l.from, l.to = 0, 0
	}
	if err == nil && l.greeting {
		if _, ok := l.peer.Greeted(); ok {
			l.greeting, l.met = false, true
			if l.dial != nil {
				l.pause = l.dial.Pause
			}
		}
	}
	return err
}

// connect goes on with making a connection, where it is this side that makes them.
func (l *Link) connect(now time.Duration) {
	switch {
	case l.dial == nil:
	case l.trying == nil:
		if now < l.retryAt {
			return
		}
		a, err := l.dial.begin(l.at, l.peer.Liveness())
		if err != nil {
			l.fail(now, err)
			return
		}
		l.trying, l.since, l.lookAt = a, now, now
	case now >= l.lookAt:
		l.lookAt = now + connectEvery
		c, err := l.trying.made()
		if err == nil && c == nil && now-l.since > l.dial.Connect {
			err = fmt.Errorf("no connection within %s", l.dial.Connect)
		}
		switch {
		case err != nil:
			err = errors.Join(err, l.trying.Close())
			l.trying = nil
			l.fail(now, err)
		case c != nil:
			l.trying = nil
			l.open(now, c, nil)
		}
	}
}

// open begins a connection, of which some bytes have been read already.
func (l *Link) open(now time.Duration, c connection, read []byte) {
	if l.conn != nil {
		l.end(now, errReplaced)
	}
	l.conn, l.greeting, l.waits = c, true, len(read) > 0
	l.from, l.to = 0, copy(l.buf, read)
	l.peer.Open(now)
}

var errReplaced = errors.New("the node connected anew")

// end ends the connection.
func (l *Link) end(now time.Duration, err error) {
	if err == io.EOF {
		err = errors.New("the other node closed the connection")
	}
	err = errors.Join(err, l.conn.Close())
	l.conn = nil
	l.fail(now, err)
}

// fail tells of it, once until the nodes have greeted each other, and says when to try again. The pause is drawn between the first and three
// times the last, so that nodes that lost one peer together do not come back together.
func (l *Link) fail(now time.Duration, err error) {
	l.from, l.to = 0, 0
	if l.dial == nil {
		l.peer.Shut(fmt.Errorf("tcp: link with %q: %w", l.node, err))
		return
	}
	l.peer.Shut(fmt.Errorf("tcp: link to %q at %s: %w", l.node, l.dial.address(l.at), err))
	if l.at++; l.met || l.at > len(l.dial.Others) {
		l.at = 0
	}
	l.met = false
	l.retryAt = now + l.pause
	l.pause = min(l.dial.Pause+rand.N(3*l.pause-l.dial.Pause+1), l.dial.PauseMax)
}

// Node returns the other node's name.
func (l *Link) Node() string { return l.node }

// Number tells apart several links to one node.
func (l *Link) Number() int { return l.number }

// Add has the link carry a ring in a channel; see link.Peer.Add. ring.ErrClosed says that the link is closed.
func (l *Link) Add(channel string, r *ring.Ring) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return fmt.Errorf("tcp: link to %q: channel %q: %w", l.node, channel, ring.ErrClosed)
	}
	if err := l.peer.Add(channel, r); err != nil {
		return fmt.Errorf("tcp: link to %q: %w", l.node, err)
	}
	return nil
}

// Remove has the link carry a ring no more, and gives its place there back with all that is not confirmed; see link.Peer.Remove.
func (l *Link) Remove(channel string, r *ring.Ring) (had bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.peer.Remove(channel, r)
}

// Channel returns what carries rings in one channel; a transport.Carrier.
func (l *Link) Channel(name string) Channel { return Channel{l, name} }

// Channel is one channel of a Link or a Listener.
type Channel struct {
	to interface {
		Add(channel string, r *ring.Ring) error
	}
	name string
}

// Add has a ring carried in the channel.
func (c Channel) Add(r *ring.Ring) error { return c.to.Add(c.name, r) }

// Stats is what the link has done.
func (l *Link) Stats() link.Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.peer.Stats()
}

// Alive reports whether the nodes have greeted each other and have heard each other lately.
func (l *Link) Alive() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.peer.Alive()
}

// Flows reports whether a channel flows.
func (l *Link) Flows(channel string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.peer.Flows(channel)
}

// LagOf returns how many bytes of a channel's rings are not confirmed.
func (l *Link) LagOf(channel string) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.peer.LagOf(channel)
}

// Lag returns how many bytes of the link's rings are not confirmed.
func (l *Link) Lag() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.peer.Lag()
}

// Way returns the round trip and how far the other node's clock is ahead; see link.Peer.Way.
func (l *Link) Way() (trip, offset time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.peer.Way()
}

// Drained reports whether everything that was committed is confirmed.
func (l *Link) Drained() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.peer.Drained()
}

// Close ends the connection and closes readers and mirrors. The link's places in the rings stay for its successor.
func (l *Link) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	var faults []error
	if l.trying != nil {
		faults = append(faults, l.trying.Close())
	}
	if l.conn != nil {
		faults = append(faults, l.conn.Close())
	}
	return errors.Join(append(faults, l.peer.Close())...)
}

// String names the link in errors.
func (l *Link) String() string { return fmt.Sprintf("tcp link to %q", l.node) }
