package route

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/alphapulse/transport/route/topo"
)

var methods = []topo.Balance{topo.RoundRobin, topo.LeastLag, topo.Rendezvous}

func newBalancer(t testing.TB, o BalancerOptions, members ...string) *Balancer {
	t.Helper()
	b, err := NewBalancer(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range members {
		if err := b.Join(name, 0); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func place(t testing.TB, b *Balancer, source uint64) string {
	t.Helper()
	name, err := b.Place(source)
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func TestFourStripesShareWithinFivePercent(t *testing.T) {
	for _, method := range methods {
		for _, sources := range []int{64, 1000, 10_000} {
			t.Run(fmt.Sprintf("%s of %d", method, sources), func(t *testing.T) {
				b := newBalancer(t, BalancerOptions{Method: method, Spread: 1.01}, "a", "b", "c", "d")
				for i := range sources {
					place(t, b, mix(uint64(i)))
				}
				fair := float64(sources) / 4
				for _, s := range b.Shares() { // a source is not divided
					if off := math.Abs(float64(s.Sources) - fair); off > max(0.05*fair, 1) {
						t.Errorf("%s has %d of %d sources", s.Name, s.Sources, sources)
					}
				}
			})
		}
	}
}

func TestWeightsAreProportions(t *testing.T) {
	for _, method := range methods {
		t.Run(method.String(), func(t *testing.T) {
			b := newBalancer(t, BalancerOptions{Method: method, Spread: 1.01})
			for name, weight := range map[string]float64{"one": 1, "three": 3, "four": 4} {
				if err := b.Join(name, weight); err != nil {
					t.Fatal(err)
				}
			}
			for i := range 8000 {
				place(t, b, mix(uint64(i)))
			}
			for _, s := range b.Shares() {
				if off := float64(s.Sources)/(1000*s.Weight) - 1; math.Abs(off) > 0.05 {
					t.Errorf("%s of weight %g has %d of 8000", s.Name, s.Weight, s.Sources)
				}
			}
		})
	}
}

func TestLeastLagAvoidsWhoLags(t *testing.T) {
	b := newBalancer(t, BalancerOptions{Method: topo.LeastLag, Spread: 2}, "behind", "well")
	b.Lag("behind", 1<<20)
	for i := range uint64(100) {
		place(t, b, i)
	}
	s := b.Shares()
	if s[1].Sources != 100 {
		t.Errorf("%+v", s)
	}
	b.Lag("behind", 0)
	b.Lag("well", 1<<20)
	if moves := b.Even(10); len(moves) != 10 || moves[0] != (Move{0, "well", "behind"}) {
		t.Errorf("%+v", moves)
	}
}

func TestSpreadKeepsLeastLagFromPilingUp(t *testing.T) {
	b := newBalancer(t, BalancerOptions{Method: topo.LeastLag}, "a", "b", "c", "d")
	for i, name := range []string{"a", "b", "c", "d"} {
		b.Lag(name, uint64(i))
	}
	for i := range uint64(100) { // nobody reports meanwhile
		place(t, b, i)
	}
	for _, s := range b.Shares() {
		if s.Sources > 32 {
			t.Errorf("%s has %d of 100", s.Name, s.Sources)
		}
	}
}

// TestSourcesStayUntilMoved over random histories of joining, leaving, placing and evening.
func TestSourcesStayUntilMoved(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		o := BalancerOptions{Method: rapid.SampledFrom(methods).Draw(rt, "method"), Spread: rapid.SampledFrom([]float64{0, 1, 3}).Draw(rt, "spread")}
		b, err := NewBalancer(o)
		if err != nil {
			rt.Fatal(err)
		}
		at, weights := map[uint64]string{}, map[string]float64{}
		name := rapid.SampledFrom([]string{"a", "b", "c", "d", "e"})
		source := rapid.Uint64Range(0, 40)
		apply := func(moves []Move, gone string) {
			seen := map[uint64]bool{}
			for _, m := range moves {
				if at[m.Source] != m.From || seen[m.Source] || m.From == m.To {
					rt.Fatalf("%+v, and it was at %q", m, at[m.Source])
				}
				if gone != "" && m.From != gone {
					rt.Fatalf("%s left, and %+v", gone, m)
				}
				seen[m.Source] = true
				if at[m.Source] = m.To; m.To == "" {
					delete(at, m.Source)
				}
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"join": func(*rapid.T) {
				n, w := name.Draw(rt, "name"), rapid.SampledFrom([]float64{0, 1, 2.5}).Draw(rt, "weight")
				err := b.Join(n, w)
				if _, there := weights[n]; there != errors.Is(err, ErrMember) {
					rt.Fatalf("join %s: %v", n, err)
				}
				if err == nil {
					weights[n] = w
				}
			},
			"leave": func(*rapid.T) {
				n := name.Draw(rt, "name")
				before := 0
				for _, where := range at {
					if where == n {
						before++
					}
				}
				moves := b.Leave(n)
				if len(moves) != before {
					rt.Fatalf("%s had %d sources, %d moves", n, before, len(moves))
				}
				delete(weights, n)
				apply(moves, n)
			},
			"place": func(*rapid.T) {
				s := source.Draw(rt, "source")
				got, err := b.Place(s)
				if was, ok := at[s]; ok && (got != was || err != nil) {
					rt.Fatalf("source %d went from %s to %s by itself: %v", s, was, got, err)
				}
				if len(weights) == 0 && !errors.Is(err, ErrNoMember) {
					rt.Fatalf("%v", err)
				}
				if err == nil {
					at[s] = got
				}
			},
			"forget": func(*rapid.T) {
				s := source.Draw(rt, "source")
				b.Forget(s)
				delete(at, s)
			},
			"even": func(*rapid.T) {
				most := rapid.IntRange(0, 5).Draw(rt, "most")
				moves := b.Even(most)
				if len(moves) > most {
					rt.Fatalf("%d moves, %d asked for", len(moves), most)
				}
				apply(moves, "")
			},
			"lag": func(*rapid.T) {
				b.Lag(name.Draw(rt, "name"), rapid.Uint64Range(0, 1000).Draw(rt, "bytes"))
			},
			"": func(*rapid.T) {
				counts := map[string]int{}
				for _, where := range at {
					counts[where]++
				}
				for _, s := range b.Shares() {
					if s.Sources != counts[s.Name] {
						rt.Fatalf("%s has %d sources, %d by count", s.Name, s.Sources, counts[s.Name])
					}
					delete(counts, s.Name)
				}
				if len(counts) != 0 {
					rt.Fatalf("nobody's sources: %v", counts)
				}
			},
		})
	})
}

func TestEvenComesToRest(t *testing.T) {
	for _, method := range methods {
		b := newBalancer(t, BalancerOptions{Method: method}, "a", "b", "c")
		for i := range 300 {
			place(t, b, mix(uint64(i)))
		}
		if err := b.Join("d", 0); err != nil {
			t.Fatal(err)
		}
		moved := len(b.Even(300))
		if moved < 50 || moved > 120 {
			t.Errorf("%s: a fourth of 300 joined, %d sources moved", method, moved)
		}
		for round := 0; ; round++ {
			if len(b.Even(300)) == 0 {
				break
			}
			if round == 10 {
				t.Fatalf("%s: still moving after %d rounds", method, round)
			}
		}
	}
}

func TestRendezvousIsTheSameForEverybody(t *testing.T) {
	here := []Share{{Name: "a", Weight: 1}, {Name: "b", Weight: 2}, {Name: "c", Weight: 1}}
	there := []Share{here[2], here[0], here[1]}
	counts := map[string]int{}
	for key := range uint64(40_000) {
		one, two := here[Rendezvous(key, here)].Name, there[Rendezvous(key, there)].Name
		if one != two {
			t.Fatalf("key %d: %s here, %s there", key, one, two)
		}
		counts[one]++
		if one != "b" {
			if less := here[Rendezvous(key, []Share{here[0], {}, here[2]})].Name; less != one {
				t.Fatalf("key %d went from %s to %s because b left", key, one, less)
			}
		}
	}
	for name, want := range map[string]int{"a": 10_000, "b": 20_000, "c": 10_000} {
		if off := float64(counts[name])/float64(want) - 1; math.Abs(off) > 0.05 {
			t.Errorf("%s has %d keys, not %d", name, counts[name], want)
		}
	}
	if Rendezvous(1, nil) != -1 || Rendezvous(1, []Share{{Name: "a"}}) != -1 {
		t.Error("nobody was found")
	}
}

func TestBalancerRefusals(t *testing.T) {
	b := newBalancer(t, BalancerOptions{})
	for name, weight := range map[string]float64{"": 1, "a": -1, "b": math.NaN(), "c": math.Inf(1)} {
		if err := b.Join(name, weight); !errors.Is(err, ErrMember) {
			t.Errorf("%q of weight %g: %v", name, weight, err)
		}
	}
	for i := range maxMembers {
		if err := b.Join(fmt.Sprint(i), 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Join("more", 0); !errors.Is(err, ErrMember) {
		t.Error(err)
	}
	for i := range uint64(maxSources) {
		place(t, b, i)
	}
	if _, err := b.Place(maxSources); !errors.Is(err, ErrSources) {
		t.Error(err)
	}
	for _, o := range []BalancerOptions{{Spread: 0.5}, {Spread: math.NaN()}, {Method: 9}} {
		if _, err := NewBalancer(o); err == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
}

func TestPlacesAreFoundWithoutAllocating(t *testing.T) {
	b := newBalancer(t, BalancerOptions{Method: topo.Rendezvous}, "a", "b")
	place(t, b, 7)
	members := b.Shares()
	if n := testing.AllocsPerRun(100, func() {
		_, _ = b.Place(7)
		b.Lag("a", 1)
		Rendezvous(7, members)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func ExampleBalancer() {
	var b Balancer // round robin
	for _, name := range []string{"stripe 0", "stripe 1"} {
		if err := b.Join(name, 0); err != nil {
			fmt.Println(err)
		}
	}
	for source := range uint64(4) {
		name, _ := b.Place(source)
		fmt.Println(source, "on", name)
	}
	for _, m := range b.Leave("stripe 1") {
		fmt.Println(m.Source, "from", m.From, "to", m.To)
	}
	// Output:
	// 0 on stripe 0
	// 1 on stripe 1
	// 2 on stripe 0
	// 3 on stripe 1
	// 1 from stripe 1 to stripe 0
	// 3 from stripe 1 to stripe 0
}

func ExampleRendezvous() {
	nodes := []Share{{Name: "left", Weight: 1}, {Name: "right", Weight: 3}}
	counts := map[string]int{}
	for key := range uint64(1000) {
		counts[nodes[Rendezvous(key, nodes)].Name] += 1
	}
	fmt.Println(slices.Sorted(maps.Keys(counts)), counts["right"] > 700)
	// Output: [left right] true
}

func ExampleNewBalancer() {
	b, err := NewBalancer(BalancerOptions{Method: topo.LeastLag})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, name := range []string{"busy", "idle"} {
		if err := b.Join(name, 1); err != nil {
			fmt.Println(err)
		}
	}
	b.Lag("busy", 4096)
	fmt.Println(b.Place(1))
	fmt.Printf("%+v\n", b.Shares())
	// Output:
	// idle <nil>
	// [{Name:busy Weight:1 Sources:0 Lag:4096} {Name:idle Weight:1 Sources:1 Lag:0}]
}
