package udp

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/seal"
)

// ErrOptions: options no sender or receiver can have. The text lists all faults.
var ErrOptions = errors.New("udp: options")

// Defaults and bounds of options.
const (
	DefaultMTU       = 1500                   // bytes of an IP packet
	MinMTU           = 576                    // what every IPv4 path takes (RFC 1122 §3.3.2)
	MaxMTU           = 65535                  //
	DefaultHeartbeat = 100 * time.Millisecond // silence after which a sender says where it stands
	DefaultLiveness  = 3 * DefaultHeartbeat   // silence after which the other side counts as gone
	DefaultStash     = 1 << 20                // bytes that wait for their turn
	DefaultReorder   = time.Millisecond       // how long a missing frame may still be on its way
	DefaultApart     = 10 * time.Millisecond  // how far one line may be behind another
	MaxLines         = 4
	maxChannel       = 40
)

// Socket is what can be asked of every socket. The zero value is as the system is set up, with larger buffers.
type Socket struct {
	RecvBuffer, SendBuffer int           // bytes; 0 is 4 MiB
	BusyPoll               time.Duration // poll the device for so long, where it can be polled
	PreferBusyPoll         bool          // and keep its interrupts off meanwhile
	DSCP                   int           // 0 to 63
	TTL                    int           // 1 to 255, also of multicast; 0 is the system's, 1 for multicast
	Loopback               bool          // multicast reaches members on this host, too
	NoOffload              bool          // neither UDP_SEGMENT nor UDP_GRO: one datagram at a time
	ReusePort              bool          // several receivers share the port: each hears its groups, other senders are spread over them
	Timestamps             bool          // the kernel notes when datagrams arrive: Receiver.Waits
	StampDevice            string        // and so does this interface's device by its own clock, where it can (CAP_NET_ADMIN)
}

const defaultBuffer = 4 << 20

func (s Socket) options() sys.UDPOptions {
	o := sys.UDPOptions{RecvBuffer: s.RecvBuffer, SendBuffer: s.SendBuffer, BusyPoll: s.BusyPoll, PreferBusyPoll: s.PreferBusyPoll,
		DSCP: s.DSCP, TTL: s.TTL, MulticastTTL: s.TTL, MulticastLoop: s.Loopback, GRO: !s.NoOffload, ReusePort: s.ReusePort}
	if o.RecvBuffer == 0 {
		o.RecvBuffer = defaultBuffer
	}
	if o.SendBuffer == 0 {
		o.SendBuffer = defaultBuffer
	}
	switch {
	case s.StampDevice != "":
		o.Timestamps, o.StampInterface = sys.StampsHardware, s.StampDevice
	case s.Timestamps:
		o.Timestamps = sys.StampsSoftware
	}
	return o
}

// Reliability says what becomes of frames the network loses.
type Reliability uint8

// Both ends of a channel name the same.
const (
	BestEffort Reliability = iota // counted
	Repaired                      // asked for again, from the publisher's ring
)

// String returns "best effort" or "repaired".
func (r Reliability) String() string {
	if r == Repaired {
		return "repaired"
	}
	return "best effort"
}

// common is what both ends check.
type common struct {
	channel   string
	lines     int
	mtu       int
	heartbeat time.Duration
	liveness  time.Duration
	secret    *seal.Secret
	suite     seal.Suite
}

func (c *common) check() (faults []error) {
	if n := len(c.channel); n == 0 || n > maxChannel {
		faults = append(faults, fmt.Errorf("channel %q: 1 to %d bytes", c.channel, maxChannel))
	}
	if c.lines < 1 || c.lines > MaxLines {
		faults = append(faults, fmt.Errorf("%d lines: 1 to %d", c.lines, MaxLines))
	}
	if c.mtu < MinMTU || c.mtu > MaxMTU {
		faults = append(faults, fmt.Errorf("MTU of %d bytes: %d to %d", c.mtu, MinMTU, MaxMTU))
	}
	if c.heartbeat < time.Millisecond || c.liveness < 2*c.heartbeat {
		faults = append(faults, fmt.Errorf("heartbeat %s and liveness %s: at least 1ms, and twice the heartbeat", c.heartbeat, c.liveness))
	}
	if c.secret == nil && c.suite != 0 {
		faults = append(faults, errors.New("a suite without a secret: nothing is sealed"))
	}
	return faults
}

// room is what a datagram of one IP packet has for envelopes.
func room(mtu int, to netip.Addr) int {
	if to.Unmap().Is4() {
		return min(mtu-28, sys.MaxDatagram)
	}
	return min(mtu-48, sys.MaxDatagram)
}

func orDefault[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// ReceiverOptions say what a Receiver takes and where it puts it.
type ReceiverOptions struct {
	// Channel is the channel's name, as the sender has it.
	Channel string

	// Lines are the paths on which the stream arrives: one, or several that carry the same. The first arrival of a frame
	// counts, whatever its line.
	Lines []Listen

	// Inbox says where frames go.
	Inbox netio.InboxOptions

	// Received, if set, records how old messages are when they are in mirrors, once an envelope at most: netio.Age. It is the receiver's alone.
	Received *netio.Spread

	Reliability Reliability

	// Secret opens sealed envelopes, and then nothing else is believed. nil: nothing is sealed.
	Secret *seal.Secret

	// Codec expands compressed bodies; nil: they are refused. It belongs to this receiver alone.
	Codec seal.Codec

	// FromNow starts a source that was unknown at what comes next. Otherwise a repaired receiver asks for all that the
	// sender still holds. A best-effort receiver always starts at what comes next.
	FromNow bool

	Stash    int           // bytes that wait for their turn, 64 KiB to 1 GiB; 0 is DefaultStash. It is what a sender may run ahead
	Reorder  time.Duration // how long a missing frame may still be on its way; 0 is DefaultReorder, below 0 not at all
	Apart    time.Duration // how far one line may be behind another; 0 is DefaultApart
	MTU      int           // bytes of the largest IP packet; 0 is DefaultMTU
	Liveness time.Duration // silence after which a sender counts as gone; 0 is DefaultLiveness
	Tag      uint64        // the group this receiver belongs to, for a sender whose flow goes by it
	Socket   Socket

	// Traced, if set, is told of traced frames that come in. It runs on the receiver's thread and must not block.
	Traced netio.Traced

	// Events, if set, is told of what operators want to know. It runs on the receiver's thread and must not block.
	Events func(Event)
}

// Listen is one line's end.
type Listen struct {
	Medium    netio.Medium   // in place of a socket; the receiver closes it. Then nothing else is heeded here
	Bind      netip.AddrPort // own address and port
	Group     netip.Addr     // multicast group to join; zero: none
	From      netip.Addr     // the only host the group is heard from (source-specific multicast); zero: any
	Interface string         // on which to join; empty: the route's. A socket also hears the groups that others of its host joined elsewhere
}

// Event is a change that operators want to know of.
type Event struct {
	Channel string
	Kind    EventKind
	Source  uint64         // whose stream; 0: the whole sender
	Peer    netip.AddrPort // the other end
	Err     error          // of Trouble
	First   uint64         // of Gap: the first number that is missing
	Last    uint64         // and the last
}

// EventKind says what changed.
type EventKind uint8

// The kinds of Event.
const (
	Connected    EventKind = iota + 1 // the other end was heard, first or again
	Disconnected                      // it was silent for Liveness
	Trouble                           // the network or a mirror refused; reported once until it works again
	Recovered                         // it works again
	Gap                               // frames First to Last will not be delivered: they are lost, or their mirror had no room
)

// String names the kind.
func (k EventKind) String() string {
	return [...]string{"", "connected", "disconnected", "trouble", "recovered", "gap"}[min(k, Gap)]
}

func (o ReceiverOptions) checked() (ReceiverOptions, error) {
	o.MTU = orDefault(o.MTU, DefaultMTU)
	o.Liveness = orDefault(o.Liveness, DefaultLiveness)
	o.Stash = orDefault(o.Stash, DefaultStash)
	o.Apart = orDefault(o.Apart, DefaultApart)
	o.Reorder = max(orDefault(o.Reorder, DefaultReorder), 0)
	c := common{channel: o.Channel, lines: len(o.Lines), mtu: o.MTU, heartbeat: time.Millisecond, liveness: o.Liveness, secret: o.Secret}
	faults := c.check()
	if o.Secret != nil {
		if _, err := seal.NewBackSealer(*o.Secret, seal.BestSuite(), seal.Session{}, seal.Salt{}, 1); err != nil {
			faults = append(faults, err)
		}
	}
	if o.Stash < 64<<10 || o.Stash > 1<<30 {
		faults = append(faults, fmt.Errorf("stash of %d bytes: 64 KiB to 1 GiB", o.Stash))
	}
	for i, l := range o.Lines {
		if l.Medium != nil {
			continue
		}
		if !l.Bind.IsValid() {
			faults = append(faults, fmt.Errorf("line %d: no address to bind", i))
		}
		if l.Group.IsValid() && !l.Group.IsMulticast() {
			faults = append(faults, fmt.Errorf("line %d: %s is no multicast group", i, l.Group))
		}
		if l.From.IsValid() && !l.Group.IsValid() {
			faults = append(faults, fmt.Errorf("line %d: a source %s without a group", i, l.From))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return o, fmt.Errorf("%w: receiver of channel %q: %w", ErrOptions, o.Channel, err)
	}
	return o, nil
}
