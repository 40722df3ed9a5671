package route

import (
	"fmt"

	"github.com/alphapulse/transport/route/topo"
)

// maxDecisions bounds a plan: one decision for each channel, publisher and subscriber.
const maxDecisions = 100_000

// Resolve decides how each channel of a topology travels from each of its publishers to each of its subscribers. It is pure: the same
// topology gives the same plan. Findings with an Error mean that the plan must not run; each decision then says what the rules
// would have done otherwise. A file without actors gets one decision a channel, as for two nodes of one site.
func Resolve(t *topo.Topology) (*Plan, topo.Findings) {
	r := &resolver{t: t, said: map[[2]string]bool{}, places: map[string][]topo.Placement{}, nodes: map[string]*topo.Node{}}
	for i := range t.Nodes {
		r.nodes[t.Nodes[i].Name] = &t.Nodes[i]
	}
	for _, p := range t.Placements {
		r.places[p.Actor] = append(r.places[p.Actor], p)
	}
	plan := &Plan{Name: t.Name, Nodes: nodesOf(t), Queues: t.Queues}
	for i := range t.Channels {
		ch := &t.Channels[i]
		c := ChannelPlan{Channel: *ch}
		if len(t.Actors) == 0 {
			c.Decisions = append(c.Decisions, r.unplaced(ch))
		} else {
			r.channel(&c, ch)
		}
		plan.Channels = append(plan.Channels, c)
	}
	return plan, r.findings
}

// resolver goes through one topology.
type resolver struct {
	t        *topo.Topology
	nodes    map[string]*topo.Node
	places   map[string][]topo.Placement // by actor
	decided  int
	findings topo.Findings
	said     map[[2]string]bool // rule and channel: each is said once
}

// channel decides for each publisher and subscriber of a channel.
func (r *resolver) channel(c *ChannelPlan, ch *topo.Channel) {
	publishers, subscribers := r.users(ch, true), r.users(ch, false)
	for _, from := range publishers {
		var own []Decision
		for _, to := range subscribers {
			if r.decided++; r.decided > maxDecisions {
				r.find(topo.Error, "too-many", ch, ch.At, "split the topology", "the topology has more than %d pairs of publishers and subscribers", maxDecisions)
				return
			}
			own = append(own, r.ask(ch, from, to).decide())
		}
		c.Rings = append(c.Rings, ringOf(ch, placeOf(from, r.nodes[from.Node]), own))
		c.Decisions = append(c.Decisions, own...)
	}
}

// users lists where a channel's publishers or subscribers are placed, in the order of the actors.
func (r *resolver) users(ch *topo.Channel, publish bool) (all []topo.Placement) {
	for i := range r.t.Actors {
		a := &r.t.Actors[i]
		uses := a.Inputs
		if publish {
			uses = a.Outputs
		}
		for _, name := range uses {
			if name == ch.Name {
				all = append(all, r.placed(ch, a)...)
				break
			}
		}
	}
	return all
}

// placed lists the placements of an actor on nodes that exist.
func (r *resolver) placed(ch *topo.Channel, a *topo.Actor) (all []topo.Placement) {
	for _, p := range r.places[a.Name] {
		if r.nodes[p.Node] == nil {
			r.find(topo.Error, "unknown-node", ch, p.At, "name a node of the file", "%s is placed on %q, which is no node", a.Name, p.Node)
			continue
		}
		all = append(all, p)
	}
	if len(r.places[a.Name]) == 0 {
		r.find(topo.Warning, "unplaced-actor", ch, a.At, "place it on a node", "%s is placed nowhere: %s does not reach it", a.Name, ch.Name)
	}
	return all
}

// unplaced decides for a channel without actors.
func (r *resolver) unplaced(ch *topo.Channel) Decision {
	q := &question{r: r, ch: ch, k: ch.Transport, from: Place{NUMA: -1}, to: Place{NUMA: -1}, distance: Unplaced}
	return q.decide()
}

func (r *resolver) find(s topo.Severity, rule string, ch *topo.Channel, at topo.Position, remedy, format string, args ...any) {
	if key := [2]string{rule, ch.Name}; !r.said[key] {
		r.said[key] = true
		r.findings = append(r.findings, topo.Finding{Severity: s, Rule: rule, At: at, Message: fmt.Sprintf(format, args...), Remedy: remedy, Width: 1})
	}
}

func (q *question) find(s topo.Severity, rule, key, remedy, format string, args ...any) {
	q.r.find(s, rule, q.ch, q.spot(key), remedy, format, args...)
}

// decide answers the question.
func (q *question) decide() Decision {
	d := Decision{Channel: q.ch.Name, From: q.from, To: q.to, Distance: q.distance}
	d.Primary, d.Secondary = q.ways()
	d.Recorded = q.k.Mode == topo.ModeHybrid
	d.Shadow = q.shadow(d.Primary)
	for _, w := range []*Way{&d.Primary, d.Secondary, d.Shadow} {
		if w != nil {
			q.furnish(w)
		}
	}
	d.Rejected = q.rejected(&d.Primary, d.Secondary, d.Shadow)
	d.Durability = d.Primary.Durability
	if d.Secondary != nil {
		d.Durability = min(d.Durability, d.Secondary.Durability)
	}
	q.judgeLatency(&d)
	return d
}

// judgeLatency warns of a channel that is carried more slowly than it asks for.
func (q *question) judgeLatency(d *Decision) {
	took := d.Primary.Expected
	if c := q.ch.Criticality; c != 0 && classOf(took) > c {
		q.find(topo.Warning, "late", "criticality", "bring the two closer together, or ask for less",
			"%s asks for %s and takes about %s from %s to %s", q.ch.Name, c, took, q.from, q.to)
	}
	if q.route != nil && q.route.Latency > 0 && took > q.route.Latency {
		q.r.find(topo.Warning, "late-route", q.ch, q.route.At, "raise the target, or name a quicker protocol",
			"%s takes about %s from %s to %s, and the route asks for %s", q.ch.Name, took, q.from.Node, q.to.Node, q.route.Latency)
	}
}
