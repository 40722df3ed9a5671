package transport

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/netio/trust"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/route"
	"github.com/alphapulse/transport/route/topo"
	"github.com/alphapulse/transport/route/watch"
)

// A fabric joins this node to the others of its topology: it opens the media's ways, finds the rings that publishers of this machine write,
// and has each channel carried by one way to each node that subscribes to it. It is the control plane: one goroutine that attaches, moves
// and detaches readers. No message passes through it.
//
//	plan ─► links: (medium, node, stripe) ─► a netio.Way
//	     └► legs:  (channel, node)        ─► a Failover over the links that may carry it
//	files of the channel's directory ─► rings ─► the leg's active link

const stepEvery = 2 * time.Millisecond // between two looks at who is alive

// linkKey names one way between two nodes.
type linkKey struct {
	protocol, node string
	stripe         int
}

// joint is a way that is open, and what it was opened for.
type joint struct {
	way netio.Way
	far netio.Far
}

type legKey struct{ channel, node string }

type fabric struct {
	node    *Node
	config  *Config
	began   time.Time
	start   uint64
	layout  *layout
	ways    map[string]netio.Ways // by protocol
	links   map[linkKey]*joint
	mirrors map[string]*netio.Mirrors
	outs    map[string]*outgoing
	legs    map[legKey]*leg
	order   []*leg
	shares  []*share
	queues  map[string]netio.Queues // by backend
	takes   map[netio.QueueLine]taking
	leaving []leaver
	besides map[legKey]*beside
	crew    *netio.Crew // of twins and comparisons; nil: there was none yet

	comparedMu  sync.Mutex
	comparisons map[string]*comparison  // by channel
	brought     map[string][]*ring.Ring // mirrors of first ways

	toldMu sync.Mutex
	faults map[string]string // told already, by what they concern

	identity *trust.Identity // opened here
	accord   *accord

	calls chan func()   // run between two steps
	over  chan struct{} // closed when none will be any more
	done  sync.WaitGroup
}

// leaver is a ring whose file is gone, until nobody carries it.
type leaver struct {
	channel string
	ring    *ring.Ring
}

// openFabric opens media and ways, and starts to carry.
func openFabric(ctx context.Context, n *Node, l *layout) (*fabric, error) {
	began := time.Now()
	f := &fabric{node: n, config: &n.config, began: began, start: uint64(began.UnixNano()), ways: map[string]netio.Ways{}, links: map[linkKey]*joint{},
		mirrors: map[string]*netio.Mirrors{}, queues: map[string]netio.Queues{}, takes: map[netio.QueueLine]taking{},
		outs: map[string]*outgoing{}, legs: map[legKey]*leg{}, faults: map[string]string{}, besides: map[legKey]*beside{}, comparisons: map[string]*comparison{},
		brought: map[string][]*ring.Ring{}, calls: make(chan func()), over: make(chan struct{})}
	f.accord = newAccord(f)
	if err := f.lay(l); err != nil {
		return nil, errors.Join(err, f.close())
	}
	f.done.Go(func() { f.run(ctx) })
	return f, nil
}

func (f *fabric) now() time.Duration { return time.Since(f.began) }

// run carries on until ctx ends.
func (f *fabric) run(ctx context.Context) {
	defer close(f.over)
	tick := time.NewTicker(stepEvery)
	defer tick.Stop()
	looked := time.Now().Add(-lookEvery)
	for {
		select {
		case <-ctx.Done():
			return
		case call := <-f.calls:
			call()
			continue
		case now := <-tick.C:
			if now.Sub(looked) >= lookEvery {
				looked = now
				f.look()
			}
		}
		f.accord.do()
		now := f.now()
		for _, l := range f.order {
			l.do(now)
		}
		for _, s := range f.shares {
			s.do(f, now)
		}
	}
}

// look finds rings that publishers opened and gave up.
func (f *fabric) look() {
	for channel, o := range f.outs {
		added, gone, err := o.look()
		f.told("channel "+channel, err)
		for _, r := range added { // the publisher may be about to
			f.told(fmt.Sprintf("channel %s, places in ring %x", channel, r.Info().Instance), f.layout.hold(channel, r, false))
		}
		for _, r := range gone {
			f.leaving = append(f.leaving, leaver{channel, r})
			for _, s := range f.shares {
				s.forget(r)
			}
		}
		for _, s := range f.shares { // a publisher that starts again holds places for all
			for r := range s.at {
				f.told("channel "+channel+", shared ring", s.spare(r))
			}
		}
		for _, l := range f.order {
			if l.channel != channel {
				continue
			}
			for _, r := range added {
				if f.shareOf(legKey{channel, l.node}) != nil {
					break // it gives them out
				}
				f.told(fmt.Sprintf("channel %s, ring %x to %s", channel, r.Info().Instance, l.node), l.add(r))
			}
			l.retry()
		}
	}
	f.abreast()
	f.leaving = slices.DeleteFunc(f.leaving, func(one leaver) bool {
		left := true
		for _, l := range f.order {
			if l.channel == one.channel {
				left = l.leave(one.ring) && left
			}
		}
		return left && one.ring.Close() == nil
	})
}

// told hands trouble on, once until it is over or another.
func (f *fabric) told(what string, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	f.toldMu.Lock()
	same := f.faults[what] == text
	f.faults[what] = text
	f.toldMu.Unlock()
	if same {
		return
	}
	if err != nil {
		f.note(netio.Note{What: "trouble", Err: fmt.Errorf("%s: %w", what, err)})
	} else {
		f.note(netio.Note{What: "recovered"})
	}
}

func (f *fabric) note(n netio.Note) {
	if f.config.Notes != nil {
		f.config.Notes(n)
	}
}

// call runs fn on the fabric's goroutine.
func (f *fabric) call(ctx context.Context, fn func()) error {
	ran := make(chan struct{})
	select {
	case f.calls <- func() { fn(); close(ran) }:
		<-ran
		return nil
	case <-f.over:
		return fmt.Errorf("transport: node: %w", net.ErrClosed)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// lay makes what is there into what l says: ways and legs that l does not change are not touched.
func (f *fabric) lay(l *layout) error {
	fars, err := f.fars(l)
	if err != nil {
		return err
	}
	if err := f.openQueues(l); err != nil {
		return err
	}
	legs := legsOf(l)
	if err := f.abandoned(legs); err != nil {
		return err
	}
	faults := []error{f.reshare(l)}
	if f.layout != nil {
		faults = append(faults, f.retrust(l))
	}
	f.layout = l
	changed := map[linkKey]bool{}
	for key, j := range f.links {
		if far, ok := fars[key]; !ok || !sameFar(far, j.far) {
			changed[key] = true
		}
	}
	besides := besidesOf(l)
	faults = append(faults, f.withdraw(besides, changed))
	for key, old := range f.legs {
		if spec, ok := legs[key]; !ok || !old.made(spec) || slices.ContainsFunc(spec.keys(), func(k linkKey) bool { return changed[k] }) {
			_, stays := legs[key]
			faults = append(faults, f.strike(key, !stays))
		}
	}
	for key := range changed {
		faults = append(faults, f.links[key].way.Close())
		delete(f.links, key)
	}
	failed := map[linkKey]string{}
	for _, key := range sortedKeys(fars) {
		if f.links[key] != nil {
			continue
		}
		if err := f.join(key, fars[key]); err != nil {
			if !slices.Contains(slices.Collect(maps.Values(failed)), err.Error()) { // a missing key is missing for each way
				faults = append(faults, err)
			}
			failed[key] = err.Error()
		}
	}
	for key, spec := range legs {
		if f.legs[key] == nil && !slices.ContainsFunc(spec.keys(), func(k linkKey) bool { return failed[k] != "" }) {
			faults = append(faults, f.put(spec))
		}
	}
	f.accompany(besides)
	faults = append(faults, f.accord.lay(l, fars))
	faults = append(faults, f.dismiss(l))
	faults = append(faults, f.take(l))
	for channel, o := range f.outs {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(f.legs)), func(k legKey) bool { return k.channel == channel }) {
			faults = append(faults, o.close())
			delete(f.outs, channel)
		}
	}
	f.order = f.order[:0]
	for _, one := range f.legs {
		f.order = append(f.order, one)
	}
	slices.SortFunc(f.order, func(a, b *leg) int { return strings.Compare(a.channel+" "+a.node, b.channel+" "+b.node) })
	return errors.Join(faults...)
}

func sortedKeys(fars map[linkKey]netio.Far) []linkKey {
	keys := make([]linkKey, 0, len(fars))
	for k := range fars {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b linkKey) int {
		return strings.Compare(fmt.Sprint(a.protocol, a.node, a.stripe), fmt.Sprint(b.protocol, b.node, b.stripe))
	})
	return keys
}

// join opens a way, and its medium if it is the first of it.
func (f *fabric) join(key linkKey, far netio.Far) error {
	ways := f.ways[key.protocol]
	if ways == nil {
		var err error
		if ways, err = f.open(key.protocol); err != nil {
			return err
		}
		f.ways[key.protocol] = ways
	}
	f.node.observer.times(key, far)
	w, err := ways.To(far)
	if err != nil {
		return fmt.Errorf("transport: %s to node %q: %w", key.protocol, key.node, err)
	}
	if _, ok := w.(netio.Keyed); !ok && slices.ContainsFunc(far.Exchanges, func(e netio.Exchange) bool { return e.Agreed }) {
		return errors.Join(fmt.Errorf("transport: %s to node %q: it takes no secrets that nodes agree on: name one in the transport_config of its channels", key.protocol, key.node), w.Close())
	}
	f.links[key] = &joint{w, far}
	return nil
}

// open opens a medium where this node listens.
func (f *fabric) open(protocol string) (netio.Ways, error) {
	i := slices.IndexFunc(f.config.Media, func(m Medium) bool { return m.Protocol() == protocol })
	if i < 0 {
		return nil, fmt.Errorf("%w: the topology has channels by %s, and Media does not: %s", ErrConfig, protocol,
			listed(f.config.Media, func(m Medium) string { return m.Protocol() }))
	}
	own := f.layout.topology.Node(f.layout.at)
	id, err := f.who(own)
	if err != nil {
		return nil, err
	}
	s := netio.Station{Node: own.Name, Start: f.start, Identity: id, Notes: f.note, Loop: f.config.Loop, Traced: f.node.traced(protocol)}
	s.Loop.Name = protocol
	all, err := addresses(own, portOf(own, protocol))
	if err != nil {
		return nil, err
	}
	s.Bind = all[0]
	ways, err := f.config.Media[i].Open(s)
	if err != nil {
		return nil, fmt.Errorf("transport: node %q: %s: %w", own.Name, protocol, err)
	}
	return ways, nil
}

// who is the node's identity, from the files that the topology names unless the Config has one; nil: there is none.
func (f *fabric) who(own *topo.Node) (netio.Identity, error) {
	switch {
	case f.config.Identity != nil:
		return f.config.Identity, nil
	case f.identity != nil:
		return f.identity, nil
	case own.Trust.Certificate == "":
		return nil, nil
	}
	o := f.layout.trusts()
	o.Events = func(e trust.Event) { f.note(netio.Note{What: "certificate " + e.Kind.String(), Err: e.Err}) }
	id, err := trust.Open(o)
	if err != nil {
		return nil, fmt.Errorf("transport: %s: node %q: %w", own.At, own.Name, err)
	}
	f.identity = id
	return id, nil
}

// trusts is what the topology says of the node's certificate and of whom it believes: all other nodes, if nobody is named.
func (l *layout) trusts() trust.Options {
	t := l.topology.Node(l.at).Trust
	if len(t.Allow) == 0 {
		for _, n := range l.topology.Nodes {
			t.Allow = append(t.Allow, n.Name)
		}
	}
	return trust.Options{Cert: t.Certificate, Key: t.Key, CA: t.Authorities, Allow: t.Allow}
}

// retrust has the identity that was opened here be as l says.
func (f *fabric) retrust(l *layout) error {
	is, was := l.trusts(), f.layout.trusts()
	if f.identity == nil || is.Cert == "" || reflect.DeepEqual(is, was) {
		return nil
	}
	if err := f.identity.Change(is); err != nil {
		return fmt.Errorf("transport: node %q: %w", l.at, err)
	}
	return nil
}

func portOf(n *topo.Node, protocol string) uint16 {
	switch protocol {
	case "udp", "xdp":
		return n.Ports.UDP
	case "quic":
		return n.Ports.QUIC
	}
	return n.Ports.TCP
}

// addresses are where a node is reached. A name is looked up once, here.
func addresses(n *topo.Node, port uint16) (all []netip.AddrPort, err error) {
	names := n.Addresses
	if len(names) == 0 {
		names = []string{n.Hostname}
	}
	var faults []error
	for _, name := range names {
		found, err := lookUp(name)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		for _, a := range found {
			all = append(all, netip.AddrPortFrom(a.Unmap(), port))
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%w: %s: node %q has no address: %w", ErrConfig, n.At, n.Name, errors.Join(faults...))
	}
	return all, nil
}

// put makes a leg and gives it the rings that are there.
func (f *fabric) put(spec legSpec) error {
	l := &leg{channel: spec.channel, node: spec.node, spec: spec}
	var links []route.Link
	for i, way := range spec.ways {
		var stripes []netio.Way
		var queue netio.QueueWay
		if way.line != nil {
			var err error
			if queue, err = f.ship(way); err != nil {
				return fmt.Errorf("transport: channel %q to node %q: %w", spec.channel, spec.node, err)
			}
			f.node.observer.timesQueue(queue, watch.Carried, spec.channel, spec.node, way.protocol)
			stripes = append(stripes, queue)
		}
		for _, key := range spec.keysOf(i) {
			j := f.links[key]
			if j == nil {
				return fmt.Errorf("transport: channel %q to node %q: no %s", spec.channel, spec.node, key.protocol)
			}
			stripes = append(stripes, j.way)
		}
		c, err := newCandidate(l, way.protocol, stripes, spec.balance, spec.breaker)
		if err != nil {
			return fmt.Errorf("transport: channel %q to node %q: %w", spec.channel, spec.node, err)
		}
		c.queue = queue
		l.ways, links = append(l.ways, c), append(links, c)
	}
	var err error
	if l.failover, err = route.NewFailover(links, route.FailoverOptions{HoldDown: f.config.HoldDown, LagBelow: l.leastLag(), Events: func(s route.Switch) { f.switched(l, s) }}); err != nil {
		return err
	}
	o := f.outs[spec.channel]
	if o == nil {
		o = &outgoing{dir: filepath.Join(f.config.Dir, spec.channel), files: map[string]outfile{}}
		f.outs[spec.channel] = o
	}
	shared := f.shareOf(legKey{spec.channel, spec.node})
	for _, file := range o.files {
		if shared == nil || shared.at[file.ring] == spec.node {
			l.rings = append(l.rings, file.ring)
		}
	}
	f.legs[legKey{spec.channel, spec.node}] = l
	return nil
}

// switched tells of a change of ways.
func (f *fabric) switched(l *leg, s route.Switch) {
	if s.Cause == route.CauseStart || s.To < 0 {
		return
	}
	f.note(netio.Note{Medium: l.ways[s.To].protocol, Node: l.node, Channel: l.channel, What: s.Cause.String()})
}

// strike takes a leg away: whoever carries its rings lets go of them, within a bound. What nobody will carry any more is let go in the
// rings, too, so that publishers do not wait for it.
func (f *fabric) strike(key legKey, forGood bool) error {
	l := f.legs[key]
	delete(f.legs, key)
	for end := time.Now().Add(time.Second); !l.failover.Stop(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("transport: channel %q to node %q: its ways do not let go", key.channel, key.node)
		}
	}
	faults := []error{l.leaveQueues()}
	for _, r := range l.rings {
		if !forGood {
			break
		}
		if f.keeps(key, r) {
			continue
		}
		if err := r.Forget(l.spec.place()); err != nil && !errors.Is(err, ring.ErrRange) {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// placeOf is the name of the place in a ring from which a node's ways read it, whichever of them does.
func placeOf(node string) string {
	name := "to " + node
	return name[:min(len(name), maxName)]
}

// close ends everything. Places in rings stay for the next life.
func (f *fabric) close() error {
	faults := []error{f.accord.close(), f.withdraw(nil, nil)}
	for _, j := range f.links {
		faults = append(faults, j.way.Close())
	}
	for _, w := range f.ways {
		faults = append(faults, w.Close())
	}
	if f.crew != nil {
		f.crew.Close()
	}
	for _, c := range f.comparisons {
		faults = append(faults, c.close())
	}
	for _, q := range f.queues {
		faults = append(faults, q.Close())
	}
	for _, m := range f.mirrors {
		faults = append(faults, m.Close())
	}
	for _, o := range f.outs {
		faults = append(faults, o.close())
	}
	if f.identity != nil {
		faults = append(faults, f.identity.Close())
	}
	for _, one := range f.leaving {
		faults = append(faults, ignoreClosed(one.ring.Close()))
	}
	return errors.Join(faults...)
}
