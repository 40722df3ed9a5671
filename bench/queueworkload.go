package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/alphapulse/transport/internal/brokers"
)

// MQRedis puts 256-byte messages into a stream of Redis, an entry each, 32 at a time, with a window of 1024 under way; what counts is accepted.
// The baseline "bare" is go-redis with pipelines of 1024 entries as large. The variant "ring" is the whole way from a publisher's ring by a
// Shipper, many messages in an entry.
type MQRedis struct{ Setup Setup }

// Run measures the queue with the server that PULSE_REDIS names, or a private one with an append-only file that is synced every second.
func (w MQRedis) Run(ctx context.Context) (*Report, error) {
	return runBroker(ctx, w.Setup, "mq/redis", brokers.KindRedis)
}

// MQKafka puts 256-byte messages into a topic of Kafka, a record each, 32 at a time, with a window of 1024 under way; what counts is accepted
// by all replicas in sync. The baseline "bare" is franz-go with the same window, acknowledgement and bytes in a record. The variant "ring" is
// the whole way from a publisher's ring by a Shipper, many messages in a record.
type MQKafka struct{ Setup Setup }

// Run measures the queue with the broker that PULSE_KAFKA names, or a private one of one node.
func (w MQKafka) Run(ctx context.Context) (*Report, error) {
	return runBroker(ctx, w.Setup, "mq/kafka", brokers.KindKafka)
}

// MQRabbitMQ publishes 256-byte messages into a quorum queue of RabbitMQ, one each, 32 at a time, with a window of 1024 under way; what counts
// is confirmed. The baseline "bare" is amqp091-go with deferred confirms, the same window, a queue of the same kind and arguments, persistent
// messages as large. The variant "ring" is the whole way from a publisher's ring by a Shipper, many messages in one of the broker's.
type MQRabbitMQ struct{ Setup Setup }

// Run measures the queue with the broker that PULSE_RABBITMQ names, or a private one of one node.
func (w MQRabbitMQ) Run(ctx context.Context) (*Report, error) {
	return runBroker(ctx, w.Setup, "mq/rabbitmq", brokers.KindRabbitMQ)
}

const (
	brokerSize  = 256
	brokerSlice = 100 * time.Millisecond // many times what an answer takes
)

// runBroker measures an adapter beside its bare client.
func runBroker(ctx context.Context, setup Setup, name string, kind brokers.Kind) (report *Report, err error) {
	s, err := setup.filled(brokerSize, false)
	if err != nil {
		return nil, err
	}
	if setup.Slice == 0 {
		s.Slice = brokerSlice
	}
	s.patience = max(s.patience, brokerPatience)
	b, err := brokers.Use(kind)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	defer func() { err = errors.Join(err, brokers.StopAll()) }()
	mark := fmt.Sprint(time.Now().UnixNano())
	lane := func(name, of string) laneSpec {
		return laneSpec{Name: name, Kind: of, Pattern: patternStream, Size: s.Size, Batch: batchSize, Queue: kind, Broker: b.URL, Mark: mark}
	}
	subject := string(kind)
	return run(ctx, s, plan{
		name: name, subject: subject, against: []string{"bare"}, variants: map[string]variant{"ring": {"ring", []string{"bare"}}},
		lanes: []laneSpec{lane("ring", kindQueueShipped), lane("bare", kindQueueBare), lane(subject, kindQueue)},
	})
}
