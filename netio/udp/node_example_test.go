package udp_test

import (
	"fmt"
	"net/netip"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/netio/udp"
)

// A node sends one channel and takes another, which arrives on its own port plus the channel's number.
func ExampleMedium() {
	ways, err := udp.Medium{}.Open(netio.Station{Node: "left", Bind: netip.MustParseAddrPort("127.0.0.1:17403")})
	if err != nil {
		panic(err)
	}
	_, err = ways.To(netio.Far{Node: "right", Addresses: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:17503")}, Exchanges: []netio.Exchange{
		{Channel: "quotes", Sends: true, Number: 0},
		{Channel: "orders", Takes: true, Number: 1},
		{Channel: "secrets", Sends: true, Number: 2, Sealed: true},
	}})
	fmt.Println(err)
	fmt.Println(ways.Close())
	// Output:
	// udp: options: channel "secrets" between "left" and "right": it is encrypted, and has no secret: name one in its transport_config, or give nodes certificates under trust
	// <nil>
}

// elsewhere opens no medium: everything is carried by sockets.
type elsewhere struct{}

func (elsewhere) Listen(netio.Far, netip.AddrPort) (netio.Medium, error) { return nil, nil }

func (elsewhere) Dial(far netio.Far, to netip.AddrPort) (netio.Medium, error) {
	fmt.Println(far.Node, "at", to)
	return nil, nil
}

func (elsewhere) Close() error { return nil }

// What goes past the kernel's sockets has ports of its own.
func ExamplePast() {
	m := udp.Medium{Past: func(netio.Station) udp.Past { return elsewhere{} }}
	ways, err := m.Open(netio.Station{Node: "left"})
	if err != nil {
		panic(err)
	}
	_, err = ways.To(netio.Far{Node: "right", Addresses: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:7403")},
		Exchanges: []netio.Exchange{{Channel: "quotes", Sends: true, Number: 2}}})
	fmt.Println(m.Protocol(), err, ways.Close())
	// Output:
	// right at 127.0.0.1:8429
	// xdp <nil> <nil>
}
