package transport

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/route"
	"github.com/alphapulse/transport/route/topo"
)

// ErrTopology says that a topology file is wrong; the text lists all faults with their places. The caller mends it.
var ErrTopology = errors.New("transport: topology")

// layout is what a topology file means for one node.
type layout struct {
	topology *topo.Topology
	plan     *route.Plan
	version  string
	at       string // the node
	actor    string // empty: none of its own
}

// readPlan loads the file and resolves it, for nobody yet. The error has every fault of the file, with its place.
func readPlan(file string) (*layout, error) {
	t, findings := topo.Load(file)
	if err := findings.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTopology, err)
	}
	plan, findings := route.Resolve(t)
	if err := findings.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTopology, err)
	}
	return &layout{topology: t, plan: plan, version: plan.Version()}, nil
}

// readLayout is readPlan for the node and the actor that c names.
func readLayout(c *Config) (*layout, error) {
	l, err := readPlan(c.File)
	if err != nil {
		return nil, err
	}
	l.at, l.actor = c.At, c.Actor
	if err := l.settle(c.File); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return l, nil
}

// settle finds the node, and the actor's place on it.
func (l *layout) settle(file string) error {
	if l.actor != "" {
		if l.topology.Actor(l.actor) == nil {
			return fmt.Errorf("%s has no actor %q: %s", file, l.actor, listed(l.topology.Actors, func(a topo.Actor) string { return a.Name }))
		}
		var nodes []string
		for _, p := range l.topology.PlacementsOf(l.actor) {
			nodes = append(nodes, p.Node)
		}
		switch {
		case l.at == "" && len(nodes) == 1:
			l.at = nodes[0]
		case l.at == "":
			return fmt.Errorf("actor %q runs on %d nodes: say on which one with At: %s", l.actor, len(nodes), strings.Join(nodes, ", "))
		case !slices.Contains(nodes, l.at):
			return fmt.Errorf("actor %q does not run on node %q: %s", l.actor, l.at, cmp.Or(strings.Join(nodes, ", "), "it has no placement"))
		}
	}
	switch {
	case l.at == "":
		return fmt.Errorf("%s: neither Actor nor At says who this is", file)
	case l.topology.Node(l.at) == nil:
		return fmt.Errorf("%s has no node %q: %s", file, l.at, listed(l.topology.Nodes, func(n topo.Node) string { return n.Name }))
	}
	return nil
}

func listed[T any](all []T, name func(T) string) string {
	var names []string
	for _, one := range all {
		names = append(names, name(one))
	}
	return cmp.Or(strings.Join(names, ", "), "it has none")
}

// apply fills in what the file says and c does not.
func (l *layout) apply(c *Config) {
	if c.Dir == "" {
		c.Dir = DirOf(l.topology.Name, l.at)
	}
	if c.Source == "" {
		c.Source = l.actor
	}
	channels := map[string]Channel{}
	for _, p := range l.plan.Channels {
		ch := p.Channel
		one := Channel{Capacity: ch.RingBytes, HugePages: ch.HugePages}
		if ch.Slow == topo.SlowDrop {
			one.Mode = ring.Lossy
		}
		channels[ch.Name] = one
	}
	for name, own := range c.Channels {
		file := channels[name]
		own.Capacity, own.HugePages = cmp.Or(own.Capacity, file.Capacity), own.HugePages || file.HugePages
		if own.Durable == "" && own.Mode == ring.Gate {
			own.Mode = file.Mode
		}
		channels[name] = own
	}
	if a := l.topology.Actor(l.actor); a != nil { // it has a place in every ring, see hold
		for _, name := range a.Inputs {
			if one := channels[name]; one.Durable == "" && one.Mode == ring.Gate {
				one.Durable = a.Name
				one.held = waits(&l.channel(name).Channel) && l.channel(name).Channel.Reliability == topo.GuaranteedDelivery
				channels[name] = one
			}
		}
	}
	c.Channels = channels
}

// DirOf is where the rings of a topology's node are unless a Config says otherwise.
func DirOf(topology, node string) string {
	return filepath.Join(shm(), strings.Join([]string{"pulse", cmp.Or(topology, "topology"), node}, "-"))
}

// shm is memory that is a directory, where there is one.
func shm() string {
	const usual = "/dev/shm"
	if info, err := os.Stat(usual); err == nil && info.IsDir() {
		return usual
	}
	return os.TempDir()
}

// publishes says why the actor may not publish in a channel.
func (l *layout) publishes(channel string) error {
	return l.has(channel, "outputs", func(a *topo.Actor) []string { return a.Outputs })
}

// subscribes says why the actor may not subscribe to a channel.
func (l *layout) subscribes(channel string) error {
	return l.has(channel, "inputs", func(a *topo.Actor) []string { return a.Inputs })
}

func (l *layout) has(channel, what string, of func(*topo.Actor) []string) error {
	if l == nil || l.actor == "" {
		return nil
	}
	a := l.topology.Actor(l.actor)
	if slices.Contains(of(a), channel) {
		return nil
	}
	return fmt.Errorf("%w: %s: actor %q has no channel %q among its %s: %s", ErrConfig, a.At, l.actor, channel, what,
		cmp.Or(strings.Join(of(a), ", "), "it has none"))
}

// farNodes are the nodes that a channel goes to from this one, in order.
func (l *layout) farNodes(channel string) (nodes []string) {
	c := l.plan.Channel(channel)
	if c == nil {
		return nil
	}
	for _, d := range c.Decisions {
		if d.From.Node == l.at && d.To.Node != l.at && d.To.Node != "" && !queueOnly(&d) && !slices.Contains(nodes, d.To.Node) && !l.spared(channel, d.To.Node) {
			nodes = append(nodes, d.To.Node)
		}
	}
	slices.Sort(nodes)
	return nodes
}

// hold keeps places in a ring for those that its channel goes to: the actors of this node, and in a publisher's the nodes of others. What
// is in it before they come waits for them, as far as the ring has room.
func (l *layout) hold(channel string, r *ring.Ring, mirror bool) error {
	c := l.channel(channel)
	if c == nil || r.Info().Path == "" {
		return nil
	}
	var places []ring.ReaderOptions
	if c.Channel.Slow != topo.SlowDrop {
		for _, name := range l.readers(channel) { // a guarantee holds for one that is dead, too: what fills up is a queue, not the ring alone
			places = append(places, ring.ReaderOptions{Name: name, Held: waits(&c.Channel) && c.Channel.Reliability == topo.GuaranteedDelivery})
		}
	}
	if !mirror && c.Channel.Reliability != topo.BestEffort {
		for _, node := range l.farNodes(channel) { // a way that is not there yet loses nothing, unless that is what it may cost
			places = append(places, ring.ReaderOptions{Name: placeOf(node), Held: waits(&c.Channel)})
		}
	}
	if _, ok := l.recordOf(c); ok && !mirror {
		places = append(places, ring.ReaderOptions{Name: recordPlace, Held: true})
	}
	var faults []error
	for _, o := range places {
		o.Durable, o.From = true, ring.Oldest
		place, err := r.Reader(o)
		if err == nil {
			err = place.Close()
		}
		if !errors.Is(err, ring.ErrOwned) { // it is there already
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// waits reports whether publishers of a channel wait for who does not keep up.
func waits(c *topo.Channel) bool { return c.Slow != topo.SlowDrop && c.Slow != topo.SlowEvict }

func (l *layout) channel(name string) *route.ChannelPlan {
	if l == nil {
		return nil
	}
	return l.plan.Channel(name)
}

// readers are the actors of this node that subscribe to a channel.
func (l *layout) readers(channel string) (names []string) {
	for _, a := range l.topology.Actors {
		if slices.Contains(a.Inputs, channel) && slices.ContainsFunc(l.topology.PlacementsOf(a.Name), func(p topo.Placement) bool { return p.Node == l.at }) {
			names = append(names, a.Name)
		}
	}
	return names
}
