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

const redisSize = 256

// Run measures the queue with the server that PULSE_REDIS names, or a private one with an append-only file that is synced every second.
func (w MQRedis) Run(ctx context.Context) (report *Report, err error) {
	s, err := w.Setup.filled(redisSize, false)
	if err != nil {
		return nil, err
	}
	if w.Setup.Slice == 0 {
		s.Slice = 100 * time.Millisecond // many times what a pipeline takes
	}
	s.patience = max(s.patience, redisPatience)
	b, err := brokers.Use(brokers.KindRedis)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	defer func() { err = errors.Join(err, brokers.StopAll()) }()
	mark := fmt.Sprint(time.Now().UnixNano())
	lane := func(name, kind string) laneSpec {
		return laneSpec{Name: name, Kind: kind, Pattern: patternStream, Size: s.Size, Batch: batchSize, Broker: b.URL, Mark: mark}
	}
	return run(ctx, s, plan{
		name: "mq/redis", subject: "redis", against: []string{"bare"}, variants: map[string]variant{"ring": {"ring", []string{"bare"}}},
		lanes: []laneSpec{lane("ring", kindRedisShipped), lane("bare", kindRedisBare), lane("redis", kindRedis)},
	})
}
