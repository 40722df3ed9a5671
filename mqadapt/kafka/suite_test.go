package kafka

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/mqadapt/queuetest"
)

// beds are the ways that a topic is used: of one partition and of several, and with transactions.
var beds = map[string]Options{"idempotent": {}, "partitions": {Partitions: 3}, "transactions": {Transaction: "suite", Window: 64}}

// parents reads a topic as a client of Kafka does.
func parents(t *testing.T, q mqadapt.Queue, n int) (all []string) {
	o := q.(*Queue).options
	cl, err := kgo.NewClient(kgo.SeedBrokers(o.Brokers...), kgo.ConsumeTopics(o.Topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	until(t, "records", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		for _, r := range cl.PollFetches(ctx).Records() {
			text := ""
			for _, h := range r.Headers {
				if h.Key == parentKey {
					text = string(h.Value)
				}
			}
			all = append(all, text)
		}
		return len(all) >= n
	})
	return all[:n]
}

// holdToIt holds a broker's topics to the contract.
func holdToIt(t *testing.T, brokers []string, name string) {
	t.Run(name, func(t *testing.T) {
		queuetest.Run(t, queuetest.Bed{Patience: 3 * time.Minute, Parents: parents, New: func(t *testing.T) func() (mqadapt.Queue, error) {
			o, n := fresh(t, brokers, beds[name]), 0
			return func() (mqadapt.Queue, error) {
				o := o
				if n++; o.Transaction != "" { // each has its own, or they fence each other
					o.Transaction = fmt.Sprintf("%s-%d", o.Topic, n)
				}
				return Open(o)
			}
		}})
	})
}

func TestTopicOfAFakeBrokerIsAQueue(t *testing.T) {
	brokers := fake(t).ListenAddrs()
	for name := range beds {
		holdToIt(t, brokers, name)
	}
}

// The suite puts thousands of envelopes one by one, of which each is a transaction: on a real broker that takes more than a minute, which is
// left to full counts.
func TestTopicOfARealBrokerIsAQueue(t *testing.T) {
	brokers := realBroker(t)
	holdToIt(t, brokers, "idempotent")
	holdToIt(t, brokers, "partitions")
	if scaled(20) == 20 {
		holdToIt(t, brokers, "transactions")
	}
}
