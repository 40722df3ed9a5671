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

// ErrOptions: options no peer can have. The text lists all faults.
var ErrOptions = errors.New("link: options")

// Defaults of options.
const (
	DefaultHeartbeat = 100 * time.Millisecond // between two signs of life
	DefaultLiveness  = 3 * DefaultHeartbeat   // silence after which the other node counts as gone
	DefaultPatience  = 3 * time.Second        // how long a greeting may take
)

// Options say who speaks, with whom, and of what.
type Options struct {
	// Node is the own node's name, and Start tells its lives apart; 0 is the time of NewPeer.
	Node  string
	Start uint64

	// Peer is the other node's name: another is refused. Empty: whoever it is.
	Peer string

	// Link tells apart several links to one node.
	Link int

	// Channels are what flows here, either way. Contracts that are not alike on both sides do not flow; the others do.
	Channels []Channel

	// Name names the link's place in the rings it carries; empty is "link", or "to" and the other node's name. Links that may take over
	// each other's rings have the same name.
	Name string

	Heartbeat time.Duration // between two signs of life; 0 is DefaultHeartbeat
	Liveness  time.Duration // silence after which the other node counts as gone; 0 is 3 heartbeats
	Patience  time.Duration // how long a greeting may take; 0 is DefaultPatience

	// Traced, if set, is told of traced frames that leave and come. It runs on the peer's thread and must not block.
	Traced netio.Traced

	// Events, if set, is told of what operators want to know. It runs on the peer's thread and must not block.
	Events func(Event)
}

// Channel is a channel as a peer carries it.
type Channel struct {
	// Contract is compared with the other node's. A Largest of 0 is the largest that a mirror of Inbox takes, or one of the default
	// capacity where nothing is taken.
	Contract

	// Inbox says where frames go that come in here.
	Inbox netio.InboxOptions

	// From is where a best-effort channel begins in a ring. A reliable one begins at the oldest record, and goes on where a former life
	// of it was confirmed.
	From ring.From

	// Codec packs and opens bodies, by the codecs that Contract names; nil: bodies travel as they are. It belongs to this peer alone.
	Codec seal.Codec

	// Carried and Received, if set, record how old messages are when they are put into envelopes, and when they are in mirrors, once an
	// envelope at most: netio.Age, for which the caller's clock has to be the one that publishers stamp by. They belong to this peer alone.
	Carried, Received *netio.Spread
}

// Timed reports whether ages of any channel are recorded.
func (o *Options) Timed() bool {
	return slices.ContainsFunc(o.Channels, func(c Channel) bool { return c.Carried != nil || c.Received != nil })
}

// Event is a change that operators want to know of.
type Event struct {
	Kind    EventKind
	Node    string // the other node; empty until it greeted
	Channel string // empty: all
	Source  uint64 // whose stream; 0: all
	Err     error  // of Disconnected, Refused and Trouble
	First   uint64 // of Gap: the first number that is missing
	Last    uint64 // and the last
}

// EventKind says what changed.
type EventKind uint8

// The kinds of Event.
const (
	Connected    EventKind = iota + 1 // the other node greeted
	Disconnected                      // the connection ended, or could not be made; told once until Connected
	Refused                           // a channel does not flow, since its contracts differ: Err says in what
	Trouble                           // a ring or a mirror refused; told once until it works again
	Recovered                         // it works again
	Gap                               // frames First to Last will not be delivered
)

// String names the kind.
func (k EventKind) String() string {
	return [...]string{"", "connected", "disconnected", "refused", "trouble", "recovered", "gap"}[min(k, Gap)]
}

func orDefault[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// mirrorSpare is what a mirror needs beside the largest record in an eighth of it: headers, an epoch, a skip, the next word.
const mirrorSpare = 184

// largestOf is the largest payload that a mirror of this capacity takes.
func largestOf(capacity int) int { return orDefault(capacity, ring.DefaultCapacity)/8 - mirrorSpare }

func (o Options) checked() (Options, error) {
	o.Start = orDefault(o.Start, uint64(time.Now().UnixNano()))
	o.Heartbeat = orDefault(o.Heartbeat, DefaultHeartbeat)
	o.Liveness = orDefault(o.Liveness, 3*o.Heartbeat)
	o.Patience = orDefault(o.Patience, DefaultPatience)
	if o.Name == "" {
		o.Name = "link"
		if o.Peer != "" {
			o.Name = "to " + o.Peer
		}
		o.Name = o.Name[:min(len(o.Name), maxName)]
	}
	channels := make([]Channel, len(o.Channels))
	contracts := make([]Contract, len(o.Channels))
	copy(channels, o.Channels)
	var faults []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	for i := range channels {
		c := &channels[i]
		c.Largest = orDefault(c.Largest, largestOf(c.Inbox.Capacity))
		fault(c.Takes && c.Largest > largestOf(c.Inbox.Capacity), "channel %q: a largest payload of %d bytes, and its mirrors take %d: raise the inbox's capacity",
			c.Name, c.Largest, largestOf(c.Inbox.Capacity))
		fault((c.Codec != nil) != (len(c.Codecs) > 0), "channel %q: a codec and the codecs of its contract belong together", c.Name)
		contracts[i] = c.Contract
	}
	o.Channels = channels
	fault(!named(o.Node), "node %q: a name has 1 to %d bytes, none of them a control character", o.Node, maxName)
	fault(o.Peer != "" && !named(o.Peer), "peer %q: at most %d bytes, none of them a control character", o.Peer, maxName)
	fault(len(o.Name) > maxName, "name %q: at most %d bytes", o.Name, maxName)
	fault(o.Link < 0 || o.Link >= MaxLinks, "link %d is not 0 to %d", o.Link, MaxLinks-1)
	fault(o.Heartbeat < time.Millisecond || o.Liveness < 2*o.Heartbeat, "heartbeat %s and liveness %s: at least 1ms, and twice the heartbeat", o.Heartbeat, o.Liveness)
	fault(o.Patience < o.Heartbeat, "patience %s: at least a heartbeat", o.Patience)
	if err := errors.Join(append(faults, checkAll(contracts)...)...); err != nil {
		return o, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	return o, nil
}
