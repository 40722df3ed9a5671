package netio_test

import (
	"fmt"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// A receiver keeps what came with an envelope until the frame that it is about is due.
func ExampleTraces() {
	inbox, _ := netio.NewInbox(netio.InboxOptions{})
	defer inbox.Close()
	mirror, _ := inbox.Open(7, 1)
	reader, _ := mirror.Ring.Reader(ring.ReaderOptions{})
	defer reader.Close()
	var told netio.Traced = func(channel string, hop seal.Hop, t seal.Trace, name seal.Frame) seal.Trace {
		fmt.Println(channel, hop, name.Seq)
		return t.In([8]byte{7: 1})
	}
	t, _ := seal.ParseTraceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	record := func(seq byte) []byte { return []byte{24, 0, 0, 0, seq, 23: 0} }

	var traces netio.Traces
	traces.Note(2, t)
	for seq := range byte(2) {
		name := seal.Frame{Source: 7, Epoch: 1, Seq: uint64(seq) + 1}
		traces.About(mirror, "quotes", name, told)
		_ = mirror.Bring(1, name.Seq, 0, record(seq+1), 1)
	}
	mirror.Flush()
	batch := make([]ring.Record, 4)
	for n := reader.Peek(batch); n > 0; n = reader.Peek(batch) {
		if t := reader.Trace(); t != nil {
			fmt.Println(reader.First(), seal.Trace(*t))
		}
	}
	// Output:
	// quotes received 2
	// 2 00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000001-01
}
