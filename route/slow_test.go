package route

import (
	"fmt"
	"testing"
	"time"

	"github.com/alphapulse/transport/route/topo"
)

const ringBytes = 1000

func newSlow(t testing.TB, o SlowOptions) *Slow {
	t.Helper()
	s, err := NewSlow(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestOnlyWhoHoldsThePublisherUpIsEvicted(t *testing.T) {
	s := newSlow(t, SlowOptions{Policy: topo.SlowEvict, Wait: time.Second})
	gates := []Gate{{Name: "well"}, {Name: "half", Lag: 500}, {Name: "stuck", Lag: 950}}
	for now := time.Duration(0); now < time.Second; now += 100 * time.Millisecond {
		if i := s.Look(now, ringBytes, gates); i != nobody {
			t.Fatalf("at %s: %+v", now, gates[i])
		}
	}
	if i := s.Look(time.Second, ringBytes, gates); i != 2 {
		t.Fatalf("%d", i)
	}
	if i := s.Look(time.Hour, ringBytes, gates[:2]); i != nobody {
		t.Fatalf("%+v", gates[i])
	}
	if evicted, _ := s.Counts(); evicted != 1 {
		t.Error(evicted)
	}
}

func TestWhoKeepsUpAgainStartsOver(t *testing.T) {
	s := newSlow(t, SlowOptions{Policy: topo.SlowEvict, Wait: time.Second})
	for now := time.Duration(0); now < 10*time.Second; now += 100 * time.Millisecond {
		lag := uint64(1000)
		if now/(100*time.Millisecond)%10 == 9 {
			lag = 0 // once a second
		}
		if i := s.Look(now, ringBytes, []Gate{{Name: "bursts", Lag: lag}}); i != nobody {
			t.Fatalf("at %s", now)
		}
	}
}

func TestTheSlowestGoesAloneAndOthersGetTheirTime(t *testing.T) {
	s := newSlow(t, SlowOptions{Policy: topo.SlowEvict, Wait: time.Second})
	gates := []Gate{{Name: "a", Lag: 950}, {Name: "b", Lag: 990}, {Name: "c", Lag: 960}}
	s.Look(0, ringBytes, gates)
	if i := s.Look(time.Second, ringBytes, gates); i != 1 {
		t.Fatalf("%d", i)
	}
	rest := []Gate{gates[0], gates[2]}
	if i := s.Look(1900*time.Millisecond, ringBytes, rest); i != nobody {
		t.Fatalf("%+v", rest[i])
	}
	if i := s.Look(2*time.Second, ringBytes, rest); i != 1 {
		t.Fatalf("%d", i)
	}
}

func TestKeptReadersAndOtherPoliciesEvictNobody(t *testing.T) {
	gates := []Gate{{Name: "recorder", Lag: 1000, Kept: true}}
	s := newSlow(t, SlowOptions{Policy: topo.SlowEvict})
	if i := s.Look(0, ringBytes, gates); i != nobody {
		t.Error("a kept reader is evicted")
	}
	if _, kept := s.Counts(); kept != 1 {
		t.Error("it is not counted")
	}
	gates[0].Kept = false
	for _, p := range []topo.Slow{0, topo.SlowBlock, topo.SlowDrop} {
		s := newSlow(t, SlowOptions{Policy: p})
		if i := s.Look(time.Hour, ringBytes, gates); i != nobody {
			t.Errorf("%s evicts", p)
		}
	}
	if i := s.Look(time.Second, ringBytes, gates); i != 0 {
		t.Error("without a wait it goes at once")
	}
}

func TestSlowRefusesAllBadOptionsAtOnce(t *testing.T) {
	_, err := NewSlow(SlowOptions{Policy: 9, Wait: -1, Full: 2})
	if err == nil || len(err.(interface{ Unwrap() []error }).Unwrap()) != 3 {
		t.Error(err)
	}
}

func TestLooksDoNotAllocate(t *testing.T) {
	s := newSlow(t, SlowOptions{Policy: topo.SlowEvict, Wait: time.Hour})
	gates := []Gate{{Name: "a", Lag: 950}, {Name: "b", Lag: 990}}
	s.Look(0, ringBytes, gates)
	if n := testing.AllocsPerRun(100, func() { s.Look(time.Second, ringBytes, gates) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func ExampleSlow() {
	s, err := NewSlow(SlowOptions{Policy: topo.SlowEvict, Wait: time.Second})
	if err != nil {
		fmt.Println(err)
		return
	}
	gates := []Gate{{Name: "strategy", Lag: 120}, {Name: "dashboard", Lag: 1 << 20}}
	for now := time.Duration(0); now <= time.Second; now += time.Second / 2 {
		fmt.Println(s.Look(now, 1<<20, gates))
	}
	// Output:
	// -1
	// -1
	// 1
}

// Who clears a ring within the wait holds nothing up for longer; a way is given time to evict who holds it up.
func TestWhoClearsTheRingInTimeIsNotSlow(t *testing.T) {
	const capacity = 1 << 16
	slow, err := NewSlow(SlowOptions{Policy: topo.SlowEvict, Wait: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	gates := []Gate{{Name: "brisk", Lag: capacity}, {Name: "to far", Lag: capacity, Grace: 50 * time.Millisecond}, {Name: "crawls", Lag: capacity}}
	at := func(ms int) int {
		gates[0].Cursor = uint64(ms) * capacity / 90
		if len(gates) > 2 {
			gates[2].Cursor = uint64(ms) * capacity / 200
		}
		return slow.Look(time.Duration(ms)*time.Millisecond, capacity, gates)
	}
	for ms := 0; ms < 100; ms += 10 {
		if i := at(ms); i >= 0 {
			t.Fatalf("%s is evicted after %d ms", gates[i].Name, ms)
		}
	}
	if i := at(100); i != 2 {
		t.Fatalf("%d is evicted, and who crawls is due", i)
	}
	gates = gates[:2] // who stays has its whole time again
	for ms := 110; ms < 250; ms += 10 {
		if i := at(ms); i >= 0 {
			t.Fatalf("%s is evicted after %d ms", gates[i].Name, ms)
		}
	}
	if i := at(250); i != 1 {
		t.Fatalf("%d is evicted, and the way that stands still is due", i)
	}
}
