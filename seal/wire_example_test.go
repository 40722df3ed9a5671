package seal_test

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/alphapulse/transport/seal"
)

// A datagram holds envelopes back to back, and perhaps padding.
func ExampleHeader() {
	datagram := make([]byte, 2*seal.HeaderSize+seal.LostSize+16)
	gone := seal.Header{Kind: seal.Lost, Channel: seal.ChannelID("orders"), Source: 7, Epoch: 1, Length: seal.LostSize, Seq: 40}
	gone.Put(datagram)
	seal.PutLost(datagram[seal.HeaderSize:], 42)
	beat := seal.Header{Kind: seal.Heartbeat, Channel: seal.ChannelID("orders"), Source: 7, Epoch: 1, Seq: 43}
	beat.Put(datagram[seal.HeaderSize+seal.LostSize:])

	var h seal.Header
	for rest := datagram; !seal.Ended(rest); rest = rest[seal.HeaderSize+h.Length:] {
		if err := h.Parse(rest); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(h.Kind, h.Seq, h.Length)
	}
	fmt.Println(h.Parse(datagram[:seal.HeaderSize])) // cut before the body
	// Output:
	// lost 40 8
	// heartbeat 43 0
	// malformed envelope
}

func ExampleKind() {
	for _, k := range []seal.Kind{seal.Data, seal.HelloKind, 99} {
		fmt.Println(k)
	}
	// Output:
	// data
	// hello
	// kind 99
}

// A trace context lies behind the records of an envelope that says so.
func ExampleTrace() {
	record := []byte("a record's bytes, eight times n.")
	trace := seal.Trace{0: 0x4b, 15: 0xf9, 16: 0x00, 23: 0xb7, 24: 0x01}
	h := seal.Header{Kind: seal.Data, Traced: true, Length: len(record) + seal.TraceSize, Seq: 1}
	envelope := make([]byte, seal.HeaderSize, seal.HeaderSize+h.Length)
	h.Put(envelope)
	envelope = append(append(envelope, record...), trace[:]...)

	var got seal.Header
	if err := got.Parse(envelope); err != nil {
		fmt.Println(err)
		return
	}
	body := envelope[seal.HeaderSize:][:got.Length]
	at := len(body) - seal.TraceSize
	fmt.Printf("%s\n%s\n", body[:at], seal.Trace(body[at:]))
	// Output:
	// a record's bytes, eight times n.
	// 00-4b0000000000000000000000000000f9-00000000000000b7-01
}

// A receiver asks for what it misses.
func ExampleRange() {
	body := seal.AppendNak(nil, []seal.Range{{First: 17, Last: 19}, {First: 23, Last: 23}})
	var missing [seal.MaxRanges]seal.Range
	n, err := seal.ParseNak(body, &missing)
	fmt.Println(missing[:n], err)
	// Output: [{17 19} {23 23}] <nil>
}

func ExampleStatusBody() {
	body := make([]byte, seal.StatusSize)
	said := seal.StatusBody{Next: 17, Window: 1 << 20, Receiver: 5}
	said.Put(body)
	var heard seal.StatusBody
	err := heard.Parse(body)
	fmt.Println(heard.Next, heard.Window, err)
	// Output: 17 1048576 <nil>
}

func ExampleBeatBody() {
	body := make([]byte, seal.BeatSize)
	said := seal.BeatBody{Sent: 9_000, Echo: 5_000, Held: 1_000}
	said.Put(body)
	var heard seal.BeatBody
	err := heard.Parse(body)
	now := uint64(7_500) // by the clock of who said 5,000
	fmt.Println("round trip", now-heard.Echo-heard.Held, err)
	// Output: round trip 1500 <nil>
}

// runs is a Codec for bodies of one repeated byte; package pack has better ones.
type runs struct{}

var errRuns = errors.New("not one repeated byte")

func (runs) Pack(dst, src []byte) (n int, codec uint8) {
	if len(dst) == 0 || len(src) < 2 || bytes.Count(src, src[:1]) != len(src) {
		return 0, 0
	}
	return copy(dst, src[:1]), 15
}

func (runs) Unpack(dst, src []byte, codec uint8) error {
	if codec != 15 || len(src) != 1 {
		return errRuns
	}
	for i := range dst {
		dst[i] = src[0]
	}
	return nil
}

func ExampleCodec() {
	var c seal.Codec = runs{}
	packed := make([]byte, 8)
	n, codec := c.Pack(packed, []byte("xxxxxxxx"))
	h := seal.Header{Kind: seal.Data, Codec: codec, Length: n, Raw: 8, Seq: 1}
	body := make([]byte, h.Raw)
	err := c.Unpack(body, packed[:n], h.Codec)
	fmt.Printf("%d bytes of %d: %s %v\n", h.Length, h.Raw, body, err)

	n, codec = c.Pack(packed, []byte("anything")) // travels as it is
	fmt.Println(n, codec)
	// Output:
	// 1 bytes of 8: xxxxxxxx <nil>
	// 0 0
}

// idle is an Observer that packs only while something waits.
type idle struct {
	runs
	busy bool
}

func (i *idle) Observe(waiting, _ int64) { i.busy = waiting > 0 }

func (i *idle) Pack(dst, src []byte) (n int, codec uint8) {
	if !i.busy {
		return 0, 0
	}
	return i.runs.Pack(dst, src)
}

func ExampleObserver() {
	var c seal.Codec = &idle{}
	packed := make([]byte, 8)
	for _, waiting := range []int64{0, 4096} {
		if o, ok := c.(seal.Observer); ok {
			o.Observe(waiting, 1e6)
		}
		n, codec := c.Pack(packed, []byte("xxxxxxxx"))
		fmt.Println(n, codec)
	}
	// Output:
	// 0 0
	// 1 15
}

// Media tell of what becomes of a traced frame, and the context goes on with the hop's own span.
func ExampleHop() {
	t, err := seal.ParseTraceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	if err != nil {
		fmt.Println(err)
		return
	}
	for i, hop := range []seal.Hop{seal.Committed, seal.Carried, seal.Received, seal.Delivered} {
		t = t.In([8]byte{7: byte(i + 1)})
		fmt.Println(hop, t)
	}
	// Output:
	// committed 00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000001-01
	// carried 00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000002-01
	// received 00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000003-01
	// delivered 00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000004-01
}
