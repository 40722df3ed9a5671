package topo

import (
	"fmt"
	"slices"
)

// maxPairs bounds how many pairs of nodes the channels of a topology may join. Each gets a link and a check.
const maxPairs = 1_000_000

// checks looks at what only the whole topology shows.
type checks struct {
	d   *decoder
	doc *document
	t   *Topology

	nodes    map[string]*Node
	drafts   map[string]*nodeDraft
	actors   map[string]*Actor
	channels map[string]*Channel
	places   map[string][]*Placement // by actor
	pubs     map[string][]*Actor     // by channel
	subs     map[string][]*Actor
	routes   map[[2]string][]*Route // by nodes, the lesser name first
	declared map[string]bool        // channels that the file describes outside of nodes and routes
	names    struct{ nodes, actors, channels []string }
}

func newChecks(d *decoder, doc *document, t *Topology) *checks {
	c := &checks{d: d, doc: doc, t: t, nodes: map[string]*Node{}, drafts: map[string]*nodeDraft{}, actors: map[string]*Actor{},
		channels: map[string]*Channel{}, places: map[string][]*Placement{}, pubs: map[string][]*Actor{}, subs: map[string][]*Actor{},
		routes: map[[2]string][]*Route{}, declared: map[string]bool{}}
	for _, l := range doc.channels {
		c.declared[l.name] = true
	}
	for i := range doc.nodes {
		if n := &doc.nodes[i]; c.drafts[n.Name] == nil {
			c.drafts[n.Name] = n
		}
	}
	for i := range t.Nodes {
		c.nodes[t.Nodes[i].Name] = &t.Nodes[i]
	}
	for i := range t.Channels {
		c.channels[t.Channels[i].Name] = &t.Channels[i]
	}
	for i := range t.Actors {
		a := &t.Actors[i]
		c.actors[a.Name] = a
		for _, name := range a.Outputs {
			c.pubs[name] = append(c.pubs[name], a)
		}
		for _, name := range a.Inputs {
			c.subs[name] = append(c.subs[name], a)
		}
	}
	for i := range t.Placements {
		p := &t.Placements[i]
		c.places[p.Actor] = append(c.places[p.Actor], p)
	}
	for i := range t.Routes {
		r := &t.Routes[i]
		k := between(r.From, r.To)
		c.routes[k] = append(c.routes[k], r)
	}
	c.names.nodes, c.names.actors, c.names.channels = keys(c.nodes), keys(c.actors), keys(c.channels)
	return c
}

func (c *checks) run() {
	c.checkActors()
	c.checkNodes()
	c.checkPlacements()
	c.checkRoutes()
	for i := range c.t.Channels {
		ch := &c.t.Channels[i]
		c.checkValues(ch)
		c.checkUse(ch)
	}
	c.checkWays()
}

func between(a, b string) [2]string { return [2]string{min(a, b), max(a, b)} }

// spot is where a path of the file stands, or at if it was not recorded.
func (c *checks) spot(path string, at Position) spot {
	if s, ok := c.d.spots[path]; ok && s.File == at.File {
		return s
	}
	return spot{at, 1}
}

// stated is where a channel's key was stated, otherwise the channel.
func (c *checks) stated(ch *Channel, key string) spot {
	if o, ok := ch.Origins[key]; ok {
		return spot{o.At, len(o.Value)}
	}
	return spot{ch.At, len(ch.Name)}
}

// here reports whether the channel itself states a key, not defaults or a profile: only then a key without effect is odd.
func here(ch *Channel, key string) bool {
	o := ch.Origins[key].From
	return o == "channel" || o == "transport_config"
}

// unknown is the remedy for a name that nothing has.
func unknown(name string, known []string) string {
	if near := suggest(name, known); near != "" {
		return "did you mean " + near + "?"
	}
	if len(known) == 0 {
		return "the file defines none"
	}
	if len(known) > 8 {
		return fmt.Sprintf("the file defines %d others", len(known))
	}
	return "known are " + list(known)
}

// route is what the file says about a channel between two nodes, as Topology.Route, without looking at all routes.
func (c *checks) route(a, b, channel string) *Route {
	var general *Route
	for _, r := range c.routes[between(a, b)] {
		if slices.Contains(r.Channels, channel) {
			return r
		}
		if len(r.Channels) == 0 && general == nil {
			general = r
		}
	}
	return general
}
