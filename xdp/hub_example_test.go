package xdp_test

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/xdp"
)

// The medium of a sender's line. Where there can be none it says why, and a line without a medium is the way.
func ExampleHub() {
	medium := func() (netio.Medium, error) {
		var hub *xdp.Hub
		hub, err := xdp.OpenHub(xdp.HubOptions{Device: xdp.Options{Interface: "eth9", Ports: []uint16{7701}, Attach: xdp.AttachNone}})
		if err != nil {
			return nil, err
		}
		var end *xdp.End
		end, err = hub.End(xdp.EndOptions{Local: netip.MustParseAddrPort("10.1.0.1:7701"), Peers: []netip.Addr{netip.MustParseAddr("10.1.0.2")}})
		if err != nil {
			return nil, errors.Join(err, hub.Close())
		}
		var counts xdp.HubStats = hub.Stats()
		fmt.Println(hub.Mode(), counts.Received)
		return end, nil
	}
	m, err := medium() // a program that only sends attaches none, and then has no ports
	fmt.Println(m, errors.Is(err, xdp.ErrOptions))
	// Output: <nil> true
}
