package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/netlab"
)

// nodes is the demo's three processes, each on a host of its own, and what joins their nodes.
type nodes struct {
	*testing.T
	lab  *netlab.Lab
	dir  string
	file string

	told    sync.Once
	machine string // the host's name; empty: each its own
	run     map[string]*pulse
	act     map[string]*pulse
}

var places = [][2]string{{"left", "feed"}, {"middle", "strategy"}, {"right", "sink"}}

// openNodes starts everything but the feed.
func openNodes(t *testing.T, channels string) *nodes { return openNodesOn(t, "", channels) }

// openNodesOn is openNodes for nodes that share one machine's files, if it has a name.
func openNodesOn(t *testing.T, machine, channels string) *nodes {
	t.Helper()
	if err := netlab.Supported(); err != nil {
		t.Skip(err)
	}
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skip("no nft command (package nftables)")
	}
	lab, err := netlab.New("left", "middle", "right")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := lab.Close(); err != nil {
			t.Error(err)
		}
	})
	n := &nodes{T: t, lab: lab, machine: machine, dir: t.TempDir(), run: map[string]*pulse{}, act: map[string]*pulse{}}
	n.file = filepath.Join(n.dir, "pipeline.yaml")
	n.write(channels)
	n.certify()
	for _, p := range places {
		n.run[p[0]] = n.start(p[0], "run", n.file, "--node", p[0], "--dir", n.dirOf(p[0]), "--hold-down", "1s")
	}
	for _, p := range places[1:] {
		n.act[p[1]] = n.actor(p[0], p[1])
	}
	return n
}

// failed tells once, if the test has failed, before anybody is killed.
func (n *nodes) failed() {
	if n.Failed() {
		n.told.Do(n.tell)
	}
}

// tell shows what everybody printed last, what their threads do, and how the nodes and their rings stand.
func (n *nodes) tell() {
	for _, all := range []map[string]*pulse{n.run, n.act} {
		for name, p := range all {
			lines := strings.Split(p.out.String(), "\n")
			n.Logf("%s:\n%s\n%s\n%s", name, strings.Join(lines[max(0, len(lines)-12):], "\n"), p.words(), threadsOf(p.cmd.Process.Pid))
		}
	}
	for _, p := range places {
		s := n.status(p[0])
		n.Logf("%s, %s ago: %+v\n%s", p[0], time.Since(s.At).Round(time.Millisecond), s, ringsUnder(n.dirOf(p[0])))
	}
}

func (n *nodes) write(channels string) {
	n.Helper()
	text := "config_version: 1\nname: pipeline\nnodes:\n"
	for _, p := range places {
		text += fmt.Sprintf("  %s: { hostname: %s, addresses: [%s], site: here, trust: { certificate: certs/%s.pem, key: certs/%s-key.pem, authorities: certs/ca.pem } }\n",
			p[0], cmp.Or(n.machine, p[0]), n.lab.Addr(p[0]), p[0], p[0])
	}
	text += `
actors:
  feed:     { type: producer, outputs: [trades], source_id: 1 }
  strategy: { type: transformer, inputs: [trades], outputs: [signals], source_id: 20 }
  sink:     { type: consumer, inputs: [signals] }
placements:
  feed:     { node: left }
  strategy: { node: middle }
  sink:     { node: right }
` + channels
	if err := os.WriteFile(n.file, []byte(text), 0o600); err != nil {
		n.Fatal(err)
	}
}

// certify makes an authority, and each node a certificate.
func (n *nodes) certify() {
	n.Helper()
	certs := filepath.Join(n.dir, "certs")
	for _, args := range [][]string{{"ca", certs}, {"issue", certs, "left"}, {"issue", certs, "middle"}, {"issue", certs, "right"}} {
		if p := start(n.T, append([]string{"cert"}, args...)...); p.end() != 0 {
			n.Fatal(p.words())
		}
	}
}

func (n *nodes) dirOf(node string) string { return filepath.Join(n.dir, node) }

func (n *nodes) start(node string, args ...string) *pulse {
	n.Helper()
	exe, err := os.Executable()
	if err != nil {
		n.Fatal(err)
	}
	p := startAs(n.T, n.lab.Command(context.WithoutCancel(n.Context()), node, exe, args...)) // killed when all is told
	n.Cleanup(n.failed)
	return p
}

func (n *nodes) actor(node, actor string, more ...string) *pulse {
	n.Helper()
	return n.start(node, append([]string{actor, "--topology", n.file, "--dir", n.dirOf(node)}, more...)...)
}

// carriage is how a channel leaves a node, as the node says.
func (n *nodes) status(node string) (s nodeStatus) {
	b, err := os.ReadFile(filepath.Join(n.dirOf(node), statusFile))
	if err != nil || json.Unmarshal(b, &s) != nil {
		return nodeStatus{}
	}
	return s
}

// medium is what carries a channel from a node just now.
func (n *nodes) medium(node, channel string) string {
	for _, c := range n.status(node).Carriages {
		if c.Channel == channel {
			return c.Medium
		}
	}
	return ""
}

// finish ends the feed, then whom it feeds, and checks that nothing is missing at the end.
func (n *nodes) finish() {
	n.Helper()
	feed := n.act["feed"]
	if code := feed.end(); code != 0 {
		n.Fatalf("feed: exit code %d: %s", code, feed.words())
	}
	sent := lastCount(feed.out.String(), "sent ")
	for _, p := range places[1:] {
		eventually(n.T, p[1]+" has everything", func() bool { return n.delivered(p[1]) >= sent })
		a := n.act[p[1]]
		a.signal(syscall.SIGTERM)
		if code := a.end(); code != 0 {
			n.Errorf("%s: exit code %d: %s", p[1], code, a.words())
		}
		last := lastLine(a.out.String())
		if !strings.Contains(last, fmt.Sprintf("delivered %d  gaps 0  repeated 0  reordered 0  corrupt 0", sent)) {
			n.Errorf("%d were sent: %s", sent, last)
		}
	}
	for _, p := range places {
		n.run[p[0]].signal(syscall.SIGTERM)
		if code := n.run[p[0]].end(); code != 0 {
			n.Errorf("run %s: exit code %d: %s", p[0], code, n.run[p[0]].words())
		}
	}
}

// delivered is how many messages an actor has said that it got.
func (n *nodes) delivered(actor string) uint64 {
	return lastCount(n.act[actor].out.String(), "delivered ")
}

// lastCount is the number behind the last word in a text, 0 without one.
func lastCount(text, word string) (count uint64) {
	if i := strings.LastIndex(text, word); i >= 0 {
		_, _ = fmt.Sscan(text[i+len(word):], &count)
	}
	return count
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

func TestPipelineRunsAcrossThreeHosts(t *testing.T) {
	for _, protocol := range []string{"tcp", "udp", "xdp"} {
		t.Run(protocol, func(t *testing.T) { pipelineRuns(t, protocol) })
	}
}

// pipelineRuns cuts one of three hosts off for a while. By UDP, which repairs, one datagram of a hundred is lost, too.
func pipelineRuns(t *testing.T, protocol string) {
	n := openNodes(t, fmt.Sprintf(`
defaults: { mode: direct, protocol: %s, encryption: none, reliability: at_least_once, ring_size: 1MiB }
channels:
  trades: {}
  signals: {}
`, protocol))
	if protocol == "udp" {
		for _, p := range places {
			if err := n.lab.Loss(p[0], 1); err != nil {
				t.Fatal(err)
			}
		}
	}
	n.act["feed"] = n.actor("left", "feed", "--rate", "20000", "--count", "60000")
	eventually(t, "the sink gets something", func() bool { return n.delivered("sink") > 0 })
	eventually(t, "explain says what carries the trades", func() bool {
		p := start(t, "explain", n.file, "--channel", "trades", "--dir", n.dirOf("left"))
		return p.end() == 0 && strings.Contains(p.out.String(), "now         by "+protocol+"; 1 rings")
	})
	if protocol != "xdp" { // filters of the kernel see nothing of what goes past it
		if err := n.lab.Partition("middle"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second) // the partition lasts, longer than the silence that is borne
		if err := n.lab.Heal("middle"); err != nil {
			t.Fatal(err)
		}
	}
	n.finish()
	for _, p := range places {
		if said := n.run[p[0]].out.String(); strings.Contains(said, "fallback") {
			t.Errorf("%s: %s", p[0], said)
		}
	}
}

func TestPipelineRunsByTLS(t *testing.T) {
	n := openNodes(t, `
defaults: { mode: direct, protocol: tcp, encryption: tls, reliability: at_least_once, ring_size: 1MiB }
channels:
  trades: {}
  signals: {}
`)
	n.act["feed"] = n.actor("left", "feed", "--rate", "20000", "--count", "20000")
	n.finish()
}

// cutTCP drops what comes to a host by TCP, or no longer.
func (n *nodes) cutTCP(node string, on bool) {
	n.Helper()
	script := "delete table inet cut\n"
	if on {
		script = "table inet cut {\nchain in {\ntype filter hook input priority 0;\nmeta l4proto tcp drop\n}\n}\n"
	}
	file := filepath.Join(n.dir, "cut.nft")
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		n.Fatal(err)
	}
	if _, err := n.lab.Exec(node, "nft", "-f", file); err != nil {
		n.Fatal(err)
	}
}

// A link is cut for three seconds: its channels go on by another within the time that silence takes to be seen and two heartbeats more, come
// back once it has been well for a while, and nothing is lost, repeated or out of order.
func TestPipelineFailsOverAndBack(t *testing.T) {
	n := openNodes(t, `
defaults: { mode: fallback, pair: [tcp, quic], encryption: tls, reliability: at_least_once, ring_size: 4MiB, heartbeat: 100ms, liveness: 300ms }
channels:
  trades: { breaker: { open: 1s } }
  signals: {}
`)
	n.act["feed"] = n.actor("left", "feed", "--rate", "20000", "--count", "240000")
	eventually(t, "the trades go by tcp", func() bool { return n.medium("left", "trades") == "tcp" && n.delivered("sink") > 0 })
	time.Sleep(1100 * time.Millisecond)     // messages flow for longer than has to lie between two changes
	before := n.status("left").Carriages[0] // quic may have been up first
	began := time.Now()
	n.cutTCP("middle", true)
	cut := time.Now()
	eventually(t, "the trades go by quic", func() bool {
		return strings.Contains(n.run["left"].out.String(), "failover by quic to middle, channel trades")
	})
	t.Logf("seen %s to %s after the cut", time.Since(cut).Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
	time.Sleep(time.Until(began.Add(3 * time.Second))) // the cut lasts
	n.cutTCP("middle", false)
	eventually(t, "the trades go by tcp again", func() bool { return n.medium("left", "trades") == "tcp" })
	s := n.status("left").Carriages[0]
	if s.Failovers != before.Failovers+1 || s.Failbacks != before.Failbacks+1 || s.Ways[0].Opened != before.Ways[0].Opened+1 {
		t.Errorf("%+v", s)
	}
	for _, one := range s.Switches {
		t.Logf("%+v", one)
	}
	n.finish()
}
