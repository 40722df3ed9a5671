package route

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/alphapulse/transport/route/topo"
)

// wide is a topology with three channels: near within a node, far to another node, held by a queue.
func wide() *topo.Topology {
	t := apart(SameSite, topo.Channel{RingBytes: 1 << 20, Stripes: 1, Heartbeat: 100 * time.Millisecond})
	t.Actors = []topo.Actor{{Name: "feed", Outputs: []string{"near", "far", "held"}}, {Name: "brain", Inputs: []string{"near"}},
		{Name: "desk", Inputs: []string{"far", "held"}}}
	t.Placements = append(t.Placements, topo.Placement{Actor: "brain", Node: "left"})
	near := t.Channels[0]
	far, held := near, near
	near.Name, far.Name, held.Name = "near", "far", "held"
	held.Transport.Mode = topo.ModeQueue
	t.Channels = []topo.Channel{near, far, held}
	return t
}

func plan(t testing.TB, top *topo.Topology) *Plan {
	t.Helper()
	p, findings := Resolve(top)
	if err := findings.Err(); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestDiffSaysWhatHappensToEachChannel(t *testing.T) {
	for _, c := range []struct {
		name    string
		edit    func(*topo.Topology)
		want    string // fates of near, far, held and others
		because string
	}{
		{"nothing", func(*topo.Topology) {}, "untouched untouched untouched", ""},
		{"a comment moves lines", func(t *topo.Topology) { t.Channels[1].At.Line++ }, "untouched untouched untouched", ""},
		{"protocol", func(t *topo.Topology) { t.Channels[1].Transport.Protocol = topo.QUIC }, "untouched changed untouched", "tcp, tls, carried → quic, tls, carried"},
		{"the same protocol, now stated", func(t *topo.Topology) { t.Channels[1].Transport.Protocol = topo.TCP }, "untouched untouched untouched", ""},
		{"a protocol within a node", func(t *topo.Topology) { t.Channels[0].Transport.Protocol = topo.TCP }, "untouched untouched untouched", ""},
		{"encryption", func(t *topo.Topology) { t.Channels[1].Transport.Encryption = topo.EncryptNone }, "untouched changed untouched", "unencrypted"},
		{"secret", func(t *topo.Topology) { t.Channels[1].Transport.Secret = topo.NewSecret("x", "file a") }, "untouched changed untouched", "secret: unset → secret from file a"},
		{"stripes", func(t *topo.Topology) { t.Channels[1].Stripes = 4 }, "untouched changed untouched", "4 stripes"},
		{"heartbeat", func(t *topo.Topology) { t.Channels[1].Heartbeat = time.Second }, "untouched changed untouched", "heartbeat: 100ms → 1s"},
		{"breaker", func(t *topo.Topology) {
			t.Channels[1].Transport.Breaker = topo.Breaker{Failures: 5, Successes: 2, Window: time.Second, SlowCall: time.Millisecond, SlowRate: 0.5, Open: time.Minute, Probes: 1}
		}, "untouched changed untouched",
			"breaker: unset → 5 failures in 1s, or 0.5 of calls at 1ms, open for 1m0s, closed by 2 successes, 1 at a time"},
		{"retry", func(t *topo.Topology) {
			t.Channels[1].Transport.Retry = topo.Retry{Attempts: 3, First: time.Second, Max: time.Minute}
		}, "untouched changed untouched",
			"retry: unset → 3 times, after 1s to 1m0s"},
		{"ring size", func(t *topo.Topology) { t.Channels[0].RingBytes *= 2 }, "restarted untouched untouched", "ring_size: 1048576 → 2097152"},
		{"reliability", func(t *topo.Topology) { t.Channels[1].Reliability = topo.AtLeastOnce }, "untouched restarted untouched", "ring of feed@left: anonymous_ring → mapped_ring"},
		{"memory node", func(t *topo.Topology) { t.Channels[0].NUMA = 1 }, "restarted untouched untouched", "memory node of feed@left: 0 → 1"},
		{"routing key", func(t *topo.Topology) { t.Channels[2].Transport.RoutingKey = "a.b" }, "untouched untouched changed", "key a.b"},
		{"durability", func(t *topo.Topology) { t.Channels[2].Transport.Durability = topo.Replicated }, "untouched untouched changed", "queue_copies"},
		{"broker", func(t *topo.Topology) { t.Queues[0].Addresses = []string{"other:9092"} }, "untouched untouched changed", "addresses: broker:9092 → other:9092"},
		{"broker's password", func(t *topo.Topology) { t.Queues[0].Password = topo.NewSecret("y", "env P") }, "untouched untouched changed", "password"},
		{"address of the far node", func(t *topo.Topology) { t.Nodes[1].Addresses = []string{"10.0.0.9"} }, "untouched changed untouched", "right.lan → 10.0.0.9"},
		{"address of a node nobody uses", func(t *topo.Topology) { t.Nodes[3].Addresses = []string{"10.0.0.9"} }, "untouched untouched untouched", ""},
		{"certificate", func(t *topo.Topology) { t.Nodes[0].Trust.Certificate = "new.pem" }, "untouched changed untouched", "trust"},
		{"the subscriber moves in", func(t *topo.Topology) { t.Placements[1].Node = "left" }, "untouched restarted changed", "subscriber: feed@left → desk@left joins, by mapped_ring"},
		{"another subscriber", func(t *topo.Topology) {
			t.Actors = append(t.Actors, topo.Actor{Name: "audit", Inputs: []string{"far"}})
			t.Placements = append(t.Placements, topo.Placement{Actor: "audit", Node: "right"})
		}, "untouched changed untouched", "audit@right joins, by tcp"},
		{"a subscriber less", func(t *topo.Topology) { t.Actors[2].Inputs = []string{"held"} }, "untouched changed untouched", "desk@right leaves"},
		{"added", func(t *topo.Topology) { t.Channels = append(t.Channels, topo.Channel{Name: "new", NUMA: -1}) }, "untouched untouched untouched added", "only the new plan has it"},
		{"removed", func(t *topo.Topology) { t.Channels = t.Channels[:2] }, "untouched untouched removed", "only the old plan has it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			after := wide()
			c.edit(after)
			before := plan(t, wide())
			changes := Diff(before, plan(t, after))
			var fates, why []string
			for _, x := range changes {
				fates, why = append(fates, x.Fate.String()), append(why, x.Why...)
				if (x.Fate == Untouched) != (len(x.Why) == 0) {
					t.Errorf("%+v", x)
				}
			}
			if got := strings.Join(fates, " "); got != c.want {
				t.Errorf("%s, not %s: %q", got, c.want, why)
			}
			if c.because != "" && !strings.Contains(strings.Join(why, "\n"), c.because) {
				t.Errorf("no %q in %q", c.because, why)
			}
			if same := c.because == ""; changes.Same() != same {
				t.Errorf("the same: %t, and it should be %t", changes.Same(), same)
			}
		})
	}
}

func TestSecretsThatTurnAreSeenAndNotShown(t *testing.T) {
	one, two := wide(), wide()
	one.Channels[1].Transport.Secret = topo.NewSecret("hunter1", "file key")
	two.Channels[1].Transport.Secret = topo.NewSecret("hunter2", "file key")
	one.Queues[0].Password = topo.NewSecret("hunter1", "env P")
	two.Queues[0].Password = topo.NewSecret("hunter2", "env P")
	changes := Diff(plan(t, one), plan(t, two))
	if changes[0].Fate != Untouched || changes[1].Fate != Changed || changes[2].Fate != Changed {
		t.Errorf("%+v", changes)
	}
	if strings.Contains(fmt.Sprint(changes), "hunter") {
		t.Errorf("a secret is shown: %v", changes)
	}
}

// TestDiffOfUnrelatedEditsLeavesNeighboursAlone: an edit of one channel never touches another one.
func TestDiffOfUnrelatedEditsLeavesNeighboursAlone(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		after := wide()
		i := rapid.IntRange(0, 2).Draw(rt, "channel")
		ch := &after.Channels[i]
		ch.Transport.Protocol = topo.Protocol(rapid.IntRange(0, 3).Draw(rt, "protocol"))
		ch.Transport.Mode = topo.Mode(rapid.IntRange(0, 5).Draw(rt, "mode"))
		ch.RingBytes = rapid.IntRange(1, 3).Draw(rt, "ring") << 20
		ch.Criticality = topo.Criticality(rapid.IntRange(0, 4).Draw(rt, "criticality"))
		a, _ := Resolve(wide())
		b, _ := Resolve(after)
		for k, c := range Diff(a, b) {
			if k != i && c.Fate != Untouched {
				rt.Fatalf("channel %d was edited: %+v", i, c)
			}
		}
		forth, back := Diff(a, b), Diff(b, a)
		if forth.Same() != back.Same() || forth[i].Fate != back[i].Fate {
			rt.Fatalf("there %+v, back %+v", forth, back)
		}
	})
}

func TestChangesAreReadByPeopleAndMachines(t *testing.T) {
	after := wide()
	after.Channels[0].RingBytes *= 2
	changes := Diff(plan(t, wide()), plan(t, after))
	var text, out bytes.Buffer
	if err := changes.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if err := changes.WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	if want := "restarted  near\n           ring_size: 1048576 → 2097152\nuntouched  far, held\n"; text.String() != want {
		t.Errorf("%q", &text)
	}
	var j struct {
		Same     bool
		Channels []struct {
			Channel, Fate string
			Why           []string
		}
	}
	if err := json.Unmarshal(out.Bytes(), &j); err != nil || j.Same || len(j.Channels) != 3 || j.Channels[0].Fate != "restarted" || j.Channels[1].Why == nil {
		t.Errorf("%v: %s", err, &out)
	}
}

func TestVersionNamesWhatThePlanSays(t *testing.T) {
	seen := []string{plan(t, wide()).Version()}
	for _, edit := range []func(*topo.Topology){
		func(t *topo.Topology) { t.Channels[0].RingBytes++ },
		func(t *topo.Topology) { t.Channels[1].Transport.Protocol = topo.UDP },
		func(t *topo.Topology) { t.Queues[0].User = "me" },
		func(t *topo.Topology) { t.Nodes[0].Ports.TCP++ },
	} {
		top := wide()
		edit(top)
		v := plan(t, top).Version()
		if slices.Contains(seen, v) || len(v) != 12 {
			t.Errorf("%s again", v)
		}
		seen = append(seen, v)
	}
}

func ExampleDiff() {
	carried := func(p topo.Protocol) *Plan {
		plan, _ := Resolve(&topo.Topology{Channels: []topo.Channel{
			{Name: "audit", NUMA: -1}, {Name: "orders", NUMA: -1, Transport: topo.TransportConfig{Protocol: p}}}})
		return plan
	}
	for _, c := range Diff(carried(topo.TCP), carried(topo.QUIC)) {
		fmt.Println(c.Channel, c.Fate, c.Why)
	}
	// Output:
	// audit untouched []
	// orders changed [anywhere → anywhere: tcp, tls, carried → quic, tls, carried]
}
