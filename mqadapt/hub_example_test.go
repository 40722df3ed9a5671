package mqadapt_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
)

// counted is a list that says what is in it.
type counted struct{ list }

func (c *counted) Backlog(string) (uint64, error) { return uint64(len(c.kept)) - c.acked, nil }

// A node's hub puts a ring into a queue.
func ExampleHub() {
	kind := mqadapt.Backend{Kind: "list", Open: func(netio.QueueLine) (mqadapt.Queue, error) { return &counted{}, nil }}
	var hub *mqadapt.Hub = mqadapt.NewHub(netio.QueueSite{Node: "left"}, kind)
	source, _ := ring.Create(ring.Options{Heap: true})
	w, err := hub.Ship(netio.QueueLine{Channel: "orders", Queue: "orders", From: "left", To: "right", Place: "to right"})
	if err == nil {
		err = w.Add("orders", source)
	}
	for done := false; err == nil && !done; time.Sleep(time.Millisecond) {
		done, err = w.Remove("orders", source)
	}
	var q mqadapt.Backlogged = &counted{}
	behind, _ := q.Backlog("right")
	fmt.Println(behind, errors.Join(err, hub.Close()))
	// Output: 0 <nil>
}
