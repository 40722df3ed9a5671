package route_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/alphapulse/transport/route"
	"github.com/alphapulse/transport/route/topo"
)

func ExampleNewBreaker() {
	b, err := route.NewBreaker(route.BreakerOptions{MinCalls: 2, Open: time.Second, Jitter: -1, Successes: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 2 {
		ticket, err := b.Allow(0)
		if err != nil {
			fmt.Println(err)
			return
		}
		b.Done(ticket, 0, errors.New("no route to host"))
	}
	stats := b.Stats(0)
	fmt.Println(stats.State, "until", stats.Retry, "after", stats.Total)
	ticket, err := b.Allow(stats.Retry)
	b.Done(ticket, stats.Retry, err)
	for _, c := range b.History() {
		fmt.Println(c.At, c.To, "because of", c.Why)
	}
	// Output:
	// open until 1s after {2 2 0}
	// 0s open because of failure rate
	// 1s half-open because of the open time is over
	// 1s closed because of all probes succeeded
}

func ExamplePlan() {
	plan, findings := route.Resolve(&topo.Topology{
		Nodes:      []topo.Node{{Name: "host"}},
		Actors:     []topo.Actor{{Name: "feed", Outputs: []string{"ticks"}}, {Name: "desk", Inputs: []string{"ticks"}}},
		Placements: []topo.Placement{{Actor: "feed", Node: "host", NUMA: -1}, {Actor: "desk", Node: "host", NUMA: -1}},
		Channels:   []topo.Channel{{Name: "ticks", NUMA: -1, RingBytes: 1 << 20}},
	})
	if err := findings.Err(); err != nil {
		fmt.Println(err)
		return
	}
	ticks := plan.Channel("ticks")
	fmt.Println(ticks.Rings[0].Actor, "writes into a", ticks.Rings[0].Medium, "of", ticks.Rings[0].Bytes, "bytes:", ticks.Rings[0].Why)
	for _, d := range ticks.Decisions {
		fmt.Println(d.To, "is", d.Distance, "and reads it by", d.Primary.Medium, "as", d.Primary.Rule, "says; durability:", d.Durability)
	}
	// Output:
	// feed writes into a mapped_ring of 1048576 bytes: desk reads it from another process
	// desk@host is same_numa and reads it by mapped_ring as same-node says; durability: machine
}

func ExampleChanges() {
	orders := route.Change{Channel: "orders", Fate: route.Restarted, Why: []string{"ring_size: 65536 → 1048576"}}
	changes := route.Changes{orders, {Channel: "ticks"}}
	for _, c := range changes {
		if c.Fate >= route.Restarted {
			fmt.Println(c.Channel, "opens again:", c.Why)
		}
	}
	fmt.Println(changes.Same())
	// Output:
	// orders opens again: [ring_size: 65536 → 1048576]
	// false
}

func ExampleDecision() {
	d := route.Decision{Channel: "ticks", From: route.Place{Actor: "feed", Node: "left"}, To: route.Place{Actor: "desk", Node: "right"},
		Distance: route.SameSite, Durability: route.UntilReceived, Primary: route.Way{Medium: route.TCP, Rule: route.RuleDefault, NUMA: -1,
			Encryption: topo.EncryptTLS, Compression: topo.CompressNone}}
	var level route.Level = d.Durability
	var far route.Distance = d.Distance
	fmt.Println(d, far, level)
	// Output: ticks feed@left → desk@right: tcp, tls [default] same_site until_received
}

func ExampleBreakerTally() {
	var b route.Breaker
	ticket, _ := b.Allow(0)
	b.Trip(0) // the link says that it is dead
	b.Done(ticket, time.Second, errors.New("closed"))
	var late route.BreakerTally = b.Stats(time.Second).Late
	fmt.Printf("%+v\n", late)
	// Output: {Calls:1 Failures:1 Slow:0}
}
