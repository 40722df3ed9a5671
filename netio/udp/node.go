package udp

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"slices"
	"sync"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/numa"
)

// pastPort is how far the ports of datagrams past the kernel's sockets lie above those of sockets: a channel may have both ways.
const pastPort = 1024

// Medium is UDP as a node of a topology uses it: for each channel and node that takes it a sender, for each channel that the node takes one
// receiver, whoever sends, all carried by one loop. A channel arrives on the node's port plus Exchange.Number. The zero Medium is valid.
type Medium struct {
	Socket Socket // of every end
	MTU    int    // bytes of the largest IP packet; 0 is DefaultMTU

	// Past opens what carries the datagrams past the kernel's sockets, and makes this the medium "xdp", whose ports lie 1024 higher. nil: sockets
	// carry them.
	Past func(netio.Station) Past
}

// Past opens media for ends of a node in place of sockets. A nil medium without an error is a socket: that is how to fall back. All of it is
// called where the medium's loop is, and between two of its cycles.
type Past interface {
	// Listen opens an end that receives at an address.
	Listen(far netio.Far, at netip.AddrPort) (netio.Medium, error)

	// Dial opens an end that sends to an address, from any port.
	Dial(far netio.Far, to netip.AddrPort) (netio.Medium, error)

	// Close closes what the ends have in common. They are closed before.
	Close() error
}

// Protocol is "udp", or "xdp" with Past.
func (m Medium) Protocol() string {
	if m.Past != nil {
		return "xdp"
	}
	return "udp"
}

// Open opens the medium for a node.
func (m Medium) Open(s netio.Station) (netio.Ways, error) {
	w := &ways{station: s, medium: m, inlets: map[string]*inlet{}}
	if m.Past != nil {
		w.past = m.Past(s)
	}
	w.crew = netio.NewCrew(s.Loop, w.failed)
	return w, nil
}

// ways is the medium of one node.
type ways struct {
	station netio.Station
	medium  Medium
	past    Past
	crew    *netio.Crew

	mu     sync.Mutex
	inlets map[string]*inlet // by channel
	all    []*way
	closed bool
}

var (
	_ netio.Ways  = (*ways)(nil)
	_ netio.Keyed = (*way)(nil)
)

// To opens the ends of what is exchanged with a node.
func (w *ways) To(far netio.Far) (netio.Way, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil, fmt.Errorf("udp: node %q: %w", w.station.Node, net.ErrClosed)
	}
	if far.Heartbeat == 0 {
		far.Heartbeat = DefaultHeartbeat
		if far.Liveness != 0 {
			far.Heartbeat = min(far.Heartbeat, far.Liveness/3)
		}
	}
	far.Liveness = orDefault(far.Liveness, 3*far.Heartbeat)
	var faults []error
	for _, e := range far.Exchanges {
		faults = append(faults, w.check(far, e))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	one := &way{ways: w, far: far, outlets: map[string]*outlet{}}
	var err error
	w.crew.Between(func() {
		for _, e := range far.Exchanges {
			if err = one.open(e); err != nil {
				err = errors.Join(fmt.Errorf("channel %q: %w", e.Channel, err), one.shut())
				return
			}
		}
	})
	if err != nil {
		return nil, err
	}
	w.all = append(w.all, one)
	w.recrew()
	return one, nil
}

// check finds what is wrong with a channel, before anything of it is open.
func (w *ways) check(far netio.Far, e netio.Exchange) error {
	fault := func(format string, args ...any) error {
		return fmt.Errorf("%w: channel %q between %q and %q: %s", ErrOptions, e.Channel, w.station.Node, far.Node, fmt.Sprintf(format, args...))
	}
	switch {
	case (far.Secure || e.Sealed) && e.Secret == nil && !e.Agreed:
		return fault("it is encrypted, and has no secret: name one in its transport_config, or give nodes certificates under trust")
	case e.Agreed && e.Secret != nil:
		return fault("it has a secret, and the nodes agree on another")
	}
	if e.Takes {
		if _, err := w.portOf(w.station.Bind, e); err != nil {
			return fault("this node's %s", err)
		}
	}
	if e.Sends {
		if len(far.Addresses) == 0 {
			return fault("the other node has no address")
		}
		if _, err := w.portOf(far.Addresses[0], e); err != nil {
			return fault("the other node's %s", err)
		}
	}
	if in := w.inlets[e.Channel]; in != nil && e.Takes {
		switch {
		case !in.fits(e):
			return fault("it is not the same as with %q", in.fars[0].Node)
		case e.Agreed && len(in.fars) >= MaxSecrets:
			return fault("it comes from %d nodes already, each with a secret of its own: name one for all in its transport_config", len(in.fars))
		}
	}
	return nil
}

// portOf is where a node receives a channel.
func (w *ways) portOf(node netip.AddrPort, e netio.Exchange) (netip.AddrPort, error) {
	port := int(node.Port()) + e.Number
	if w.past != nil {
		port += pastPort
	}
	if node.Port() == 0 || e.Number < 0 || port > math.MaxUint16 {
		return node, fmt.Errorf("port %d does not do for channel number %d: it would be %d", node.Port(), e.Number, port)
	}
	return netip.AddrPortFrom(node.Addr(), uint16(port)), nil
}

// recrew tells the loop whom to run: what arrives makes room before more is sent.
func (w *ways) recrew() {
	var members []numa.Worker
	for _, in := range w.inlets {
		if !in.failed.Load() {
			members = append(members, in)
		}
	}
	for _, one := range w.all {
		for _, o := range one.outlets {
			if !o.failed.Load() {
				members = append(members, o)
			}
		}
	}
	w.crew.Set(members)
}

// failed tells of an end that is no good any more.
func (w *ways) failed(member numa.Worker, err error) {
	n := netio.Note{What: "trouble", Err: err}
	switch one := member.(type) {
	case *outlet:
		one.failed.Store(true)
		n.Node, n.Stripe, n.Channel = one.far.Node, one.far.Stripe, one.channel
	case *inlet:
		one.failed.Store(true)
		n.Channel = one.exchange.Channel
	}
	w.tell(n)
}

func (w *ways) tell(n netio.Note) {
	if w.station.Notes != nil {
		n.Medium = w.medium.Protocol()
		w.station.Notes(n)
	}
}

// Close closes all ends.
func (w *ways) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.crew.Close()
	var faults []error
	for _, one := range w.all {
		faults = append(faults, one.shut())
	}
	w.all = nil
	if w.past != nil {
		faults = append(faults, w.past.Close())
	}
	return errors.Join(faults...)
}

// Close closes the way's ends, and receivers that no other way needs.
func (w *way) Close() error {
	w.ways.mu.Lock()
	defer w.ways.mu.Unlock()
	before := len(w.ways.all)
	if w.ways.all = slices.DeleteFunc(w.ways.all, func(one *way) bool { return one == w }); len(w.ways.all) == before {
		return nil // closed already
	}
	var gone []*inlet
	var err error
	w.ways.crew.Between(func() { gone = w.leave() })
	w.ways.recrew()
	w.ways.crew.Between(func() { err = w.close(gone) }) // what they have in common with others is the loop's
	return err
}
