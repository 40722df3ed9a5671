package topo

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestUnits(t *testing.T) {
	for text, want := range map[string]time.Duration{"0": 0, "50ms": 50 * time.Millisecond, "1h30m": 90 * time.Minute, "7d": 168 * time.Hour, "1.5s": 1500 * time.Millisecond} {
		if got, err := parseSpan(text); err != nil || got != want {
			t.Errorf("%s is %v, %v", text, got, err)
		}
	}
	for text, want := range map[string]int{"0": 0, "1048576": 1 << 20, "64KiB": 64 << 10, "1.5 MiB": 3 << 19, "1GB": 1e9, "1kB": 1000} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("%s is %d, %v", text, got, err)
		}
	}
	for text, want := range map[string]uint64{"10Gbit/s": 1e10, "100Mbps": 1e8, "1 kbit/s": 1000} {
		if got, err := parseBand(text); err != nil || got != want {
			t.Errorf("%s is %d, %v", text, got, err)
		}
	}
	for text, want := range map[string]float64{"5%": 0.05, "0.5": 0.5, "100 %": 1} {
		if got, err := parseShare(text); err != nil || got != want {
			t.Errorf("%s is %v, %v", text, got, err)
		}
	}
	for text, want := range map[string]float64{"50000": 5e4, "50k/s": 5e4, "1.5M/s": 1.5e6, "3/s": 3} {
		if got, err := parseRate(text); err != nil || got != want {
			t.Errorf("%s is %v, %v", text, got, err)
		}
	}
	for text, want := range map[string][]int{"3": {3}, "0-2,8": {0, 1, 2, 8}, "9, 1-2": {1, 2, 9}} {
		if got, err := parseCPUs(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s is %v, %v", text, got, err)
		}
	}
	refused := map[string]func(string) error{}
	for _, s := range []string{"", "5", "-1s", "1x", "s", "NaNs", "1e9d", "-1d"} {
		refused["span "+s] = func(string) error { _, err := parseSpan(s); return err }
	}
	for _, s := range []string{"", "x", "-1", "1K", "0.5", "1e30", "NaN", "Inf", "1TiB B", "KiB"} {
		refused["size "+s] = func(string) error { _, err := parseSize(s); return err }
	}
	for _, s := range []string{"", "10", "Gbit/s", "-1Mbps", "1e99bps"} {
		refused["band "+s] = func(string) error { _, err := parseBand(s); return err }
	}
	for _, s := range []string{"", "2", "-1%", "101%", "NaN", "%"} {
		refused["share "+s] = func(string) error { _, err := parseShare(s); return err }
	}
	for _, s := range []string{"", "a", "3-1", "-1", "0-4096", "1,1", "0-99999999999", "1-2,2-3"} {
		refused["cpus "+s] = func(string) error { _, err := parseCPUs(s); return err }
	}
	for text, parse := range refused {
		if parse(text) == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

func TestUnitsReadWhatTheyShow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(0, 1<<55).Draw(t, "span"))
		if got, err := parseSpan(showSpan(d)); err != nil || got != d {
			t.Errorf("%v is shown %s and read %v, %v", d, showSpan(d), got, err)
		}
		n := rapid.IntRange(0, 1<<50).Draw(t, "size") &^ (1<<rapid.IntRange(0, 40).Draw(t, "zeros") - 1)
		if got, err := parseSize(showSize(n)); err != nil || got != n {
			t.Errorf("%d is shown %s and read %d, %v", n, showSize(n), got, err)
		}
		b := rapid.Uint64Range(0, 1<<50).Draw(t, "band")
		if got, err := parseBand(showBand(b)); err != nil || got != b {
			t.Errorf("%d is shown %s and read %d, %v", b, showBand(b), got, err)
		}
		r := rapid.Float64Range(0, 1e12).Draw(t, "rate")
		if got, err := parseRate(showRate(r)); err != nil || got != r {
			t.Errorf("%v is shown %s and read %v, %v", r, showRate(r), got, err)
		}
		s := rapid.Float64Range(0, 1).Draw(t, "share")
		if got, err := parseShare(showShare(s)); err != nil || got != s {
			t.Errorf("%v is shown %s and read %v, %v", s, showShare(s), got, err)
		}
		cpus := slices.Sorted(slices.Values(rapid.SliceOfNDistinct(rapid.IntRange(0, maxCPU), 1, 50, rapid.ID).Draw(t, "cpus")))
		if got, err := parseCPUs(showCPUs(cpus)); err != nil || !slices.Equal(got, cpus) {
			t.Errorf("%v is shown %s and read %v, %v", cpus, showCPUs(cpus), got, err)
		}
	})
}

// bare is a channel without where its values came from.
func bare(c Channel) Channel {
	c.At, c.Origins, c.Local, c.profiles, c.shape = Position{}, nil, nil, nil, 0
	return c
}

// samples are values for every key of a channel that may stand in any combination as far as reading goes.
var samples = map[string][]string{
	"heartbeat": {"10ms", "1s"}, "liveness": {"5s", "1m"}, "slow_wait": {"0", "10ms"}, "timeout": {"3s"}, "ring_size": {"4KiB", "2MiB"}, "message_size": {"64B"},
	"max_message_size": {"1KiB"}, "rate": {"50k/s", "7"}, "stripes": {"1", "4"}, "numa": {"0", "7"}, "huge_pages": {"true", "false"}, "pair": {"[tcp, quic]", "[direct, message_queue]", "[auto, tcp]"},
	"compression_level": {"3"}, "routing_key": {"audit.trail", "'[a]'", "'- x: y'", "'*'", "'$${A}'", "'true'"}, "queue": {"q", "'#'"}, "interface": {"eth0"}, "group": {"'239.1.2.3:7410'"}, "connections": {"4"},
	"retry": {"{first: 1s, max: 2s}", "{attempts: 3}"}, "breaker": {"{slow_rate: 5%, open: 3s}", "{probes: 2, window: 1m}"}, "secret": {"'${KEY}'"},
}

func TestEffectiveValuesLoadAsTheSameChannels(t *testing.T) {
	env := func(name string) (string, bool) { return "k", name == "KEY" }
	rapid.Check(t, func(t *rapid.T) {
		var b strings.Builder
		b.WriteString("channels:\n  a:\n")
		for _, f := range channelTable.fields {
			if f.key == "profiles" || !rapid.Bool().Draw(t, f.key) {
				continue
			}
			words := samples[f.key]
			if words == nil {
				words = offered(f.value.schema(&schemas{object{}}))
			}
			b.WriteString("    " + f.key + ": " + rapid.SampledFrom(words).Draw(t, f.key+" is") + "\n")
		}
		one, _ := Loader{Env: env}.Parse("one.yaml", []byte(b.String()))
		var dump bytes.Buffer
		if err := one.WriteEffective(&dump); err != nil {
			t.Fatal(err)
		}
		two, found := Loader{Env: env}.Parse("two.yaml", dump.Bytes())
		for _, f := range found {
			if f.Rule == "syntax" || f.Rule == "bad-value" || f.Rule == "unknown-key" || f.Rule == "wrong-kind" {
				t.Fatalf("%s\nof\n%s", f, &dump)
			}
		}
		if x, y := bare(one.Channels[0]), bare(two.Channels[0]); !same(x, y) {
			t.Fatalf("%+v\nis dumped as\n%s\nand read as\n%+v", x, &dump, y)
		}
	})
}

// same compares channels by everything they hold.
func same(a, b Channel) bool {
	return a.Transport == b.Transport && a.Criticality == b.Criticality && a.Reliability == b.Reliability && a.Security == b.Security && a.NUMA == b.NUMA && dump(a) == dump(b)
}

func dump(c Channel) string {
	var all []string
	for _, s := range c.Settings() {
		all = append(all, s.Key+"="+s.Value)
	}
	return c.Name + " " + strings.Join(all, " ")
}
