package netio

import (
	"io"

	"github.com/alphapulse/transport/seal"
)

// QueueSite is this node as a kind of durable queue sees it, and how the queue is reached.
type QueueSite struct {
	Node     string
	Topology string

	Addresses []string // of the servers, host:port
	User      string
	Password  func() string // nil: there is none
	TLS       bool
	Directory string // where an embedded queue keeps its files
	Dead      string // where dead letters are kept, in a directory for each channel; empty: they are not

	// Notes is told of what operators want to know. It runs on any goroutine and must not block.
	Notes func(Note)

	Traced Traced // is told of traced frames that leave and come; nil: nobody is
}

// QueueLine is one queue of a channel: what goes in and who takes it.
type QueueLine struct {
	Channel    string
	Queue      string // its name
	RoutingKey string
	From       string // node whose publishers put into it
	To         string // node that alone takes from it, instead of a way; empty: every group does
	Place      string // name of the reader in the rings that are put into it
	Group      string // that takes, where this node does
	Groups     string // all that take, joined by commas, where this node puts
	Mirrors    *Mirrors
	Durability string       // "memory", "persistent" or "replicated"; empty: the queue's default
	Packing    string       // "lz4", "snappy", "zstd" or "adaptive", with ":LEVEL" if it has one; empty: envelopes are put as they are
	Secret     *seal.Secret // seals what lies in it; nil: nothing does
	Mark       string       // a file that is there while the node To may not have all of it; empty: nobody else asks
}

// Queues is a kind of queue that a node has opened.
type Queues interface {
	// Ship opens the way into a queue. It returns at once: the way comes and goes with the queue.
	Ship(QueueLine) (QueueWay, error)

	// Take has what a queue holds for the line's group come into its mirrors until it is closed. Who takes the same queue for the same group
	// already goes on.
	Take(QueueLine) (io.Closer, error)

	// Close closes what is open.
	Close() error
}

// QueueWay is a way that ends in a queue. What a ring's place has passed is in the queue, and not with the other node yet.
type QueueWay interface {
	Way

	// Drained reports that the way carries no ring, and the node that takes from the queue has all of it. false: it has not, or nobody knows.
	Drained() bool
}

// Refuser is a Queues that says what it refused of what came out of queues.
type Refuser interface {
	Queues
	Refused() []Refused
}

// Refused is what came out of a channel's queues and could not be taken.
type Refused struct {
	Channel string            `json:"channel"`
	Queue   string            `json:"queue"`   // its kind
	Reasons map[string]uint64 `json:"reasons"` // how many deliveries: malformed, foreign, undecodable, old epoch, too large
	Kept    string            `json:"kept"`    // the journal that has them; empty: they are not kept
}
