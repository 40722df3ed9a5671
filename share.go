package transport

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/route"
	"github.com/alphapulse/transport/route/topo"
)

// share is nodes that share a channel's work because the same subscribers are placed on each: a source goes to one of them. It belongs to the
// fabric's goroutine.
//
//	a source's place "to left" ── left is dead, or has too many ──► let go ──► "to right" begins where it stood
type share struct {
	spec   shareSpec
	spread *route.Balancer
	nodes  []sharer
	at     map[*ring.Ring]string // who carries it
}

// shareSpec is what a plan says of a share.
type shareSpec struct {
	channel string
	nodes   []string
	balance topo.Balance
	durable bool // places stay, and a source moves with its place
	held    bool
}

// sharer is a node as its share sees it.
type sharer struct {
	name   string
	joined bool
	since  time.Duration // alive, or not, without a break
	alive  bool
	met    bool // it was alive once
}

const (
	shareBack   = 5 * time.Second // a node that came back must be alive for that long before it gets its sources, unless the Config says so
	shareUnmet  = 2 * time.Second // a node that was never there is given that long before the others get its sources
	sharePieces = 1 << 16         // bytes at a time that a place passes over
)

func newShare(s shareSpec) (*share, error) {
	spread, err := route.NewBalancer(route.BalancerOptions{Method: s.balance})
	one := &share{spec: s, spread: spread, at: map[*ring.Ring]string{}}
	for _, name := range s.nodes {
		if err == nil {
			err = spread.Join(name, 1)
		}
		one.nodes = append(one.nodes, sharer{name: name, joined: true})
	}
	return one, err
}

func (s shareSpec) same(o shareSpec) bool {
	return slices.Equal(s.nodes, o.nodes) && s.channel == o.channel && s.balance == o.balance && s.durable == o.durable && s.held == o.held
}

// groups are the sets of nodes that share a channel: all subscribers on each are placed on the same nodes, two or more. A node that has another
// subscriber, too, gets everything, and so do the others then: nobody could tell there which sources are whose.
func (l *layout) groups(channel string) (all [][]string) {
	on := map[string][]string{} // by actor: its nodes
	at := map[string][]string{} // by node: its actors
	for _, a := range l.topology.Actors {
		if !slices.Contains(a.Inputs, channel) {
			continue
		}
		for _, p := range l.topology.PlacementsOf(a.Name) {
			if !slices.Contains(on[a.Name], p.Node) {
				on[a.Name], at[p.Node] = append(on[a.Name], p.Node), append(at[p.Node], a.Name)
			}
		}
		slices.Sort(on[a.Name])
	}
	for _, a := range l.topology.Actors {
		nodes := on[a.Name]
		apart := slices.ContainsFunc(nodes, func(n string) bool {
			return slices.ContainsFunc(at[n], func(other string) bool { return !slices.Equal(on[other], nodes) })
		})
		if len(nodes) > 1 && !apart && !slices.ContainsFunc(all, func(g []string) bool { return slices.Equal(g, nodes) }) {
			all = append(all, nodes)
		}
	}
	return all
}

// groupOf is the nodes that share a channel with one, itself among them; nil: none do.
func (l *layout) groupOf(channel, node string) []string {
	groups := l.groups(channel)
	if i := slices.IndexFunc(groups, func(g []string) bool { return slices.Contains(g, node) }); i >= 0 {
		return groups[i]
	}
	return nil
}

// spared reports whether a node gets nothing that is published here: those who share a channel with it are on this node, too, which is
// nearer, and take it all.
func (l *layout) spared(channel, node string) bool {
	return slices.Contains(l.groupOf(channel, node), l.at)
}

// shares is every share of what is published here.
func (l *layout) shares() (all []shareSpec) {
	for _, c := range l.plan.Channels {
		for _, g := range l.groups(c.Channel.Name) {
			if !slices.Contains(g, l.at) {
				all = append(all, shareSpec{c.Channel.Name, g, c.Channel.Balance, c.Channel.Reliability != topo.BestEffort,
					c.Channel.Slow != topo.SlowDrop && c.Channel.Slow != topo.SlowEvict})
			}
		}
	}
	return all
}

// shareOf is the share that a leg belongs to, nil if its node gets everything.
func (f *fabric) shareOf(key legKey) *share {
	i := slices.IndexFunc(f.shares, func(s *share) bool { return s.spec.channel == key.channel && slices.Contains(s.spec.nodes, key.node) })
	if i < 0 {
		return nil
	}
	return f.shares[i]
}

// reshare makes the shares what l says. Who carries what stays.
func (f *fabric) reshare(l *layout) error {
	var all []*share
	var faults []error
	for _, spec := range l.shares() {
		if i := slices.IndexFunc(f.shares, func(s *share) bool { return s.spec.same(spec) }); i >= 0 {
			all = append(all, f.shares[i])
			continue
		}
		s, err := newShare(spec)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		for _, old := range f.shares { // a node that is no member any more hands over what it has
			if old.spec.channel == spec.channel && old.meets(spec.nodes) {
				maps.Copy(s.at, old.at)
			}
		}
		all = append(all, s)
	}
	f.shares = all
	return errors.Join(faults...)
}

func (s *share) meets(nodes []string) bool {
	return slices.ContainsFunc(nodes, func(n string) bool { return slices.Contains(s.spec.nodes, n) })
}

// keeps reports whether a node's place in a ring is still to be handed over.
func (f *fabric) keeps(key legKey, r *ring.Ring) bool {
	return slices.ContainsFunc(f.shares, func(s *share) bool { return s.spec.channel == key.channel && s.at[r] == key.node })
}

// do moves what is to move.
func (s *share) do(f *fabric, now time.Duration) {
	s.look(f, now)
	o := f.outs[s.spec.channel]
	if o == nil {
		return
	}
	for _, file := range o.files {
		f.told("channel "+s.spec.channel+", shared ring", s.settle(f, file.ring))
	}
}

// look sees which nodes live. One that died loses its sources at once, if another lives; one that came back gets its share when it has lived for
// a while.
func (s *share) look(f *fabric, now time.Duration) {
	living := 0
	for i := range s.nodes {
		n := &s.nodes[i]
		l := f.legs[legKey{s.spec.channel, n.name}]
		alive := l != nil && slices.ContainsFunc(l.ways, (*candidate).lives)
		if alive != n.alive {
			n.alive, n.since = alive, now
		}
		if n.met = n.met || alive; alive {
			living++
		}
	}
	back := f.config.HoldDown
	if back == 0 {
		back = shareBack
	}
	for i := range s.nodes {
		n := &s.nodes[i]
		switch {
		case n.joined && !n.alive && living > 0 && (n.met || now-n.since > shareUnmet):
			s.spread.Leave(n.name)
			n.joined = false
		case !n.joined && n.alive && now-n.since >= back && s.spread.Join(n.name, 1) == nil:
			s.spread.Even(len(s.at))
			n.joined = true
		}
		if l := f.legs[legKey{s.spec.channel, n.name}]; l != nil && n.joined && len(l.ways) > 0 {
			s.spread.Lag(n.name, l.ways[0].Lag())
		}
	}
}

// settle has a ring carried to the node that it belongs to.
func (s *share) settle(f *fabric, r *ring.Ring) error {
	to, err := s.spread.Place(r.Info().Instance)
	if err != nil {
		return err
	}
	at, known := s.at[r]
	if known && at == to {
		return nil
	}
	if !known {
		at = s.stood(r, to)
	} else if l := f.legs[legKey{s.spec.channel, at}]; l != nil && !l.leave(r) {
		return nil // not yet: it is asked again
	}
	l := f.legs[legKey{s.spec.channel, to}]
	if l == nil {
		return nil
	}
	if at != to && s.spec.durable {
		if err := s.hand(r, at, to); err != nil {
			return err
		}
	}
	s.at[r] = to
	return errors.Join(s.spare(r), l.add(r))
}

// stood is who had a ring in an earlier life of this node: whose place is furthest. Places that were only held are at the beginning.
func (s *share) stood(r *ring.Ring, otherwise string) string {
	readers, err := r.Readers()
	if err != nil {
		return otherwise
	}
	at, furthest := otherwise, uint64(0)
	for _, one := range readers {
		i := slices.IndexFunc(s.spec.nodes, func(n string) bool { return placeOf(n) == one.Name })
		if i < 0 || !one.Gating {
			continue
		}
		if name := s.spec.nodes[i]; one.Cursor > furthest || one.Cursor == furthest && name == otherwise {
			at, furthest = name, one.Cursor
		}
	}
	return at
}

// spare takes away the places of those who do not carry a ring, so that its publisher does not wait for them.
func (s *share) spare(r *ring.Ring) error {
	var faults []error
	for _, n := range s.spec.nodes {
		if n == s.at[r] || !r.Gates(placeOf(n)) {
			continue
		}
		if err := r.Forget(placeOf(n)); err != nil && !errors.Is(err, ring.ErrRange) {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// hand begins a place for one node where another's stands, and ends that. In between both are there: nothing is overwritten.
func (s *share) hand(r *ring.Ring, from, to string) error {
	old, err := r.Reader(ring.ReaderOptions{Name: placeOf(from), Durable: true, From: ring.Oldest})
	if err != nil {
		return err
	}
	next, err := r.Reader(ring.ReaderOptions{Name: placeOf(to), Durable: true, From: ring.Oldest, Held: s.spec.held})
	if err != nil {
		return errors.Join(err, old.HandOver())
	}
	for due := old.Owed(); next.Owed() < due; {
		if _, n := next.PeekRun(sharePieces); n == 0 {
			break
		}
		if err := next.ReleaseTo(min(due, next.Seq())); err != nil {
			return errors.Join(err, next.Close(), old.HandOver())
		}
	}
	if err := errors.Join(next.HandOver(), old.Close()); err != nil {
		return err
	}
	return r.Forget(placeOf(from))
}

// forget ends what is known of a ring whose file is gone.
func (s *share) forget(r *ring.Ring) {
	delete(s.at, r)
	s.spread.Forget(r.Info().Instance)
}

// lives reports whether one of its links does.
func (c *candidate) lives() bool {
	for _, w := range c.stripes {
		if w.Alive(c.leg.channel) {
			return true
		}
	}
	return false
}
