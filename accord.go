package transport

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/netio/control"
	"github.com/alphapulse/transport/netio/link"
	"github.com/alphapulse/transport/netio/trust"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// accord is what a node agrees on with others before sealed datagrams flow: it has a control link with each node that an Agreed channel joins it
// with. Contracts of all channels between the two that go as datagrams are compared; those that both mean the same by get their secrets.
//
//	file ─► contracts ═ control link ═ the other's ─► secrets ─► Key of the ways
//
// Links run by goroutines of their own, and say here that something has changed. The fabric's goroutine gives the ways their secrets.
type accord struct {
	fabric   *fabric
	listener *control.Listener // nil: there are no links
	bound    string            // where it is
	identity *trust.Identity   // nil: there were no links yet
	seen     uint64            // its generation

	mu    sync.Mutex
	peers map[string]*peering
	told  map[string]time.Time // why strangers were refused, and when that was told last
}

// peering is the control link with one node.
type peering struct {
	terms
	link    *control.Link // nil: the other node dials
	changed atomic.Bool   // secrets may be others than the ways have
	again   time.Time     // when ways that refused theirs are given them again; zero: none did
	crossed atomic.Bool   // the other node dials, too

	mu      sync.Mutex
	differs map[string]string // by channel: what the nodes mean different things by
	next    map[string]string // the same, of a connection that comes about
	trouble string            // why there is no connection
}

// terms are what a peering is made from.
type terms struct {
	dials     bool
	to        string
	contracts []link.Contract
}

func newAccord(f *fabric) *accord {
	return &accord{fabric: f, peers: map[string]*peering{}, told: map[string]time.Time{}}
}

// termsOf is with whom there is to be a control link, and about what.
func (a *accord) termsOf(l *layout, fars map[linkKey]netio.Far) (map[string]terms, error) {
	all := map[string]terms{}
	for _, key := range sortedKeys(fars) {
		if slices.ContainsFunc(fars[key].Exchanges, func(e netio.Exchange) bool { return e.Agreed }) {
			all[key.node] = terms{dials: fars[key].Dials}
		}
	}
	for _, key := range sortedKeys(fars) {
		t, ok := all[key.node]
		if !ok || key.protocol != "udp" && key.protocol != "xdp" {
			continue
		}
		for _, e := range fars[key].Exchanges {
			if !slices.ContainsFunc(t.contracts, func(c link.Contract) bool { return c.Name == e.Channel }) {
				t.contracts = append(t.contracts, contractOf(e))
			}
		}
		all[key.node] = t
	}
	for node, t := range all {
		n := l.topology.Node(node)
		to, err := addresses(n, n.Ports.Control)
		if err != nil {
			return nil, err
		}
		t.to = to[0].String()
		all[node] = t
	}
	return all, nil
}

// contractOf is what a node means by a channel that goes as datagrams.
func contractOf(e netio.Exchange) link.Contract {
	c := link.Contract{Name: e.Channel, Sends: e.Sends, Takes: e.Takes, Domain: e.Domain, Codecs: e.Codecs, Largest: e.Largest}
	if e.BestEffort {
		c.Reliability = link.BestEffort
	}
	if c.Largest == 0 {
		capacity := e.Capacity
		if capacity == 0 {
			capacity = ring.DefaultCapacity
		}
		c.Largest = capacity/8 - 160
	}
	return c
}

// lay makes the control links into what l says. Links whose other end stays are greeted anew where their contracts change, and left alone where
// they do not.
func (a *accord) lay(l *layout, fars map[linkKey]netio.Far) error {
	all, err := a.termsOf(l, fars)
	if err != nil {
		return err
	}
	var faults []error
	for node, p := range a.peers {
		if t, ok := all[node]; !ok || t.dials != p.dials || t.to != p.to {
			faults = append(faults, a.dismiss(node, p))
		}
	}
	o := control.Options{Node: l.at, Start: a.fabric.start}
	if len(all) > 0 {
		if a.identity, err = a.who(l); err != nil {
			return errors.Join(append(faults, err)...)
		}
		o.Identity = a.identity
	}
	faults = append(faults, a.listen(l, o, all))
	for _, node := range slices.Sorted(maps.Keys(all)) {
		faults = append(faults, a.meet(node, all[node], o))
		if p := a.peer(node); p != nil {
			p.changed.Store(true) // a way may be new
		}
	}
	return errors.Join(faults...)
}

// who is the node's identity as a control link needs it.
func (a *accord) who(l *layout) (*trust.Identity, error) {
	own := l.topology.Node(l.at)
	id, err := a.fabric.who(own)
	if err != nil {
		return nil, err
	}
	one, ok := id.(*trust.Identity)
	if !ok {
		return nil, fmt.Errorf("%w: node %q: channels whose secrets nodes agree on need an Identity of package trust, and this is a %T: name a secret in their transport_config",
			ErrConfig, own.Name, id)
	}
	return one, nil
}

// listen listens where another node dials, also where all are dialled: one that dials nevertheless is told of.
func (a *accord) listen(l *layout, o control.Options, all map[string]terms) error {
	at := ""
	if len(all) > 0 {
		own := l.topology.Node(l.at)
		bind, err := addresses(own, own.Ports.Control)
		if err != nil {
			return err
		}
		at = bind[0].String()
	}
	if at == a.bound {
		return nil
	}
	var faults []error
	if a.listener != nil {
		faults = append(faults, a.listener.Close())
	}
	a.listener, a.bound = nil, ""
	for _, p := range a.peers {
		if !p.dials {
			p.contracts = nil // to be said to the new one
		}
	}
	if at == "" {
		return errors.Join(faults...)
	}
	o.Events = func(e control.Event) { a.event(e, false) }
	n, err := control.Listen(o, at)
	if err != nil {
		return errors.Join(append(faults, fmt.Errorf("transport: %w", err))...)
	}
	a.listener, a.bound = n, at
	return errors.Join(faults...)
}

// meet begins a peering, or has it go on with these contracts.
func (a *accord) meet(node string, t terms, o control.Options) (err error) {
	p := a.peer(node)
	switch {
	case p == nil:
		p = &peering{terms: t, differs: map[string]string{}, next: map[string]string{}}
		a.mu.Lock()
		a.peers[node] = p
		a.mu.Unlock()
		if t.dials {
			o.Contracts, o.Events = t.contracts, func(e control.Event) { a.event(e, true) }
			p.link, err = control.Dial(o, node, t.to)
		} else if a.listener != nil {
			err = a.listener.UpdateFor(node, t.contracts)
		}
		if err != nil { // the next one begins anew
			err = errors.Join(err, a.dismiss(node, p))
		}
	case reflect.DeepEqual(p.contracts, t.contracts):
		return nil
	case t.dials:
		err = p.link.Update(t.contracts)
	case a.listener != nil:
		err = a.listener.UpdateFor(node, t.contracts)
	}
	if err != nil {
		return fmt.Errorf("transport: control link to node %q: %w", node, err)
	}
	p.contracts = t.contracts
	return nil
}

// dismiss ends a peering.
func (a *accord) dismiss(node string, p *peering) error {
	a.mu.Lock()
	delete(a.peers, node)
	a.mu.Unlock()
	if p.link != nil {
		return p.link.Close()
	}
	if a.listener != nil {
		return a.listener.UpdateFor(node, nil)
	}
	return nil
}

func (a *accord) peer(node string) *peering {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.peers[node]
}

// do gives ways the secrets that have changed. It belongs to the fabric's goroutine.
func (a *accord) do() {
	if a.identity != nil && a.identity.Generation() != a.seen { // who was believed may not be any more
		a.seen = a.identity.Generation()
		for _, p := range a.peers {
			p.changed.Store(true)
		}
	}
	for node, p := range a.peers {
		if p.changed.Swap(false) || !p.again.IsZero() && time.Now().After(p.again) {
			p.again = time.Time{}
			a.key(node, p)
		}
	}
}

// linkOf is the control link with a node; nil: it has not been connected to yet.
func (a *accord) linkOf(node string, p *peering) *control.Link {
	switch {
	case p.dials:
		return p.link
	case a.listener != nil:
		return a.listener.Link(node)
	}
	return nil
}

// key gives every way to a node the secrets that there are, and takes away those that are no more.
func (a *accord) key(node string, p *peering) {
	one := a.linkOf(node, p)
	for key, j := range a.fabric.links {
		if key.node != node {
			continue
		}
		for _, e := range j.far.Exchanges {
			if !e.Agreed {
				continue
			}
			err := j.way.(netio.Keyed).Key(e.Channel, secretOf(one, e.Channel, control.Out), secretOf(one, e.Channel, control.In))
			if errors.Is(err, net.ErrClosed) {
				continue
			}
			if err != nil { // a place in a ring may be another's for a moment
				p.again = time.Now().Add(lookEvery)
			}
			a.fabric.told(fmt.Sprintf("channel %s by %s to %s, its secret", e.Channel, key.protocol, node), err)
		}
	}
}

// secretOf is nil where the nodes have none, or do not agree on the channel.
func secretOf(l *control.Link, channel string, d control.Direction) *seal.Secret {
	if l == nil {
		return nil
	}
	s, err := l.Secret(channel, d)
	if err != nil {
		return nil
	}
	return &s
}

// close ends all links.
func (a *accord) close() error {
	var faults []error
	for _, p := range a.peers {
		if p.link != nil {
			faults = append(faults, p.link.Close())
		}
	}
	if a.listener != nil {
		faults = append(faults, a.listener.Close())
	}
	return errors.Join(faults...)
}
