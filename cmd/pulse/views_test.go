package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/alphapulse/transport/internal/netlab"
)

// TestCommandsOfTheViewsPageRun runs docs/views.md from top to bottom, with other ports and another topology's name.
func TestCommandsOfTheViewsPageRun(t *testing.T) {
	if _, err := os.Stat("/dev/shm"); err != nil {
		t.Skip("no /dev/shm")
	}
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "views.md"))
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, name := t.TempDir(), fmt.Sprintf("ping%d", os.Getpid())
	t.Cleanup(func() {
		for _, node := range []string{"near", "far"} {
			_ = os.RemoveAll("/dev/shm/pulse-" + name + "-" + node)
		}
	})
	var behind []*pulse
	ran := map[string]bool{}
	for _, block := range regexp.MustCompile("(?s)\n```\n(.*?)```").FindAllSubmatch(page, -1) {
		for line := range strings.Lines(string(block[1])) {
			words := strings.Fields(strings.ReplaceAll(line, "/dev/shm/pulse-ping-", "/dev/shm/pulse-"+name+"-"))
			if len(words) < 2 || words[0] != "pulse" {
				t.Fatalf("no command: %s", line)
			}
			last := len(words) - 1
			stays, into := words[last] == "&", ""
			if stays {
				words = words[:last]
			} else if words[last-1] == ">" {
				words, into = words[:last-1], words[last]
			}
			if words[len(words)-1] == "--yes" {
				endAll(t, &behind)
			}
			c := exec.Command(exe, words[1:]...)
			p := startAsIn(t, c, dir)
			ran[words[1]] = true
			if stays {
				behind = append(behind, p)
				settled(t, p, words)
				continue
			}
			code := p.end()
			if code != 0 && !(len(words) == 2 && code == exitCheck) { // ls of all: of others' nodes some may be damaged just now
				t.Fatalf("%s: code %d: %s\n%s", line, code, p.out.String(), p.words())
			}
			if into != "" {
				if err := os.WriteFile(filepath.Join(dir, into), p.out.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if words[1] == "init" {
				elsewhere(t, filepath.Join(dir, words[3]), name)
			}
			if p.out.String() == "" && words[1] != "init" {
				t.Errorf("%s says nothing", line)
			}
		}
	}
	for _, verb := range []string{"ls", "inspect", "tap", "ping", "clean"} {
		if !ran[verb] {
			t.Errorf("%s is not on the page", verb)
		}
	}
	for _, node := range []string{"near", "far"} {
		if there("/dev/shm/pulse-" + name + "-" + node) {
			t.Errorf("clean left %s", treeOf(t, "/dev/shm/pulse-"+name+"-"+node))
		}
	}
}

// settled waits until what stays is there.
func settled(t *testing.T, p *pulse, words []string) {
	t.Helper()
	switch words[1] {
	case "run":
		eventually(t, "the node is joined", func() bool { return strings.Contains(p.out.String(), "rings in") })
	case "ping":
		eventually(t, "the echo answers", func() bool { return strings.Contains(p.out.String(), "answering") })
	case "record":
		eventually(t, "the recorder is there", func() bool { return there(filepath.Join(p.cmd.Dir, "pings", "journal.state")) })
	}
}

func endAll(t *testing.T, all *[]*pulse) {
	t.Helper()
	for _, p := range *all {
		p.signal(syscall.SIGTERM)
		if code := p.end(); code != 0 {
			t.Errorf("%v: code %d: %s", p.cmd.Args, code, p.words())
		}
	}
	*all = nil
}

// elsewhere gives a topology another name and ports that nobody has.
func elsewhere(t *testing.T, file, name string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(b), "\nname: ping\n", "\nname: "+name+"\n", 1)
	for _, port := range []int{7450, 7451, 7452, 7453, 7460, 7461, 7462, 7463} {
		text = strings.Replace(text, fmt.Sprint(port), fmt.Sprint(netlab.Port()), 1)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
