package journal_test

import (
	"errors"
	"fmt"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/mqadapt/journal"
	"github.com/alphapulse/transport/netio"
)

func ExampleMedium() {
	m := journal.Medium{}
	_, err := m.Open(netio.QueueSite{Node: "left"})
	fmt.Println(m.Backend(), errors.Is(err, mqadapt.ErrOptions))
	// Output: journal true
}
