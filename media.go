package transport

import (
	"github.com/alphapulse/transport/netio"
)

// QueueMedium joins this node to durable queues of one kind. Package journal of mqadapt has one, and each package there that speaks to a
// broker; an engine links those that Config.Queues names, and no other.
type QueueMedium interface {
	// Backend is what a topology file calls it: "journal", for instance.
	Backend() string

	// Open opens it for a node.
	Open(netio.QueueSite) (netio.Queues, error)
}

// Medium joins this node to others. Packages tcp, quic and udp of netio have one each; an engine links those that Config.Media names, and
// no other.
type Medium interface {
	// Protocol is what a topology file calls it: "tcp", for instance.
	Protocol() string

	// Open opens it for a node.
	Open(netio.Station) (netio.Ways, error)
}
