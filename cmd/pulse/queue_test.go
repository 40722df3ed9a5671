package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alphapulse/transport/examples"
	"github.com/alphapulse/transport/internal/netlab"
)

// A link is cut while trades flow, and what they are answered with goes by queue: the trades go on through the journal, come back behind its
// end, and nothing is lost, repeated or out of order. A node that is killed goes on where it was.
func TestPipelineFailsOverToItsQueueAndBack(t *testing.T) {
	journals := t.TempDir()
	n := openNodesOn(t, "here", `
queues: { journal: { directory: `+journals+` } }
defaults: { protocol: tcp, encryption: none, reliability: guaranteed_delivery, backend: journal, ring_size: 4MiB, heartbeat: 100ms, liveness: 300ms }
channels:
  trades:  { mode: direct_with_mq_fallback, breaker: { open: 1s } }
  signals: { mode: message_queue }
`)
	n.act["feed"] = n.actor("left", "feed", "--rate", "20000", "--count", "200000")
	eventually(t, "the trades go by tcp", func() bool { return n.medium("left", "trades") == "tcp" && n.delivered("sink") > 0 })
	time.Sleep(1100 * time.Millisecond) // messages flow for longer than has to lie between two changes
	began := time.Now()
	n.cutTCP("middle", true)
	cut := time.Now()
	eventually(t, "the trades go by queue", func() bool {
		return strings.Contains(n.run["left"].out.String(), "failover by journal to middle, channel trades")
	})
	t.Logf("seen %s to %s after the cut", time.Since(cut).Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
	eventually(t, "explain says what carries them", func() bool {
		p := start(t, "explain", n.file, "--channel", "trades", "--dir", n.dirOf("left"))
		return p.end() == 0 && strings.Contains(p.out.String(), "now         by journal; 1 rings")
	})
	n.run["left"].signal(os.Kill)
	n.run["left"].end()
	n.run["left"] = n.start("left", "run", n.file, "--node", "left", "--dir", n.dirOf("left"), "--hold-down", "1s")
	eventually(t, "the trades go by queue again", func() bool {
		return n.status("left").PID == n.run["left"].cmd.Process.Pid && n.medium("left", "trades") == "journal"
	})
	n.cutTCP("middle", false)
	eventually(t, "the trades go by tcp again", func() bool {
		return strings.Contains(n.run["left"].out.String(), "failback by tcp to middle, channel trades") && n.medium("left", "trades") == "tcp"
	})
	for _, one := range n.status("left").Carriages[0].Switches {
		t.Logf("%+v", one)
	}
	eventually(t, "explain says that signals go by queue", func() bool {
		p := start(t, "explain", n.file, "--channel", "signals", "--dir", n.dirOf("middle"))
		return p.end() == 0 && strings.Contains(p.out.String(), "now         by journal; 1 rings")
	})
	n.finish()
}

// The example of queues runs as it is written where no broker is named.
func TestExampleOfQueuesRunsWithTheJournal(t *testing.T) {
	text, err := examples.Text("hybrid_mq")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, port := range []string{"7430", "7431", "7432", "7433", "7440", "7441", "7442", "7443"} { // others may have those
		text = bytes.ReplaceAll(text, []byte(port), fmt.Append(nil, netlab.Port()))
	}
	file := filepath.Join(dir, "hybrid_mq.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PULSE_JOURNALS", filepath.Join(dir, "journals"))
	run := map[string]*pulse{}
	for _, node := range []string{"trading", "archive"} {
		run[node] = start(t, "run", file, "--node", node, "--dir", filepath.Join(dir, node))
	}
	eventually(t, "the two are joined", func() bool { return strings.Contains(run["trading"].out.String(), "connected by tcp to archive") })
	for _, node := range []string{"trading", "archive"} {
		run[node].signal(os.Interrupt)
		if code := run[node].end(); code != 0 {
			t.Errorf("%s: exit code %d: %s", node, code, run[node].words())
		}
	}
}
