package route

import (
	"slices"

	"github.com/alphapulse/transport/route/topo"
)

// question is one channel from one actor to another: what the rules are asked.
type question struct {
	r        *resolver
	ch       *topo.Channel
	k        topo.TransportConfig // the channel's, with the route's laid over it
	route    *topo.Route
	from, to Place
	a, b     *topo.Node // nil if the file has no actors
	distance Distance
}

// ask puts the question together.
func (r *resolver) ask(ch *topo.Channel, from, to topo.Placement) *question {
	q := &question{r: r, ch: ch, k: ch.Transport, a: r.nodes[from.Node], b: r.nodes[to.Node]}
	q.from, q.to = placeOf(from, q.a), placeOf(to, q.b)
	q.distance = distanceOf(q.from, q.to, q.a, q.b)
	if !q.distance.oneNode() {
		if q.route = r.t.Route(from.Node, to.Node, ch.Name); q.route != nil {
			q.k = overlay(q.k, q.route.Transport)
		}
	}
	return q
}

// placeOf finds the memory node of a placement that names none by its CPUs.
func placeOf(p topo.Placement, n *topo.Node) Place {
	place := Place{p.Actor, p.Node, p.Process, p.NUMA}
	if n == nil || p.NUMA >= 0 {
		return place
	}
	if len(n.NUMA) == 1 {
		place.NUMA = n.NUMA[0].ID
	}
	for _, one := range n.NUMA {
		if len(p.CPUs) > 0 && !slices.ContainsFunc(p.CPUs, func(cpu int) bool { return !slices.Contains(one.CPUs, cpu) }) {
			place.NUMA = one.ID
		}
	}
	return place
}

func distanceOf(from, to Place, a, b *topo.Node) Distance {
	switch {
	case from.Node == to.Node && (from.Process != "" && from.Process == to.Process || from.Actor == to.Actor):
		return SameProcess
	case from.Node == to.Node && (len(a.NUMA) <= 1 || from.NUMA >= 0 && from.NUMA == to.NUMA):
		return SameNUMA
	case from.Node == to.Node:
		return OtherNUMA
	case topo.CrossesRegion(a, b) || a.Region == "" && a.Site != b.Site:
		return OtherRegion
	case a.Site != b.Site:
		return OtherSite
	}
	return SameSite
}

// overlay lays what a route says over what its channel says.
func overlay(k, over topo.TransportConfig) topo.TransportConfig {
	set := func(at *uint8, v uint8) {
		if v != 0 {
			*at = v
		}
	}
	set((*uint8)(&k.Mode), uint8(over.Mode))
	set((*uint8)(&k.Protocol), uint8(over.Protocol))
	set((*uint8)(&k.Compression), uint8(over.Compression))
	set((*uint8)(&k.Encryption), uint8(over.Encryption))
	set((*uint8)(&k.Backend), uint8(over.Backend))
	set((*uint8)(&k.Durability), uint8(over.Durability))
	set((*uint8)(&k.Shadow), uint8(over.Shadow))
	if over.Mode == topo.ModeFallback {
		k.Pair = over.Pair
	}
	if over.CompressionLevel != 0 {
		k.CompressionLevel = over.CompressionLevel
	}
	if !over.Secret.IsZero() {
		k.Secret = over.Secret
	}
	for _, text := range []struct {
		at *string
		v  string
	}{{&k.RoutingKey, over.RoutingKey}, {&k.Queue, over.Queue}, {&k.Interface, over.Interface}, {&k.Group, over.Group}} {
		if text.v != "" {
			*text.at = text.v
		}
	}
	if over.Connections != 0 {
		k.Connections = over.Connections
	}
	return k
}

func (q *question) guaranteed() bool { return q.ch.Reliability == topo.GuaranteedDelivery }
func (q *question) crosses() bool    { return q.distance == OtherRegion }

// protects: the bytes must not be readable or forgeable on the way, whatever the file says.
func (q *question) protects() bool { return q.crosses() || q.ch.Security >= topo.Authenticated }

// stated is a key with its value and the place that states it.
func (q *question) stated(key string) string {
	if o, ok := q.ch.Origins[key]; ok {
		return key + " " + o.String()
	}
	if q.route != nil {
		return key + " of the route"
	}
	return key
}

// spot is where a finding about a key stands.
func (q *question) spot(key string) topo.Position {
	if o, ok := q.ch.Origins[key]; ok {
		return o.At
	}
	if q.route != nil && q.route.At.IsValid() {
		return q.route.At
	}
	return q.ch.At
}

// withoutXDP says why the two nodes cannot be joined past the kernel's sockets; "" if they can. Interfaces that are not listed may
// have it: who asks for it by name is believed, a rule does not guess.
func (q *question) withoutXDP(byName bool) string {
	for _, n := range []*topo.Node{q.a, q.b} {
		switch {
		case n == nil || len(n.Interfaces) == 0:
			if byName {
				continue
			}
			if n == nil {
				return "no interface is known that offers AF_XDP"
			}
			return "the interfaces of " + n.Name + " are not listed"
		case q.xdpInterface(n) == nil:
			return "no interface of " + n.Name + " offers AF_XDP"
		}
	}
	return ""
}

// xdpInterface is an interface of n that offers AF_XDP, zero copy before copy.
func (q *question) xdpInterface(n *topo.Node) (best *topo.Interface) {
	for i := range n.Interfaces {
		f := &n.Interfaces[i]
		if f.XDP != topo.XDPOff && (q.k.Interface == "" || q.k.Interface == f.Name) && (best == nil || f.XDP > best.XDP) {
			best = f
		}
	}
	return best
}

// legal says why a protocol that the file asks for cannot join the two; "" if it can.
func (q *question) legal(m Medium) string {
	switch {
	case m == MappedRing:
		return "different machines share no memory"
	case m == XDP:
		return q.withoutXDP(true)
	}
	return ""
}
