package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const sealedPipeline = `
defaults: { mode: direct, protocol: udp, encryption: chacha20_poly1305, reliability: at_least_once, ring_size: 1MiB }
channels:
  trades: {}
  signals: {}
`

// fileOf is the topology as one node has it: with the words replaced.
func (n *nodes) fileOf(node string, words ...string) string {
	n.Helper()
	text, err := os.ReadFile(n.file)
	if err != nil {
		n.Fatal(err)
	}
	file := filepath.Join(n.dir, node+".yaml")
	if err := os.WriteFile(file, []byte(strings.NewReplacer(words...).Replace(string(text))), 0o600); err != nil {
		n.Fatal(err)
	}
	return file
}

// again kills a node's process and starts it with this file.
func (n *nodes) again(node, file string) {
	n.Helper()
	n.run[node].signal(syscall.SIGKILL)
	n.run[node].end()
	n.run[node] = n.start(node, "run", file, "--node", node, "--dir", n.dirOf(node), "--hold-down", "1s")
}

// lines of what a node has printed since it was started that have all the words.
func (n *nodes) lines(node string, words ...string) (some []string) {
	for line := range strings.Lines(n.run[node].out.String()) {
		has := true
		for _, w := range words {
			has = has && strings.Contains(line, w)
		}
		if has {
			some = append(some, line)
		}
	}
	return some
}

func (n *nodes) explains(node, channel string, words ...string) {
	n.Helper()
	eventually(n.T, fmt.Sprintf("%s explains %s: %q", node, channel, words), func() bool {
		p := start(n.T, "explain", n.file, "--channel", channel, "--dir", n.dirOf(node))
		if p.end() != 0 {
			return false
		}
		for _, w := range words {
			if !strings.Contains(p.out.String(), w) {
				return false
			}
		}
		return true
	})
}

// Three hosts with certificates and no secret anywhere: what goes between them as datagrams is sealed with secrets that they agree on. The node in
// the middle is killed and starts again, with new ones, and nothing is lost, repeated or reordered.
func TestPipelineNeedsNoSecretFile(t *testing.T) {
	for _, protocol := range []string{"udp", "xdp"} {
		t.Run(protocol, func(t *testing.T) { sealedPipelineRuns(t, protocol) })
	}
}

func sealedPipelineRuns(t *testing.T, protocol string) {
	n := openNodes(t, strings.ReplaceAll(sealedPipeline, "udp", protocol))
	n.act["feed"] = n.actor("left", "feed", "--rate", "20000", "--count", "50000")
	eventually(t, "the sink gets something", func() bool { return n.delivered("sink") > 0 })
	n.again("middle", n.file)
	if sent := lastCount(n.act["feed"].out.String(), "sent "); sent >= 50000 {
		t.Fatalf("%d were sent before the node was killed", sent)
	}
	eventually(t, "left and middle agree again", func() bool { return len(n.lines("middle", "connected by control to left")) > 0 })
	n.explains("left", "trades", "now         by "+protocol, "agreed      with middle: on what it means and on its secrets; its clock is ")
	n.explains("right", "signals", "agreed      with middle: on what it means and on its secrets")
	n.finish()
}

// A node whose file says something else of a channel is named by the field, at both ends, and one that another authority vouches for by the
// reason; what others exchange goes on. Once it is put right everything that waited for it comes.
func TestNodesThatDoNotAgreeAreNamed(t *testing.T) {
	n := openNodes(t, sealedPipeline)
	n.again("right", n.fileOf("right", "signals: {}", "signals: { domain: execution }"))
	n.act["feed"] = n.actor("left", "feed", "--rate", "5000", "--count", "5000")
	says := map[string]string{"middle": `domain: here "", there "execution"`, "right": `domain: here "execution", there ""`}
	for node, far := range map[string]string{"middle": "right", "right": "middle"} {
		n.explains(node, "signals", "agreed      with "+far+": no: "+says[node])
		if all := n.lines(node, "refused by control to "+far+", channel signals", says[node]); len(all) != 1 {
			t.Errorf("%s says %q in\n%s", node, all, n.run[node].out.String())
		}
	}
	eventually(t, "the strategy has everything", func() bool { return n.delivered("strategy") >= 5000 })

	for _, args := range [][]string{{"ca", "other"}, {"issue", "other", "right"}} {
		args[1] = filepath.Join(n.dir, "other")
		if p := start(t, append([]string{"cert"}, args...)...); p.end() != 0 {
			t.Fatal(p.words())
		}
	}
	before := len(n.lines("middle", "trouble by control to right"))
	n.again("right", n.fileOf("right", "certs/right", "other/right", "certs/ca.pem", "other/ca.pem"))
	stranger := []string{"trouble by control to right", "unknown authority"}
	eventually(t, "middle does not believe right", func() bool { return len(n.lines("middle", stranger...)) > 0 })
	eventually(t, "right is told so", func() bool { return len(n.lines("right", "trouble by control")) > 0 })
	n.explains("middle", "signals", "agreed      with right: no: ", "unknown authority")
	if all := n.lines("middle", "trouble by control to right")[before:]; len(n.lines("middle", stranger...)) != 1 || len(all) > 2 { // the other: it was killed
		t.Errorf("middle says %q", all)
	}
	if all := n.lines("right", "trouble by control"); len(all) != 1 {
		t.Errorf("right says %q", all)
	}
	if got := n.delivered("sink"); got != 0 {
		t.Errorf("%d signals came to a stranger", got)
	}
	n.again("right", n.file)
	n.finish()
}
