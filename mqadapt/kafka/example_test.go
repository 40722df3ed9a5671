package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/mqadapt/kafka"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/seal"
)

func ExampleQueue() {
	broker, err := kfake.NewCluster(kfake.NumBrokers(1)) // in place of a real one
	if err != nil {
		fmt.Println(err)
		return
	}
	defer broker.Close()
	o := kafka.Options{Brokers: broker.ListenAddrs(), Topic: "trades", Partitions: 4}
	steps, err := kafka.Provision(context.Background(), o, true)
	fmt.Println("would", steps[0], err)
	if _, err := kafka.Provision(context.Background(), o, false); err != nil {
		fmt.Println(err)
		return
	}

	q, err := kafka.Open(o)
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := q.Producer()
	if err != nil {
		fmt.Println(err)
		return
	}
	e := mqadapt.Envelope{Header: seal.Header{Kind: seal.Data, Channel: seal.ChannelID("trades"), Source: 7, Epoch: 1, Seq: 1}, Body: make([]byte, 64)}
	n, err := p.Put([]mqadapt.Envelope{e})
	fmt.Println("taken", n, err)
	var out [1]mqadapt.Outcome
	_, err = p.Settle(out[:], time.Second)
	fmt.Println(out[0].Verdict, err)

	c, err := q.Consumer("audit")
	if err != nil {
		fmt.Println(err)
		return
	}
	var got [1]mqadapt.Delivery
	n, err = c.Get(got[:], 5*time.Second)
	fmt.Println("got", n, len(got[0].Envelope), err, c.Ack(got[0].Position))
	var s kafka.Stats = q.Stats()
	fmt.Println(s.Accepted, s.Delivered, errors.Join(q.Close()))
	// Output:
	// would create topic trades: partitions 4, replicas 1 <nil>
	// taken 1 <nil>
	// accepted <nil>
	// got 1 96 <nil> <nil>
	// 1 1 <nil>
}

// A topology that names this backend goes through it: transport.Config.Queues takes the Medium.
func ExampleMedium() {
	_, err := kafka.Medium{}.Open(netio.QueueSite{Node: "trading"})
	fmt.Println(kafka.Medium{}.Backend(), errors.Is(err, mqadapt.ErrOptions)) // the file does not say where it is
	// Output: kafka true
}
