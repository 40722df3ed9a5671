package udp

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// Flow says whom a repaired sender goes by: how far it runs ahead, and what it releases.
type Flow uint8

// The ways of flow control.
const (
	FlowMin    Flow = iota // the slowest receiver: nobody that lives misses anything
	FlowMax                // the fastest: others may be told that frames are lost
	FlowTagged             // the slowest of those with the sender's Tag
)

// String returns "min", "max" or "tagged".
func (f Flow) String() string { return [...]string{"min", "max", "tagged"}[min(f, FlowTagged)] }

const (
	// DefaultBudget is how many bytes a second one receiver may have sent again.
	DefaultBudget = 256 << 20

	maxReceivers = 64
	budgetBurst  = 1 << 20 // bytes
	maxName      = 40      // bytes
)

// SenderOptions say what a Sender carries and where to.
type SenderOptions struct {
	// Channel is the channel's name, as the receivers have it.
	Channel string

	// Lines are where the stream goes: one destination, or several paths to the same receivers, which listen on them in the same order.
	Lines []Dial

	Reliability Reliability

	// Name names the sender's place in the rings it carries; empty is "udp" and the channel's name. Two repaired senders of the same
	// rings need two.
	Name string

	// From is where a best-effort sender begins in a ring. A repaired one begins at the oldest record, and goes on where a
	// former life of it was confirmed.
	From ring.From

	// Secret seals every envelope; nil seals none. Suite is chosen by the processor unless it is set.
	Secret *seal.Secret
	Suite  seal.Suite
	Limits seal.Limits // when keys turn

	// Codec compresses bodies; nil compresses none. It belongs to this sender alone.
	Codec seal.Codec

	// Separate sends each frame in a datagram of its own. Otherwise frames that are there together travel together.
	Separate bool

	// Linger is how long a frame may wait for others to fill its datagram. 0 waits for nothing.
	Linger time.Duration

	// Pace bounds the bytes a second, UDP payload, that leave on each line. 0 is no bound.
	Pace int64

	MTU       int           // bytes of the largest IP packet; 0 is DefaultMTU
	Heartbeat time.Duration // silence after which it says where it stands, sealed in any case; 0 is DefaultHeartbeat
	Liveness  time.Duration // silence after which a receiver counts as gone; 0 is 3 heartbeats
	Flow      Flow
	Tag       uint64 // whom FlowTagged goes by
	Window    int    // bytes it runs ahead of a receiver that has not spoken yet; 0 is half of DefaultStash
	Budget    int64  // bytes a second that one receiver may have sent again; 0 is DefaultBudget
	Socket    Socket

	// Carried, if set, records how old messages are when they are put into envelopes, once an envelope at most: netio.Age. It is the sender's alone.
	Carried *netio.Spread

	// Traced, if set, is told of traced frames that leave. It runs on the sender's thread and must not block.
	Traced netio.Traced

	// Events, if set, is told of what operators want to know. It runs on the sender's thread and must not block.
	Events func(Event)
}

// Dial is one line's far end.
type Dial struct {
	Medium    netio.Medium   // in place of a socket; the sender closes it. Then of the rest To alone is heeded
	To        netip.AddrPort // a host or a multicast group
	Bind      netip.AddrPort // own address; zero: the route's
	Interface string         // through which multicast leaves; empty: the route's
}

func (o SenderOptions) checked() (SenderOptions, error) {
	o.MTU = orDefault(o.MTU, DefaultMTU)
	o.Heartbeat = orDefault(o.Heartbeat, DefaultHeartbeat)
	o.Liveness = orDefault(o.Liveness, 3*o.Heartbeat)
	o.Window = orDefault(o.Window, DefaultStash/2)
	o.Budget = orDefault(o.Budget, DefaultBudget)
	if o.Secret != nil && o.Suite == 0 {
		o.Suite = seal.BestSuite()
	}
	if o.Name == "" {
		o.Name = "udp " + o.Channel
		o.Name = o.Name[:min(len(o.Name), maxName)]
	}
	c := common{channel: o.Channel, lines: len(o.Lines), mtu: o.MTU, heartbeat: o.Heartbeat, liveness: o.Liveness, secret: o.Secret, suite: o.Suite}
	faults := c.check()
	if len(o.Name) > maxName {
		faults = append(faults, fmt.Errorf("name %q: at most %d bytes", o.Name, maxName))
	}
	for i, l := range o.Lines {
		if !l.To.IsValid() || l.To.Port() == 0 {
			faults = append(faults, fmt.Errorf("line %d: no destination", i))
		}
		if l.Bind.IsValid() && l.Bind.Addr().Is4() != l.To.Addr().Is4() {
			faults = append(faults, fmt.Errorf("line %d: %s and %s are of two families", i, l.Bind, l.To))
		}
	}
	if o.Secret != nil {
		if _, err := seal.NewSealer(*o.Secret, o.Suite, seal.Session{}, o.Limits); err != nil {
			faults = append(faults, err)
		}
	}
	if o.Flow > FlowTagged || o.Flow != FlowMin && o.Reliability != Repaired {
		faults = append(faults, fmt.Errorf("flow %s needs a repaired channel", o.Flow))
	}
	if o.Flow == FlowTagged && o.Tag == 0 {
		faults = append(faults, errors.New("tagged flow without a tag"))
	}
	if o.Window < 4096 || o.Budget < 0 || o.Pace < 0 || o.Linger < 0 || o.Linger > time.Second {
		faults = append(faults, fmt.Errorf("window %d, budget %d, pace %d, linger %s: at least 4096, 0, 0, and 0 to 1s", o.Window, o.Budget, o.Pace, o.Linger))
	}
	if err := errors.Join(faults...); err != nil {
		return o, fmt.Errorf("%w: sender of channel %q: %w", ErrOptions, o.Channel, err)
	}
	return o, nil
}
