package link_test

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/netio/link"
	"github.com/alphapulse/transport/ring"
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

// carry moves what one peer has to say to the other, as a connection does.
func carry(now time.Duration, from, to *link.Peer) error {
	pieces, err := from.Fill(now)
	if err != nil {
		return err
	}
	stream := bytes.Join(pieces, nil)
	from.Sent(len(stream))
	_, _, err = to.Take(now, stream)
	return err
}

// Two peers, joined by nothing but a loop.
func ExamplePeer() {
	events := func(e link.Event) {
		if e.Kind != link.Connected {
			fmt.Println(e.Kind, e.Err)
		}
	}
	ldn, err := link.NewPeer(link.Options{Node: "ldn1", Peer: "nyc1", Events: events,
		Channels: []link.Channel{{Contract: link.Contract{Name: "orders", Sends: true, Reliability: link.Reliable}}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer ldn.Close()
	var mirror *ring.Reader
	inbox := netio.InboxOptions{Opened: func(r *ring.Ring) { mirror, _ = r.Reader(ring.ReaderOptions{From: ring.Oldest}) }}
	nyc, err := link.NewPeer(link.Options{Node: "nyc1", Peer: "ldn1", Events: events,
		Channels: []link.Channel{{Contract: link.Contract{Name: "orders", Takes: true}, Inbox: inbox}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer nyc.Close()

	r, _ := ring.Create(ring.Options{})
	defer r.Close()
	w, _ := r.Writer()
	defer w.Close()
	if err := ldn.Add("orders", r); err != nil {
		fmt.Println(err)
		return
	}
	b, _ := w.Claim(5)
	copy(b, "hello")
	_ = w.Commit(5)

	ldn.Open(0)
	nyc.Open(0)
	for now := time.Duration(0); !ldn.Drained(); now += time.Millisecond {
		if err := errors.Join(carry(now, ldn, nyc), carry(now, nyc, ldn)); err != nil {
			fmt.Println(err)
			return
		}
	}
	batch := make([]ring.Record, 1)
	mirror.Peek(batch)
	fmt.Printf("%s, number %d\n", batch[0].Payload(), mirror.First())
	_ = mirror.Close()
	// Output: hello, number 1
}

func ExampleStats() {
	p, err := link.NewPeer(link.Options{Node: "ldn1"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()
	for _, r := range link.Reasons() {
		if n := p.Stats().Drops(r); n > 0 {
			fmt.Println(r, n)
		}
	}
	fmt.Println(p.Stats().FramesIn, link.Missing)
	// Output: 0 missing
}
