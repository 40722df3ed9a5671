package netio_test

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/alphapulse/transport/internal/tally"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
)

// counting says what it counts, and how old what it carries is.
type counting struct {
	shelved
	spread *netio.Spread
}

func (c *counting) Counts(tell func(netio.Count)) {
	tell(netio.Count{Channel: "orders", What: netio.CountFrames, Direction: netio.Out, Value: 3})
	netio.Tell(tell, netio.Count{Channel: "orders", What: netio.CountDropped, Direction: netio.Out, Reason: "full"}) // none was
}

func (c *counting) Time(carried, _ *netio.Spread) { c.spread = carried }

func ExampleCounted() {
	var w netio.Counted = &counting{}
	var frames netio.What = netio.CountFrames
	w.Counts(func(c netio.Count) { fmt.Println(c.Channel, c.What == frames, c.Direction, c.Value, c.Reason) })
	// Output: orders true out 3
}

func ExampleTimed() {
	dir, err := os.MkdirTemp("", "node")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "node.stats")
	file, err := tally.Create(path, "left", "node")
	if err != nil {
		panic(err)
	}
	defer file.Close()
	spread, err := file.Spread("carried")
	if err != nil {
		panic(err)
	}
	one := &counting{}
	var w netio.Timed = one
	w.Time(spread, nil)
	record := make([]byte, ring.HeaderSize)
	record[8] = 100                                // its stamp
	netio.AgeOf(one.spread, 350, record)           // when it is sent
	netio.Age(one.spread, 350, 400)                // of another clock
	netio.AgeOf(one.spread, 2*time.Minute, record) // and this one, too
	netio.AgeOf(one.spread, 350, make([]byte, 8))  // no record
	netio.AgeOf(one.spread, 350, make([]byte, 16)) // one without a stamp
	netio.AgeOf((*netio.Spread)(nil), 350, record) // nobody wants to know
	file.Publish()
	all, err := tally.Read(path)
	if err != nil {
		panic(err)
	}
	ages := all.Entries[0].Counts
	fmt.Println(ages.Total, ages.Max)
	// Output: 1 250
}
