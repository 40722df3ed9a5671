package tcp

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/netio/link"
	"github.com/alphapulse/transport/netio/trust"
	"github.com/alphapulse/transport/numa"
	"github.com/alphapulse/transport/ring"
)

// Protocol is what both sides name in a TLS handshake (ALPN).
const Protocol = "pulse-tcp/1"

// Medium is TCP as a node of a topology uses it: links to other nodes, all carried by one loop. The zero Medium is valid.
type Medium struct {
	Socket Socket // of every connection
}

// Protocol is "tcp".
func (Medium) Protocol() string { return "tcp" }

// Open opens the medium for a node. It listens once a node is expected to connect.
func (m Medium) Open(s netio.Station) (netio.Ways, error) {
	w := &ways{station: s, socket: m.Socket}
	w.crew = netio.NewCrew(s.Loop, func(_ numa.Worker, err error) { w.tell(netio.Note{What: "trouble", Err: err}) })
	return w, nil
}

// ways is the medium of one node.
type ways struct {
	station netio.Station
	socket  Socket
	crew    *netio.Crew

	mu       sync.Mutex
	listener *Listener
	secure   bool // the listener has TLS
	all      []*way
	closed   bool
}

// way is one link.
type way struct {
	*Link
	ways     *ways
	expected bool // of the listener
}

var (
	_ netio.Ways = (*ways)(nil)
	_ netio.Way  = (*way)(nil)
)

// To opens a link to a node.
func (w *ways) To(far netio.Far) (netio.Way, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil, fmt.Errorf("tcp: node %q: %w", w.station.Node, net.ErrClosed)
	}
	o := link.Options{Node: w.station.Node, Start: w.station.Start, Peer: far.Node, Link: far.Stripe,
		Heartbeat: far.Heartbeat, Liveness: far.Liveness, Channels: link.ChannelsOf(far.Exchanges), Traced: w.station.Traced,
		Events: func(e link.Event) { w.event(far, e) }}
	one := &way{ways: w, expected: !far.Dials}
	var err error
	if far.Dials {
		one.Link, err = w.dial(far, o)
	} else if err = w.listen(far.Secure); err == nil {
		one.Link, err = w.listener.Expect(o)
	}
	if err != nil {
		return nil, err
	}
	w.all = append(w.all, one)
	w.recrew()
	return one, nil
}

func (w *ways) dial(far netio.Far, o link.Options) (*Link, error) {
	if len(far.Addresses) == 0 {
		return nil, fmt.Errorf("%w: node %q has no address", ErrOptions, far.Node)
	}
	d := DialOptions{Link: o, To: far.Addresses[0], Others: far.Addresses[1:], Socket: w.socket}
	if far.Secure {
		if w.station.Identity == nil {
			return nil, fmt.Errorf("%w: the way to node %q is encrypted, and this node has no identity", ErrOptions, far.Node)
		}
		var err error
		if d.TLS, err = w.station.Identity.Client(Protocol); err != nil {
			return nil, err
		}
		believed := d.TLS.VerifyConnection
		d.TLS.VerifyConnection = func(s tls.ConnectionState) error {
			if err := believed(s); err != nil {
				return err
			}
			if !trust.Vouches(s.PeerCertificates[0], far.Node) {
				return fmt.Errorf("%w: the certificate is not that of %q", link.ErrStranger, far.Node)
			}
			return nil
		}
	}
	return Dial(d)
}

// listen opens the listener. One port is for TLS or for plain connections.
func (w *ways) listen(secure bool) error {
	if w.listener != nil {
		if secure != w.secure {
			return fmt.Errorf("%w: some ways to node %q are encrypted and others are not, and it listens on one port: encrypt all of them or none",
				ErrOptions, w.station.Node)
		}
		return nil
	}
	var config *tls.Config
	if secure {
		if w.station.Identity == nil {
			return fmt.Errorf("%w: ways to node %q are encrypted, and it has no identity", ErrOptions, w.station.Node)
		}
		config = w.station.Identity.Server(Protocol)
	}
	var err error
	w.secure = secure
	w.listener, err = Listen(ListenOptions{Link: link.Options{Node: w.station.Node, Events: func(e link.Event) { w.event(netio.Far{}, e) }}, Bind: w.station.Bind,
		TLS: config, Socket: w.socket, later: true})
	return err
}

// recrew tells the loop whom to run.
func (w *ways) recrew() {
	var all []numa.Worker
	if w.listener != nil {
		all = append(all, w.listener)
	}
	for _, one := range w.all {
		if !one.expected {
			all = append(all, one.Link)
		}
	}
	w.crew.Set(all)
}

// event hands on what became of a link.
func (w *ways) event(far netio.Far, e link.Event) {
	w.tell(netio.Note{Node: cmp.Or(e.Node, far.Node), Stripe: far.Stripe, Channel: e.Channel, What: e.Kind.String(), Err: e.Err, First: e.First, Last: e.Last})
}

func (w *ways) tell(n netio.Note) {
	if w.station.Notes != nil {
		n.Medium = "tcp"
		w.station.Notes(n)
	}
}

// Close closes links and listener.
func (w *ways) Close() error {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.crew.Close()
	var faults []error
	for _, one := range w.all {
		faults = append(faults, one.Link.Close())
	}
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
func (w *way) Alive(channel string) bool { return w.Flows(channel) }

// Lag is how much of a channel is not confirmed.
func (w *way) Lag(channel string) uint64 { return w.LagOf(channel) }

// Close closes the link.
func (w *way) Close() error {
	w.ways.mu.Lock()
	defer w.ways.mu.Unlock()
	w.ways.all = slices.DeleteFunc(w.ways.all, func(one *way) bool { return one == w })
	if w.expected {
		return w.ways.listener.Dismiss(w.Link)
	}
	w.ways.recrew()
	return w.Link.Close()
}
