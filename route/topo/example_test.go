package topo_test

import (
	"fmt"
	"os"

	"github.com/alphapulse/transport/route/topo"
	"github.com/alphapulse/transport/tlv"
)

func ExampleLoad() {
	t, found := topo.Load("../../examples/direct_tcp.yaml")
	if err := found.Err(); err != nil {
		fmt.Println(err)
		return
	}
	left, right := t.Node("left"), t.Node("right")
	fmt.Println(left.Addresses[0], left.Ports.TCP, topo.CrossesRegion(left, right))
	for _, p := range t.PlacementsOf("strategy") {
		fmt.Println(p.Node, p.CPUs, p.NUMA)
	}
	c := t.Channel("signals")
	fmt.Println(c.Reliability, c.Criticality, c.Domain == tlv.Signal, c.Slow, c.Balance)
	// Output:
	// 10.0.0.1 7401 false
	// left [3] -1
	// exactly_once low_latency true block round_robin
}

func ExampleLoader() {
	env := func(name string) (string, bool) { return "quic", name == "PROTO" }
	t, found := topo.Loader{Env: env}.Parse("memory.yaml", []byte(`
channels:
  orders: {mode: direct, protocol: "${PROTO}", security: encrypted, compression: adaptive}
routes: []
`))
	k := t.Channels[0].Transport
	fmt.Println(found.Err(), k.Mode, k.Protocol, k.Compression, k.Encryption == topo.EncryptAuto, t.Channels[0].Security)
	// Output: <nil> direct quic adaptive true encrypted
}

func ExampleFindings() {
	_, found := topo.Loader{}.Parse("orders.yaml", []byte("channels:\n  orders: {mode: driect}\n"))
	if err := found.WriteText(os.Stdout); err != nil {
		fmt.Println(err)
	}
	var first topo.Finding = found[0]
	fmt.Println(first.Severity == topo.Error, first.At)
	// Output:
	// orders.yaml:2:18: error: mode cannot be "driect" [bad-value]
	//      2 |   orders: {mode: driect}
	//        |                  ^^^^^^
	//          did you mean direct?
	// true orders.yaml:2:18
}

func ExampleChannel_Settings() {
	t, _ := topo.Loader{}.Parse("t.yaml", []byte("defaults: {stripes: 2}\ntransport_config: {a: {backend: rabbitmq}}\n"))
	for _, s := range t.Channels[0].Settings() {
		switch s.Key {
		case "stripes", "backend", "ring_size":
			fmt.Println(s.Key, s.Origin)
		}
	}
	// Output:
	// ring_size 1MiB (built in)
	// stripes 2 (defaults, t.yaml:1:21)
	// backend rabbitmq (transport_config, t.yaml:2:33)
}

// A topology need not come from a file.
func ExampleTopology() {
	t := topo.Topology{
		Nodes: []topo.Node{{
			Name: "left", NUMA: []topo.NUMANode{{ID: 0, CPUs: []int{0, 1}}},
			Interfaces: []topo.Interface{{Name: "eth0", XDP: topo.XDPZeroCopy}}, Trust: topo.Trust{Certificate: "left.pem"},
		}},
		Actors:     []topo.Actor{{Name: "feed", Type: topo.Producer, Outputs: []string{"audit"}}},
		Placements: []topo.Placement{{Actor: "feed", Node: "left", Priority: topo.RealTime}},
		Channels: []topo.Channel{{Name: "audit", Transport: topo.TransportConfig{
			Backend: topo.RabbitMQ, Durability: topo.Persistent,
			Secret: topo.NewSecret("hush", "a test"), Retry: topo.Retry{Attempts: 3}, Breaker: topo.Breaker{Failures: 5},
		}}},
		Routes: []topo.Route{{From: "left", To: "right"}},
		Queues: []topo.Queue{{Backend: topo.RabbitMQ, Addresses: []string{"mq:5671"}}},
	}
	fmt.Println(t.Actor("feed").Type, t.Placements[0].Priority, t.Nodes[0].Interfaces[0].XDP)
	fmt.Println(t.Route("right", "left", "audit").From, t.Queue(topo.RabbitMQ).Addresses)
	fmt.Println(t.Channels[0].Transport.Secret)
	// Output:
	// producer real_time zero_copy
	// left [mq:5671]
	// secret from a test
}
