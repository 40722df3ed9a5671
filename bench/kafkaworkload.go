package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/alphapulse/transport/internal/brokers"
)

// MQKafka puts 256-byte messages into a topic of Kafka, a record each, 32 at a time, with a window of 1024 under way; what counts is accepted
// by all replicas in sync. The baseline "bare" is franz-go with the same window, acknowledgement and bytes in a record. The variant "ring" is
// the whole way from a publisher's ring by a Shipper, many messages in a record.
type MQKafka struct{ Setup Setup }

const kafkaSize = 256

// Run measures the queue with the broker that PULSE_KAFKA names, or a private one of one node.
func (w MQKafka) Run(ctx context.Context) (report *Report, err error) {
	s, err := w.Setup.filled(kafkaSize, false)
	if err != nil {
		return nil, err
	}
	if w.Setup.Slice == 0 {
		s.Slice = 100 * time.Millisecond // many times what an answer takes
	}
	s.patience = max(s.patience, kafkaPatience)
	b, err := brokers.Use(brokers.KindKafka)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	defer func() { err = errors.Join(err, brokers.StopAll()) }()
	lane := func(name, kind string) laneSpec {
		return laneSpec{Name: name, Kind: kind, Pattern: patternStream, Size: s.Size, Batch: batchSize, Broker: b.URL,
			Mark: fmt.Sprintf("%d", time.Now().UnixNano())}
	}
	return run(ctx, s, plan{
		name: "mq/kafka", subject: "kafka", against: []string{"bare"}, variants: map[string]variant{"ring": {"ring", []string{"bare"}}},
		lanes: []laneSpec{lane("ring", kindKafkaShipped), lane("bare", kindKafkaBare), lane("kafka", kindKafka)},
	})
}
