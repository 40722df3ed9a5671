package transport

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"reflect"
	"slices"
	"strings"
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
	fabric *fabric
	bound  string // where listener is

	mu       sync.Mutex
	listener *control.Listener // nil: nobody dials this node
	peers    map[string]*peering
	told     map[string]time.Time // why strangers were refused, and when that was told last
}

// peering is the control link with one node.
type peering struct {
	terms
	link    *control.Link // nil: the other node dials
	changed atomic.Bool   // secrets may be others than the ways have

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

const strangersTold = time.Minute // between two notes of one reason why nodes that dial are refused: they choose how often they come

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
	o := control.Options{Node: l.at, Start: a.fabric.start, Events: a.event}
	if len(all) > 0 {
		if o.Identity, err = a.identity(l); err != nil {
			return errors.Join(append(faults, err)...)
		}
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

// identity is the node's as a control link needs it.
func (a *accord) identity(l *layout) (*trust.Identity, error) {
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

// listen listens where another node dials.
func (a *accord) listen(l *layout, o control.Options, all map[string]terms) error {
	at := ""
	for _, t := range all {
		if !t.dials {
			own := l.topology.Node(l.at)
			bind, err := addresses(own, own.Ports.Control)
			if err != nil {
				return err
			}
			at = bind[0].String()
		}
	}
	if at == a.bound {
		return nil
	}
	var faults []error
	if a.listener != nil {
		faults = append(faults, a.listener.Close())
	}
	a.bound = ""
	var n *control.Listener
	if at != "" {
		var err error
		if n, err = control.Listen(o, at); err != nil {
			return errors.Join(append(faults, fmt.Errorf("transport: %w", err))...)
		}
		a.bound = at
	}
	a.mu.Lock()
	a.listener = n
	a.mu.Unlock()
	for _, p := range a.peers {
		if !p.dials {
			p.contracts = nil // to be said to the new one
		}
	}
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
			o.Contracts = t.contracts
			p.link, err = control.Dial(o, node, t.to)
		} else if a.listener != nil {
			err = a.listener.UpdateFor(node, t.contracts)
		}
	case reflect.DeepEqual(p.contracts, t.contracts):
		return nil
	case t.dials:
		err = p.link.Update(t.contracts)
	case a.listener != nil:
		err = a.listener.UpdateFor(node, t.contracts)
	}
	p.terms = t
	if err != nil {
		return fmt.Errorf("transport: control link to node %q: %w", node, err)
	}
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

// event notes what became of a link. It runs on the link's goroutine.
func (a *accord) event(e control.Event) {
	p := a.peer(e.Peer)
	n := netio.Note{Medium: "control", Node: e.Peer, Channel: e.Channel, What: e.Kind.String(), Err: e.Err}
	switch {
	case e.Kind == control.Trouble && e.Peer == "":
		if !a.news(e.Err) {
			return
		}
	case p == nil:
		return
	case e.Kind == control.Refused:
		text := differences(e.Fields)
		if n.Err = fmt.Errorf("the nodes mean different things by the channel: %s", text); !p.refused(e.Channel, text) {
			return
		}
	case e.Kind == control.Trouble:
		p.troubled(e.Err)
	case e.Kind == control.Connected:
		for _, channel := range p.connected() {
			a.fabric.note(netio.Note{Medium: "control", Node: e.Peer, Channel: channel, What: "recovered"})
		}
		p.changed.Store(true)
	case e.Kind == control.Disconnected:
		p.changed.Store(true) // who is not believed any more has lost its secrets
		if errors.Is(e.Err, control.ErrUpdated) {
			return
		}
	}
	a.fabric.note(n)
}

// news reports whether a reason to refuse strangers was not told lately.
func (a *accord) news(err error) bool {
	reason := "other"
	if r := (*trust.Refusal)(nil); errors.As(err, &r) {
		reason = r.Reason.String()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	last, told := a.told[reason]
	if told && time.Since(last) < strangersTold {
		return false
	}
	a.told[reason] = time.Now()
	return true
}

// differences names each field with both values.
func differences(fields []link.Difference) string {
	var all []string
	for _, d := range fields {
		all = append(all, d.String())
	}
	return strings.Join(all, "; ")
}

// refused remembers what nodes mean different things by, and reports whether it is news.
func (p *peering) refused(channel, text string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next[channel] = text
	return p.differs[channel] != text
}

func (p *peering) troubled(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trouble = err.Error()
}

// connected returns the channels about which the nodes agree again.
func (p *peering) connected() (again []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for channel := range p.differs {
		if p.next[channel] == "" {
			again = append(again, channel)
		}
	}
	p.differs, p.next, p.trouble = p.next, map[string]string{}, ""
	return again
}

// do gives ways the secrets that have changed. It belongs to the fabric's goroutine.
func (a *accord) do() {
	for node, p := range a.peers {
		if p.changed.Swap(false) {
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

// Accord is how a channel stands with the node that it goes to, as the control link of the two says.
type Accord struct {
	Connected bool   `json:"connected"`         // the control link stands
	Agreed    bool   `json:"agreed"`            // both mean the same by the channel, and have secrets for it
	Differs   string `json:"differs,omitempty"` // what they mean different things by: each field with both values
	Trouble   string `json:"trouble,omitempty"` // why the control link does not stand, where this node dials

	Ahead time.Duration `json:"ahead_ns"` // the other node's clock less this one's; 0 while nothing is known
	Error time.Duration `json:"error_ns"` // Ahead is wrong by no more than that
	RTT   time.Duration `json:"rtt_ns"`   // of the exchange that says so
}

// of is how a channel stands with a node; nil: no control link is about it.
func (a *accord) of(channel, node string) *Accord {
	p := a.peers[node]
	if p == nil || !slices.ContainsFunc(p.contracts, func(c link.Contract) bool { return c.Name == channel }) {
		return nil
	}
	s := &Accord{}
	p.mu.Lock()
	s.Differs, s.Trouble = p.differs[channel], p.trouble
	p.mu.Unlock()
	if one := a.linkOf(node, p); one != nil {
		s.Connected, s.Agreed = one.Connected(), slices.Contains(one.Channels(), channel)
		o, _ := one.Offset()
		s.Ahead, s.Error, s.RTT = o.Ahead, o.Error, o.RTT
	}
	return s
}
