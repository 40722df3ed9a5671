package transport_test

import (
	"context"
	"errors"
	"fmt"

	transport "github.com/alphapulse/transport"
	"github.com/alphapulse/transport/mqadapt/journal"
)

// What is to be made on brokers is said before anything is; a journal needs nothing.
func ExampleProvisioner() {
	var m transport.QueueMedium = journal.Medium{}
	_, makes := m.(transport.Provisioner)
	_, err := transport.Provision(context.Background(), transport.Config{File: "nowhere.yaml", Queues: []transport.QueueMedium{m}}, true)
	fmt.Println(makes, errors.Is(err, transport.ErrTopology))
	// Output: false true
}
