package quic

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/netio/link"
	"github.com/alphapulse/transport/ring"
)

// Medium is QUIC as a node of a topology uses it. Frames of best-effort channels go as datagrams. The zero Medium is valid.
type Medium struct{}

// Protocol is "quic".
func (Medium) Protocol() string { return "quic" }

// Open opens the medium for a node. It listens once a node is expected to connect.
func (Medium) Open(s netio.Station) (netio.Ways, error) { return &ways{station: s}, nil }

// waysConnections bounds the connections of a medium that listens.
const waysConnections = 256

// ways is the medium of one node.
type ways struct {
	station netio.Station

	mu       sync.Mutex
	listener *Listener
	all      []*way
	closed   bool
}

// way is one link.
type way struct {
	*Link
	ways *ways
}

var (
	_ netio.Ways = (*ways)(nil)
	_ netio.Way  = (*way)(nil)
)

// To opens a link to a node. It is encrypted whether the topology asks for it or not.
func (w *ways) To(far netio.Far) (netio.Way, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.closed:
		return nil, fmt.Errorf("quic: node %q: %w", w.station.Node, net.ErrClosed)
	case w.station.Identity == nil:
		return nil, fmt.Errorf("%w: the way to node %q is encrypted, as all are, and this node has no identity", ErrOptions, far.Node)
	case far.Dials && len(far.Addresses) == 0:
		return nil, fmt.Errorf("%w: node %q has no address", ErrOptions, far.Node)
	}
	o := Common{Link: link.Options{Node: w.station.Node, Start: w.station.Start, Peer: far.Node, Link: far.Stripe,
		Heartbeat: far.Heartbeat, Liveness: far.Liveness, Traced: w.station.Traced, Events: func(e link.Event) { w.event(far, e) }}}
	o.Link.Channels = link.ChannelsOf(far.Exchanges)
	for _, e := range far.Exchanges {
		if e.BestEffort {
			o.Datagrams = append(o.Datagrams, e.Channel)
		}
	}
	one := &way{ways: w}
	var err error
	if far.Dials {
		if o.TLS, err = w.station.Identity.Client(Protocol); err == nil {
			one.Link, err = Dial(DialOptions{Common: o, To: far.Addresses[0], Others: far.Addresses[1:]})
		}
	} else if err = w.listen(); err == nil {
		one.Link, err = w.listener.expect(o)
	}
	if err != nil {
		return nil, err
	}
	w.all = append(w.all, one)
	return one, nil
}

func (w *ways) listen() (err error) {
	if w.listener == nil {
		w.listener, err = Listen(ListenOptions{Bind: w.station.Bind, Connections: waysConnections, later: true, Common: Common{
			TLS: w.station.Identity.Server(Protocol), Link: link.Options{Node: w.station.Node, Events: func(e link.Event) { w.event(netio.Far{}, e) }}}})
	}
	return err
}

// event hands on what became of a link.
func (w *ways) event(far netio.Far, e link.Event) {
	if w.station.Notes != nil {
		w.station.Notes(netio.Note{Medium: "quic", Node: cmp.Or(e.Node, far.Node), Stripe: far.Stripe, Channel: e.Channel, What: e.Kind.String(),
			Err: e.Err, First: e.First, Last: e.Last})
	}
}

// Close closes links and listener.
func (w *ways) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	var faults []error
	for _, one := range w.all {
		if one.dial != nil {
			faults = append(faults, one.Link.Close())
		}
	}
	w.all = nil
	if w.listener != nil {
		faults = append(faults, w.listener.Close())
	}
	return errors.Join(faults...)
}

// Add has the link carry a ring.
func (w *way) Add(channel string, r *ring.Ring) error { return w.Link.Add(channel, r) }

// Remove gives the ring's place back at once.
func (w *way) Remove(channel string, r *ring.Ring) (bool, error) {
	_, err := w.Link.Remove(channel, r)
	return err == nil, err
}

// Alive reports whether the channel flows.
func (w *way) Alive(channel string) bool { return w.Link.Alive() && w.Flows(channel) }

// Lag is how much of a channel is not confirmed.
func (w *way) Lag(channel string) uint64 { return w.LagOf(channel) }

// Close closes the link.
func (w *way) Close() error {
	w.ways.mu.Lock()
	defer w.ways.mu.Unlock()
	w.ways.all = slices.DeleteFunc(w.ways.all, func(one *way) bool { return one == w })
	if w.dial == nil {
		return w.ways.listener.dismiss(w.Link)
	}
	return w.Link.Close()
}
