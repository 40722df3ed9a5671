package netio_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/numa"
)

// counter is a worker that counts its cycles.
type counter struct {
	cycles atomic.Int64
	err    error
}

func (c *counter) Do() (int, error) {
	c.cycles.Add(1)
	return 0, c.err
}

// runs waits until a worker has been run once more.
func (c *counter) runs() bool {
	before := c.cycles.Load()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if c.cycles.Load() > before {
			return true
		}
	}
	return false
}

func ExampleCrew() {
	crew := netio.NewCrew(numa.Loop{Name: "links"}, func(_ numa.Worker, err error) { fmt.Println(err) })
	one := &counter{}
	crew.Set([]numa.Worker{one})
	fmt.Println(one.runs())
	crew.Set(nil) // it may be closed now
	crew.Close()
	// Output: true
}

func TestAWorkerThatFailsLeavesTheOthers(t *testing.T) {
	ill, well := &counter{err: errors.New("ill")}, &counter{}
	failed := make(chan numa.Worker, 10)
	crew := netio.NewCrew(numa.Loop{}, func(w numa.Worker, _ error) { failed <- w })
	defer crew.Close()
	crew.Set([]numa.Worker{ill, well})
	if w := <-failed; w != numa.Worker(ill) {
		t.Errorf("%v failed", w)
	}
	if !well.runs() || ill.cycles.Load() != 1 {
		t.Errorf("well ran %d times, ill %d", well.cycles.Load(), ill.cycles.Load())
	}
	crew.Set(nil)
	before := well.cycles.Load()
	crew.Between(func() {})
	if n := well.cycles.Load(); n != before {
		t.Error("it runs on")
	}
}
