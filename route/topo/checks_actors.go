package topo

import (
	"fmt"
	"slices"
)

// checkActors holds actors to their type, their channels and their sources.
func (c *checks) checkActors() {
	sources := map[uint8]*Actor{}
	for i := range c.t.Actors {
		a := &c.t.Actors[i]
		path := "actors." + a.Name
		at := spot{a.At, len(a.Name)}
		c.checkType(a, path, at)
		for _, end := range []struct {
			key  string
			list []string
		}{{"inputs", a.Inputs}, {"outputs", a.Outputs}} {
			for j, name := range end.list {
				if c.channels[name] == nil {
					c.d.at(c.spot(join(path, index(end.key, j)), a.At), Error, "unknown-channel", unknown(name, c.names.channels),
						"the channel %s is declared nowhere", quoted(name))
				}
			}
		}
		if !a.SourceSet || len(a.Outputs) == 0 {
			continue
		}
		if other := sources[a.Source]; other != nil {
			c.d.at(c.spot(path+".source_id", a.At), Error, "duplicate-source", "give each publisher its own",
				"%s and %s have the same source_id %d", other.Name, a.Name, a.Source)
			continue
		}
		sources[a.Source] = a
	}
	for i := range c.doc.actors {
		c.checkDraft(&c.doc.actors[i])
	}
}

func (c *checks) checkType(a *Actor, path string, at spot) {
	wants := map[ActorType][2]bool{Producer: {false, true}, Transformer: {true, true}, Consumer: {true, false}}
	want, known := wants[a.Type]
	if !known {
		return // said when it was read
	}
	for i, end := range []struct {
		key  string
		list []string
	}{{"inputs", a.Inputs}, {"outputs", a.Outputs}} {
		switch {
		case want[i] && len(end.list) == 0:
			c.d.at(at, Error, "actor-type", "name its "+end.key+" or change its type", "%s is a %s without %s", a.Name, a.Type, end.key)
		case !want[i] && len(end.list) > 0:
			c.d.at(c.spot(join(path, end.key), a.At), Error, "actor-type", "leave them out or change its type", "%s is a %s and has %s", a.Name, a.Type, end.key)
		}
	}
}

// checkDraft looks at what only files of the older schema have.
func (c *checks) checkDraft(a *actorDraft) {
	path := "actors." + a.Name
	if a.id != a.Name {
		c.d.at(c.spot(path+".id", a.At), Error, "actor-id", "write the same name", "the actor %s has the id %s", a.Name, quoted(a.id))
	}
	if a.memoryMax > 0 && a.memory > a.memoryMax {
		c.d.at(c.spot(path+".resources.min_memory_mb", a.At), Error, "resources", "raise max_memory_mb", "%s wants at least %s and at most %s of memory",
			a.Name, showSize(a.memory), showSize(a.memoryMax))
	}
	for p, s := range map[string]string{"Replicated": "", "replicated": ""} {
		at, ok := c.d.spots[join(path, "state.state_type."+p+s+".replication_factor")]
		if ok && at.File == a.At.File && (a.copies < 2 || a.copies > len(c.t.Nodes)) {
			c.d.at(at, Error, "replication", fmt.Sprintf("2 to the number of nodes, %d", len(c.t.Nodes)), "the state of %s cannot have %d copies", a.Name, a.copies)
		}
	}
}

// Bounds of the older schema.
const (
	maxActorsOnNode = 64
	maxCPUsOfActor  = 16
	oddMemory       = 1 << 40
	oddCPUs         = 128
)

func (c *checks) checkNodes() {
	type door struct {
		host string
		udp  bool
		port uint16
	}
	doors := map[door]string{}
	regions := 0
	for i := range c.t.Nodes {
		n := &c.t.Nodes[i]
		path := "nodes." + n.Name
		if n.Region != "" {
			regions++
		}
		host := n.Hostname
		if len(n.Addresses) > 0 {
			host = n.Addresses[0]
		}
		for _, p := range []struct {
			key  string
			udp  bool
			port uint16
		}{{"control", false, n.Ports.Control}, {"tcp", false, n.Ports.TCP}, {"udp", true, n.Ports.UDP}, {"quic", true, n.Ports.QUIC}} {
			if other, taken := doors[door{host, p.udp, p.port}]; taken {
				c.d.at(c.spot(join(path, "ports."+p.key), n.At), Error, "port-clash", "give one of them another under ports",
					"%s listens on %s port %d of %s, and %s does, too", n.Name, p.key, p.port, host, other)
				break
			}
			doors[door{host, p.udp, p.port}] = n.Name
		}
		numas := map[int]bool{}
		for _, one := range n.NUMA {
			if numas[one.ID] {
				c.d.at(c.spot(join(path, "numa"), n.At), Error, "numa", "name each once", "%s has the memory node %d twice", n.Name, one.ID)
			}
			numas[one.ID] = true
		}
		for _, f := range n.Interfaces {
			if f.NUMA >= 0 && len(numas) > 0 && !numas[f.NUMA] {
				c.d.at(c.spot(join(path, "interfaces."+f.Name+".numa"), f.At), Error, "numa", "list it under numa", "%s has no memory node %d", n.Name, f.NUMA)
			}
		}
		if dr := c.drafts[n.Name]; dr.memory > oddMemory || len(n.CPUs) > oddCPUs {
			c.d.at(spot{n.At, len(n.Name)}, Warning, "odd-hardware", "check the units", "%s has %s of memory and %d CPUs", n.Name, showSize(dr.memory), len(n.CPUs))
		}
	}
	if regions > 0 && regions < len(c.t.Nodes) {
		for i := range c.t.Nodes {
			if n := &c.t.Nodes[i]; n.Region == "" {
				c.d.at(spot{n.At, len(n.Name)}, Warning, "no-region", "add region", "%s has no region though others have one: every link to it counts as leaving a region", n.Name)
			}
		}
	}
}

// checkPlacements holds placements to the machines they name.
func (c *checks) checkPlacements() {
	taken := map[string]map[int]*Placement{}
	onNode := map[string]int{}
	for i := range c.t.Placements {
		p := &c.t.Placements[i]
		a, n := c.actors[p.Actor], c.nodes[p.Node]
		if a == nil {
			c.d.at(spot{p.At, len(p.Actor)}, Error, "unknown-actor", unknown(p.Actor, c.names.actors), "the actor %s is placed and defined nowhere", quoted(p.Actor))
		}
		if p.Node == "" {
			continue // said when it was read
		}
		if n == nil {
			c.d.at(c.spot(p.path+".node", p.At), Error, "unknown-node", unknown(p.Node, c.names.nodes), "there is no node %s", quoted(p.Node))
			continue
		}
		if onNode[n.Name]++; onNode[n.Name] == maxActorsOnNode+1 {
			c.d.at(spot{p.At, 1}, Error, "crowded-node", "spread them", "more than %d actors on %s", maxActorsOnNode, n.Name)
		}
		c.checkCPUs(p, n)
		if taken[n.Name] == nil {
			taken[n.Name] = map[int]*Placement{}
		}
		for _, cpu := range p.CPUs {
			if o := taken[n.Name][cpu]; o != nil && o.Actor != p.Actor && (p.Process == "" || o.Process != p.Process) {
				c.d.at(c.spot(p.path+".cpus", p.At), Warning, "shared-cpu", "give each its own, or one process", "%s and %s share CPU %d of %s", o.Actor, p.Actor, cpu, n.Name)
				break
			}
			taken[n.Name][cpu] = p
		}
		if dr := c.drafts[n.Name]; dr.memory > 0 && p.MemoryBytes > dr.memory {
			c.d.at(c.spot(p.path+".memory_limit", p.At), Error, "memory", "lower it", "%s may take %s and %s has %s", p.Actor, showSize(p.MemoryBytes), n.Name, showSize(dr.memory))
		}
	}
	for i := range c.t.Actors {
		a := &c.t.Actors[i]
		at := spot{a.At, len(a.Name)}
		ps := c.places[a.Name]
		switch {
		case len(ps) == 0 && c.doc.usesRemotes:
			c.d.at(at, Warning, "unplaced-actor", "place it on a node", "%s is placed nowhere", a.Name)
		case len(ps) == 0:
			c.d.at(at, Error, "unplaced-actor", "add it to placements", "%s is placed nowhere", a.Name)
		case len(ps) > 1 && len(a.Outputs) > 0:
			c.d.at(spot{ps[1].At, len(a.Name)}, Error, "placed-twice", "define one actor for each node: a source publishes in one place", "%s publishes and is placed on %s and %s", a.Name, ps[0].Node, ps[1].Node)
		}
		seen := map[string]bool{}
		for _, p := range ps {
			if seen[p.Node] && len(a.Outputs) == 0 {
				c.d.at(spot{p.At, len(a.Name)}, Error, "placed-twice", "place it once on each node", "%s is placed twice on %s", a.Name, p.Node)
			}
			seen[p.Node] = true
		}
	}
}

func (c *checks) checkCPUs(p *Placement, n *Node) {
	at := c.spot(p.path+".cpus", p.At)
	if len(p.CPUs) > maxCPUsOfActor {
		c.d.at(at, Error, "too-many-cpus", "an actor is one loop, perhaps two", "%s is given %d CPUs, at most %d", p.Actor, len(p.CPUs), maxCPUsOfActor)
		return
	}
	for _, cpu := range p.CPUs {
		if len(n.CPUs) > 0 && !slices.Contains(n.CPUs, cpu) {
			c.d.at(at, Error, "unknown-cpu", "it has "+showCPUs(n.CPUs), "%s has no CPU %d", n.Name, cpu)
			break
		}
	}
	if p.NUMA < 0 {
		return
	}
	i := slices.IndexFunc(n.NUMA, func(one NUMANode) bool { return one.ID == p.NUMA })
	if i < 0 && len(n.NUMA) > 0 {
		c.d.at(c.spot(p.path+".numa", p.At), Error, "unknown-numa", "list it under numa of the node", "%s has no memory node %d", n.Name, p.NUMA)
		return
	}
	for _, cpu := range p.CPUs {
		if i >= 0 && len(n.NUMA[i].CPUs) > 0 && !slices.Contains(n.NUMA[i].CPUs, cpu) {
			c.d.at(at, Warning, "far-memory", "use "+showCPUs(n.NUMA[i].CPUs), "CPU %d of %s is not on memory node %d", cpu, n.Name, p.NUMA)
			return
		}
	}
}

// checkRoutes holds routes to nodes and channels that exist.
func (c *checks) checkRoutes() {
	type way struct {
		nodes   [2]string
		channel string
	}
	said := map[way]Position{}
	for i := range c.t.Routes {
		r := &c.t.Routes[i]
		for _, end := range []struct{ key, name string }{{"from", r.From}, {"to", r.To}} {
			switch {
			case end.name == "":
				c.d.at(spot{r.At, 1}, Error, "missing-key", "add "+end.key, "a route lacks the key %q", end.key)
			case c.nodes[end.name] == nil:
				c.d.at(c.spot(join(r.path, end.key), r.At), Error, "unknown-node", unknown(end.name, c.names.nodes), "there is no node %s", quoted(end.name))
			}
		}
		if r.From != "" && r.From == r.To {
			c.d.at(c.spot(join(r.path, "to"), r.At), Error, "route-to-itself", "channels within a node need none", "a route leads from %s to itself", r.From)
		}
		channels := r.Channels
		if len(channels) == 0 {
			channels = []string{""}
		}
		for j, name := range channels {
			if name != "" && c.channels[name] == nil {
				c.d.at(c.spot(join(r.path, index("channels", j)), r.At), Error, "unknown-channel", unknown(name, c.names.channels), "the channel %s is declared nowhere", quoted(name))
			}
			w := way{between(r.From, r.To), name}
			if before, twice := said[w]; twice && !c.doc.usesRoutes {
				c.d.at(spot{r.At, 1}, Error, "duplicate-route", "keep one of them", "the same route stands twice, first at %s", before)
				break
			}
			said[w] = r.At
		}
	}
}
