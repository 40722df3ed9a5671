package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/alphapulse/transport/examples"
	"github.com/alphapulse/transport/internal/netlab"
)

// pingFile is the example with ports that nobody has, or with both actors on one node.
func pingFile(t *testing.T, far bool) (file, near, there string) {
	t.Helper()
	b, err := examples.Text("ping")
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for _, port := range []int{7450, 7451, 7452, 7453, 7460, 7461, 7462, 7463} {
		text = strings.Replace(text, fmt.Sprint(port), fmt.Sprint(netlab.Port()), 1)
	}
	dir := t.TempDir()
	file, near, there = filepath.Join(dir, "ping.yaml"), filepath.Join(dir, "near"), filepath.Join(dir, "far")
	if !far {
		text = strings.Replace(text, "echo:   { node: far }", "echo:   { node: near }", 1)
		there = near
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, near, there
}

// pingThrough pings, and kills a ping amid and pings again: what it left is not taken for answers, and nobody waits.
func pingThrough(t *testing.T, file, near, far, by string) {
	t.Helper()
	e := start(t, "ping", file, "--actor", "echo", "--echo", "--dir", far)
	args := []string{"ping", file, "--actor", "pinger", "--dir", near, "--rate", "2000", "-o", "json"}
	round := func() {
		t.Helper()
		p := start(t, append(args, "--count", "1000")...)
		var r pinged
		code := p.end()
		if err := json.Unmarshal(p.out.Bytes(), &r); err != nil || code != 0 {
			t.Fatalf("code %d, %v: %s\n%s", code, err, p.out.String(), p.words())
		}
		if r.Sent != 1000 || r.Answered != 1000 || r.Lost+r.Repeated != 0 || r.By != by || r.Latency == nil || r.Latency.Samples != 1000 ||
			r.Latency.P50 <= 0 || r.Latency.P50 > r.Latency.P99 || r.Latency.P99 > r.Latency.P999 || r.Latency.P999 > r.Latency.Max {
			t.Errorf("%+v %+v", r, r.Latency)
		}
		t.Logf("%s: p50 %d ns, p99 %d ns, max %d ns", r.By, r.Latency.P50, r.Latency.P99, r.Latency.Max)
	}
	round()
	killed := start(t, append(args, "--count", "0")...)
	pings := func() uint64 {
		if c, err := seeNode(near).channel("ping"); err == nil {
			return c.Rings[0].Committed
		}
		return 0
	}
	from := pings()
	eventually(t, "pings flow", func() bool { return pings() > from+100 })
	killed.signal(syscall.SIGKILL)
	killed.end()
	round()
	e.signal(syscall.SIGTERM)
	if code := e.end(); code != 0 || !strings.Contains(e.out.String(), "answering ping in pong") {
		t.Errorf("code %d: %s %s", code, e.out.String(), e.words())
	}
	for _, name := range []string{"ping", "pong"} { // nobody is left whom a publisher would wait for
		c, err := seeNode(near).channel(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range c.Rings {
			for _, one := range r.Readers {
				if one.Gating && !one.Alive {
					t.Errorf("%s: %s", name, one)
				}
			}
		}
	}
}

func TestPingThroughSharedMemory(t *testing.T) {
	file, near, _ := pingFile(t, false)
	pingThrough(t, file, near, near, "shared memory")
	out, code := verb(t.Context(), newClean(), near, "--yes")
	if code != 0 || !strings.Contains(out, "0 stay") || there(near) {
		t.Errorf("code %d: %s", code, out)
	}
}

// Over two nodes that pulse run joins; and what ls, inspect and clean say of them while they live.
func TestPingThroughTCP(t *testing.T) {
	file, near, far := pingFile(t, true)
	runs := []*pulse{start(t, "run", file, "--node", "near", "--dir", near), start(t, "run", file, "--node", "far", "--dir", far)}
	pingThrough(t, file, near, far, "tcp to far")
	eventually(t, "both nodes have said how they stand", func() bool { return len(seeRun(near).Carriages)*len(seeRun(far).Carriages) > 0 })
	for want, args := range map[string][]string{
		"link ping to far: by tcp":       {"ls", near, "--for", "0"},
		"mirror":                         {"ls", far, "--for", "0"},
		"channel ping to far":            {"inspect", "link", "--dir", near},
		"channel pong to near":           {"inspect", "link", "--dir", far, "--to", "near"},
		".fabric: a living process":      {"clean", near, "--yes", "--lose-unconfirmed"},
		"there are ping, pong; do you":   {"tap", "pink", "--dir", near},
		"0 messages, 0 others, 0 lost: ": {"tap", "ping", "--dir", far, "--for", "10ms"},
	} {
		p := start(t, args...)
		p.end()
		if said := p.out.String() + p.words(); !strings.Contains(said, want) {
			t.Errorf("%v: no %q in\n%s", args, want, said)
		}
	}
	for _, r := range runs {
		r.signal(syscall.SIGTERM)
		if code := r.end(); code != 0 {
			t.Errorf("code %d: %s", code, r.words())
		}
	}
}

func TestPingSaysThatNobodyAnswers(t *testing.T) {
	file, near, _ := pingFile(t, false)
	out, code := verb(t.Context(), newPing(), file, "--actor", "pinger", "--dir", near, "--wait", "50ms")
	if code != exitCheck || !strings.Contains(out, "is pulse ping --echo running") {
		t.Errorf("code %d: %s", code, out)
	}
}

func TestPingRefusesWhatCannotBe(t *testing.T) {
	file, _, _ := pingFile(t, false)
	out, code := verb(t.Context(), newPing(), file, "--actor", "ping", "--rate", "0", "--size", "8", "--timeout", "0", "-o", "xml")
	for _, want := range []string{"--rate 0", "--size 8", "--timeout", `output "xml"`, "the file has pinger, echo"} {
		if code != exitUsage || !strings.Contains(out, want) {
			t.Errorf("code %d, no %q in %s", code, want, out)
		}
	}
	for want, args := range map[string][]string{
		"--out":     {file, "--actor", "pinger", "--out", "pong"},
		"--in":      {file, "--actor", "pinger", "--in", "ping"},
		"--size":    {file, "--actor", "pinger", "--size", "10000000", "--dir", t.TempDir()},
		"no such":   {file + "x", "--actor", "pinger"},
		"accepts 1": {},
	} {
		if out, code := verb(t.Context(), newPing(), args...); code == 0 || !strings.Contains(out, want) {
			t.Errorf("%v: code %d: %s", args, code, out)
		}
	}
}
