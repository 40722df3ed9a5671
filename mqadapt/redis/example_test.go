package redis_test

import (
	"errors"
	"fmt"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/mqadapt/redis"
	"github.com/alphapulse/transport/netio"
)

func ExampleOptions() {
	_, err := redis.Open(redis.Options{URL: "redis://127.0.0.1:6379"})
	fmt.Println(errors.Is(err, mqadapt.ErrOptions))
	// Output: true
}

func ExampleQueue() {
	q, err := redis.Open(redis.Options{URL: "redis://127.0.0.1:1", Stream: "trades", Durability: mqadapt.OS})
	if err != nil { // nobody is there; or redis.ErrWeaker, and the setting that would have to change
		fmt.Println("no queue")
		return
	}
	p, err := q.Producer()
	if err != nil {
		return
	}
	_, _ = mqadapt.NewShipper(p, mqadapt.ShipperOptions{Channel: "trades"})
	// Output: no queue
}

// A topology that names this backend goes through it: transport.Config.Queues takes the Medium.
func ExampleMedium() {
	_, err := redis.Medium{}.Open(netio.QueueSite{Node: "trading"})
	fmt.Println(redis.Medium{}.Backend(), errors.Is(err, mqadapt.ErrOptions)) // the file does not say where it is
	// Output: redis true
}
