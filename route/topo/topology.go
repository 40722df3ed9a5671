package topo

import (
	"slices"
	"time"

	"github.com/alphapulse/transport/tlv"
)

// Topology is what a topology file says, with defaults applied. The lists are in the order of the file. The zero Topology
// is an empty one.
type Topology struct {
	Version     string // of the schema the file is written in
	Name        string
	Description string
	Environment string
	Tags        []string

	Nodes      []Node
	Actors     []Actor
	Placements []Placement
	Channels   []Channel
	Routes     []Route
	Queues     []Queue
}

// Node is a machine, or the part of a machine, that runs actors.
type Node struct {
	Name       string
	Hostname   string
	Addresses  []string // hosts or IP addresses, the preferred one first; empty: Hostname
	Site       string   // a building; within it links are short
	Region     string   // crossing one means an untrusted network; Site where the file names none
	NUMA       []NUMANode
	CPUs       []int // all CPUs actors may be placed on; empty: unknown, anything goes
	Interfaces []Interface
	Ports      Ports
	Trust      Trust
	At         Position
}

// NUMANode is one memory node of a machine.
type NUMANode struct {
	ID   int
	CPUs []int // empty: unknown
}

// Interface is a network interface of a node.
type Interface struct {
	Name    string
	Address string // IP address; empty: unknown
	MTU     int    // 0: unknown
	NUMA    int    // -1: unknown
	XDP     XDPMode
	At      Position
}

// Ports are where a node listens. A zero port in a file means its default.
type Ports struct {
	Control, TCP, UDP, QUIC uint16
}

// Trust names the files a node proves itself with. Paths are as the file has them, relative ones made relative to it.
type Trust struct {
	Certificate string
	Key         string
	Authorities string
	Allow       []string // subject names of peers that may connect; empty: the nodes of the topology
}

// Actor is something that publishes or subscribes.
type Actor struct {
	Name      string
	Type      ActorType
	Inputs    []string // channels it subscribes to
	Outputs   []string // channels it publishes on
	Source    uint8    // protocol_v2 source; 0 where SourceSet is false
	SourceSet bool
	At        Position
}

// Placement puts an actor on a node. An actor that publishes has at most one; a consumer may have one on each of several
// nodes, which then share its work.
type Placement struct {
	Actor       string
	Node        string
	Process     string // actors of one node with the same Process share one; empty: a process of its own
	NUMA        int    // -1: anywhere
	CPUs        []int  // empty: anywhere
	Priority    Priority
	MemoryBytes int // 0: no limit
	At          Position

	path string // in the file, for the checks
}

// Channel is a stream of messages from the actors that have it among their outputs to those that have it among their inputs.
// The zero value of each enum means that the file says nothing.
type Channel struct {
	Name        string
	Criticality Criticality
	Reliability Reliability
	Security    Security
	Domain      tlv.Domain // 0: none stated
	RingBytes   int        // of each publisher's ring
	HugePages   bool
	NUMA        int // where rings lie; -1: near the publisher

	MessageBytes    int // a usual message; 0: unknown
	MaxMessageBytes int
	Rate            float64 // expected messages a second; 0: unknown

	Slow     Slow          // what a slow subscriber costs
	SlowWait time.Duration // how long it may hold publishers up before Slow applies; 0: not at all

	Stripes   int // parallel links, at least 1
	Balance   Balance
	Heartbeat time.Duration
	Liveness  time.Duration // silence after which a peer counts as gone
	Local     []string      // nodes whose local_channels declare it; only in files of the older schema

	Transport TransportConfig
	At        Position
	Origins   map[string]Origin // of what the file states, by field as it spells it, such as "ring_size" or "retry.first"

	profiles []string
	shape    shape
}

// TransportConfig is how a channel, or a route, wants to be carried. The zero value of each field leaves it to route.
type TransportConfig struct {
	Mode             Mode
	Pair             [2]Protocol // the two ways of ModeFallback, first choice first; Auto stands for any direct way
	Protocol         Protocol
	Compression      Compression
	CompressionLevel int // 0: the algorithm's default
	Encryption       Encryption
	Secret           Secret // for ciphers keyed by a shared secret
	Backend          Backend
	Durability       Durability
	RoutingKey       string
	Queue            string // name of the queue, topic or stream; empty: the channel's name
	Interface        string // name of the interface on each node; empty: any
	Group            string // multicast group with port, for udp; empty: unicast
	Timeout          time.Duration
	Connections      int // at most, to one peer; 0: the medium's default
	Retry            Retry
	Breaker          Breaker
	Shadow           Protocol // a second way to run beside and compare; Auto: none
}

// Retry bounds how a broken link is dialled again.
type Retry struct {
	Attempts   int // 0: without end, with the back-off at its maximum
	First, Max time.Duration
}

// Breaker says when a link is given up and when it is tried again.
type Breaker struct {
	Failures  int           // in Window that open it
	Successes int           // in a row that close it again
	Window    time.Duration // rolling
	SlowCall  time.Duration // a call that takes longer counts as slow; 0: none does
	SlowRate  float64       // share of slow calls, 0 to 1, that opens it
	Open      time.Duration // how long it stays open before a probe
	Probes    int           // at a time while half open
}

// Route is what the file says about the way between two nodes, in both directions.
type Route struct {
	From, To  string          // node names
	Channels  []string        // empty: every channel between the two
	Transport TransportConfig // wins over the channel's where it says something
	Bandwidth uint64          // bits a second; 0: unlimited
	Latency   time.Duration   // target; 0: none
	At        Position

	path string
}

// Queue is how a backend is reached.
type Queue struct {
	Backend   Backend
	Addresses []string
	User      string
	Password  Secret
	TLS       bool
	Directory string // of the journal

	DeadLetters string // directory
	At          Position
}

// Node finds a node by name, nil if there is none. The pointer leads into t.
func (t *Topology) Node(name string) *Node {
	return find(t.Nodes, func(n *Node) bool { return n.Name == name })
}

// Actor finds an actor by name, nil if there is none. The pointer leads into t.
func (t *Topology) Actor(name string) *Actor {
	return find(t.Actors, func(a *Actor) bool { return a.Name == name })
}

// Channel finds a channel by name, nil if there is none. The pointer leads into t.
func (t *Topology) Channel(name string) *Channel {
	return find(t.Channels, func(c *Channel) bool { return c.Name == name })
}

// Queue finds how a backend is reached, nil if the file does not say. The pointer leads into t.
func (t *Topology) Queue(b Backend) *Queue {
	return find(t.Queues, func(q *Queue) bool { return q.Backend == b })
}

// Route finds what the file says about a channel between two nodes, in either direction: a route that names the channel
// before one that names none. nil if there is neither. The pointer leads into t.
func (t *Topology) Route(a, b, channel string) *Route {
	var general *Route
	for i := range t.Routes {
		r := &t.Routes[i]
		if (r.From != a || r.To != b) && (r.From != b || r.To != a) {
			continue
		}
		for _, c := range r.Channels {
			if c == channel {
				return r
			}
		}
		if len(r.Channels) == 0 && general == nil {
			general = r
		}
	}
	return general
}

// PlacementsOf lists where an actor runs.
func (t *Topology) PlacementsOf(actor string) (all []Placement) {
	for _, p := range t.Placements {
		if p.Actor == actor {
			all = append(all, p)
		}
	}
	return all
}

// CrossesRegion reports whether a link between two nodes leaves a region. A node without a region is not in anybody's.
func CrossesRegion(a, b *Node) bool { return a.Name != b.Name && a.Region != b.Region }

// OneMachine reports whether two nodes share their files: they have one hostname, or without one an address.
func OneMachine(a, b *Node) bool {
	if a.Name == b.Name {
		return true
	}
	if a.Hostname != "" || b.Hostname != "" {
		return a.Hostname == b.Hostname
	}
	return slices.ContainsFunc(a.Addresses, func(at string) bool { return slices.Contains(b.Addresses, at) })
}

func find[T any](all []T, is func(*T) bool) *T {
	for i := range all {
		if is(&all[i]) {
			return &all[i]
		}
	}
	return nil
}
