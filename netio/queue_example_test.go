package netio_test

import (
	"fmt"
	"io"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
)

// shelf is a kind of queue in which nothing moves.
type shelf struct{ site netio.QueueSite }

func (s shelf) Ship(l netio.QueueLine) (netio.QueueWay, error) { return shelved{l}, nil }
func (s shelf) Take(netio.QueueLine) (io.Closer, error)        { return shelved{}, nil }
func (s shelf) Close() error                                   { return nil }

type shelved struct{ line netio.QueueLine }

func (shelved) Add(string, *ring.Ring) error            { return nil }
func (shelved) Remove(string, *ring.Ring) (bool, error) { return true, nil }
func (shelved) Alive(string) bool                       { return true }
func (shelved) Lag(string) uint64                       { return 0 }
func (shelved) Drained() bool                           { return true }
func (shelved) Close() error                            { return nil }

func ExampleQueues() {
	var q netio.Queues = shelf{netio.QueueSite{Node: "left", Directory: "/var/lib/pulse"}}
	var w netio.QueueWay
	w, err := q.Ship(netio.QueueLine{Channel: "orders", Queue: "orders", From: "left", To: "right", Place: "to right"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(w.Alive("orders"), w.Drained()) // another way may go on
	// Output: true true
}

// picky refuses some of what comes out.
type picky struct{ shelf }

func (picky) Refused() []netio.Refused {
	return []netio.Refused{{Channel: "orders", Queue: "shelf", Reasons: map[string]uint64{"malformed": 2}, Kept: "/var/lib/pulse/dead/right/orders.shelf"}}
}

func ExampleRefuser() {
	var q netio.Refuser = picky{}
	for _, r := range q.Refused() {
		var one netio.Refused = r
		fmt.Println(one.Channel, one.Reasons["malformed"], one.Kept)
	}
	// Output: orders 2 /var/lib/pulse/dead/right/orders.shelf
}
