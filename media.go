package transport

import (
	"github.com/alphapulse/transport/netio"
)

// Medium joins this node to others. Packages tcp, quic and udp of netio have one each; an engine links those that Config.Media names, and
// no other.
type Medium interface {
	// Protocol is what a topology file calls it: "tcp", for instance.
	Protocol() string

	// Open opens it for a node.
	Open(netio.Station) (netio.Ways, error)
}
