package udp_test

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/netio/udp"
	"github.com/alphapulse/transport/ring"
)

var here = netip.MustParseAddrPort("127.0.0.1:0")

// Both ends of a repaired channel, run inline by one thread: a ring here, its mirror there.
func Example() {
	var mirror *ring.Ring
	receiver, err := udp.NewReceiver(udp.ReceiverOptions{
		Channel:     "signals",
		Lines:       []udp.Listen{{Bind: here}},
		Reliability: udp.Repaired,
		Inbox:       netio.InboxOptions{Opened: func(r *ring.Ring) { mirror = r }},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer receiver.Close()
	sender, err := udp.NewSender(udp.SenderOptions{
		Channel:     "signals",
		Lines:       []udp.Dial{{To: receiver.Local(0)}},
		Reliability: udp.Repaired,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer sender.Close()

	source, _ := ring.Create(ring.Options{})
	publisher, _ := source.Writer()
	if err := sender.Add(source); err != nil {
		fmt.Println(err)
		return
	}
	buf, _ := publisher.Claim(5)
	copy(buf, "hello")
	publisher.Commit(5)

	for !sender.Drained() { // until the receiver has confirmed it
		if _, err := sender.Do(); err != nil {
			fmt.Println(err)
			return
		}
		if _, err := receiver.Do(); err != nil {
			fmt.Println(err)
			return
		}
	}
	reader, _ := mirror.Reader(ring.ReaderOptions{From: ring.Oldest})
	batch := make([]ring.Record, 1)
	reader.Peek(batch)
	fmt.Printf("source %t, number %d: %s\n", mirror.Info().Instance == source.Info().Instance, reader.First(), batch[0].Payload())
	// Output: source true, number 1: hello
}

func ExampleNewSender() {
	_, err := udp.NewSender(udp.SenderOptions{Channel: "signals", Flow: udp.FlowMax, MTU: 100, Socket: udp.Socket{DSCP: 46}})
	fmt.Println(err)
	// Output:
	// udp: options: sender of channel "signals": 0 lines: 1 to 4
	// MTU of 100 bytes: 576 to 65535
	// flow max needs a repaired channel
}

func ExampleStats() {
	var s udp.Stats
	s.Dropped[udp.Forged] = 3
	for _, r := range udp.Reasons() {
		if n := s.Drops(r); n > 0 {
			fmt.Println(r, n)
		}
	}
	// Output: forged 3
}

func ExampleEvent() {
	tell := func(e udp.Event) { fmt.Println(e.Channel, e.Kind, e.Peer) }
	tell(udp.Event{Channel: "signals", Kind: udp.Disconnected, Peer: netip.MustParseAddrPort("192.0.2.1:9000")})
	var kind udp.EventKind = udp.Recovered
	fmt.Println(kind)
	// Output:
	// signals disconnected 192.0.2.1:9000
	// recovered
}

func ExampleReceiver_Lines() {
	receiver, err := udp.NewReceiver(udp.ReceiverOptions{Channel: "signals", Lines: []udp.Listen{{Bind: here}, {Bind: here}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer receiver.Close()
	for _, l := range receiver.Lines() { // one per source and line, once something was heard
		fmt.Println(l.Path, l.Lost, l.Skew)
	}
	var none udp.Line
	fmt.Println(none.Lost, len(receiver.Lines()))
	// Output: 0 0
}

func ExampleReceiver_Waits() {
	receiver, err := udp.NewReceiver(udp.ReceiverOptions{Channel: "signals", Lines: []udp.Listen{{Bind: here}}, Socket: udp.Socket{Timestamps: true}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer receiver.Close()
	sender, err := udp.NewSender(udp.SenderOptions{Channel: "signals", Lines: []udp.Dial{{To: receiver.Local(0)}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer sender.Close()

	source, _ := ring.Create(ring.Options{})
	publisher, _ := source.Writer()
	if err := sender.Add(source); err != nil {
		fmt.Println(err)
		return
	}
	const busy = time.Millisecond // elsewhere, while a message waits in the socket
	var waits udp.Waits
	for range 1000 { // the kernel begins to stamp a little after it is asked to
		publisher.Claim(5)
		publisher.Commit(5)
		if _, err := sender.Do(); err != nil {
			fmt.Println(err)
			return
		}
		time.Sleep(busy)
		if _, err := receiver.Do(); err != nil {
			fmt.Println(err)
			return
		}
		if waits = receiver.Waits(0); waits.Max >= busy {
			break
		}
	}
	fmt.Println(waits.Messages > 0, waits.Max >= busy, waits.Device)
	// Output: true true 0
}
