package topo

import "slices"

// checkWays holds every channel against the pairs of nodes it joins.
func (c *checks) checkWays() {
	budget := maxPairs
	for i := range c.t.Channels {
		ch := &c.t.Channels[i]
		from, to := c.nodesOf(c.pubs[ch.Name]), c.nodesOf(c.subs[ch.Name])
		if budget -= len(from) * len(to); budget < 0 {
			c.d.at(spot{ch.At, len(ch.Name)}, Error, "too-many", "split the topology", "channels join more than %d pairs of nodes", maxPairs)
			return
		}
		c.checkLocal(ch)
		said := map[string]bool{} // once for each rule and channel
		for _, a := range from {
			for _, b := range to {
				c.checkWay(ch, a, b, said)
			}
		}
	}
}

// nodesOf lists the nodes actors are placed on, each once.
func (c *checks) nodesOf(actors []*Actor) (all []*Node) {
	seen := map[*Node]bool{}
	for _, a := range actors {
		for _, p := range c.places[a.Name] {
			if n := c.nodes[p.Node]; n != nil && !seen[n] {
				seen[n] = true
				all = append(all, n)
			}
		}
	}
	return all
}

// checkWay looks at one channel from one node to another.
func (c *checks) checkWay(ch *Channel, a, b *Node, said map[string]bool) {
	if a == b {
		return
	}
	k := ch.Transport
	at := func(key string) spot { return c.stated(ch, key) }
	r := c.route(a.Name, b.Name, ch.Name)
	if r != nil {
		if r.Transport.Encryption != EncryptAuto {
			k.Encryption = r.Transport.Encryption
			at = func(string) spot { return c.spot(r.path+".encryption", r.At) }
		}
		if r.Transport.Protocol != Auto {
			k.Protocol = r.Transport.Protocol
		}
	}
	say := func(s spot, severity Severity, rule, remedy, format string, args ...any) {
		if !said[rule] {
			said[rule] = true
			c.d.at(s, severity, rule, remedy, format, args...)
		}
	}
	if CrossesRegion(a, b) && k.Encryption == EncryptNone && k.Mode != ModeQueue {
		say(at("encryption"), Error, "region-plain", "leave encryption out", "%s goes unencrypted from %s to %s, which leaves the region %s", ch.Name, a.Name, b.Name, quoted(a.Region))
	}
	switch {
	case k.Protocol == SharedMemory && k.Mode == ModeDirect:
		say(c.stated(ch, "protocol"), Error, "far-memory-link", "protocol tcp or quic, or leave it out", "%s asks for shared memory and goes from %s to %s", ch.Name, a.Name, b.Name)
	case (k.Protocol == UDP || k.Protocol == XDP) && CrossesRegion(a, b):
		say(c.stated(ch, "protocol"), Warning, "region-datagrams", "protocol quic", "%s goes as bare datagrams from %s to %s, which leaves the region %s", ch.Name, a.Name, b.Name, quoted(a.Region))
	}
	for _, n := range []*Node{a, b} {
		c.checkInterface(ch, k, n, say)
	}
	if c.doc.usesRoutes && c.routes[between(a.Name, b.Name)] == nil {
		say(spot{ch.At, len(ch.Name)}, Warning, "no-route", "add one to inter_node.routes", "%s goes from %s to %s, and no route does", ch.Name, a.Name, b.Name)
	}
}

func (c *checks) checkInterface(ch *Channel, k TransportConfig, n *Node, say func(spot, Severity, string, string, string, ...any)) {
	has := func(ok func(Interface) bool) bool {
		return len(n.Interfaces) == 0 || slices.ContainsFunc(n.Interfaces, ok)
	}
	if k.Interface != "" && !has(func(i Interface) bool { return i.Name == k.Interface }) {
		say(c.stated(ch, "interface"), Error, "unknown-interface", "list it under interfaces of the node", "%s has no interface %s, which %s asks for", n.Name, quoted(k.Interface), ch.Name)
		return
	}
	offers := func(i Interface) bool { return i.XDP != XDPOff && (k.Interface == "" || i.Name == k.Interface) }
	switch {
	case k.Protocol != XDP:
	case len(n.Interfaces) == 0:
		say(c.stated(ch, "protocol"), Warning, "xdp-unknown", "add interfaces with xdp", "%s goes by xdp, and the interfaces of %s are not listed", ch.Name, n.Name)
	case !has(offers):
		say(c.stated(ch, "protocol"), Error, "no-xdp", "add xdp: copy or zero_copy to an interface, or protocol udp", "%s goes by xdp, and no interface of %s offers it", ch.Name, n.Name)
	}
}

// checkLocal holds files of the older schema to their rule that a channel within a node is declared there.
func (c *checks) checkLocal(ch *Channel) {
	if !c.doc.usesRemotes || c.declared[ch.Name] {
		return
	}
	readers := map[string]*Actor{} // by node
	for _, b := range c.subs[ch.Name] {
		for _, p := range c.places[b.Name] {
			readers[p.Node] = b
		}
	}
	for _, a := range c.pubs[ch.Name] {
		for _, p := range c.places[a.Name] {
			if b := readers[p.Node]; b != nil && c.nodes[p.Node] != nil && !slices.Contains(ch.Local, p.Node) {
				c.d.at(c.use(a, "outputs", ch.Name), Error, "not-local", "add it to local_channels of "+p.Node, "%s and %s exchange %s on %s, which does not declare it",
					a.Name, b.Name, ch.Name, p.Node)
				return
			}
		}
	}
}
