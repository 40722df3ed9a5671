package view

import (
	"testing"
	"time"

	"github.com/alphapulse/transport/route/watch"
)

func TestStripesAndProcessesAreOneHop(t *testing.T) {
	dir := t.TempDir()
	post := func(process string) *watch.Board {
		b, err := watch.Post(dir, "trade", process)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = b.Close() })
		return b
	}
	node, actor := post(watch.NodeProcess), post("strategy")
	first := node.Spread(watch.HopLatency, "ticks", watch.Carried, "md", "udp", "0")
	second := node.Spread(watch.HopLatency, "ticks", watch.Carried, "md", "udp", "1")
	here, there := node.Spread(watch.HopLatency, "ticks", watch.Delivered), actor.Spread(watch.HopLatency, "ticks", watch.Delivered)
	look := func(before *State, seconds int64) *State {
		for _, b := range []*watch.Board{node, actor} {
			b.Round(time.Unix(seconds, 0), func() bool { return true })
		}
		all, err := watch.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		return Of(time.Unix(seconds, 0), all, before)
	}
	for range 10 {
		first.Record(100)
		second.Record(120)
		here.Record(50)
	}
	s := look(nil, 1)
	check := func(i int, want Hop) {
		t.Helper()
		if hops := s.Channels[0].Hops; len(hops) != 2 || hops[i] != want {
			t.Fatalf("%+v, want %+v at %d", hops, want, i)
		}
	}
	check(0, Hop{"carried", "md", "udp", 20, false, 100, 120, 120, 120})
	check(1, Hop{"delivered", "", "", 10, false, 50, 50, 50, 50})
	second.Record(90)
	there.Record(60)
	there.Record(70)
	s = look(s, 2)
	check(0, Hop{"carried", "md", "udp", 1, true, 90, 90, 90, 90})
	check(1, Hop{"delivered", "", "", 2, true, 60, 70, 70, 70})
	s = look(s, 3) // nothing came: what there ever was
	check(0, Hop{"carried", "md", "udp", 21, false, 100, 120, 120, 120})
	check(1, Hop{"delivered", "", "", 12, false, 50, 70, 70, 70})
}

// The last words of a process that died are not that its rings are written and its ways alive.
func TestWhatADeadProcessWritesIsNotAlive(t *testing.T) {
	dir := t.TempDir()
	b, err := watch.Post(dir, "trade", watch.NodeProcess)
	if err != nil {
		t.Fatal(err)
	}
	b.Round(time.Unix(1, 0), func() bool {
		b.Fact(watch.RingWriterAlive, true, "ticks", "r")
		b.Fact(watch.CarriageActive, true, "ticks", "md", "udp")
		b.Fact(watch.WayAlive, true, "ticks", "md", "udp")
		return true
	})
	look := func() Channel {
		all, err := watch.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		return Of(time.Unix(2, 0), all, nil).Channels[0]
	}
	if c := look(); !c.Rings[0].Alive || c.Carriages[0].Medium != "udp" || !c.Carriages[0].Ways[0].Alive {
		t.Errorf("alive: %+v", c)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if c := look(); c.Rings[0].Alive || c.Carriages[0].Medium != "udp" || c.Carriages[0].Ways[0].Alive { // what carried it last is worth knowing
		t.Errorf("dead: %+v", c)
	}
}
