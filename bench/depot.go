package bench

import (
	"fmt"
	"time"

	"github.com/alphapulse/transport/internal/brokers"
	"github.com/alphapulse/transport/mqadapt"
)

// The lanes over brokers keep a window of envelopes under way, and count what the broker has confirmed. After each slice, outside of the
// measured time, what the broker holds is counted and held against that.
const (
	brokerWindow   = 1024
	brokerPatience = 10 * time.Second
	brokerGroup    = "bench"

	queueJournal brokers.Kind = "journal" // the queue that needs no broker
)

// depot is the place at a broker that a lane has to itself, and what is known of it.
type depot interface {
	// open is the adapter's way in.
	open() (mqadapt.Queue, error)

	// holds wants so many envelopes to have been put.
	holds(want uint64) error

	// close takes the place away: the broker may be somebody else's.
	close() error
}

func newDepot(s laneSpec) (depot, error) {
	switch s.Queue {
	case queueJournal:
		return journalDepot{s}, nil
	case brokers.KindRedis:
		return newRedisStream(s)
	case brokers.KindKafka:
		return newKafkaTopic(s)
	case brokers.KindRabbitMQ:
		return newRabbitQueue(s)
	}
	return nil, fmt.Errorf("bench: no queue of kind %q", s.Queue)
}

// newBareNear opens the lane of a broker's client alone.
func newBareNear(s laneSpec, seed uint64) (near, error) {
	switch s.Queue {
	case brokers.KindRedis:
		return newRedisBareNear(s, seed)
	case brokers.KindKafka:
		return newKafkaBareNear(s, seed)
	case brokers.KindRabbitMQ:
		return newRabbitBareNear(s, seed)
	}
	return nil, fmt.Errorf("bench: no queue of kind %q", s.Queue)
}

// depotName is what a lane's place is called.
func depotName(s laneSpec) string { return "pulse-bench-" + s.Name + "-" + s.Mark }
