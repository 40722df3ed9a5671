package mqadapt_test

import (
	"fmt"
	"time"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// list is the smallest queue there is: one group, nothing kept.
type list struct {
	kept  [][]byte
	open  int // outcomes not given yet
	given int
	acked uint64
}

func (l *list) Producer() (mqadapt.Producer, error)       { return (*putter)(l), nil }
func (l *list) Consumer(string) (mqadapt.Consumer, error) { return (*getter)(l), nil }
func (l *list) Close() error                              { return nil }

type putter list

func (p *putter) Put(batch []mqadapt.Envelope) (int, error) {
	for i := range batch {
		b := make([]byte, batch[i].Size())
		batch[i].PutBytes(b)
		p.kept = append(p.kept, b)
	}
	p.open += len(batch)
	return len(batch), nil
}

func (p *putter) Settle(out []mqadapt.Outcome, _ time.Duration) (n int, err error) {
	for ; n < len(out) && p.open > 0; n++ {
		out[n] = mqadapt.Outcome{Verdict: mqadapt.Accepted}
		p.open--
	}
	return n, nil
}

func (p *putter) Close() error { return nil }

type getter list

func (g *getter) Get(batch []mqadapt.Delivery, _ time.Duration) (n int, err error) {
	for ; n < len(batch) && g.given < len(g.kept); n++ {
		batch[n] = mqadapt.Delivery{Envelope: g.kept[g.given], Position: uint64(g.given) + 1}
		g.given++
	}
	return n, nil
}

func (g *getter) Ack(position uint64) error { g.acked = position; return nil }
func (g *getter) Position() uint64          { return g.acked }
func (g *getter) Close() error              { return nil }

// A ring's messages pass a queue and come out in a mirror.
func Example() {
	var q mqadapt.Queue = &list{}
	source, _ := ring.Create(ring.Options{Heap: true})
	w, _ := source.Writer()
	for _, text := range []string{"buy", "sell"} {
		b, _ := w.Claim(len(text))
		copy(b, text)
		_ = w.Commit(len(b))
	}
	p, _ := q.Producer()
	s, err := mqadapt.NewShipper(p, mqadapt.ShipperOptions{Channel: "orders"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	_ = s.Add(source)
	for !s.Idle() {
		_, _ = s.Do()
	}
	var mirror *ring.Reader
	c, _ := q.Consumer("audit")
	t, err := mqadapt.NewTaker(c, mqadapt.TakerOptions{Channel: "orders", Inbox: netio.InboxOptions{
		Opened: func(r *ring.Ring) { mirror, _ = r.Reader(ring.ReaderOptions{From: ring.Oldest}) }}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer t.Close()
	_, _ = t.Do()
	batch := make([]ring.Record, 8)
	for i, r := range batch[:mirror.Peek(batch)] {
		fmt.Printf("%d %s\n", mirror.First()+uint64(i), r.Payload())
	}
	var shipped mqadapt.ShipperStats = s.Stats()
	var taken mqadapt.TakerStats = t.Stats()
	fmt.Println(shipped.Frames, shipped.Envelopes, taken.Frames, c.Position())
	// Output:
	// 1 buy
	// 2 sell
	// 2 1 2 1
}

func ExampleEnvelope() {
	e := mqadapt.Envelope{Header: seal.Header{Kind: seal.Heartbeat, Channel: seal.ChannelID("orders"), Source: 7, Seq: 1}}
	b := make([]byte, e.Size())
	e.PutBytes(b)
	var h seal.Header
	fmt.Println(h.Parse(b), h.Kind, h.Source)
	// Output: <nil> heartbeat 7
}

func ExampleDurability() {
	fmt.Println(mqadapt.Memory, mqadapt.Process, mqadapt.OS)
	var o mqadapt.Outcome // nobody has said anything yet
	fmt.Println(o.Verdict, mqadapt.Verdict(mqadapt.Accepted), mqadapt.Rejected)
	// Output:
	// memory process-crash os-crash
	// unknown accepted rejected
}
