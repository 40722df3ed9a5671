package kafka

import (
	"fmt"
	"testing"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/mqadapt/queuetest"
)

// holdToIt holds a broker's topics to the contract: of one partition and of several, and with transactions.
func holdToIt(t *testing.T, brokers []string) {
	for name, o := range map[string]Options{"idempotent": {}, "partitions": {Partitions: 3}, "transactions": {Transaction: "suite", Window: 64}} {
		t.Run(name, func(t *testing.T) {
			queuetest.Run(t, queuetest.Bed{New: func(t *testing.T) func() (mqadapt.Queue, error) {
				o, n := fresh(t, brokers, o), 0
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
}

func TestTopicOfAFakeBrokerIsAQueue(t *testing.T) { holdToIt(t, fake(t).ListenAddrs()) }
