package main

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alphapulse/transport/examples"
	"github.com/alphapulse/transport/internal/netlab"
)

// What the pages show to be typed is typed here: every line of a fenced block that begins with the program runs, page by page and in order, in a
// directory of its own. Commands that run until they are stopped run until the page ends, and have to end well then.

// ranElsewhere are lines that this test does not run, and who does.
var ranElsewhere = map[string]string{
	"make demo": "TestDemoAccountsForEveryMessage runs the demo, and every test build builds the program",
}

// pagesElsewhere are pages that this test leaves to others, and to whom.
var pagesElsewhere = map[string]string{
	"install.md": "scripts/deb-test.sh",
	"report.md":  "the tests of the reports: it compares two builds",
	"views.md":   "TestCommandsOfTheViewsPageRun",
}

// before is what runs while a page's commands do, where the page takes it for granted.
var before = map[string]string{
	"runbook.md": "pulse run topology.yaml --node here",
}

// quiet is how long a command that lasts may take to say its first word; some say none.
const quiet = 1500 * time.Millisecond

// lasting are commands that run until they are stopped, unless they say what ends them.
var (
	lasting = regexp.MustCompile(`^(bin/)?pulse ((run|feed|strategy|sink|chaos|record|web|traces|metrics)\b|ping .*--echo)`)
	ending  = regexp.MustCompile(`--(once|list|explain|count)\b`)
)

// mayFail is what ends with 1 because of what it found: a host that is not tuned, files that differ.
var mayFail = regexp.MustCompile(`^(bin/)?pulse (doctor|diff)\b`)

// replaced is what a page says and this test says otherwise: places, addresses, and how long.
var replaced = []struct{ from, to string }{
	{`--for (10s|30s|1m|5m)\b`, "--for 1s"},
	{`--for 0\b`, "--for 500ms"},
	{`(pulse demo\b.*)`, "$1 --for 1s --out ''"}, // the last one counts
	{`--root DIR\b`, "--root /"},
	{`--cores 2-3\b`, "--cores 0-1"},
	{`\beth0\b`, "lo"},
	{`--node (trade|NODE)\b`, "--node here"},
	{`/dev/shm/`, "shm/"},
	{`/var/lib/pulse`, "lib"},
	{`/etc/pulse/topology.yaml`, "topology.yaml"},
	{`\[[^]]*\]`, ""}, // what may be left out is
	{`\bFILE\b`, "topology.yaml"},
	{`\bCHANNEL\b`, "trades"},
	{`\bMETRIC\b`, "pulse_reader_lag_bytes"},
	{`\bOLD NEW\b`, "topology.yaml newer.yaml"},
	{`127\.0\.0\.1:(900[01]|9469|7480)`, "127.0.0.1:PORT"},
	{`(pulse web [^&]*?)( *&)?$`, "$1 --listen 127.0.0.1:PORT"},
	{`192\.0\.2\.2:7400`, "127.0.0.1:7400"},
	{` *&$`, ""}, // what lasts is known by its verb
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

var (
	ours   = regexp.MustCompile(`^(sudo )?(bin/)?(pulse|make|nix|dpkg|apt|systemctl) `)
	inCell = regexp.MustCompile("\\| `(bin/pulse [^`]*)` \\|")
)

// commandsOf are the lines of a page's fenced blocks that begin with one of our programs, and cells of tables that are a command.
func commandsOf(text string) (all []string) {
	fenced := false
	for line := range strings.Lines(text) {
		line = strings.TrimPrefix(strings.TrimSpace(line), "$ ")
		switch cell := inCell.FindStringSubmatch(line); {
		case strings.HasPrefix(line, "```"):
			fenced = !fenced
			continue
		case !fenced && cell != nil:
			all = append(all, cell[1])
			continue
		case !fenced || !ours.MatchString(line+" "):
			continue
		}
		line, _, _ = strings.Cut(line, " # ")
		if prose := regexp.MustCompile(`^(.*?\S) {3,}[a-zA-Z20]`).FindStringSubmatch(line); prose != nil {
			line = prose[1] // the column beside it is for people
		}
		all = append(all, strings.TrimSpace(line))
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
		if len(commands) == 0 || pagesElsewhere[filepath.Base(path)] != "" {
			continue
		}
		for _, c := range commands {
			known[c] = true
		}
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel() // most of it is waiting
			newDocument(t, filepath.Base(path)).run(commands)
		})
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
	for _, name := range examples.Names() {
		text, err := examples.Text(name)
		if err != nil {
			t.Fatal(err)
		}
		p.put("examples/"+name+".yaml", string(text), 0o600)
		if name == "single_host" {
			p.put("topology.yaml", string(text), 0o600)
			p.put("newer.yaml", strings.Replace(string(text), "1MiB", "2MiB", 1), 0o600)
		}
	}
	p.put("pipeline.yaml", pipeline, 0o600)
	message, err := hex.DecodeString(signalInHex)
	if err != nil {
		t.Fatal(err)
	}
	p.put("messages", string(message), 0o600)
	p.put("capture.bin", string(append(binary.LittleEndian.AppendUint32(nil, uint32(len(message))), message...)), 0o600)
	p.put("key", strings.Repeat("5a", 32)+"\n", 0o600)
	for _, d := range []string{"shm", "lib"} {
		if err := os.Mkdir(filepath.Join(p.dir, d), 0o700); err != nil {
			p.Fatal(err)
		}
	}
	p.own()
	t.Cleanup(func() {
		left, _ := filepath.Glob("/dev/shm/pulse-" + p.mark() + "*")
		for _, dir := range left {
			_ = os.RemoveAll(dir)
		}
	})
	return p
}

// signalInHex is a message of protocol_v2, as docs/decode.md shows it.
const signalInHex = "efbeadde010103002a0000000000000048c79f77d32f5e182a000000000000000128004453552f43544240fa3f1ca00a0000331000000000000048c79f77d32f5e18" +
	"6600330000000000"

// pipeline joins three nodes of this machine; certificates are those that its page makes.
const pipeline = `config_version: 1
name: pipeline
nodes:
  left:   { hostname: localhost, addresses: [127.0.0.1], ports: { control: 7500, tcp: 7501, quic: 7502, udp: 7503 }, trust: { certificate: certs/left.pem, key: certs/left-key.pem, authorities: certs/ca.pem } }
  middle: { hostname: localhost, addresses: [127.0.0.1], ports: { control: 7510, tcp: 7511, quic: 7512, udp: 7513 }, trust: { certificate: certs/middle.pem, key: certs/middle-key.pem, authorities: certs/ca.pem } }
  right:  { hostname: localhost, addresses: [127.0.0.1], ports: { control: 7520, tcp: 7521, quic: 7522, udp: 7523 }, trust: { certificate: certs/right.pem, key: certs/right-key.pem, authorities: certs/ca.pem } }
actors:
  feed:     { type: producer, outputs: [trades], source_id: 1 }
  strategy: { type: transformer, inputs: [trades], outputs: [signals], source_id: 20 }
  sink:     { type: consumer, inputs: [signals] }
placements:
  feed:     { node: left }
  strategy: { node: middle }
  sink:     { node: right }
defaults: { mode: direct, protocol: tcp, encryption: tls }
channels:
  trades:  { domain: market_data }
  signals: { domain: signal }
`

var (
	named  = regexp.MustCompile(`(?m)^name: `)
	ported = regexp.MustCompile(`\b7[45][0-9][0-3]\b`)
)

// mark begins the names of this run's topologies, so that their directories are nobody else's.
func (p *document) mark() string {
	return fmt.Sprintf("docs%d-%s-", os.Getpid(), strings.ToLower(strings.TrimSuffix(p.name, ".md")))
}

// own gives the topologies of the directory names and ports that nobody else has.
func (p *document) own() {
	files, _ := filepath.Glob(filepath.Join(p.dir, "*.yaml"))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			p.Fatal(err)
		}
		if bytes.Contains(text, []byte("\nname: "+p.mark())) || !bytes.Contains(text, []byte("\nname: ")) {
			continue
		}
		text = named.ReplaceAll(text, []byte("name: "+p.mark()))
		text = ported.ReplaceAllFunc(text, func([]byte) []byte { return fmt.Append(nil, netlab.Port()) })
		if err := os.WriteFile(file, text, 0o600); err != nil {
			p.Fatal(err)
		}
	}
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
	if line := before[p.name]; line != "" {
		p.typed(line)
	}
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
	lasts := lasting.MatchString(text) && !ending.MatchString(text)
	if lasts {
		one.cmd.Args[2] = "exec " + strings.TrimPrefix(text, "exec ")
	}
	if err := one.cmd.Start(); err != nil {
		p.Fatal(err)
	}
	go func() { one.done <- one.cmd.Wait() }()
	if lasts {
		p.running = append(p.running, one)
		for end := time.Now().Add(quiet); one.out.String() == "" && time.Now().Before(end); time.Sleep(time.Millisecond) {
			if len(one.done) > 0 {
				break
			}
		}
		return
	}
	select {
	case err := <-one.done:
		if found := mayFail.MatchString(text) && one.cmd.ProcessState.ExitCode() == exitCheck; err != nil && !found {
			p.Errorf("%s\n%v\n%s", line, err, one.out.String())
		}
		p.own()
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
