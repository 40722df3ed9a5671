package netio_test

import (
	"fmt"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
)

func ExampleInbox() {
	inbox, err := netio.NewInbox(netio.InboxOptions{Sources: 1, Opened: func(r *ring.Ring) { fmt.Println("source", r.Info().Instance) }})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer inbox.Close()
	m, err := inbox.Open(7, 100) // the first frame that arrives of source 7 has number 100
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("due", m.Seq())
	_, err = inbox.Open(8, 1)
	fmt.Println(err)
	// Output:
	// source 7
	// due 100
	// netio: too many sources: 1
}

func ExampleMirror() {
	inbox, _ := netio.NewInbox(netio.InboxOptions{})
	defer inbox.Close()
	m, err := inbox.Open(7, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	reader, _ := m.Ring.Reader(ring.ReaderOptions{})
	defer reader.Close()
	record := []byte{21, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 'h', 'e', 'l', 'l', 'o', 0, 0, 0} // as it lies in the source's ring
	fmt.Println(m.Append(record, 1))
	m.Flush()
	batch := make([]ring.Record, 1)
	reader.Peek(batch)
	fmt.Printf("%d %s\n", reader.First(), batch[0].Payload())
	// Output:
	// <nil>
	// 1 hello
}

// Two links that bring the same sources have an inbox each, and one set of mirrors.
func ExampleMirrors() {
	mirrors, err := netio.NewMirrors(netio.InboxOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer mirrors.Close()
	tcp, _ := netio.NewInbox(netio.InboxOptions{Shared: mirrors})
	quic, _ := netio.NewInbox(netio.InboxOptions{Shared: mirrors})
	m, _ := tcp.Open(7, 1)
	same, _ := quic.Held(7)
	fmt.Println(m == same, m.Enter(), same.Enter())
	// Output: true true false
}
