package journal_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/mqadapt/journal"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// What a publisher says goes through a journal into a mirror. Each half may be a process of its own.
func Example() {
	dir, err := os.MkdirTemp("", "journal-example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	source, _ := ring.Create(ring.Options{})
	writer, _ := source.Writer()
	for _, text := range []string{"one", "two", "three"} {
		b, _ := writer.Claim(len(text))
		copy(b, text)
		_ = writer.Commit(len(text))
	}

	j, err := journal.Open(journal.Options{Dir: dir, Durability: mqadapt.Process})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer j.Close()
	producer, _ := j.Producer()
	shipper, _ := mqadapt.NewShipper(producer, mqadapt.ShipperOptions{Channel: "orders"})
	defer shipper.Close()
	_ = shipper.Add(source)
	for !shipper.Idle() {
		if _, err := shipper.Do(); err != nil {
			fmt.Println(err)
			return
		}
	}

	var reader *ring.Reader
	consumer, _ := j.Consumer("audit")
	taker, _ := mqadapt.NewTaker(consumer, mqadapt.TakerOptions{Channel: "orders",
		Inbox: netio.InboxOptions{Opened: func(r *ring.Ring) { reader, _ = r.Reader(ring.ReaderOptions{From: ring.Oldest}) }}})
	defer taker.Close()
	for taker.Stats().Frames < 3 {
		if _, err := taker.Do(); err != nil {
			fmt.Println(err)
			return
		}
	}
	batch := make([]ring.Record, 8)
	n := reader.Peek(batch)
	for i, r := range batch[:n] {
		fmt.Printf("%d %s\n", reader.First()+uint64(i), r.Payload())
	}
	// Output:
	// 1 one
	// 2 two
	// 3 three
}

// filled makes a journal with one entry, and a group that has not taken it.
func filled(dir string) (*journal.Journal, *journal.Appender, error) {
	j, err := journal.Open(journal.Options{Dir: dir, Segment: 128 << 10})
	if err != nil {
		return nil, nil, err
	}
	a, err := j.Appender()
	if err != nil {
		return nil, nil, errors.Join(err, j.Close())
	}
	record := []byte{21, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 'h', 'e', 'l', 'l', 'o', 0, 0, 0} // as it lies in a ring
	_, err = a.Put([]mqadapt.Envelope{{Header: seal.Header{Kind: seal.Data, Channel: seal.ChannelID("c"), Source: 1, Epoch: 1, Seq: 7}, Body: record}})
	return j, a, err
}

func ExampleAppender() {
	dir, _ := os.MkdirTemp("", "journal-example")
	defer os.RemoveAll(dir)
	j, a, err := filled(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer j.Close()
	out := make([]mqadapt.Outcome, 1)
	n, _ := a.Settle(out, time.Second)
	var found journal.Recovery = a.Recovery()
	var stats journal.Stats = a.Stats()
	fmt.Println(n, out[0].Verdict, found.Next, stats.Entries)
	_, err = j.Appender()
	fmt.Println(errors.Is(err, mqadapt.ErrOwned))
	// Output:
	// 1 accepted 1 1
	// true
}

func ExampleConsumer() {
	dir, _ := os.MkdirTemp("", "journal-example")
	defer os.RemoveAll(dir)
	j, _, err := filled(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer j.Close()
	c, _ := j.Consumer("audit")
	batch := make([]mqadapt.Delivery, 8)
	n, _ := c.Get(batch, time.Second)
	fmt.Printf("%d at %d: %s\n", n, batch[0].Position, batch[0].Envelope[seal.HeaderSize+16:][:5])
	fmt.Println(c.Ack(batch[n-1].Position), c.Position(), c.(*journal.Consumer) != nil)
	// Output:
	// 1 at 1: hello
	// <nil> 1 true
}

func ExampleVerify() {
	dir, _ := os.MkdirTemp("", "journal-example")
	defer os.RemoveAll(dir)
	j, _, err := filled(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer j.Close()
	_, _ = j.Consumer("audit")
	var c journal.Contents
	c, err = journal.Verify(dir)
	var first journal.SegmentInfo = c.Segments[0]
	var group journal.Group = c.Groups[0]
	fmt.Println(filepath.Base(first.Path), first.Entries, group.Name, c.Next, err)
	// Output:
	// 0000000000000001.seg 1 audit 2 <nil>
}

func ExampleReplay() {
	dir, _ := os.MkdirTemp("", "journal-example")
	defer os.RemoveAll(dir)
	j, _, err := filled(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer j.Close()
	var done journal.Replayed
	done, err = journal.Replay{Dir: dir, Speed: 2}.Run(context.Background(), func(f seal.Frame) error {
		fmt.Printf("%d %s\n", f.Seq, f.Payload)
		return nil
	})
	fmt.Println(done.Messages, err)
	err = journal.Scan(dir, 0, func(e journal.Entry) error {
		fmt.Println("entry", e.Number, "of", len(e.Envelope), "bytes")
		return nil
	})
	fmt.Println(err)
	// Output:
	// 7 hello
	// 1 <nil>
	// entry 1 of 56 bytes
	// <nil>
}
