package console

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/alphapulse/transport/internal/view"
	"github.com/alphapulse/transport/route/watch"
)

var update = flag.Bool("update", false, "write the expected frames anew; read what changed")

// node is one with something of everything.
func node() *view.State {
	at := time.Date(2026, 3, 1, 12, 0, 5, 0, time.UTC)
	return &view.State{
		At: at, Node: "trade", Topology: "4f2a",
		Health: watch.Health{State: watch.Degraded, Faults: []watch.Fault{{State: watch.Degraded, What: "channel trades to md by tcp", Why: "the other side is not heard"}}},
		Processes: []view.Process{
			{Name: "node", PID: 812, Alive: true, Age: 120 * time.Millisecond, Started: at.Add(-time.Hour)},
			{Name: "strategy", PID: 813, Age: 62 * time.Second, Started: at.Add(-time.Hour)},
		},
		Channels: []view.Channel{
			{Name: "orders", Messages: 40, Rate: 2, Bytes: 96, Taken: 40, TakenRate: 2, Rings: []view.Ring{{Name: "gate", Capacity: 4096, Alive: true,
				Readers: []view.Reader{{Name: "risk", Lag: 3900, Gating: true, Alive: true}, {Name: "tap", Lag: 12}}}},
				Lag: 3900, Carriages: []view.Carriage{{Node: "md", Stranded: true, Ways: []view.Way{{Medium: "tcp", Breaker: "open", Opened: 3}}}}},
			{Name: "trades", Messages: 1234567, Rate: 98765, Bytes: 5.2e6, Taken: 1200000, TakenRate: 98001, Lost: 17, Lag: 70000,
				Rings: []view.Ring{{Name: "feed", Capacity: 1 << 20, Alive: true, Readers: []view.Reader{{Name: "strategy", Lag: 70000, Alive: true}}}},
				Carriages: []view.Carriage{{Node: "md", Medium: "udp", Lag: 70000, Failovers: 2, Failbacks: 1,
					Ways: []view.Way{{Medium: "udp", Alive: true, Breaker: "closed"}, {Medium: "tcp", Breaker: "half-open", Opened: 1}}}},
				Hops: []view.Hop{{Hop: "carried", Node: "md", Medium: "udp", Count: 900, Fresh: true, P50: 850, P99: 12300, P999: 1234567, Max: 3_400_000_000},
					{Hop: "delivered", Count: 900, P50: 420, P99: 999, P999: 9999, Max: 61_000_000_000}},
				Drops: []view.Drop{{Metric: watch.LinkDropped, Where: "udp in", Reason: "forged", Count: 5, Rate: 1}, {Metric: watch.SubscriberLost, Reason: "", Count: 17}}},
		},
	}
}

// press is a screen after keys.
func press(s Screen, now *view.State, keys ...string) Screen {
	for _, k := range keys {
		s = s.Press(k, now)
	}
	return s
}

func TestFramesAreDrawnAsExpected(t *testing.T) {
	for _, c := range []struct {
		name          string
		width, height int
		keys          []string
	}{
		{"channels", 140, 12, nil},
		{"channels_narrow", 70, 9, []string{"j"}},
		{"ways", 120, 10, []string{"2", "down"}},
		{"readers", 110, 10, []string{"3"}},
		{"drops", 110, 9, []string{"4"}},
		{"health", 110, 9, []string{"5", "p"}},
		{"help", 120, 40, []string{"tab", "shift-tab", "?"}},
		{"filter", 90, 10, []string{"3", "/", "r", "i"}},
	} {
		got := strings.Join(press(Screen{}, node(), c.keys...).Lines(node(), c.width, c.height), "\n") + "\n"
		expect(t, c.name, got)
	}
	expect(t, "text", Text(node()))
}

func expect(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s:\n%s\nwant:\n%s", name, got, want)
	}
}

var colours = regexp.MustCompile("\x1b\\[[0-9]+m")

func TestColoursChangeNoCellAndNothingIsWiderOrHigherThanTheTerminal(t *testing.T) {
	for width := range 150 {
		for _, height := range []int{0, 1, 2, 3, 5, 7, 30} {
			for _, key := range []string{"1", "2", "3", "4", "5", "?"} {
				plain := press(Screen{}, node(), key).Lines(node(), width, height)
				bright := press(Screen{Colour: true}, node(), key).Lines(node(), width, height)
				if len(plain) > height || len(plain) != len(bright) {
					t.Fatalf("%d lines, %d coloured, of %d", len(plain), len(bright), height)
				}
				for i := range plain {
					if utf8.RuneCountInString(plain[i]) > width {
						t.Fatalf("%q is wider than %d", plain[i], width)
					}
					if got := strings.TrimRight(colours.ReplaceAllString(bright[i], ""), " "); got != plain[i] {
						t.Fatalf("with colours %q, without %q", got, plain[i])
					}
				}
			}
		}
	}
}

func TestControlCharactersNeverReachTheTerminal(t *testing.T) {
	const bad = "\x1b]0;x\x07\x9b31m\u202e\u0301\r\n"
	s := &view.State{Node: bad, Topology: bad, Health: watch.Health{State: watch.Degraded, Faults: []watch.Fault{{State: watch.Degraded, What: bad, Why: bad}}},
		Processes: []view.Process{{Name: bad}},
		Channels: []view.Channel{{Name: bad, Rings: []view.Ring{{Name: bad, Readers: []view.Reader{{Name: bad}}}},
			Carriages: []view.Carriage{{Node: bad, Medium: bad, Ways: []view.Way{{Medium: bad, Breaker: bad}}}, {Node: bad}},
			Hops:      []view.Hop{{Hop: bad, Node: bad, Medium: bad}}, Drops: []view.Drop{{Metric: bad, Where: bad, Reason: bad, Count: 1}}}}}
	all := Text(s)
	for _, key := range []string{"1", "2", "3", "4", "5", "/"} {
		all += strings.Join(press(Screen{}, s, key, "\u202e", "\u009b").Lines(s, 1000, 30), "\n")
	}
	for _, r := range all {
		if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.IsMark(r)) {
			t.Fatalf("%U is shown", r)
		}
	}
	if !strings.Contains(all, `\x1b]0;x`) {
		t.Error("names are not shown at all")
	}
}

func TestChosenRowStaysChosenWhileOthersMove(t *testing.T) {
	now := node()
	s := press(Screen{}, now, "down")
	if l := s.Lines(now, 100, 12); !strings.HasPrefix(l[4], ">trades") {
		t.Fatalf("after down:\n%s", strings.Join(l, "\n"))
	}
	s = press(s, now, "s", "s") // by rate, from the most
	if l := s.Lines(now, 100, 12); !strings.HasPrefix(l[3], ">trades") {
		t.Fatalf("sorted by rate:\n%s", strings.Join(l, "\n"))
	}
	s = press(s, now, "S")
	if l := s.Lines(now, 100, 12); !strings.HasPrefix(l[4], ">trades") || !strings.HasPrefix(l[3], " orders") {
		t.Fatalf("the other way round:\n%s", strings.Join(l, "\n"))
	}
	now.Channels = now.Channels[:1]
	if l := s.Lines(now, 100, 12); !strings.HasPrefix(l[3], ">orders") {
		t.Fatalf("the chosen one is gone:\n%s", strings.Join(l, "\n"))
	}
}

func TestChosenRowIsAlwaysOnTheScreen(t *testing.T) {
	now := &view.State{}
	for i := range 200 {
		now.Channels = append(now.Channels, view.Channel{Name: fmt.Sprintf("c%03d", i), Hops: make([]view.Hop, i%4)})
	}
	s := Screen{}
	for i := range 200 {
		want := fmt.Sprintf(">c%03d", i)
		if !slices.ContainsFunc(s.Lines(now, 100, 10), func(l string) bool { return strings.HasPrefix(l, want) }) {
			t.Fatalf("%s is not shown", want)
		}
		s = press(s, now, "j")
	}
	if s = press(s, now, "home"); !strings.HasPrefix(s.Lines(now, 100, 10)[3], ">c000") {
		t.Error("home is not the first")
	}
	if s = press(s, now, "page-down", "page-down", "page-up", "k", "k"); s.index[0] != 8 {
		t.Errorf("row %d after pages, want 8", s.index[0])
	}
}

func TestKeysChangeWhatIsShown(t *testing.T) {
	now := node()
	s := press(Screen{}, now, "/", "q", "p", "?")
	if s.Closed() || s.Paused() || s.help || s.filter != "qp?" {
		t.Fatalf("while a filter is typed: %+v", s)
	}
	if s = press(s, now, "backspace", "backspace", "backspace", "backspace"); s.filter != "" {
		t.Fatalf("filter %q", s.filter)
	}
	if s = press(s, now, "r", "i", "s", "k", "enter", "3"); s.at != 2 || !strings.Contains(strings.Join(s.Lines(now, 100, 10), "\n"), `only "risk"`) {
		t.Fatalf("%+v", s)
	}
	if s = press(s, now, "esc", "p"); s.filter != "" || !s.Paused() {
		t.Fatalf("%+v", s)
	}
	if s = press(s, now, "?", "down", "q"); !s.Closed() {
		t.Error("q in the help does not leave")
	}
	if !press(Screen{}, now, "/", "ctrl-c").Closed() {
		t.Error("ctrl-c does not leave")
	}
	if s = press(Screen{}, now, "tab", "tab", "tab", "tab", "tab"); s.at != 0 {
		t.Errorf("five tabs lead to view %d", s.at+1)
	}
	for range 100 {
		s = press(s, now, "s")
		s.Lines(now, 80, 10)
	}
	long := strings.Split(strings.Repeat("x", 200), "")
	if s = press(press(s, now, "/"), now, long...); len(s.filter) != mostFilter {
		t.Errorf("a filter of %d characters", len(s.filter))
	}
}

func TestEveryColumnIsExplained(t *testing.T) {
	for _, p := range pages {
		for _, c := range p.of(&view.State{}).columns {
			if help := explain(c.help); !strings.HasSuffix(help, ".") {
				t.Errorf("%s: %s is explained by %q", p.name, c.head, help)
			}
		}
	}
	for _, name := range view.Drops() {
		if _, ok := watch.Find(name); !ok {
			t.Errorf("%s is in no catalogue", name)
		}
	}
}

func TestKeysOfTerminals(t *testing.T) {
	for _, c := range []struct{ typed, keys, rest string }{
		{"q", "q", ""}, {"2?q", "2 ? q", ""}, {"\x1b[A\x1bOB\x1b[6~", "up down page-down", ""}, {"\r\x7f\x03\t", "enter backspace ctrl-c tab", ""},
		{"é", "é", ""}, {"\xc3", "", "\xc3"}, {"\x1b", "", "\x1b"}, {"j\x1b[1", "j", "\x1b[1"}, {"\x1b[1;5A!", "!", ""}, {"\x1bx", "esc x", ""}, {"\x01\xffj", "j", ""},
	} {
		keys, rest := Keys([]byte(c.typed))
		if strings.Join(keys, " ") != c.keys || string(rest) != c.rest {
			t.Errorf("%q: keys %q, rest %q", c.typed, keys, rest)
		}
	}
}

func FuzzKeys(f *testing.F) {
	for k := range named {
		f.Add([]byte(k))
	}
	f.Add([]byte("\x1b[1;5A\x1b\x1b["))
	f.Fuzz(func(t *testing.T, b []byte) {
		keys, rest := Keys(b)
		if len(rest) > mostSequence || len(rest) > 0 && !strings.HasSuffix(string(b), string(rest)) {
			t.Fatalf("%q leaves %q", b, rest)
		}
		for _, k := range keys {
			if k == "" || strings.ContainsRune(k, 0x1b) || !utf8.ValidString(k) {
				t.Fatalf("%q gives key %q", b, k)
			}
		}
		if more, _ := Keys(append(rest, 'j')); len(rest) > 0 && rest[0] == 0x1b && len(more) > 2 {
			t.Fatalf("%q and one more are %q", rest, more)
		}
	})
}

func TestNumbersAreShort(t *testing.T) {
	for want, got := range map[string]string{
		"0": number(0), "0.25": number(0.25), "12": number(12), "12.3": number(12.345), "999": number(999.4), "1.00k": number(999.6), "98.8k": number(98765),
		"1.20M": number(1.2e6), "?": number(nan()), "0B": octets(0), "1KiB": octets(1024), "68.4KiB": octets(70000),
		"850ns": span(850), "12.3µs": span(12300), "3.40s": span(3_400_000_000), "1m1s": span(61_000_000_000),
		"█░░░": bar(0.01, 4), "░░░░": bar(0, 4), "████": bar(7, 4),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func nan() float64 { z := 0.0; return z / z }
