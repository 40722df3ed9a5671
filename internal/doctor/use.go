package doctor

import (
	"fmt"
	"slices"

	"github.com/alphapulse/transport/route"
	"github.com/alphapulse/transport/route/topo"
)

// Use is what a node will use of the host. The zero Use names nothing: hot cores are the isolated ones then, and what depends on interfaces,
// memory, journals and brokers is skipped or held to a usual size.
type Use struct {
	Cores      []int // that loops are pinned to
	Interfaces []Interface
	RingBytes  uint64 // of all rings, those filled from other nodes included
	HugeBytes  uint64 // of these, on huge pages
	XDP        bool   // datagrams go past the kernel's sockets
	Multicast  int    // groups that are joined
	Network    bool   // something leaves the machine
	Journals   []string
	Brokers    []Broker

	planned bool // from a topology: what is not in it is not used
}

// Interface is a network interface that will be used.
type Interface struct {
	Name string
	MTU  int // that is counted on; 0: any
}

// Broker is where a durable queue is.
type Broker struct {
	Backend   string
	Addresses []string // HOST:PORT
}

// UseOf reads from a resolved topology what a node will use.
func UseOf(t *topo.Topology, p *route.Plan, node string) (Use, error) {
	n := t.Node(node)
	if n == nil {
		return Use{}, fmt.Errorf("doctor: the topology has no node %q", node)
	}
	u := Use{planned: true}
	for _, place := range t.Placements {
		if place.Node == node {
			u.Cores = append(u.Cores, place.CPUs...)
		}
	}
	slices.Sort(u.Cores)
	u.Cores = slices.Compact(u.Cores)
	groups, backends, named := map[string]bool{}, map[topo.Backend]bool{}, map[string]bool{}
	for _, c := range p.Channels {
		u.rings(&c, node)
		for _, d := range c.Decisions {
			if d.From.Node != node && d.To.Node != node {
				continue
			}
			for _, w := range []*route.Way{&d.Primary, d.Secondary, d.Shadow} {
				if w == nil {
					continue
				}
				u.way(w)
				groups[w.Group], backends[w.Backend], named[w.Interface] = true, true, true
			}
		}
	}
	delete(groups, "")
	u.Multicast = len(groups)
	for _, i := range n.Interfaces {
		if u.Network && (named[i.Name] || named[""]) {
			u.Interfaces = append(u.Interfaces, Interface{i.Name, i.MTU})
		}
	}
	u.queues(t, backends)
	return u, nil
}

// rings adds what a channel's rings take on the node: its publishers' own, and one for each publisher elsewhere that is subscribed to here.
func (u *Use) rings(c *route.ChannelPlan, node string) {
	add := func(bytes int, huge bool) {
		u.RingBytes += uint64(bytes)
		if huge {
			u.HugeBytes += uint64(bytes)
		}
	}
	for _, r := range c.Rings {
		if r.Node == node {
			add(r.Bytes, r.HugePages)
		}
	}
	far := map[string]bool{}
	for _, d := range c.Decisions {
		if d.To.Node == node && d.From.Node != node && !far[d.From.Actor] {
			far[d.From.Actor] = true
			add(c.Channel.RingBytes, c.Channel.HugePages)
		}
	}
}

func (u *Use) way(w *route.Way) {
	switch w.Medium {
	case route.XDP:
		u.XDP, u.Network = true, true
	case route.UDP, route.TCP, route.QUIC, route.Queue:
		u.Network = true
	}
}

// queues adds how the backends are reached that ways go through.
func (u *Use) queues(t *topo.Topology, backends map[topo.Backend]bool) {
	for _, q := range t.Queues {
		if !backends[q.Backend] {
			continue
		}
		for _, dir := range []string{q.Directory, q.DeadLetters} {
			if dir != "" && !slices.Contains(u.Journals, dir) {
				u.Journals = append(u.Journals, dir)
			}
		}
		if len(q.Addresses) > 0 {
			u.Brokers = append(u.Brokers, Broker{q.Backend.String(), q.Addresses})
		}
	}
}
