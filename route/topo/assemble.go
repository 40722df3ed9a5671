package topo

import (
	"cmp"
	"path/filepath"
	"slices"
	"time"
)

// How many of each a topology may have. Values are laid over every channel, so their number needs a bound.
const (
	MaxNodes    = 1024
	MaxActors   = 16384
	MaxChannels = 4096
)

// Ports a node listens on where its file names none.
const (
	DefaultControlPort = 7400
	DefaultTCPPort     = 7401
	DefaultQUICPort    = 7402
	DefaultUDPPort     = 7403 // and upwards, one for each channel: it is the last
)

// builtIn is a channel nobody said anything about.
func builtIn(name string) Channel {
	return Channel{
		Name:      name,
		RingBytes: 1 << 20,
		NUMA:      -1,
		Slow:      SlowBlock,
		Stripes:   1,
		Balance:   RoundRobin,
		Heartbeat: 100 * time.Millisecond,
		Transport: TransportConfig{
			Timeout: 5 * time.Second,
			Retry:   Retry{First: 100 * time.Millisecond, Max: 30 * time.Second},
			Breaker: Breaker{Failures: 5, Successes: 2, Window: 10 * time.Second, SlowRate: 0.5, Open: time.Minute, Probes: 1},
		},
	}
}

// heartbeats of silence after which a peer counts as gone, where the file does not say.
const livenessBeats = 3

// assemble puts the parts of all files together. Names that stand twice keep their first meaning, with a note.
func (doc *document) assemble(d *decoder) *Topology {
	t := &doc.Topology
	t.Version = cmp.Or(t.Version, "1")
	for _, n := range unique(d, "node", doc.nodes, MaxNodes, func(n nodeDraft) (string, Position) { return n.Name, n.At }) {
		doc.usesRemotes = doc.usesRemotes || len(n.placements) > 0 || len(n.locals) > 0
		t.Placements = append(t.Placements, n.placements...)
		doc.locals = append(doc.locals, n.locals...)
		t.Nodes = append(t.Nodes, n.finish())
	}
	for _, a := range unique(d, "actor", doc.actors, MaxActors, func(a actorDraft) (string, Position) { return a.Name, a.At }) {
		t.Actors = append(t.Actors, a.Actor)
	}
	t.Queues = unique(d, "queue", t.Queues, len(backends), func(q Queue) (string, Position) { return q.Backend.String(), q.At })
	for i := range t.Queues {
		beside(&t.Queues[i].Directory, t.Queues[i].At.File)
		beside(&t.Queues[i].DeadLetters, t.Queues[i].At.File)
	}
	doc.layChannels(d)
	return t
}

// finish fills in what follows from the rest.
func (n nodeDraft) finish() Node {
	if n.Region == "" {
		n.Region = n.Site
	}
	if n.CPUs == nil && n.cores > 0 {
		for c := range n.cores {
			n.CPUs = append(n.CPUs, c)
		}
	}
	for _, one := range n.NUMA {
		if n.cores == 0 && one.CPUs != nil {
			n.CPUs = append(n.CPUs, one.CPUs...)
		}
	}
	slices.Sort(n.CPUs)
	n.CPUs = slices.Compact(n.CPUs)
	p := &n.Ports
	p.Control, p.TCP = cmp.Or(p.Control, DefaultControlPort), cmp.Or(p.TCP, DefaultTCPPort)
	p.UDP, p.QUIC = cmp.Or(p.UDP, DefaultUDPPort), cmp.Or(p.QUIC, DefaultQUICPort)
	for _, path := range []*string{&n.Trust.Certificate, &n.Trust.Key, &n.Trust.Authorities} {
		beside(path, n.At.File)
	}
	return n.Node
}

// beside makes a relative path one that begins where the file lies.
func beside(path *string, file string) {
	if *path != "" && !filepath.IsAbs(*path) {
		*path = filepath.Join(filepath.Dir(file), *path)
	}
}

// unique keeps the first of each name, at most so many, and notes the rest.
func unique[T any](d *decoder, what string, all []T, most int, of func(T) (string, Position)) (kept []T) {
	first := map[string]Position{}
	for _, one := range all {
		name, at := of(one)
		if before, twice := first[name]; twice {
			d.at(spot{at, len(name)}, Error, "duplicate-"+what, "keep one of them", "the %s %s stands twice, first at %s", what, quoted(name), before)
			continue
		}
		if len(kept) == most {
			d.at(spot{at, len(name)}, Error, "too-many", "split the topology", "more than %d of this kind: %s", most, what)
			return kept
		}
		first[name] = at
		kept = append(kept, one)
	}
	return kept
}

// layChannels makes every channel that is declared: defaults below, then its profiles, then what it says itself.
func (doc *document) layChannels(d *decoder) {
	profiles := map[string]layer{}
	for _, p := range unique(d, "profile", doc.profiles, MaxChannels, func(l layer) (string, Position) { return l.name, l.spot.Position }) {
		profiles[p.name] = p
		for _, a := range p.sets {
			if a.key == "profiles" {
				d.at(a.spot, Error, "profile", "name both at the channel", "a profile does not use other profiles")
			}
		}
	}
	own, order := map[string][]layer{}, []string{}
	add := func(l layer) {
		if own[l.name] == nil {
			if len(order) == MaxChannels {
				d.at(l.spot, Error, "too-many", "split the topology", "more than %d channels", MaxChannels)
			}
			if len(order) >= MaxChannels {
				return
			}
			order = append(order, l.name)
		}
		own[l.name] = append(own[l.name], l)
	}
	for _, l := range doc.locals {
		add(l)
	}
	for _, l := range doc.channels {
		add(l)
	}
	for _, r := range doc.Routes {
		if !doc.usesRoutes { // only the older schema declares channels at routes
			break
		}
		for i, name := range r.Channels {
			if own[name] == nil {
				at := d.spots[join(r.path, index("channels", i))]
				add(layer{name: name, from: "inter_node", path: r.path, spot: at})
			}
		}
	}
	lowest := append(slices.Clone(doc.network), doc.defaults...)
	d.oncePerKey(doc.defaults)
	for _, name := range order {
		doc.Channels = append(doc.Channels, d.channel(name, lowest, profiles, own[name]))
	}
}

// oncePerKey notes keys that several layers of one height set.
func (d *decoder) oncePerKey(layers []layer) {
	first := map[string]spot{}
	for _, l := range layers {
		for _, a := range l.sets {
			if before, twice := first[a.key]; twice {
				d.at(a.spot, Error, "set-twice", "keep one of them", "%s is set twice, first at %s", a.key, before.Position)
				continue
			}
			first[a.key] = a.spot
		}
	}
}

// channel lays the layers of one channel over each other.
func (d *decoder) channel(name string, lowest []layer, profiles map[string]layer, own []layer) Channel {
	c := builtIn(name)
	c.At, c.Origins = own[0].spot.Position, map[string]Origin{}
	var chosen Channel
	var said []layer // what the channel says itself, once per key
	for _, l := range own {
		apply(&chosen, l.sets)
		if l.node != "" {
			c.Local = append(c.Local, l.node)
			continue
		}
		said = append(said, l)
	}
	d.oncePerKey(said)
	lay := func(l layer) {
		for _, a := range l.sets {
			a.apply(&c)
			c.Origins[a.key] = Origin{From: l.from, At: a.spot.Position}
		}
	}
	for _, l := range lowest {
		lay(l)
	}
	for i, p := range chosen.profiles {
		l, ok := profiles[p]
		if !ok {
			remedy := "define it under profiles"
			if near := suggest(p, keys(profiles)); near != "" {
				remedy = "did you mean " + near + "?"
			}
			d.at(d.profileSpot(own, i), Error, "unknown-profile", remedy, "there is no profile %s", quoted(p))
			continue
		}
		lay(l)
	}
	for _, l := range own {
		if l.node != "" {
			lay(l)
		}
	}
	for _, l := range said {
		lay(l)
	}
	c.profiles = chosen.profiles
	if _, stated := c.Origins["liveness"]; !stated {
		c.Liveness = livenessBeats * c.Heartbeat
	}
	for _, l := range channelTable.leaves(&c) {
		if o, stated := c.Origins[l.key]; stated {
			o.Value = l.text
			c.Origins[l.key] = o
		}
	}
	return c
}

// profileSpot is where a channel names its i-th profile.
func (d *decoder) profileSpot(own []layer, i int) spot {
	for _, l := range own {
		if s, ok := d.spots[join(l.path, index("profiles", i))]; ok {
			return s
		}
	}
	return own[0].spot
}

func keys[V any](m map[string]V) (all []string) {
	for k := range m {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}
