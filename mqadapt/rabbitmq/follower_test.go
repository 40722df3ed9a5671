package rabbitmq

import (
	"testing"
	"time"

	"github.com/alphapulse/transport/mqadapt"
)

// A group's place in a stream outlives its members, also where nothing has moved for long before one left: the newest word stays until there
// is a newer one.
func TestPlaceInAStreamIsKeptWhileNothingMoves(t *testing.T) {
	q := open(t, fresh(t, Options{Kind: Stream}))
	p, err := q.Producer()
	if err != nil {
		t.Fatal(err)
	}
	next := func(c mqadapt.Consumer) uint64 {
		t.Helper()
		var batch [1]mqadapt.Delivery
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
			n, err := c.Get(batch[:], 10*time.Millisecond)
			if err != nil {
				t.Fatal(err)
			}
			if n == 1 {
				return batch[0].Position
			}
		}
		t.Fatal("nothing comes")
		return 0
	}
	for position := uint64(1); position <= 4; position++ {
		if n, err := p.Put([]mqadapt.Envelope{envelope(position, 100)}); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		if _, err := settle(t, p, 1); err != nil {
			t.Fatal(err)
		}
		c, err := q.Consumer("g")
		if err != nil {
			t.Fatal(err)
		}
		if got := next(c); got != position {
			t.Fatalf("position %d where %d is due", got, position)
		}
		if err := c.Ack(position); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond) // its word comes back, and nothing follows
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
