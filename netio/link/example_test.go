package link_test

import (
	"fmt"

	"github.com/alphapulse/transport/netio/link"
)

// Two nodes that mean different things by a channel learn which.
func ExampleCompare() {
	here := link.Contract{Name: "orders", Sends: true, Largest: 4096, Domain: "execution"}
	there := link.Contract{Name: "orders", Takes: true, Largest: 1024, Domain: "execution", Reliability: link.BestEffort}
	for _, d := range link.Compare(here, there) {
		fmt.Println(d)
	}
	// Output:
	// reliability: here reliable, there best effort
	// largest: here 4096, there 1024
}

func ExampleAppendGreeting() {
	g := link.Greeting{Node: "ldn1", Start: 1, Channels: []link.Contract{{Name: "orders", Sends: true, Largest: 4096}}}
	b, err := link.AppendGreeting(nil, g)
	if err != nil {
		fmt.Println(err)
		return
	}
	got, n, err := link.ParseGreeting(b)
	fmt.Println(got.Node, got.Channels[0].Name, n == len(b), err)
	// Output: ldn1 orders true <nil>
}
