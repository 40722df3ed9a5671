package express_test

import (
	"fmt"
	"net/netip"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/netio/express"
)

// On loopback what goes past the kernel would not get to its sockets: there sockets carry it.
func ExampleMedium() {
	station := netio.Station{Node: "left", Bind: netip.MustParseAddrPort("127.0.0.1:7403"), Notes: func(n netio.Note) { fmt.Println(n.Medium, n.What, n.Err) }}
	ways, err := express.Medium{}.Open(station)
	if err != nil {
		panic(err)
	}
	_, err = ways.To(netio.Far{Node: "right", Addresses: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:7503")},
		Exchanges: []netio.Exchange{{Channel: "orders", Sends: true}, {Channel: "quotes", Sends: true, Number: 1}}})
	fmt.Println(err, ways.Close())
	// Output:
	// xdp fallback with a socket, not by AF_XDP: what goes past the kernel on loopback does not get to its sockets
	// <nil> <nil>
}
