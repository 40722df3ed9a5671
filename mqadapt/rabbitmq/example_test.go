package rabbitmq_test

import (
	"errors"
	"fmt"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/mqadapt/rabbitmq"
	"github.com/alphapulse/transport/netio"
)

func ExampleOptions() {
	_, err := rabbitmq.Open(rabbitmq.Options{URL: "amqp://localhost/", Name: "audit", Window: -1})
	fmt.Println(err)
	// Output: rabbitmq: queue options: a window of -1 envelopes: 1 to 16384
}

func ExampleKind() {
	fmt.Println(rabbitmq.Quorum, rabbitmq.Classic, rabbitmq.Stream)
	// Output: quorum classic stream
}

func ExampleQueue() {
	q, err := rabbitmq.Open(rabbitmq.Options{URL: "amqp://localhost/", Name: "audit", RoutingKey: "audit.trail", Groups: []string{"archive"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	// rabbitmq.Provision has made the queues; then mqadapt.Keep runs work that takes q.Producer() or q.Consumer("archive").
	fmt.Println(q.Close())
	// Output: <nil>
}

func ExampleStats() {
	q, err := rabbitmq.Open(rabbitmq.Options{URL: "amqp://localhost/", Name: "audit"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%+v %v\n", q.Stats(), q.Close())
	// Output: {Accepted:0 Rejected:0 Returned:0 Refused:0 Ended:0} <nil>
}

// A topology that names this backend goes through it: transport.Config.Queues takes the Medium.
func ExampleMedium() {
	_, err := rabbitmq.Medium{}.Open(netio.QueueSite{Node: "trading"})
	fmt.Println(rabbitmq.Medium{}.Backend(), errors.Is(err, mqadapt.ErrOptions)) // the file does not say where it is
	// Output: rabbitmq true
}
