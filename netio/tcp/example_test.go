package tcp_test

import (
	"fmt"
	"net/netip"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/netio/link"
	"github.com/alphapulse/transport/netio/tcp"
	"github.com/alphapulse/transport/ring"
)

// Two nodes in one program: each end is a worker, run here by one thread. In an engine, transport.Node.Carry takes the Channel, and
// transport.Node.Inbox gives the InboxOptions.
func ExampleDial() {
	var mirror *ring.Reader
	orders := link.Contract{Name: "orders", Largest: 4096}
	takes, sends := orders, orders
	takes.Takes, sends.Sends = true, true
	inbox := netio.InboxOptions{Opened: func(r *ring.Ring) { mirror, _ = r.Reader(ring.ReaderOptions{From: ring.Oldest}) }}
	nyc, err := tcp.Listen(tcp.ListenOptions{Bind: netip.MustParseAddrPort("127.0.0.1:0"), Nodes: []string{"ldn1"},
		Link: link.Options{Node: "nyc1", Channels: []link.Channel{{Contract: takes, Inbox: inbox}}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer nyc.Close()
	ldn, err := tcp.Dial(tcp.DialOptions{To: nyc.Local(), Link: link.Options{Node: "ldn1", Peer: "nyc1", Channels: []link.Channel{{Contract: sends}}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer ldn.Close()

	r, _ := ring.Create(ring.Options{})
	defer r.Close()
	w, _ := r.Writer()
	defer w.Close()
	if err := ldn.Channel("orders").Add(r); err != nil {
		fmt.Println(err)
		return
	}
	b, _ := w.Claim(5)
	copy(b, "hello")
	_ = w.Commit(5)
	for !ldn.Drained() {
		if _, err := ldn.Do(); err != nil {
			fmt.Println(err)
			return
		}
		if _, err := nyc.Do(); err != nil {
			fmt.Println(err)
			return
		}
	}
	batch := make([]ring.Record, 1)
	mirror.Peek(batch)
	fmt.Printf("%s from %s, over %d connection\n", batch[0].Payload(), nyc.Link("ldn1", 0).Node(), ldn.Stats().Connections)
	_ = mirror.Close()
	// Output: hello from ldn1, over 1 connection
}

// Four links to one node, of which two are kept connected whether they carry anything.
func ExampleNewPool() {
	to := netip.MustParseAddrPort("127.0.0.1:7700")
	p, err := tcp.NewPool(tcp.PoolOptions{Min: 2, Max: 4, Dial: tcp.DialOptions{To: to, Link: link.Options{Node: "ldn1", Peer: "nyc1"}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()
	_, rings := p.Links()
	fmt.Println(rings)
	// Output: [0 0]
}

func ExampleSocket() {
	_, err := tcp.Dial(tcp.DialOptions{Socket: tcp.Socket{SendBuffer: 1 << 20}})
	fmt.Println(err)
	// Output: tcp: options: to "" at invalid AddrPort: no address to connect to
	// no name of the node to connect to
}

// A node of a topology has TCP among its media.
func ExampleMedium() {
	ways, err := tcp.Medium{}.Open(netio.Station{Node: "left"})
	if err != nil {
		panic(err)
	}
	way, err := ways.To(netio.Far{Node: "right", Addresses: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:7401")}, Dials: true,
		Exchanges: []netio.Exchange{{Channel: "orders", Sends: true}}})
	if err != nil {
		panic(err)
	}
	fmt.Println(tcp.Medium{}.Protocol(), way.Alive("orders"), ways.Close())
	// Output: tcp false <nil>
}
