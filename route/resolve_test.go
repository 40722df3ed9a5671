package route

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/alphapulse/transport/route/topo"
)

// apart makes a topology of one channel, "ticks", from feed to desk, that far apart.
func apart(d Distance, ch topo.Channel) *topo.Topology {
	ch.Name, ch.NUMA, ch.At = "ticks", -1, topo.Position{File: "t.yaml", Line: 7, Column: 3}
	node := func(name, site, region string) topo.Node {
		return topo.Node{Name: name, Hostname: name + ".lan", Site: site, Region: region, NUMA: []topo.NUMANode{{ID: 0}, {ID: 1}},
			Interfaces: []topo.Interface{{Name: "lo0"}, {Name: "fast0", XDP: topo.XDPZeroCopy}}}
	}
	t := &topo.Topology{
		Nodes: []topo.Node{node("left", "hall", "eu"), node("right", "hall", "eu"), node("metro", "tower", "eu"), node("abroad", "bay", "us")},
		Actors: []topo.Actor{{Name: "feed", Type: topo.Producer, Outputs: []string{"ticks"}, Source: 1, SourceSet: true},
			{Name: "desk", Type: topo.Consumer, Inputs: []string{"ticks"}}},
		Channels: []topo.Channel{ch},
		Queues:   []topo.Queue{{Backend: topo.Kafka, Addresses: []string{"broker:9092"}, TLS: true}},
	}
	from, to := topo.Placement{Actor: "feed", Node: "left"}, topo.Placement{Actor: "desk", Node: "left"}
	switch d {
	case SameProcess:
		from.Process, to.Process = "engine", "engine"
	case OtherNUMA:
		to.NUMA = 1
	case SameSite:
		to.Node = "right"
	case OtherSite:
		to.Node = "metro"
	case OtherRegion:
		to.Node = "abroad"
	case Unplaced:
		t.Actors, t.Nodes = nil, nil
		return t
	}
	t.Placements = []topo.Placement{from, to}
	return t
}

// without takes AF_XDP from a node, or with list false the whole list of interfaces.
func without(t *topo.Topology, node string, list bool) {
	if n := t.Node(node); n != nil && list {
		n.Interfaces = n.Interfaces[:1]
	} else if n != nil {
		n.Interfaces = nil
	}
}

func decision(t testing.TB, top *topo.Topology) (Decision, topo.Findings) {
	t.Helper()
	p, findings := Resolve(top)
	d := p.Find("ticks", "", "")
	if len(d) != 1 {
		t.Fatalf("%d decisions", len(d))
	}
	return d[0], findings
}

func channel(mode topo.Mode, p topo.Protocol) topo.Channel {
	return topo.Channel{Transport: topo.TransportConfig{Mode: mode, Protocol: p}}
}

func pair(a, b topo.Protocol) topo.Channel {
	return topo.Channel{Transport: topo.TransportConfig{Mode: topo.ModeFallback, Pair: [2]topo.Protocol{a, b}}}
}

const (
	ringHere = "anonymous_ring same-process"
	ringNear = "mapped_ring same-node"
)

// TestEveryRuleForEveryDistance: one line for each thing a file may ask for; the answers from SameProcess to Unplaced.
func TestEveryRuleForEveryDistance(t *testing.T) {
	ull, guaranteed := topo.Channel{Criticality: topo.UltraLowLatency}, topo.Channel{Reliability: topo.GuaranteedDelivery}
	both := topo.Channel{Criticality: topo.UltraLowLatency, Reliability: topo.GuaranteedDelivery}
	ullDirect := ull
	ullDirect.Transport.Mode = topo.ModeDirect
	ullTCP := ull
	ullTCP.Transport.Protocol = topo.TCP
	heldTCP := guaranteed
	heldTCP.Transport.Protocol = topo.TCP
	local := func(rest ...string) []string { return append([]string{ringHere, ringNear, ringNear}, rest...) }
	same := func(s string) []string { return slices.Repeat([]string{s}, int(distances)) }
	after := func(of []string, second string) (all []string) {
		for _, s := range of {
			all = append(all, s+" then "+second)
		}
		return all
	}
	cases := []struct {
		name string
		ch   topo.Channel
		xdp  bool
		want []string
	}{
		{"nothing", topo.Channel{}, true, local("tcp default", "tcp default", "quic cross-region", "tcp default")},
		{"reliable", topo.Channel{Reliability: topo.AtLeastOnce}, true, local("tcp default", "tcp default", "quic cross-region", "tcp default")},
		{"mode direct", channel(topo.ModeDirect, 0), true, local("tcp default", "tcp default", "quic cross-region", "tcp default")},
		{"ultra low latency", ull, false, local("udp ultra-low-latency", "udp ultra-low-latency", "quic cross-region", "udp ultra-low-latency")},
		{"ultra low latency, direct", ullDirect, false, local("udp ultra-low-latency", "udp ultra-low-latency", "quic cross-region", "udp ultra-low-latency")},
		{"ultra low latency, xdp", ull, true, local("xdp ultra-low-latency-xdp", "udp ultra-low-latency", "quic cross-region", "udp ultra-low-latency")},
		{"ultra low latency, tcp", ullTCP, true, local("tcp explicit", "tcp explicit", "tcp explicit", "tcp explicit")},
		{"low latency", topo.Channel{Criticality: topo.LowLatency}, true, local("tcp default", "tcp default", "quic cross-region", "tcp default")},
		{"guaranteed", guaranteed, true, same("queue guaranteed-delivery")},
		{"guaranteed, ultra low latency", both, true, same("queue guaranteed-delivery")},
		{"guaranteed, tcp", heldTCP, true, same("queue guaranteed-delivery")},
		{"mode message_queue", channel(topo.ModeQueue, 0), true, same("queue explicit")},
		{"tcp", channel(0, topo.TCP), true, local("tcp explicit", "tcp explicit", "tcp explicit", "tcp explicit")},
		{"udp", channel(topo.ModeDirect, topo.UDP), true, local("udp explicit", "udp explicit", "udp explicit", "udp explicit")},
		{"quic", channel(topo.ModeDirect, topo.QUIC), true, local("quic explicit", "quic explicit", "quic explicit", "quic explicit")},
		{"xdp", channel(topo.ModeDirect, topo.XDP), true, local("xdp explicit", "xdp explicit", "xdp explicit", "xdp explicit")},
		{"xdp, not offered", channel(topo.ModeDirect, topo.XDP), false, local("! tcp default", "! tcp default", "! quic cross-region", "xdp explicit")},
		{"shared memory", channel(topo.ModeDirect, topo.SharedMemory), true, local("! tcp default", "! tcp default", "! quic cross-region", "! tcp default")},
		{"hybrid", channel(topo.ModeHybrid, 0), true, after(local("tcp default", "tcp default", "quic cross-region", "tcp default"), "queue")},
		{"hybrid, udp", channel(topo.ModeHybrid, topo.UDP), true, after(local("udp explicit", "udp explicit", "udp explicit", "udp explicit"), "queue")},
		{"direct with queue", channel(topo.ModeDirectWithQueueFallback, 0), true, after(local("tcp default", "tcp default", "quic cross-region", "tcp default"), "queue")},
		{"queue with direct", channel(topo.ModeQueueWithDirectFallback, topo.TCP), true, []string{"queue explicit then anonymous_ring", "queue explicit then mapped_ring",
			"queue explicit then mapped_ring", "queue explicit then tcp", "queue explicit then tcp", "queue explicit then tcp", "queue explicit then tcp"}},
		{"quic, then tcp", pair(topo.QUIC, topo.TCP), true, local("quic explicit then tcp", "quic explicit then tcp", "quic explicit then tcp", "quic explicit then tcp")},
		{"udp, then any", pair(topo.UDP, topo.Auto), true, local("udp explicit then tcp", "udp explicit then tcp", "udp explicit then quic", "udp explicit then tcp")},
		{"any, then a queue", pair(topo.Auto, topo.ViaQueue), true, after(local("tcp default", "tcp default", "quic cross-region", "tcp default"), "queue")},
		{"a queue, then udp", pair(topo.ViaQueue, topo.UDP), true, []string{"queue explicit then anonymous_ring", "queue explicit then mapped_ring",
			"queue explicit then mapped_ring", "queue explicit then udp", "queue explicit then udp", "queue explicit then udp", "queue explicit then udp"}},
		{"a pair of one", pair(topo.TCP, topo.Auto), true, local("tcp explicit", "tcp explicit", "tcp explicit then quic", "tcp explicit")},
	}
	rules := map[string]bool{}
	for _, c := range cases {
		for d, want := range c.want {
			t.Run(fmt.Sprintf("%s/%s", c.name, Distance(d)), func(t *testing.T) {
				top := apart(Distance(d), c.ch)
				if !c.xdp {
					without(top, []string{"left", "right"}[d%2], true)
					without(top, "metro", true)
					without(top, "abroad", true)
					without(top, "right", true)
				}
				got, findings := decision(t, top)
				if got.Distance != Distance(d) {
					t.Fatalf("they are %s", got.Distance)
				}
				text := got.Primary.Medium.String() + " " + got.Primary.Rule
				if got.Secondary != nil {
					text += " then " + got.Secondary.Medium.String()
					if got.Secondary.Rule != RuleFallback {
						t.Errorf("the fallback's rule is %s", got.Secondary.Rule)
					}
				}
				if findings.Err() != nil {
					text = "! " + text
				}
				if text != want {
					t.Errorf("%s, not %s; %v", text, want, findings)
				}
				rules[got.Primary.Rule] = true
				wantWhole(t, got)
			})
		}
	}
	for _, r := range directRules {
		if !rules[r.id] {
			t.Errorf("no line of the table meets the rule %s", r.id)
		}
	}
}

// wantWhole: nothing of a decision is left open, and each medium is either taken or rejected with a reason.
func wantWhole(t testing.TB, d Decision) {
	t.Helper()
	taken := map[Medium]bool{}
	for _, w := range []*Way{&d.Primary, d.Secondary, d.Shadow} {
		if w == nil {
			continue
		}
		taken[w.Medium] = true
		if w.Why == "" || w.Guard == "" || w.Packing == "" || w.Expected == 0 || w.Class == 0 || w.Compression == topo.CompressAuto {
			t.Errorf("%+v", *w)
		}
		if w.Medium == Queue && (w.Backend == topo.BackendAuto || w.Queue == "") {
			t.Errorf("%+v", *w)
		}
	}
	for _, r := range d.Rejected {
		if taken[r.Medium] || r.Why == "" {
			t.Errorf("%s is taken and rejected: %q", r.Medium, r.Why)
		}
		taken[r.Medium] = true
	}
	for m := AnonymousRing; m < media; m++ {
		if !taken[m] {
			t.Errorf("%s is neither taken nor rejected", m)
		}
	}
}

func TestDurabilityIsThatOfTheWeakerWay(t *testing.T) {
	for _, c := range []struct {
		name string
		d    Distance
		ch   topo.Channel
		set  func(*topo.Channel)
		want Level
	}{
		{"same process", SameProcess, topo.Channel{}, nil, OneProcess},
		{"same process, reliable", SameProcess, topo.Channel{Reliability: topo.AtLeastOnce}, nil, OneMachine},
		{"same node", SameNUMA, topo.Channel{}, nil, OneMachine},
		{"best effort", SameSite, topo.Channel{Reliability: topo.BestEffort}, nil, CarriedOnly},
		{"nothing said", SameSite, topo.Channel{}, nil, CarriedOnly},
		{"reliable", SameSite, topo.Channel{Reliability: topo.ExactlyOnce}, nil, UntilReceived},
		{"queue", SameSite, channel(topo.ModeQueue, 0), nil, QueueDisk},
		{"queue in memory", SameSite, channel(topo.ModeQueue, 0), func(c *topo.Channel) { c.Transport.Durability = topo.InMemory }, QueueMemory},
		{"queue with copies", SameSite, channel(topo.ModeQueue, 0), func(c *topo.Channel) { c.Transport.Durability = topo.Replicated }, QueueCopies},
		{"hybrid", SameSite, channel(topo.ModeHybrid, 0), func(c *topo.Channel) { c.Reliability = topo.AtLeastOnce }, UntilReceived},
		{"hybrid, best effort", SameSite, channel(topo.ModeHybrid, 0), nil, CarriedOnly},
	} {
		if c.set != nil {
			c.set(&c.ch)
		}
		if d, f := decision(t, apart(c.d, c.ch)); d.Durability != c.want || f.Err() != nil {
			t.Errorf("%s: %s, not %s; %v", c.name, d.Durability, c.want, f)
		}
	}
}

func TestRingsLieNearThePublisherAndAreMappedWhenNeeded(t *testing.T) {
	for _, c := range []struct {
		name string
		d    Distance
		ch   topo.Channel
		want Medium
	}{
		{"same process", SameProcess, topo.Channel{}, AnonymousRing},
		{"same process, reliable", SameProcess, topo.Channel{Reliability: topo.AtLeastOnce}, MappedRing},
		{"same node", OtherNUMA, topo.Channel{}, MappedRing},
		{"far", SameSite, topo.Channel{}, AnonymousRing},
	} {
		top := apart(c.d, c.ch)
		top.Placements[0].NUMA = 1
		if c.d == OtherNUMA {
			top.Placements[1].NUMA = 0
		}
		p, _ := Resolve(top)
		r := p.Channels[0].Rings
		if len(r) != 1 || r[0].Medium != c.want || r[0].NUMA != 1 || r[0].Actor != "feed" || r[0].Why == "" {
			t.Errorf("%s: %+v", c.name, r)
		}
		top.Channels[0].NUMA = 0
		if p, _ := Resolve(top); p.Channels[0].Rings[0].NUMA != 0 {
			t.Errorf("%s: the channel's own memory node is not heeded", c.name)
		}
	}
}

func TestMemoryNodesAreFoundByCPUs(t *testing.T) {
	top := apart(SameNUMA, topo.Channel{})
	n := top.Node("left")
	n.NUMA = []topo.NUMANode{{ID: 0, CPUs: []int{0, 1}}, {ID: 1, CPUs: []int{2, 3}}}
	top.Placements[0].NUMA, top.Placements[0].CPUs = -1, []int{2}
	top.Placements[1].NUMA, top.Placements[1].CPUs = -1, []int{3}
	if d, _ := decision(t, top); d.Distance != SameNUMA || d.Primary.NUMA != 1 || d.Primary.Expected != 100*time.Nanosecond {
		t.Errorf("%+v", d)
	}
	top.Placements[1].CPUs = []int{1, 3}
	if d, _ := decision(t, top); d.Distance != OtherNUMA || d.Primary.Expected != time.Microsecond {
		t.Errorf("%+v", d)
	}
}

func TestWhatARouteSaysWins(t *testing.T) {
	ch := channel(topo.ModeDirect, topo.UDP)
	ch.Transport.Compression = topo.CompressLZ4
	top := apart(SameSite, ch)
	top.Routes = []topo.Route{{From: "right", To: "left", Latency: 50 * time.Microsecond, At: topo.Position{File: "t.yaml", Line: 20, Column: 5},
		Transport: topo.TransportConfig{Protocol: topo.TCP, Encryption: topo.EncryptNone}}}
	d, findings := decision(t, top)
	if d.Primary.Medium != TCP || d.Primary.Encryption != topo.EncryptNone || d.Primary.Compression != topo.CompressLZ4 {
		t.Error(d)
	}
	if len(findings) != 1 || findings[0].Rule != "late-route" || findings[0].At.Line != 20 {
		t.Error(findings)
	}
}

// TestOverlayTakesEachFieldARouteStates: a field that is forgotten here would be a line of the file without effect.
func TestOverlayTakesEachFieldARouteStates(t *testing.T) {
	kept := map[string]bool{"Timeout": true, "Retry": true, "Breaker": true} // what is built in is not told from what is stated
	v := reflect.TypeFor[topo.TransportConfig]()
	for i := range v.NumField() {
		name := v.Field(i).Name
		var over topo.TransportConfig
		switch f := reflect.ValueOf(&over).Elem().Field(i); {
		case name == "Pair":
			over.Mode, over.Pair = topo.ModeFallback, [2]topo.Protocol{topo.QUIC, topo.TCP}
		case name == "Secret":
			over.Secret = topo.NewSecret("x", "a test")
		case f.CanUint():
			f.SetUint(1)
		case f.CanInt():
			f.SetInt(1)
		case f.Kind() == reflect.String:
			f.SetString("x")
		case !kept[name]:
			t.Errorf("%s: a kind of field that nobody lays over", name)
		}
		if got := overlay(topo.TransportConfig{}, over); !kept[name] && !reflect.DeepEqual(got, over) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestLateChannelsAreSaid(t *testing.T) {
	_, findings := decision(t, apart(OtherRegion, topo.Channel{Criticality: topo.UltraLowLatency}))
	if len(findings) != 1 || findings[0].Rule != "late" || findings[0].Severity != topo.Warning || findings[0].At.Line != 7 {
		t.Error(findings)
	}
}

func TestShadowRunsBesideTheFirstWay(t *testing.T) {
	ch := channel(topo.ModeDirect, topo.TCP)
	ch.Transport.Shadow = topo.QUIC
	d, _ := decision(t, apart(SameSite, ch))
	if d.Shadow == nil || d.Shadow.Medium != QUIC || d.Shadow.Rule != RuleShadow || d.Secondary != nil {
		t.Error(d)
	}
	wantWhole(t, d)
	if d, _ := decision(t, apart(SameNUMA, ch)); d.Shadow != nil {
		t.Error(d)
	}
}

func TestUnplacedActorsAndUnknownNodesAreSaidOnce(t *testing.T) {
	top := apart(SameSite, topo.Channel{})
	top.Placements[1].Node = "nowhere"
	p, findings := Resolve(top)
	if len(p.Find("", "", "")) != 0 || len(findings) != 1 || findings[0].Rule != "unknown-node" || findings.Err() == nil {
		t.Error(findings)
	}
	top.Placements = top.Placements[:1]
	if _, findings = Resolve(top); len(findings) != 1 || findings[0].Rule != "unplaced-actor" || findings.Err() != nil {
		t.Error(findings)
	}
}

func TestEachPublisherReachesEachSubscriber(t *testing.T) {
	top := apart(SameSite, topo.Channel{})
	top.Actors = append(top.Actors, topo.Actor{Name: "second", Type: topo.Producer, Outputs: []string{"ticks"}, Source: 2, SourceSet: true})
	top.Placements = append(top.Placements, topo.Placement{Actor: "second", Node: "right"}, topo.Placement{Actor: "desk", Node: "metro"})
	p, _ := Resolve(top)
	var got []string
	for _, d := range p.Find("ticks", "", "desk") {
		got = append(got, d.From.String()+" "+d.To.String()+" "+d.Primary.Medium.String())
	}
	want := []string{"feed@left desk@right tcp", "feed@left desk@metro tcp", "second@right desk@right mapped_ring", "second@right desk@metro tcp"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if part := p.For("second"); len(part.Channels) != 1 || len(part.Channels[0].Decisions) != 2 || len(part.Channels[0].Rings) != 1 {
		t.Errorf("%+v", part)
	}
	if part := p.For("nobody"); len(part.Channels) != 0 {
		t.Errorf("%+v", part)
	}
}

func TestPlansAreBounded(t *testing.T) {
	top := apart(SameSite, topo.Channel{})
	for i := range 400 {
		a, b := fmt.Sprintf("p%d", i), fmt.Sprintf("s%d", i)
		top.Actors = append(top.Actors, topo.Actor{Name: a, Outputs: []string{"ticks"}}, topo.Actor{Name: b, Inputs: []string{"ticks"}})
		top.Placements = append(top.Placements, topo.Placement{Actor: a, Node: "left"}, topo.Placement{Actor: b, Node: "right"})
	}
	p, findings := Resolve(top)
	if n := len(p.Find("", "", "")); n > maxDecisions || findings.Err() == nil || findings[0].Rule != "too-many" {
		t.Errorf("%d decisions: %v", n, findings)
	}
}

// TestResolveAnswersAnyTopology: whatever the enums say, even values that no file can have, each decision is whole, and the same again.
func TestResolveAnswersAnyTopology(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := func(name string, most int) int { return rapid.IntRange(0, most).Draw(rt, name) }
		ch := topo.Channel{Criticality: topo.Criticality(n("criticality", 4)), Reliability: topo.Reliability(n("reliability", 4)), Security: topo.Security(n("security", 3)),
			Stripes: n("stripes", 4), MessageBytes: n("message", 300), Transport: topo.TransportConfig{Mode: topo.Mode(n("mode", 8)), Protocol: topo.Protocol(n("protocol", 8)),
				Compression: topo.Compression(n("compression", 5)), Encryption: topo.Encryption(n("encryption", 5)), Backend: topo.Backend(n("backend", 4)),
				Durability: topo.Durability(n("durability", 3)), Shadow: topo.Protocol(n("shadow", 6)), Pair: [2]topo.Protocol{topo.Protocol(n("one", 6)), topo.Protocol(n("two", 6))}}}
		top := apart(Distance(n("distance", int(distances)-1)), ch)
		if rapid.Bool().Draw(rt, "no queues") {
			top.Queues = nil
		}
		without(top, rapid.SampledFrom([]string{"left", "right", "none"}).Draw(rt, "without xdp"), rapid.Bool().Draw(rt, "listed"))
		p, findings := Resolve(top)
		d := p.Find("ticks", "", "")
		if len(d) != 1 {
			rt.Fatalf("%d decisions", len(d))
		}
		wantWhole(t, d[0])
		if t.Failed() {
			rt.Fatal("not whole")
		}
		if d[0].Distance == OtherRegion && !d[0].Primary.Medium.local() && d[0].Primary.Encryption == topo.EncryptNone {
			rt.Fatalf("%s", d[0])
		}
		if ch.Reliability == topo.GuaranteedDelivery && d[0].Primary.Medium != Queue && (d[0].Secondary == nil || d[0].Secondary.Medium != Queue) {
			rt.Fatalf("guaranteed without a queue: %s", d[0])
		}
		again, same := Resolve(top)
		if p.Version() != again.Version() || len(findings) != len(same) || !Diff(p, again).Same() {
			rt.Fatal("another plan from the same topology")
		}
	})
}

func TestPlansAreReadByPeopleAndMachines(t *testing.T) {
	ch := channel(topo.ModeHybrid, topo.TCP)
	ch.Transport.Secret = topo.NewSecret("hunter2", "file /run/key")
	ch.Transport.Encryption = topo.EncryptAES256GCM
	top := apart(SameSite, ch)
	top.Queues[0].Password = topo.NewSecret("hunter2", "env BROKER")
	p, _ := Resolve(top)
	var text, explained bytes.Buffer
	if err := p.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if err := p.Channels[0].Decisions[0].WriteText(&explained); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"carriage", "fallback", "durability", "rejected", "anonymous_ring", "explicit", "about 60µs", "low_latency"} {
		if !strings.Contains(explained.String(), want) {
			t.Errorf("no %q in\n%s", want, &explained)
		}
	}
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var j struct {
		Version  string
		Channels []struct {
			Name      string
			Decisions []struct {
				Rule     string
				Primary  struct{ Medium, Encryption string }
				Rejected []struct{ Medium, Why string }
			}
		}
	}
	if err := json.Unmarshal(b, &j); err != nil {
		t.Fatal(err)
	}
	d := j.Channels[0].Decisions[0]
	if j.Version != p.Version() || d.Rule != RuleExplicit || d.Primary.Medium != "tcp" || d.Primary.Encryption != "tls" || len(d.Rejected) != 5 {
		t.Errorf("%s", b)
	}
	for _, s := range []string{text.String(), explained.String(), string(b)} {
		if strings.Contains(s, "hunter2") {
			t.Errorf("a secret is shown:\n%s", s)
		}
	}
}

func TestNamesOfAFileDoNotSteerTheTerminal(t *testing.T) {
	ch := channel(topo.ModeQueue, 0)
	ch.Transport.Queue, ch.Transport.RoutingKey = "q\x1b[31m", "k\u202e"
	top := apart(SameSite, ch)
	top.Name = "n\x07"
	p, _ := Resolve(top)
	var b bytes.Buffer
	for _, write := range []func(io.Writer) error{p.WriteText, p.Channels[0].Decisions[0].WriteText, Diff(plan(t, apart(SameSite, channel(topo.ModeQueue, 0))), p).WriteText} {
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
	}
	if strings.ContainsAny(b.String(), "\x1b\x07\u202e") || !strings.Contains(b.String(), `q\x1b[31m`) || !strings.Contains(b.String(), "→") {
		t.Errorf("%q", b.String())
	}
}

func ExampleResolve() {
	t := &topo.Topology{
		Nodes:      []topo.Node{{Name: "left", Site: "hall"}, {Name: "right", Site: "hall"}},
		Actors:     []topo.Actor{{Name: "feed", Outputs: []string{"ticks"}}, {Name: "desk", Inputs: []string{"ticks"}}},
		Placements: []topo.Placement{{Actor: "feed", Node: "left"}, {Actor: "desk", Node: "right"}},
		Channels:   []topo.Channel{{Name: "ticks", Criticality: topo.UltraLowLatency, NUMA: -1}},
	}
	plan, findings := Resolve(t)
	if err := findings.Err(); err != nil {
		fmt.Println(err)
		return
	}
	for _, d := range plan.Find("ticks", "feed", "desk") {
		fmt.Println(d)
		for _, r := range d.Rejected {
			if r.Medium == XDP {
				fmt.Println("not by", r.Medium, "because", r.Why)
			}
		}
	}
	// Output:
	// ticks feed@left → desk@right: udp, sealed [ultra-low-latency]
	// not by xdp because the interfaces of left are not listed
}
