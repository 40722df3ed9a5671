package watch

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/alphapulse/transport/internal/tally"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func post(t testing.TB, dir, name string) *Board {
	t.Helper()
	b, err := Post(dir, "left", name)
	must(t, err)
	t.Cleanup(func() { must(t, b.Close()) })
	return b
}

func snapshot(t testing.TB, dir, name string) *Snapshot {
	t.Helper()
	s, err := Read(pathOf(dir, name))
	must(t, err)
	return s
}

// Each metric is called as Prometheus has it, is explained in one sentence, and has labels that are known.
func TestCatalogueKeepsItsRules(t *testing.T) {
	known := []string{ofChannel, ofNode, ofMedium, ofStripe, ofRing, ofReader, ofHop, ofReason, ofDirection, ofQueue, ofPlace, "topology"}
	word := regexp.MustCompile(`^pulse_[a-z]+(_[a-z]+)*$`)
	seen := map[string]bool{}
	for _, m := range Catalogue() {
		if !word.MatchString(m.Name) || seen[m.Name] {
			t.Errorf("%s: no name, or there twice", m.Name)
		}
		seen[m.Name] = true
		if total := strings.HasSuffix(m.Name, "_total"); total != (m.Kind == Counter) {
			t.Errorf("%s: a %d", m.Name, m.Kind)
		}
		if m.Kind == Histogram && !strings.HasSuffix(m.Name, "_seconds") {
			t.Errorf("%s: a histogram is of durations", m.Name)
		}
		if u := m.Unit(); u != "" && !strings.HasSuffix(strings.TrimSuffix(m.Name, "_total"), u) {
			t.Errorf("%s: the unit %s is not last", m.Name, u)
		}
		if !strings.HasSuffix(m.Help, ".") || strings.Contains(m.Help, ". ") || strings.ToUpper(m.Help[:1]) != m.Help[:1] {
			t.Errorf("%s: %q is not one sentence", m.Name, m.Help)
		}
		for i, l := range m.Labels {
			if !slices.Contains(known, l) || slices.Contains(m.Labels[:i], l) {
				t.Errorf("%s: label %s", m.Name, l)
			}
		}
		if found, ok := Find(m.Name); !ok || found.Name != m.Name {
			t.Errorf("%s is not found", m.Name)
		}
	}
}

// round says all that fn says.
func round(b *Board, at time.Time, fn func()) {
	b.Round(at, func() bool {
		fn()
		return true
	})
}

// What a round that could not say all leaves out stays.
func TestRoundThatCouldNotSayAllTakesNothingOut(t *testing.T) {
	dir := t.TempDir()
	b := post(t, dir, NodeProcess)
	round(b, time.Unix(100, 0), func() { b.Gauge(DiskFree, 1, "rings") })
	b.Round(time.Unix(101, 0), func() bool { return false })
	if all := snapshot(t, dir, NodeProcess).Where(DiskFree); len(all) != 1 {
		t.Errorf("%+v", all)
	}
}

// A board has what the last round said, and nothing else.
func TestRoundTakesOutWhatItDoesNotSay(t *testing.T) {
	dir := t.TempDir()
	b := post(t, dir, NodeProcess)
	at := time.Unix(100, 0)
	round(b, at, func() {
		b.Count(RingBytes, 10, "orders", "1.ring")
		b.Count(RingBytes, 20, "ticks", "2.ring")
		b.Gauge(DiskFree, 1.5, "rings")
		b.Fact(ReaderAlive, true, "orders", "1.ring", "to right")
	})
	s := snapshot(t, dir, NodeProcess)
	if all := s.Where(RingBytes); len(all) != 2 || all[0].Get("channel") != "orders" || all[0].Value != 10 || all[1].Value != 20 || all[1].Get("node") != "" {
		t.Errorf("%+v", s.Samples)
	}
	if s.Where(DiskFree)[0].Value != 1.5 || s.Where(ReaderAlive)[0].Value != 1 || !s.At.Equal(at) || !s.Alive || s.Node != "left" || s.Process != NodeProcess {
		t.Errorf("%+v", s)
	}
	round(b, at.Add(time.Second), func() { b.Count(RingBytes, 30, "ticks", "2.ring") })
	s = snapshot(t, dir, NodeProcess)
	if all := s.Where(RingBytes); len(all) != 1 || all[0].Get("channel") != "ticks" || all[0].Value != 30 || len(s.Where(DiskFree)) != 0 {
		t.Errorf("%+v", s.Samples)
	}
	var none *Board
	round(none, at, func() { t.Error("nobody keeps it") })
	if none.Spread(HopLatency, "orders") != nil || none.Close() != nil {
		t.Error("a nil Board keeps something")
	}
}

// What finds no room is counted, and told as soon as there is room.
func TestBoardCountsWhatFindsNoRoom(t *testing.T) {
	dir := t.TempDir()
	b := post(t, dir, "one")
	round(b, time.Unix(1, 0), func() {
		for i := range 5000 {
			b.Gauge(CarriageLag, 1, fmt.Sprint(i), "right")
		}
	})
	if n := len(snapshot(t, dir, "one").Samples); n != 4096 {
		t.Errorf("%d numbers", n)
	}
	round(b, time.Unix(2, 0), func() {})
	round(b, time.Unix(3, 0), func() {})
	s := snapshot(t, dir, "one")
	if all := s.Where(WatchUnkept); len(s.Samples) != 1 || all[0].Value < 5000-4096 {
		t.Errorf("%d numbers, %+v", len(s.Samples), all)
	}
}

// Labels are read as they were said, whatever they hold.
func TestLabelsAreReadAsTheyWereSaid(t *testing.T) {
	dir := t.TempDir()
	b := post(t, dir, "one")
	for _, value := range []string{`a "quoted" one`, `back\slash`, `\n`, "two\nlines", `},x="y"`, "ünï", "{", `"`, `\"`} {
		round(b, time.Unix(1, 0), func() { b.Gauge(CarriageLag, 2, value, "right") })
		all := snapshot(t, dir, "one").Where(CarriageLag)
		if len(all) != 1 || all[0].Get("channel") != value || all[0].Get("node") != "right" {
			t.Errorf("%q: %+v", value, all)
		}
	}
}

// FuzzLabels: what is said is read, and nothing that is read has labels that its metric has not.
func FuzzLabels(f *testing.F) {
	f.Add("orders", "right", `channel="a",node="b"}`)
	f.Add(`a"b\c`, "\n", `channel="a",channel="b"}`)
	f.Add("", `\n`, `channel="\`)
	m, _ := Find(CarriageLag)
	f.Fuzz(func(t *testing.T, channel, node, text string) {
		e := tally.Entry{Kind: m.Kind, Text: string(appendText(nil, m, []string{channel, node}))}
		s, ok := sampleOf(e)
		if ok != (utf8.ValidString(channel) && utf8.ValidString(node)) {
			t.Fatalf("%q: %v", e.Text, ok)
		}
		if ok && (s.Get(ofChannel) != channel || s.Get(ofNode) != node) {
			t.Fatalf("%q: %+v", e.Text, s.Labels)
		}
		e.Text = m.Name + "{" + text
		if s, ok = sampleOf(e); ok && len(s.Labels) > len(m.Labels) {
			t.Fatalf("%q: %+v", e.Text, s.Labels)
		}
	})
}

// A second living process of a name is called otherwise, and a dead one's name is free.
func TestPostNumbersNames(t *testing.T) {
	dir := t.TempDir()
	first, second := post(t, dir, "strategy"), post(t, dir, "strategy")
	third, err := Post(dir, "left", "strategy")
	must(t, err)
	must(t, third.Close())
	again := post(t, dir, "strategy")
	node := post(t, dir, NodeProcess)
	for _, b := range []*Board{first, second, again, node} {
		round(b, time.Unix(1, 0), func() {})
	}
	must(t, os.WriteFile(filepath.Join(dir, Directory, "odd.stats"), []byte("nothing"), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, Directory, "other"), nil, 0o600))
	all, err := ReadDir(dir)
	if err == nil || len(all) != 4 {
		t.Fatalf("%d snapshots, %v", len(all), err)
	}
	var names []string
	for _, s := range all {
		names = append(names, s.Process)
	}
	slices.Sort(names[1:])
	if want := []string{"node", "strategy", "strategy.1", "strategy.2"}; !slices.Equal(names, want) {
		t.Errorf("%q", names)
	}
	if !Joined(dir) || Joined(t.TempDir()) {
		t.Error("who is joined to others")
	}
	if none, err := ReadDir(t.TempDir()); len(none) != 0 || err != nil {
		t.Error(none, err)
	}
}

func sample(name string, value float64, labels ...string) Sample {
	m, ok := Find(name)
	if !ok {
		panic(name)
	}
	s := Sample{Metric: m, Value: value}
	for i, l := range labels {
		if l != "" {
			s.Labels = append(s.Labels, Label{m.Labels[i], l})
		}
	}
	return s
}

// Each thing that is wrong is a fault of its own, of a state of its own, and what is well is none.
func TestHealthFindsEachFault(t *testing.T) {
	now := time.Unix(1000, 0)
	ring := []Sample{sample(RingCapacity, 1000, "orders", "1.ring"), sample(ReaderGating, 1, "orders", "1.ring", "to right")}
	for name, c := range map[string]struct {
		state State
		what  string
		s     Snapshot
	}{
		"well": {OK, "", Snapshot{Process: NodeProcess, Alive: true, At: now, Samples: append([]Sample{sample(WayAlive, 1, "orders", "right", "tcp"),
			sample(WayBreaker, 0, "orders", "right", "tcp"), sample(CarriageStranded, 0, "orders", "right"), sample(ReaderLag, 899, "orders", "1.ring", "to right"),
			sample(DiskFree, 6, "rings"), sample(DiskSize, 100, "rings")}, ring...)}},
		"node gone":   {Failing, "process node", Snapshot{Process: NodeProcess, At: now}},
		"actor gone":  {OK, "", Snapshot{Process: "strategy", At: now.Add(-time.Hour)}},
		"quiet":       {Failing, "process strategy", Snapshot{Process: "strategy", Alive: true, At: now.Add(-4 * time.Second)}},
		"stranded":    {Failing, "channel orders to right", Snapshot{Alive: true, At: now, Samples: []Sample{sample(CarriageStranded, 1, "orders", "right")}}},
		"not heard":   {Degraded, "channel orders to right by tcp", Snapshot{Alive: true, At: now, Samples: []Sample{sample(WayAlive, 0, "orders", "right", "tcp")}}},
		"breaker":     {Degraded, "channel orders to right by udp", Snapshot{Alive: true, At: now, Samples: []Sample{sample(WayBreaker, 2, "orders", "right", "udp")}}},
		"held up":     {Failing, "reader to right of orders/1.ring", Snapshot{Alive: true, At: now, Samples: append(slices.Clone(ring), sample(ReaderLag, 900, "orders", "1.ring", "to right"))}},
		"lossy reads": {OK, "", Snapshot{Alive: true, At: now, Samples: append(slices.Clone(ring), sample(ReaderLag, 990, "orders", "1.ring", "tap"), sample(ReaderGating, 0, "orders", "1.ring", "tap"))}},
		"disk":        {Degraded, "disk of rings", Snapshot{Alive: true, At: now, Samples: []Sample{sample(DiskFree, 4, "rings"), sample(DiskSize, 100, "rings")}}},
	} {
		h := HealthOf(now, &c.s)
		if h.State != c.state || c.what == "" && len(h.Faults) != 0 || c.what != "" && (len(h.Faults) != 1 || h.Faults[0].What != c.what || h.Faults[0].Why == "") {
			t.Errorf("%s: %+v", name, h)
		}
	}
	h := HealthOf(now, &Snapshot{Alive: true, At: now, Samples: []Sample{sample(WayBreaker, 2, "orders", "right", "udp"), sample(CarriageStranded, 1, "orders", "right")}})
	if h.State != Failing || h.Faults[0].State != Failing || h.Faults[1].State != Degraded {
		t.Errorf("the worst is not first: %+v", h)
	}
	if BreakerState(0) != "closed" || BreakerState(1) != "half-open" || BreakerState(2) != "open" || BreakerState(9) != "open" {
		t.Error("states of breakers")
	}
}

// A gauge that is no number is none: nobody says it, and who shows numbers as JSON could show nothing at all.
func TestGaugeThatIsNoNumberIsPassedOver(t *testing.T) {
	dir := t.TempDir()
	b := post(t, dir, "node")
	b.Round(time.Now(), func() bool {
		b.Gauge(DiskFree, math.NaN(), "rings")
		b.Gauge(DiskSize, math.Inf(1), "rings")
		b.Gauge(DiskSize, 5, "journal")
		return true
	})
	if s := snapshot(t, dir, "node"); len(s.Where(DiskFree)) != 0 || len(s.Where(DiskSize)) != 1 {
		t.Errorf("%+v", s.Samples)
	}
}
