package transport_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/alphapulse/transport"
	"github.com/alphapulse/transport/mqadapt/journal"
	"github.com/alphapulse/transport/netio/tcp"
)

const twoNodes = `
config_version: 1
name: example
nodes:
  left:  { hostname: localhost, addresses: [127.0.0.1], site: here, ports: { control: 7410, tcp: 7411, udp: 7412, quic: 7413 } }
  right: { hostname: localhost, addresses: [127.0.0.1], site: here, ports: { control: 7420, tcp: 7421, udp: 7422, quic: 7423 } }
actors:
  feed: { type: producer, outputs: [quotes], source_id: 1 }
  desk: { type: consumer, inputs: [quotes] }
placements:
  feed: { node: left }
  desk: { node: right }
channels:
  quotes: { mode: direct, encryption: none, ring_size: 1MiB }
`

// An actor opens the topology's file. This process joins its node to the others, too.
func ExampleMedium_topology() {
	dir, err := os.MkdirTemp("", "pulse")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "example.yaml")
	if err := os.WriteFile(file, []byte(twoNodes), 0o600); err != nil {
		panic(err)
	}
	media := []transport.Medium{tcp.Medium{}}
	node, err := transport.Open(context.Background(), transport.Config{File: file, Actor: "feed", Media: media, Dir: filepath.Join(dir, "left")})
	if err != nil {
		panic(err)
	}
	defer node.Close()
	quotes, err := node.Publisher("quotes")
	if err != nil {
		panic(err)
	}
	fmt.Println(quotes.Send([]byte("it waits in the ring until right is there")))
	var carriages []transport.Carriage
	if carriages, err = node.Carriages(context.Background()); err != nil {
		panic(err)
	}
	var ways []transport.CarriageWay = carriages[0].Ways
	fmt.Println(carriages[0].Channel, "to", carriages[0].Node, "by", ways[0].Medium)
	var beside *transport.Shadow = carriages[0].Shadow
	var compared []transport.Comparison // what shadows bring here
	if compared, err = node.Comparisons(context.Background()); err != nil {
		panic(err)
	}
	fmt.Println(beside == nil, len(compared))
	var agreed []transport.Accord // about what goes sealed as datagrams, with secrets of a control link
	if agreed, err = node.Accords(context.Background()); err != nil {
		panic(err)
	}
	fmt.Println(len(agreed))
	// Output:
	// <nil>
	// quotes to right by tcp
	// true 0
	// 0
}

// A channel that goes by queue needs no medium, and the other node need not be there.
func ExampleQueueMedium() {
	dir, err := os.MkdirTemp("", "pulse")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	text := strings.ReplaceAll(twoNodes, "mode: direct", "mode: message_queue, backend: journal") +
		"queues: { journal: { directory: " + filepath.Join(dir, "journals") + " } }\n"
	file := filepath.Join(dir, "example.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		panic(err)
	}
	var queues []transport.QueueMedium = []transport.QueueMedium{journal.Medium{}}
	node, err := transport.Open(context.Background(), transport.Config{File: file, Actor: "feed", Queues: queues, Dir: filepath.Join(dir, "left")})
	if err != nil {
		panic(err)
	}
	defer node.Close()
	quotes, err := node.Publisher("quotes")
	if err != nil {
		panic(err)
	}
	fmt.Println(quotes.Send([]byte("it waits in the queue until right is there")))
	carriages, err := node.Carriages(context.Background())
	fmt.Println(carriages[0].Channel, "by", carriages[0].Ways[0].Medium, err)
	var refused []transport.Refused // nothing is taken here
	refused, err = node.Refused(context.Background())
	fmt.Println(len(refused), err)
	// Output:
	// <nil>
	// quotes by journal <nil>
	// 0 <nil>
}
