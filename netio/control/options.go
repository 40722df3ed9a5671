package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/alphapulse/transport/netio/link"
	"github.com/alphapulse/transport/netio/trust"
	"github.com/alphapulse/transport/seal"
)

// Protocol is what both sides name in the handshake (ALPN).
const Protocol = "pulse-control/1"

// Defaults of Options.
const (
	DefaultHandshake = 5 * time.Second
	DefaultHeartbeat = 100 * time.Millisecond
	DefaultPeers     = 256
)

const maxHandshakes = 64 // of a listener, under way at one time

// Options say who speaks. Node and Identity are needed.
type Options struct {
	Node      string          // this node's name, for which its certificate vouches (trust.Vouches)
	Start     uint64          // tells the node's lives apart: a later one has a higher number; 0 is now
	Contracts []link.Contract // what this node means by its channels
	Identity  *trust.Identity // who this is and whom it believes
	Groups    *Groups         // multicast groups whose secrets this node hands out; nil: none

	Handshake time.Duration // for connecting, TLS and greeting together; 0 is DefaultHandshake
	Heartbeat time.Duration // between two beats; 0 is DefaultHeartbeat
	Liveness  time.Duration // silence after which a peer counts as gone; 0 is three heartbeats
	Peers     int           // that a listener remembers; 0 is DefaultPeers

	// Clock is what Offset compares, in nanoseconds; nil: the wall clock since 1970.
	Clock func() int64

	// Events, if set, is told what becomes of links. For one peer it is called by one goroutine at a time, and must neither block nor
	// close what it is told of. When it returns from Key the receiver must be able to open what is sealed with it: the publisher's node relies on that.
	Events func(Event)

	dial  func(ctx context.Context, addr string) (net.Conn, error) // for tests
	meant *meaning                                                 // what Contracts have become
}

// Event is what became of a link.
type Event struct {
	Kind    EventKind
	Peer    string            // the other node; empty while it has not said who it is
	Channel string            // of Refused, Key and Turned
	Fields  []link.Difference // of Refused: what the nodes mean different things by
	Fresh   bool              // of Connected: secrets are new, and sealed ends must be made anew
	Number  uint64            // of Key and Turned: which of the group's secrets
	Secret  seal.Secret       // of Key
	Err     error             // of Disconnected and Trouble: why
}

// EventKind says what happened.
type EventKind uint8

// The kinds of Event.
const (
	Connected    EventKind = iota + 1 // the peer is there, and contracts are compared
	Disconnected                      // it is not any more
	Refused                           // of one channel the two nodes mean different things; the others go on. Told before Connected
	Key                               // a group's secret: from now on what arrives may be sealed with it
	Turned                            // the group uses the secret of this number: earlier ones may be forgotten after what is under way
	Trouble                           // no connection comes about. Who dials is told once until the reason is another, or there is one; who listens, each reason once a second
)

// String names the kind.
func (k EventKind) String() string {
	return [...]string{"", "connected", "disconnected", "refused", "key", "turned", "trouble"}[min(k, Trouble)]
}

func (o Options) checked() (*Options, error) {
	if o.Start == 0 {
		o.Start = uint64(time.Now().UnixNano())
	}
	if o.Handshake == 0 {
		o.Handshake = DefaultHandshake
	}
	if o.Heartbeat == 0 {
		o.Heartbeat = DefaultHeartbeat
	}
	if o.Liveness == 0 {
		o.Liveness = 3 * o.Heartbeat
	}
	if o.Peers == 0 {
		o.Peers = DefaultPeers
	}
	if o.Clock == nil {
		o.Clock = func() int64 { return time.Now().UnixNano() }
	}
	if o.dial == nil {
		o.dial = func(ctx context.Context, addr string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", addr)
		}
	}
	o.meant = &meaning{all: slices.Clone(o.Contracts), to: map[string][]link.Contract{}}
	var faults []error
	if o.Identity == nil {
		faults = append(faults, errors.New("no identity: open one of package trust"))
	}
	if _, err := link.AppendGreeting(nil, o.greeting("")); err != nil {
		faults = append(faults, err)
	}
	if o.Heartbeat < time.Millisecond || o.Liveness < 2*o.Heartbeat || o.Handshake < time.Millisecond {
		faults = append(faults, fmt.Errorf("heartbeat %v, liveness %v, handshake %v: at least 1ms, twice the heartbeat, 1ms", o.Heartbeat, o.Liveness, o.Handshake))
	}
	if o.Peers < 1 || o.Peers > 1<<16 {
		faults = append(faults, fmt.Errorf("%d peers: 1 to %d", o.Peers, 1<<16))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("%w: node %q: %w", ErrOptions, o.Node, err)
	}
	return &o, nil
}

func (o *Options) tell(e Event) {
	if o.Events != nil {
		o.Events(e)
	}
}
