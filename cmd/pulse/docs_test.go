package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/netlab"
)

// What the pages show to be typed is typed here: every line of a fenced block that begins with the program runs, page by page and in order, in a
// directory of its own. Commands that run until they are stopped run until the page ends, and have to end well then.

// ranElsewhere are lines that this test does not run, and who does.
var ranElsewhere = map[string]string{
	"make demo": "TestDemoAccountsForEveryMessage runs the demo, and every test build builds the program",
	"make test": "whoever runs this test",
}

// lasting are the verbs that run until they are stopped.
var lasting = []string{"run", "feed", "strategy", "sink", "chaos", "record", "web"}

// replaced is what a page says and this test says otherwise: places, addresses, and how long.
var replaced = []struct{ from, to string }{
	{`--for (10s|30s|1m|5m)\b`, "--for 1s"},
	{`--for 0\b`, "--for 500ms"},
	{`/dev/shm/`, "shm/"},
	{`/var/lib/pulse`, "lib"},
	{`/etc/pulse/topology.yaml`, "topology.yaml"},
	{`\[[^]]*\]`, ""}, // what may be left out is
	{`\bFILE\b`, "topology.yaml"},
	{`\bOLD NEW\b`, "topology.yaml newer.yaml"},
	{`127\.0\.0\.1:900[01]`, "127.0.0.1:PORT"},
	{`127\.0\.0\.1:7480`, "127.0.0.1:PORT"},
	{`192\.0\.2\.2:7400`, "127.0.0.1:7400"},
}

// document is one of the documents, and where its commands run.
type document struct {
	*testing.T
	name    string
	dir     string
	running []*typed
}

// typed is a command that was started.
type typed struct {
	line string
	cmd  *exec.Cmd
	out  output
	done chan error
}

// commandsOf are the lines of a page's fenced blocks that begin with one of our programs.
func commandsOf(text string) (all []string) {
	for _, block := range regexp.MustCompile("(?s)```[a-z]*\n(.*?)```").FindAllStringSubmatch(text, -1) {
		for line := range strings.Lines(block[1]) {
			line = strings.TrimPrefix(strings.TrimSpace(line), "$ ")
			if ours := regexp.MustCompile(`^(sudo )?(bin/)?(pulse|make|nix|dpkg|apt|systemctl) `); !ours.MatchString(line + " ") {
				continue
			}
			line, _, _ = strings.Cut(line, " # ")
			if prose := regexp.MustCompile(`^(.*?\S) {3,}[a-zA-Z20].*$`).FindStringSubmatch(line); prose != nil {
				if !strings.HasPrefix(prose[1], "bin/pulse ") || !strings.Contains(line, " --") { // columns that are only lined up
					line = prose[1]
				}
			}
			all = append(all, strings.TrimSpace(line))
		}
	}
	return all
}

func TestCommandsOfTheDocumentsRun(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, path := range append([]string{"../../README.md"}, pages...) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		commands := commandsOf(string(text))
		if len(commands) == 0 {
			continue
		}
		for _, c := range commands {
			known[c] = true
		}
		t.Run(filepath.Base(path), func(t *testing.T) { newDocument(t, filepath.Base(path)).run(commands) })
	}
	for line := range ranElsewhere {
		if !known[line] {
			t.Errorf("no page says %q any more", line)
		}
	}
}

// newDocument makes a directory with what the pages take for granted: the examples' files, and a recording of messages.
func newDocument(t *testing.T, name string) *document {
	p := &document{T: t, name: name, dir: t.TempDir()}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p.put("bin/pulse", fmt.Sprintf("#!/bin/sh\nexec env %s=1 %s \"$@\"\n", asProgram, self), 0o755)
	single, err := os.ReadFile("../../examples/single_host.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p.put("topology.yaml", string(single), 0o600)
	p.put("newer.yaml", strings.Replace(string(single), "1MiB", "2MiB", 1), 0o600)
	for _, d := range []string{"shm", "lib"} {
		if err := os.Mkdir(filepath.Join(p.dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func (p *document) put(name, text string, mode os.FileMode) {
	path := filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		p.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		p.Fatal(err)
	}
}

func (p *document) run(commands []string) {
	for _, line := range commands {
		if ranElsewhere[line] == "" {
			p.typed(line)
		}
	}
	for _, one := range slices.Backward(p.running) {
		p.stop(one)
	}
}

// typed runs a line, or starts it.
func (p *document) typed(line string) {
	text := line
	for _, r := range replaced {
		text = regexp.MustCompile(r.from).ReplaceAllString(text, r.to)
	}
	for strings.Contains(text, "PORT") {
		text = strings.Replace(text, "PORT", fmt.Sprint(netlab.Port()), 1)
	}
	one := &typed{line: line, cmd: exec.Command("sh", "-ec", text), done: make(chan error, 1)}
	one.cmd.Dir, one.cmd.Stdout, one.cmd.Stderr = p.dir, &one.out, &one.out
	one.cmd.Env = append(os.Environ(), "PATH="+filepath.Join(p.dir, "bin")+":"+os.Getenv("PATH"))
	one.cmd.Stdin = bytes.NewReader(nil)
	verb := regexp.MustCompile(`pulse (\w+)`).FindStringSubmatch(text)
	lasts := verb != nil && slices.Contains(lasting, verb[1])
	if lasts {
		one.cmd.Args[2] = "exec " + strings.TrimPrefix(text, "exec ")
	}
	if err := one.cmd.Start(); err != nil {
		p.Fatal(err)
	}
	go func() { one.done <- one.cmd.Wait() }()
	if lasts {
		p.running = append(p.running, one)
		for end := time.Now().Add(patience); one.out.String() == "" && time.Now().Before(end); time.Sleep(time.Millisecond) {
			if len(one.done) > 0 {
				break
			}
		}
		return
	}
	select {
	case err := <-one.done:
		if err != nil {
			p.Errorf("%s\n%v\n%s", line, err, one.out.String())
		}
	case <-time.After(patience):
		_ = one.cmd.Process.Kill()
		p.Errorf("%s: not within %s\n%s", line, patience, one.out.String())
	}
}

// stop interrupts what runs: it has to end by itself, and well.
func (p *document) stop(one *typed) {
	_ = one.cmd.Process.Signal(os.Interrupt)
	select {
	case err := <-one.done:
		if err != nil {
			p.Errorf("%s\n%v\n%s", one.line, err, one.out.String())
		}
	case <-time.After(patience):
		_ = one.cmd.Process.Kill()
		p.Errorf("%s: does not end\n%s", one.line, one.out.String())
	}
}
