package journal_test

import (
	"errors"
	"fmt"
	"os"

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

// What could not be taken is looked at later, with the reason.
func ExampleDeadLetters() {
	dir, err := os.MkdirTemp("", "pulse")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	d, err := journal.OpenDead(dir)
	if err != nil {
		panic(err)
	}
	_, isOurs := d.(*journal.DeadLetters)
	fmt.Println(isOurs, d.Add(mqadapt.Delivery{Envelope: []byte("what is this"), Position: 7}, mqadapt.ErrMalformed), d.Close())
	err = journal.Scan(dir, 0, func(e journal.Entry) error {
		var why *journal.Dead = e.Dead
		fmt.Printf("%q at %d: %s\n", e.Envelope, why.Position, why.Why)
		return nil
	})
	fmt.Println(err)
	// Output:
	// true <nil> <nil>
	// "what is this" at 7: mqadapt: no envelope
	// <nil>
}
