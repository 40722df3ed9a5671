package topo

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestTextPointsAtThePlace(t *testing.T) {
	_, found := parse("channels:\n  trades: {mode: driect, colour: " + strings.Repeat("r", 300) + "}\n")
	if got, want := report(found[:1]), `t.yaml:2:18: error: mode cannot be "driect" [bad-value]
     2 |   trades: {mode: driect, colour: rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr
       |                  ^^^^^^
         did you mean direct?
`; got != want {
		t.Errorf("%s\nis not\n%s", got, want)
	}
	for _, line := range strings.Split(report(found), "\n") {
		if len(line) > excerptWidth+20 {
			t.Errorf("a long line: %s", line)
		}
	}
}

func TestCaretStandsBelowWideAndFarPlaces(t *testing.T) {
	for _, c := range []struct {
		line          string
		column, width int
		under         string
	}{
		{"ab: ü: x", 5, 1, "ü"}, {strings.Repeat("é", 500) + "XY" + strings.Repeat("z", 500), 501, 2, "XY"}, {"a\tb", 3, 1, "b"},
		{"ab", 9, 3, ""}, {"", 1, 1, ""}, {"abc", 2, 900, "bc"},
	} {
		text, caret := frame(c.line, c.column, c.width)
		runes := []rune(text)
		at, n := strings.Index(caret, "^"), strings.Count(caret, "^")
		got := string(runes[min(at, len(runes)):min(at+n, len(runes))])
		if got != c.under || n < 1 || len(runes) > excerptWidth {
			t.Errorf("%.20q at %d: the caret is below %q, not %q", c.line, c.column, got, c.under)
		}
	}
}

func TestSARIFNamesEveryRuleAndPlace(t *testing.T) {
	_, found := parse("channels: {a: {mode: driect, compression: lz4, message_size: 1B, heartbeat: 1}}")
	var b bytes.Buffer
	if err := found.WriteSARIF(&b); err != nil {
		t.Fatal(err)
	}
	var log struct {
		Version string
		Runs    []struct {
			Tool struct {
				Driver struct{ Rules []struct{ ID string } }
			}
			Results []struct {
				RuleID    string
				RuleIndex int
				Level     string
				Message   struct{ Text string }
				Locations []struct {
					PhysicalLocation struct {
						ArtifactLocation struct{ URI string }
						Region           struct{ StartLine, StartColumn, EndColumn int }
					}
				}
			}
		}
	}
	if err := json.Unmarshal(b.Bytes(), &log); err != nil {
		t.Fatal(err)
	}
	if log.Version != "2.1.0" || len(log.Runs) != 1 || len(log.Runs[0].Results) != len(found) || len(found) != 3 {
		t.Fatalf("%s", &b)
	}
	for i, r := range log.Runs[0].Results {
		f, p := found[i], r.Locations[0].PhysicalLocation
		if r.RuleID != f.Rule || log.Runs[0].Tool.Driver.Rules[r.RuleIndex].ID != f.Rule || r.Level != f.Severity.String() || !strings.HasPrefix(r.Message.Text, f.Message) ||
			p.ArtifactLocation.URI != "t.yaml" || p.Region.StartLine != f.At.Line || p.Region.StartColumn != f.At.Column || p.Region.EndColumn <= p.Region.StartColumn {
			t.Errorf("%+v is not %+v", r, f)
		}
	}
}

func TestErrHasEveryErrorAndNoWarning(t *testing.T) {
	_, found := parse("channels: {a: {mode: driect, compression: lz4, message_size: 1B, heartbeat: 1}}")
	err := found.Err()
	if !errors.Is(err, ErrTopology) || !strings.Contains(err.Error(), "driect") || !strings.Contains(err.Error(), "heartbeat") || strings.Contains(err.Error(), "small-packed") {
		t.Error(err)
	}
	if _, warned := parse("channels: {a: {compression: lz4, message_size: 1B}}"); len(warned) != 1 || warned.Err() != nil {
		t.Error(warned)
	}
}

func TestSuggestionIsNearOrNone(t *testing.T) {
	known := []string{"protocol", "compression", "tcp", "udp"}
	for word, want := range map[string]string{"protocl": "protocol", "Protocol": "protocol", "protcool": "protocol", "prtcl": "", "compresion": "compression", "cp": "tcp", "x": "", "": "",
		"upd": "udp", strings.Repeat("p", 100): "", "com-pression": "compression"} {
		if got := suggest(word, known); got != want {
			t.Errorf("%q suggests %q, not %q", word, got, want)
		}
	}
	for _, c := range []struct {
		a, b string
		d    int
	}{{"", "", 0}, {"a", "", 1}, {"ab", "ba", 1}, {"abc", "abd", 1}, {"kitten", "sitting", 3}, {"abcd", "abdc", 1}, {"", "abc", 3}} {
		if d := distance(c.a, c.b); d != c.d {
			t.Errorf("%s to %s is %d, not %d", c.a, c.b, d, c.d)
		}
		if distance(c.a, c.b) != distance(c.b, c.a) {
			t.Errorf("%s and %s are not equally far from each other", c.a, c.b)
		}
	}
}

func TestNamesOfTheFileDoNotReachTheTerminalRaw(t *testing.T) {
	_, found := parse(`{actors: {"\e[31mred": {type: consumer, inputs: ["\e]0;x\a"]}}, channels: {"\x07": {mode: "\e[2J"}}, "\e": 1}`)
	if len(found) < 5 || strings.ContainsAny(report(found)+found.Err().Error(), "\x1b\x07") {
		t.Errorf("%q", report(found))
	}
}
