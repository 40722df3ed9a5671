package route

import (
	"time"

	"github.com/alphapulse/transport/route/topo"
)

// Place is where an actor runs. Without a node it is nowhere: the file has no actors.
type Place struct {
	Actor   string `json:"actor,omitempty"`
	Node    string `json:"node,omitempty"`
	Process string `json:"process,omitempty"`
	NUMA    int    `json:"numa"` // -1: unknown
}

// String is actor@node.
func (p Place) String() string {
	if p.Node == "" {
		return "anywhere"
	}
	return p.Actor + "@" + p.Node
}

// Way is one carriage of a channel between two actors.
type Way struct {
	Medium      Medium
	Rule        string // the one that chose it, such as RuleDefault
	Why         string
	Encryption  topo.Encryption // in force; EncryptAuto is a sealed envelope with the cipher the processor is faster at
	Guard       string          // why so
	Compression topo.Compression
	Packing     string // why so
	Durability  Level
	Expected    time.Duration // about how long a message takes
	Class       topo.Criticality

	NUMA       int          // where a ring lies; -1: anywhere
	Interface  string       // of a network; empty: any
	Group      string       // multicast; empty: none
	Stripes    int          // parallel links; 0 within a machine
	Backend    topo.Backend // of a queue
	Queue      string       // its name
	RoutingKey string
}

// Rejection is a medium that was not taken, and the reason.
type Rejection struct {
	Medium Medium `json:"medium"`
	Why    string `json:"why"`
}

// Decision is how one channel travels from one publisher to one subscriber.
type Decision struct {
	Channel    string
	From, To   Place
	Distance   Distance
	Primary    Way
	Secondary  *Way // takes over when the primary fails; nil: nothing does
	Shadow     *Way // runs beside the primary; nil: nothing does
	Rejected   []Rejection
	Recorded   bool  // whichever way carries it, the queue gets it, too
	Durability Level // of the weaker way
}

// Ring is what a publisher of a channel writes into, whatever the ways: each way reads it.
type Ring struct {
	Actor     string `json:"actor"`
	Node      string `json:"node"`
	Medium    Medium `json:"medium"` // AnonymousRing or MappedRing
	NUMA      int    `json:"numa"`
	Bytes     int    `json:"bytes"`
	HugePages bool   `json:"huge_pages,omitempty"`
	Why       string `json:"why"`
}

// ChannelPlan is one channel with its rings and decisions.
type ChannelPlan struct {
	Channel   topo.Channel
	Rings     []Ring
	Decisions []Decision
}

// NodePlan is how others reach a node.
type NodePlan struct {
	Name      string
	Addresses []string
	Ports     topo.Ports
	Trust     topo.Trust
}

// Plan is how every channel of a topology travels. Nobody changes it after Resolve.
type Plan struct {
	Name     string
	Nodes    []NodePlan
	Queues   []topo.Queue
	Channels []ChannelPlan
}

func nodesOf(t *topo.Topology) (all []NodePlan) {
	for _, n := range t.Nodes {
		addresses := n.Addresses
		if len(addresses) == 0 && n.Hostname != "" {
			addresses = []string{n.Hostname}
		}
		all = append(all, NodePlan{n.Name, addresses, n.Ports, n.Trust})
	}
	return all
}

// Channel finds the plan of a channel, nil if there is none.
func (p *Plan) Channel(name string) *ChannelPlan {
	for i := range p.Channels {
		if p.Channels[i].Channel.Name == name {
			return &p.Channels[i]
		}
	}
	return nil
}

// For is the part of the plan that one actor has to do with: the channels it publishes on and subscribes to, with its own decisions and
// rings and those of whom it reads.
func (p *Plan) For(actor string) *Plan {
	part := &Plan{Name: p.Name, Nodes: p.Nodes, Queues: p.Queues}
	for _, c := range p.Channels {
		mine := ChannelPlan{Channel: c.Channel}
		from := map[string]bool{actor: true}
		for _, d := range c.Decisions {
			if d.From.Actor == actor || d.To.Actor == actor {
				mine.Decisions = append(mine.Decisions, d)
				from[d.From.Actor] = true
			}
		}
		for _, r := range c.Rings {
			if from[r.Actor] && (r.Actor == actor || len(mine.Decisions) > 0) {
				mine.Rings = append(mine.Rings, r)
			}
		}
		if mine.Decisions != nil || mine.Rings != nil {
			part.Channels = append(part.Channels, mine)
		}
	}
	return part
}

// Find lists the decisions about a channel from one actor to another; an empty name is any.
func (p *Plan) Find(channel, from, to string) (all []Decision) {
	for _, c := range p.Channels {
		for _, d := range c.Decisions {
			if (channel == "" || d.Channel == channel) && (from == "" || d.From.Actor == from) && (to == "" || d.To.Actor == to) {
				all = append(all, d)
			}
		}
	}
	return all
}
