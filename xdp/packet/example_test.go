package packet_test

import (
	"fmt"
	"net/netip"
	"time"

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

// A sender keeps the way to where it sends, and makes its headers anew when that changes.
func ExampleResolver() {
	r, err := packet.OpenResolver("lo")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	to := netip.MustParseAddrPort("127.0.0.1:9100")
	way, err := r.Resolve(to.Addr(), time.Second)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(way.NextHop, way.Source)

	var target *packet.Target
	if target, err = r.Follow(to.Addr(), time.Now()); err != nil {
		fmt.Println(err)
		return
	}
	made := target.Changes()
	if _, err := r.Do(time.Now()); err != nil { // with the sender's chores
		fmt.Println(err)
	}
	fmt.Println("changed:", target.Changes() != made)
	// Output:
	// 00:00:00:00:00:00 127.0.0.1
	// changed: false
}
