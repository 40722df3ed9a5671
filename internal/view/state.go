package view

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/alphapulse/transport/route/watch"
)

// State is one node at one moment.
type State struct {
	At        time.Time    `json:"at"`
	Node      string       `json:"node"`
	Topology  string       `json:"topology"` // version in force; empty without one
	Health    watch.Health `json:"health"`
	Processes []Process    `json:"processes"`
	Channels  []Channel    `json:"channels"`
	Unkept    float64      `json:"unkept"` // numbers that found no room in stats files

	seen map[string]*watch.Snapshot // by process, for what comes after
}

// Process is one that has a stats file.
type Process struct {
	Name    string        `json:"name"`
	PID     int           `json:"pid"`
	Alive   bool          `json:"alive"`
	Age     time.Duration `json:"age_ns"` // since it last said something
	Started time.Time     `json:"started"`
}

// Channel is one channel on this node. Rates are per second since the state before; they are 0 in a first one.
type Channel struct {
	Name      string     `json:"name"`
	Messages  float64    `json:"messages"` // committed in rings of this node, mirrors too
	Rate      float64    `json:"rate"`
	Bytes     float64    `json:"bytes_rate"`
	Taken     float64    `json:"taken"` // handed to subscribers here
	TakenRate float64    `json:"taken_rate"`
	Lost      float64    `json:"lost"` // that subscribers here never get
	Lag       float64    `json:"lag"`  // bytes, of whom is furthest behind
	Rings     []Ring     `json:"rings"`
	Carriages []Carriage `json:"carriages"`
	Hops      []Hop      `json:"hops"`
	Drops     []Drop     `json:"drops"`
}

// Ring is one of a channel's, with who reads it.
type Ring struct {
	Name     string   `json:"name"`
	Capacity float64  `json:"capacity"`
	Alive    bool     `json:"writer_alive"`
	Readers  []Reader `json:"readers"`
}

// Reader is one of a ring's.
type Reader struct {
	Name   string  `json:"name"`
	Lag    float64 `json:"lag"` // bytes
	Gating bool    `json:"gating"`
	Alive  bool    `json:"alive"`
}

// Carriage is how a channel goes to another node, or into a queue for all.
type Carriage struct {
	Node      string  `json:"node"`
	Medium    string  `json:"medium"` // that carries now; empty while it changes
	Lag       float64 `json:"lag"`
	Stranded  bool    `json:"stranded"`
	Failovers float64 `json:"failovers"`
	Failbacks float64 `json:"failbacks"`
	Ways      []Way   `json:"ways"`
}

// Way is one that a channel may take.
type Way struct {
	Medium  string  `json:"medium"`
	Alive   bool    `json:"alive"`
	Breaker string  `json:"breaker"`
	Opened  float64 `json:"opened"`
}

// Hop is how old messages are at one point of their way: since the state before, or, if none came since, ever. Times are ns.
type Hop struct {
	Hop    string `json:"hop"`
	Node   string `json:"node"`
	Medium string `json:"medium"`
	Count  uint64 `json:"count"` // samples
	Fresh  bool   `json:"fresh"` // some came since the state before
	P50    uint64 `json:"p50"`
	P99    uint64 `json:"p99"`
	P999   uint64 `json:"p999"`
	Max    uint64 `json:"max"`
}

// Drop is what was dropped for a reason.
type Drop struct {
	Metric string  `json:"metric"` // its explanation is in the catalogue
	Where  string  `json:"where"`  // medium or queue, and direction
	Reason string  `json:"reason"`
	Count  float64 `json:"count"`
	Rate   float64 `json:"rate"`
}

// Of is what snapshots of one node's processes say at a moment; before, which may be nil, is what they said earlier. What a process said that
// is gone counts as long as no living one says the same.
func Of(now time.Time, all []*watch.Snapshot, before *State) *State {
	s := &State{At: now, Health: watch.HealthOf(now, all...), Processes: []Process{}, Channels: []Channel{}, seen: map[string]*watch.Snapshot{}}
	b := builder{state: s, channels: map[string]*Channel{}, told: map[string]bool{}, hops: map[hopKey]*both{}}
	if before != nil {
		b.since = now.Sub(before.At).Seconds()
	}
	for _, one := range slices.SortedStableFunc(slices.Values(all), func(a, b *watch.Snapshot) int { return cmp.Compare(dead(a), dead(b)) }) {
		s.Node = cmp.Or(s.Node, one.Node)
		s.seen[one.Process] = one
		s.Processes = append(s.Processes, Process{one.Process, one.PID, one.Alive, now.Sub(one.At), one.Started})
		var was *watch.Snapshot
		if before != nil && before.seen[one.Process] != nil && before.seen[one.Process].Started.Equal(one.Started) {
			was = before.seen[one.Process]
		}
		b.take(one, was)
	}
	b.summed()
	slices.SortFunc(s.Processes, func(a, b Process) int { return strings.Compare(a.Name, b.Name) })
	for _, name := range slices.Sorted(maps.Keys(b.channels)) {
		s.Channels = append(s.Channels, *b.channels[name])
	}
	return s
}

func dead(s *watch.Snapshot) int {
	if s.Alive {
		return 0
	}
	return 1
}

// builder gathers samples into channels.
type builder struct {
	state    *State
	since    float64 // seconds; 0: there is no state before
	channels map[string]*Channel
	told     map[string]bool // what a living process has said
	hops     map[hopKey]*both
	order    []hopKey // as they were first said
	alive    bool     // who speaks
}

func (b *builder) channel(name string) *Channel {
	c := b.channels[name]
	if c == nil {
		c = &Channel{Name: name, Rings: []Ring{}, Carriages: []Carriage{}, Hops: []Hop{}, Drops: []Drop{}}
		b.channels[name] = c
	}
	return c
}

// key is what a sample is about.
func key(s *watch.Sample) string {
	k := s.Metric.Name
	for _, l := range s.Labels {
		k += "\x00" + l.Name + "\x00" + l.Value
	}
	return k
}

func (b *builder) take(now, was *watch.Snapshot) {
	b.alive = now.Alive
	earlier := map[string]*watch.Sample{}
	if was != nil {
		for i := range was.Samples {
			earlier[key(&was.Samples[i])] = &was.Samples[i]
		}
	}
	for i := range now.Samples {
		one := &now.Samples[i]
		k := key(one)
		if b.told[k] && !adds(one.Metric.Name) {
			continue
		}
		b.told[k] = true
		b.sample(one, earlier[k])
	}
}

// adds reports whether several processes of a node may each have their part of a number.
func adds(name string) bool {
	switch name {
	case watch.SubscriberMessages, watch.SubscriberLost, watch.HopLatency, watch.WatchUnkept:
		return true
	}
	return false
}

// rate is how fast a counter has grown.
func (b *builder) rate(now, was *watch.Sample) float64 {
	if was == nil || b.since <= 0 || now.Value < was.Value {
		return 0
	}
	return (now.Value - was.Value) / b.since
}

func (b *builder) sample(s, was *watch.Sample) {
	name := s.Get("channel")
	if name == "" {
		switch s.Metric.Name {
		case watch.NodeInfo:
			b.state.Topology = cmp.Or(b.state.Topology, s.Get("topology"))
		case watch.WatchUnkept:
			b.state.Unkept += s.Value
		case watch.LinkDropped:
			b.drop(b.channel("(all)"), s, was)
		}
		return
	}
	c := b.channel(name)
	switch s.Metric.Name {
	case watch.RingMessages:
		c.Messages += s.Value
		c.Rate += b.rate(s, was)
		c.ring(s.Get("ring"))
	case watch.RingBytes:
		c.Bytes += b.rate(s, was)
	case watch.RingCapacity:
		c.ring(s.Get("ring")).Capacity = s.Value
	case watch.RingWriterAlive:
		c.ring(s.Get("ring")).Alive = s.Value > 0 && b.alive // a writer tells of its ring itself, or the node does
	case watch.ReaderLag:
		c.ring(s.Get("ring")).reader(s.Get("reader")).Lag = s.Value
		c.Lag = max(c.Lag, s.Value)
	case watch.ReaderGating:
		c.ring(s.Get("ring")).reader(s.Get("reader")).Gating = s.Value > 0
	case watch.ReaderAlive:
		c.ring(s.Get("ring")).reader(s.Get("reader")).Alive = s.Value > 0
	case watch.SubscriberMessages:
		c.Taken += s.Value
		c.TakenRate += b.rate(s, was)
	case watch.SubscriberLost:
		c.Lost += s.Value
		if s.Value > 0 {
			b.drop(c, s, was)
		}
	case watch.HopLatency:
		b.hop(c, s, was)
	case watch.LinkDropped, watch.LinkLost, watch.QueueLost, watch.QueueRefused, watch.ShadowSkipped, watch.RingEvictions:
		if s.Value > 0 {
			b.drop(c, s, was)
		}
	case watch.WayAlive:
		c.to(s).way(s).Alive = s.Value > 0 && b.alive // ways end with their process
	default:
		c.carriage(s)
	}
}

func (b *builder) drop(c *Channel, s, was *watch.Sample) {
	where := strings.TrimSpace(cmp.Or(s.Get("medium"), s.Get("queue")) + " " + s.Get("direction"))
	c.Drops = append(c.Drops, Drop{s.Metric.Name, where, s.Get("reason"), s.Value, b.rate(s, was)})
}

// hopKey is what histograms are one by.
type hopKey struct{ channel, hop, node, medium string }

// both are a hop's counts: all, and those since the state before.
type both struct{ all, fresh watch.Counts }

// hop adds a histogram to those of the same hop: stripes, and subscribers of several processes, are one.
func (b *builder) hop(c *Channel, s, was *watch.Sample) {
	k := hopKey{c.Name, s.Get("hop"), s.Get("node"), s.Get("medium")}
	h := b.hops[k]
	if h == nil {
		h = &both{}
		b.hops[k], b.order = h, append(b.order, k)
	}
	h.all.Add(s.Counts)
	if was != nil && was.Counts != nil {
		d := s.Counts.Since(was.Counts)
		h.fresh.Add(&d)
	}
}

// summed puts hops into their channels.
func (b *builder) summed() {
	for _, k := range b.order {
		counts, fresh := &b.hops[k].all, b.hops[k].fresh.Total > 0
		if fresh {
			counts = &b.hops[k].fresh
		}
		if counts.Total > 0 {
			c := b.channel(k.channel)
			c.Hops = append(c.Hops, Hop{k.hop, k.node, k.medium, counts.Total, fresh,
				counts.Quantile(0.5), counts.Quantile(0.99), counts.Quantile(0.999), counts.Max})
		}
	}
}

func (c *Channel) ring(name string) *Ring {
	i := slices.IndexFunc(c.Rings, func(r Ring) bool { return r.Name == name })
	if i < 0 {
		i, c.Rings = len(c.Rings), append(c.Rings, Ring{Name: name, Readers: []Reader{}})
	}
	return &c.Rings[i]
}

func (r *Ring) reader(name string) *Reader {
	i := slices.IndexFunc(r.Readers, func(r Reader) bool { return r.Name == name })
	if i < 0 {
		i, r.Readers = len(r.Readers), append(r.Readers, Reader{Name: name})
	}
	return &r.Readers[i]
}

// carriage takes what a sample says of a way to another node.
func (c *Channel) carriage(s *watch.Sample) {
	switch s.Metric.Name {
	case watch.CarriageLag:
		c.to(s).Lag = s.Value
	case watch.CarriageStranded:
		c.to(s).Stranded = s.Value > 0
	case watch.CarriageFailovers:
		c.to(s).Failovers = s.Value
	case watch.CarriageFailbacks:
		c.to(s).Failbacks = s.Value
	case watch.CarriageActive:
		if s.Value > 0 {
			c.to(s).Medium = s.Get("medium")
		}
	case watch.WayBreaker:
		c.to(s).way(s).Breaker = watch.BreakerState(s.Value)
	case watch.WayOpened:
		c.to(s).way(s).Opened = s.Value
	}
}

func (c *Channel) to(s *watch.Sample) *Carriage {
	node := s.Get("node")
	i := slices.IndexFunc(c.Carriages, func(one Carriage) bool { return one.Node == node })
	if i < 0 {
		i, c.Carriages = len(c.Carriages), append(c.Carriages, Carriage{Node: node, Ways: []Way{}})
	}
	return &c.Carriages[i]
}

func (c *Carriage) way(s *watch.Sample) *Way {
	medium := s.Get("medium")
	i := slices.IndexFunc(c.Ways, func(w Way) bool { return w.Medium == medium })
	if i < 0 {
		i, c.Ways = len(c.Ways), append(c.Ways, Way{Medium: medium})
	}
	return &c.Ways[i]
}
