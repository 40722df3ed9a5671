package route

import (
	"time"

	"github.com/alphapulse/transport/route/topo"
)

// Medium is what carries a channel from one actor to another.
type Medium uint8

// The media, the quickest first.
const (
	NoMedium      Medium = iota
	AnonymousRing        // a ring in the memory of one process
	MappedRing           // a ring in a file that processes of one machine map
	XDP                  // datagrams past the kernel's sockets
	UDP                  // datagrams
	TCP                  // a stream
	QUIC                 // a stream for each channel, encrypted, over datagrams
	Queue                // a broker, or the embedded journal
	media
)

var mediumNames = [media]string{"none", "anonymous_ring", "mapped_ring", "xdp", "udp", "tcp", "quic", "queue"}

// String names the medium as plans do.
func (m Medium) String() string { return mediumNames[min(m, media-1)] }

// MarshalText is String, for plans in JSON.
func (m Medium) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

func (m Medium) local() bool { return m == AnonymousRing || m == MappedRing }

// mediumOf is the medium of a protocol that joins two nodes.
func mediumOf(p topo.Protocol) Medium {
	switch p {
	case topo.TCP:
		return TCP
	case topo.UDP:
		return UDP
	case topo.QUIC:
		return QUIC
	case topo.XDP:
		return XDP
	case topo.SharedMemory:
		return MappedRing
	case topo.ViaQueue:
		return Queue
	}
	return NoMedium
}

// Distance is how far apart two actors are placed.
type Distance uint8

// The distances, the shortest first.
const (
	SameProcess Distance = iota
	SameNUMA             // two processes of one node, on one memory node, or the node has only one
	OtherNUMA            // two processes of one node, on two memory nodes, or it is not said which
	SameSite             // two nodes in one site
	OtherSite            // two sites of one region
	OtherRegion          // the way leaves the region
	Unplaced             // the file has no actors; taken for two nodes of one site
	distances
)

var distanceNames = [distances]string{"same_process", "same_numa", "other_numa", "same_site", "other_site", "other_region", "unplaced"}

// String names the distance as plans do.
func (d Distance) String() string { return distanceNames[min(d, distances-1)] }

// MarshalText is String, for plans in JSON.
func (d Distance) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

func (d Distance) oneNode() bool { return d <= OtherNUMA }

// words says the distance in a sentence.
func (d Distance) words() string {
	return [distances]string{"in one process", "two processes on one memory node", "two processes of one node, not known to share a memory node",
		"two nodes of one site", "nodes of two sites in one region", "nodes of two regions", "placed nowhere, taken for two nodes of one site"}[min(d, distances-1)]
}

// Level is what has to die before a message that was accepted is lost. Higher levels outlive more.
type Level uint8

// The levels, the weakest first.
const (
	CarriedOnly   Level = iota // best effort: what the network loses is lost
	OneProcess                 // held in one process's memory
	OneMachine                 // held in mapped memory: outlives its processes, not the machine
	UntilReceived              // held in the publisher's ring until the receiver has it: outlives links, and each end's processes
	QueueMemory                // held by a queue in memory: outlives both ends, not the queue
	QueueDisk                  // held by a queue on its disk: outlives the queue's own death
	QueueCopies                // held by several machines of a queue
	levels
)

var levelNames = [levels]string{"carried", "process", "machine", "until_received", "queue_memory", "queue_disk", "queue_copies"}

// String names the level as plans do.
func (l Level) String() string { return levelNames[min(l, levels-1)] }

// MarshalText is String, for plans in JSON.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// words says the level in a sentence.
func (l Level) words() string {
	return [levels]string{"what the network loses is lost", "lost with the process", "outlives the processes, not the machine",
		"held in the publisher's ring until the receiver has it", "held in a queue's memory", "held on a queue's disk", "held by several machines of a queue"}[min(l, levels-1)]
}

// expected is about how long a message takes, for comparing media and for telling a channel that cannot be as quick as it asks.
// It is an estimate for machines of today without a queue of messages before it; pulse bench measures.
func expected(m Medium, d Distance) time.Duration {
	far := [distances]time.Duration{OtherSite: time.Millisecond, OtherRegion: 20 * time.Millisecond}[d]
	switch m {
	case AnonymousRing:
		return 100 * time.Nanosecond
	case MappedRing:
		if d == OtherNUMA {
			return time.Microsecond
		}
		return 100 * time.Nanosecond
	case XDP:
		return far + 10*time.Microsecond
	case UDP:
		return far + 30*time.Microsecond
	case TCP:
		return far + 60*time.Microsecond
	case QUIC:
		return far + 150*time.Microsecond
	}
	return 2*far + 2*time.Millisecond // to the broker and from it
}

// classOf is the quickest class of criticality that a time falls into.
func classOf(d time.Duration) topo.Criticality {
	switch {
	case d < time.Millisecond:
		return topo.UltraLowLatency
	case d < 5*time.Millisecond:
		return topo.LowLatency
	case d < 50*time.Millisecond:
		return topo.Standard
	}
	return topo.HighLatency
}
