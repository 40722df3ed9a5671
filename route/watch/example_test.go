package watch_test

import (
	"fmt"
	"os"
	"time"

	"github.com/alphapulse/transport/route/watch"
)

// A process says what it counts; another one reads it, with its meaning.
func Example() {
	dir, err := os.MkdirTemp("", "node")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	var board *watch.Board
	if board, err = watch.Post(dir, "left", watch.NodeProcess); err != nil {
		panic(err)
	}
	defer board.Close()
	var spread *watch.Spread = board.Spread(watch.HopLatency, "orders", watch.Carried, "right", "udp")
	spread.Record(1500)
	board.Round(time.Now(), func() (all bool) {
		board.Count(watch.RingMessages, 12, "orders", "7.ring")
		board.Gauge(watch.WayBreaker, 2, "orders", "right", "udp")
		return true
	})
	all, err := watch.ReadDir(dir)
	if err != nil {
		panic(err)
	}
	for i := range all[0].Samples {
		var s *watch.Sample = &all[0].Samples[i]
		switch s.Metric.Kind {
		case watch.Counter, watch.Gauge:
			fmt.Println(s.Metric.Name, s.Get("channel"), s.Value)
		case watch.Histogram:
			var c *watch.Counts = s.Counts
			fmt.Println(s.Metric.Name, s.Labels, c.Total, c.Quantile(0.99))
		}
	}
	// Output:
	// pulse_watch_unkept_total  0
	// pulse_ring_committed_messages_total orders 12
	// pulse_hop_latency_seconds [{channel orders} {hop carried} {node right} {medium udp}] 1 1500
	// pulse_way_breaker_state orders 2
}

func ExampleHealthOf() {
	var m watch.Metric
	m, _ = watch.Find(watch.WayBreaker)
	s := watch.Snapshot{Process: watch.NodeProcess, Alive: true, At: time.Now(), Samples: []watch.Sample{
		{Metric: m, Value: 2, Labels: []watch.Label{{Name: "channel", Value: "orders"}, {Name: "node", Value: "right"}, {Name: "medium", Value: "udp"}}}}}
	var h watch.Health = watch.HealthOf(time.Now(), &s)
	for _, f := range h.Faults {
		fmt.Printf("%s: %s: %s\n", f.State, f.What, f.Why)
	}
	// Output: degraded: channel orders to right by udp: its breaker is open
}

func ExampleCatalogue() {
	var kind watch.Kind = watch.Counter
	for _, m := range watch.Catalogue() {
		if m.Kind == kind && m.Unit() == "bytes" {
			fmt.Println(m.Name, m.Labels)
		}
	}
	var worst watch.State = watch.Failing
	var fault watch.Fault
	fmt.Println(worst, fault.What == "")
	// Output:
	// pulse_ring_committed_bytes_total [channel ring]
	// pulse_link_bytes_total [channel node medium stripe direction]
	// failing true
}
