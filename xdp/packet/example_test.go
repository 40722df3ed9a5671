package packet_test

import (
	"fmt"
	"net/netip"

	"github.com/alphapulse/transport/xdp/packet"
)

// A payload gets its headers in place, and is found behind them on the other side.
func Example() {
	headers, err := packet.NewTemplate(packet.Flow{
		NextHop:     packet.MAC{0x02, 0, 0, 0, 0, 2},
		SourceMAC:   packet.MAC{0x02, 0, 0, 0, 0, 1},
		Source:      netip.MustParseAddrPort("192.0.2.1:9100"),
		Destination: netip.MustParseAddrPort("192.0.2.2:9100"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	chunk := make([]byte, 2048) // of a device's memory
	frame := chunk[:headers.Size()+copy(chunk[headers.Size():], "a payload")]
	headers.Put(frame, 0)

	parser := packet.Parser{Port: 9100, MaxFrame: 1518}
	var refused [packet.Reasons]int
	for _, f := range [][]byte{frame, frame[:20]} {
		var p packet.Packet
		if reason := parser.Parse(f, &p); reason != packet.Accepted {
			refused[reason]++
			continue
		}
		fmt.Printf("%q from %s\n", p.Payload, p.Source)
	}
	fmt.Println(packet.Runt, refused[packet.Runt])
	// Output:
	// "a payload" from 192.0.2.1:9100
	// runt 1
}
