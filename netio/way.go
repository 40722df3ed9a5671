package netio

import (
	"crypto/tls"
	"net/netip"
	"time"

	"github.com/alphapulse/transport/numa"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// Identity makes a node's TLS configurations: a trust.Identity is one.
type Identity interface {
	Server(protocol string) *tls.Config
	Client(protocol string, expect ...string) (*tls.Config, error)
}

// Station is this node as a medium that joins it to others sees it.
type Station struct {
	Node     string
	Start    uint64         // tells the node's lives apart: a later one has a higher number
	Bind     netip.AddrPort // where it listens; port 0: nowhere
	Identity Identity       // nil: nothing is encrypted
	Loop     numa.Loop      // how workers are carried

	// Notes is told of what operators want to know. It runs on any goroutine and must not block.
	Notes func(Note)

	Traced Traced // is told of traced frames that leave and come; nil: nobody is
}

// Far is another node, and what is exchanged with it.
type Far struct {
	Node      string
	Addresses []netip.AddrPort // where it listens, the preferred one first
	Dials     bool             // this node dials; else it waits for the other
	Secure    bool             // encrypted, and both prove who they are
	Stripe    int              // tells apart parallel ways to one node
	Interface string           // by which it is reached; empty: any
	Heartbeat time.Duration    // between two signs of life; 0: the medium's default
	Liveness  time.Duration    // silence after which it counts as gone; 0: the medium's default
	Exchanges []Exchange
}

// Exchange is a channel as two nodes have it between them.
type Exchange struct {
	Channel      string
	Sends, Takes bool
	BestEffort   bool
	Capacity     int    // of its rings, in bytes; 0: ring.DefaultCapacity
	Largest      int    // bytes of the largest payload; 0: what a mirror of that capacity takes
	Domain       string // what the messages are, as the application calls it
	Mirrors      *Mirrors
	Codecs       []string          // by which bodies may be packed
	Codec        func() seal.Codec // makes one; nil: bodies travel as they are
	Packing      string            // what Codec does, so that two exchanges can be compared: "zstd:3"
	Number       int               // of the channel in the topology, the same on both sides: media with a port for each channel count from it
	Sealed       bool              // encrypted by its envelopes where the medium is no stream
	Secret       *seal.Secret      // that seals them; nil: there is none
	Agreed       bool              // instead of Secret: the nodes agree on secrets while the way stands, which is a Keyed one
	Suite        seal.Suite        // by which envelopes are sealed; 0: the medium chooses
	Carried      *Spread           // how old messages are when they are sent, once a batch at most; nil: it is not kept. The worker's that sends
	Received     *Spread           // and when they are in mirrors; the worker's that takes
}

// Ways is a medium that a node has opened.
type Ways interface {
	// To opens a way to a node. It returns at once: the way comes and goes with the network.
	To(Far) (Way, error)

	// Close closes what is open.
	Close() error
}

// Way is one way to one node. Its methods may be called from any goroutine and do not wait for the network.
type Way interface {
	// Add has the way carry a ring of a channel, from where the reader of its name in that ring stands.
	Add(channel string, r *ring.Ring) error

	// Remove has it carry the ring no more. It reports false until the way has let go, with nothing released that is not confirmed, and is
	// asked again.
	Remove(channel string, r *ring.Ring) (done bool, err error)

	// Alive reports whether the other node was heard lately, and the channel flows.
	Alive(channel string) bool

	// Lag is how many bytes of a channel's rings are not confirmed, as of late.
	Lag(channel string) uint64

	Close() error
}

// Keyed is a Way whose channels that are Agreed are given their secrets while it stands. Until then, and without them, nothing of them leaves
// or is believed, and the way is not alive for them.
type Keyed interface {
	Way

	// Key seals what goes out with a secret, and opens what comes in with another, from now on and in place of those of before. nil: with none.
	Key(channel string, out, in *seal.Secret) error
}

// Note is a change on a way that operators want to know of.
type Note struct {
	Medium  string // as topologies call it
	Node    string // the other node
	Stripe  int
	Channel string // empty: all of the way's
	What    string // "connected", "disconnected", "refused", "trouble", "recovered", "gap", "fallback"
	Err     error
	First   uint64 // of a gap: the first number that is missing
	Last    uint64 // and the last
}
