package route

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/alphapulse/transport/route/topo"
)

// TestAThousandReloadsRefuseTheInvalidWholeAndLeaveTheUnchangedAlone: files that are right and files that are wrong, in any order.
// A channel that runs keeps its plan to the letter unless its change says otherwise.
func TestAThousandReloadsRefuseTheInvalidWholeAndLeaveTheUnchangedAlone(t *testing.T) {
	const seed = 20
	rng := rand.New(rand.NewPCG(seed, seed))
	var c Current
	carried := map[string]string{} // what runs, by channel, kept up by the changes alone
	for n := range 1000 {
		top, found := wide(), topo.Findings{}
		for i := range top.Channels {
			ch := &top.Channels[i]
			ch.RingBytes = (1 + rng.IntN(2)) << 20
			ch.Transport.Protocol = topo.Protocol(rng.IntN(4))
		}
		top.Channels = top.Channels[rng.IntN(2):]
		wrong := rng.IntN(3)
		switch wrong {
		case 1:
			found = topo.Findings{{Severity: topo.Error, Rule: "unknown-key", Message: "a typing error"}}
		case 2:
			top.Channels[0].Transport.Protocol, top.Channels[0].Transport.Mode = 0, topo.ModeDirect
			top.Channels[0].Reliability = topo.GuaranteedDelivery // a contradiction that only the plan meets
		}
		before, version := c.Plan(), c.Stats().Version
		changes, err := c.Offer(top, found)
		if wrong != 0 {
			if !errors.Is(err, ErrRefused) || !errors.Is(err, topo.ErrTopology) || c.Plan() != before || c.Stats().Version != version || changes != nil {
				t.Fatalf("seed %d, reload %d: %v", seed, n, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("seed %d, reload %d: %v", seed, n, err)
		}
		for _, x := range changes {
			switch x.Fate {
			case Removed:
				delete(carried, x.Channel)
			case Untouched:
			default:
				carried[x.Channel] = shape(c.Plan(), x.Channel)
			}
		}
		for _, p := range c.Plan().Channels {
			if name := p.Channel.Name; carried[name] != shape(c.Plan(), name) {
				t.Fatalf("seed %d, reload %d: %s runs %s, and the plan says %s", seed, n, name, carried[name], shape(c.Plan(), name))
			}
		}
		if len(carried) != len(c.Plan().Channels) || c.Stats().Version != c.Plan().Version() {
			t.Fatalf("seed %d, reload %d: %d channels run, %d are planned", seed, n, len(carried), len(c.Plan().Channels))
		}
	}
	if s := c.Stats(); s.Taken < 100 || s.Refused < 500 || s.Same == 0 || s.Taken+s.Same+s.Refused != 1000 {
		t.Errorf("%+v", s)
	}
}

// shape is all that runs of a channel, as text.
func shape(p *Plan, name string) string {
	c := p.Channel(name)
	s := fmt.Sprint(c.Channel.RingBytes)
	for _, r := range c.Rings {
		s += fmt.Sprint(r)
	}
	for _, d := range c.Decisions {
		s += d.Primary.carried() + d.Secondary.carried()
	}
	return s
}

func ExampleCurrent() {
	var c Current
	top, found := topo.Loader{}.Parse("orders.yaml", []byte("transport_config: {orders: {protocol: tcp}}"))
	changes, err := c.Offer(top, found)
	fmt.Println(changes[0].Fate, err)
	top, found = topo.Loader{}.Parse("orders.yaml", []byte("transport_config: {orders: {protocol: tpc}}"))
	_, err = c.Offer(top, found)
	fmt.Println(errors.Is(err, ErrRefused), c.Plan().Find("orders", "", "")[0])
	var stats ReloadStats = c.Stats()
	fmt.Println(stats.Taken, stats.Refused)
	// Output:
	// added <nil>
	// true orders anywhere → anywhere: tcp, tls [explicit]
	// 1 1
}
