package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

// runVerb runs a command line as main does and returns both outputs and the exit code.
func runVerb(t *testing.T, args ...string) (out, said string, code int) {
	t.Helper()
	ran = false
	var o, e bytes.Buffer
	c := newRoot()
	c.SetArgs(args)
	c.SetOut(&o)
	c.SetErr(&e)
	err := c.Execute()
	var coded *exitError
	switch {
	case errors.As(err, &coded):
		code = coded.code
	case err != nil:
		code = exitUsage
	}
	if err != nil {
		e.WriteString(err.Error())
	}
	return o.String(), e.String(), code
}

const twoNodes = `
nodes:
  left: {hostname: left.lan, site: hall}
  right: {hostname: right.lan, site: hall}
actors:
  feed: {type: producer, outputs: [ticks], source_id: 1}
  desk: {type: consumer, inputs: [ticks]}
placements:
  feed: {node: left}
  desk: {node: right}
channels:
  ticks: {criticality: low_latency}
`

func TestPlanExplainAndDiffEndWithTheirCodes(t *testing.T) {
	good := topologyFile(t, twoNodes)
	quic := topologyFile(t, strings.Replace(twoNodes, "{criticality", "{protocol: quic, criticality", 1))
	spaced := topologyFile(t, "# the same\n"+twoNodes)
	wrong := topologyFile(t, strings.Replace(twoNodes, "criticality", "critticality", 1))
	refused := topologyFile(t, strings.Replace(strings.Replace(twoNodes, "right.lan, site: hall", "right.lan, site: bay", 1), "{criticality",
		"{mode: message_queue, backend: kafka, criticality", 1)) // unencrypted across regions
	absent := filepath.Join(t.TempDir(), "none.yaml")
	for _, c := range []struct {
		args []string
		code int
		out  string
		said string
	}{
		{[]string{"plan", good}, 0, "feed@left → desk@right: tcp, tls [default]", ""},
		{[]string{"plan", good, "--actor", "desk"}, 0, "desk@right", ""},
		{[]string{"plan", good, "--actor", "dest"}, exitUsage, "", "the file has feed, desk"},
		{[]string{"plan", wrong}, exitUsage, "", "criticality"},
		{[]string{"plan", absent}, exitUsage, "", "none.yaml"},
		{[]string{"plan", good, "-o", "xml"}, exitUsage, "", "text or json"},
		{[]string{"plan"}, exitUsage, "", "arg"},
		{[]string{"plan", refused}, exitCheck, "queue kafka", "must not go unencrypted"},
		{[]string{"explain", good, "--from", "feed", "--to", "desk", "--channel", "ticks"}, 0, "rejected", ""},
		{[]string{"explain", good}, 0, "different machines share no memory", ""},
		{[]string{"explain", good, "--channel", "tics"}, exitUsage, "", "the file has ticks"},
		{[]string{"explain", good, "--from", "nobody"}, exitUsage, "", "the file has feed, desk"},
		{[]string{"explain", good, "--from", "desk", "--to", "feed"}, exitCheck, "", "nothing travels that way"},
		{[]string{"explain", wrong}, exitUsage, "", "criticality"},
		{[]string{"diff", good, spaced}, 0, "untouched  ticks", ""},
		{[]string{"diff", good, quic}, exitCheck, "changed    ticks", "differ"},
		{[]string{"diff", good, wrong}, exitUsage, "", "criticality"},
		{[]string{"diff", good, refused}, exitUsage, "", "must not run"},
		{[]string{"diff", good}, exitUsage, "", "arg"},
	} {
		out, said, code := runVerb(t, c.args...)
		if code != c.code || !strings.Contains(out, c.out) || !strings.Contains(said, c.said) {
			t.Errorf("%v: code %d, not %d\n%s\n%s", c.args, code, c.code, out, said)
		}
		if c.out == "" && code != exitUsage && out != "" {
			t.Errorf("%v prints\n%s", c.args, out)
		}
	}
}

func TestPlanExplainAndDiffSpeakJSON(t *testing.T) {
	good := topologyFile(t, twoNodes)
	quic := topologyFile(t, strings.Replace(twoNodes, "{criticality", "{protocol: quic, criticality", 1))
	var plan struct {
		Version  string
		Channels []struct{ Decisions []struct{ Rule string } }
	}
	out, _, _ := runVerb(t, "plan", good, "-o", "json")
	if err := json.Unmarshal([]byte(out), &plan); err != nil || plan.Version == "" || plan.Channels[0].Decisions[0].Rule != "default" {
		t.Errorf("%v: %s", err, out)
	}
	var decisions []struct {
		Channel string
		Primary struct{ Medium string }
	}
	out, _, _ = runVerb(t, "explain", quic, "-o", "json")
	if err := json.Unmarshal([]byte(out), &decisions); err != nil || len(decisions) != 1 || decisions[0].Primary.Medium != "quic" {
		t.Errorf("%v: %s", err, out)
	}
	var changes struct {
		Same     bool
		Channels []struct{ Channel, Fate string }
	}
	out, _, _ = runVerb(t, "diff", good, quic, "-o", "json")
	if err := json.Unmarshal([]byte(out), &changes); err != nil || changes.Same || changes.Channels[0].Fate != "changed" {
		t.Errorf("%v: %s", err, out)
	}
}
