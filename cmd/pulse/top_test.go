package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/internal/view"
	"github.com/alphapulse/transport/route/watch"
)

// asBoard makes the test binary a process that tells of a node in the directory named.
const asBoard = "PULSE_TEST_AS_BOARD"

// tell goes on until it is killed: a thousand messages a second, one in ten dropped.
func tell(dir string) {
	b, err := watch.Post(dir, "trade", watch.NodeProcess)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	delivered := b.Spread(watch.HopLatency, "ticks", watch.Delivered)
	for n, began := uint64(0), time.Now(); ; time.Sleep(10 * time.Millisecond) {
		n = uint64(time.Since(began).Milliseconds())
		delivered.Record(2000)
		b.Round(time.Now(), func() bool {
			b.Gauge(watch.NodeInfo, 1, "v7")
			b.Count(watch.RingMessages, n, "ticks", "feed")
			b.Count(watch.RingBytes, n*64, "ticks", "feed")
			b.Gauge(watch.RingCapacity, 4096, "ticks", "feed")
			b.Gauge(watch.ReaderLag, 1024, "ticks", "feed", "strategy\x1b[2J")
			b.Fact(watch.ReaderGating, true, "ticks", "feed", "strategy\x1b[2J")
			b.Fact(watch.CarriageActive, true, "ticks", "md", "udp")
			b.Fact(watch.WayAlive, true, "ticks", "md", "udp")
			b.Gauge(watch.WayBreaker, 2, "ticks", "md", "tcp")
			b.Count(watch.LinkDropped, n/10, "ticks", "md", "udp", "0", "in", "forged")
			return true
		})
	}
}

// toldElsewhere is a directory in which another process tells of a node, and what ends that process.
func toldElsewhere(t *testing.T) (dir string, kill func()) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(t.TempDir(), "pulse-test-trade")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	other := exec.Command(self)
	other.Env, other.Stderr = append(os.Environ(), asBoard+"="+dir), os.Stderr
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	dead := false
	kill = func() {
		if !dead {
			dead = true
			_, _ = other.Process.Kill(), other.Wait()
		}
	}
	t.Cleanup(kill)
	eventually(t, "the other process tells of messages", func() bool {
		all, err := watch.ReadDir(dir)
		return err == nil && len(all) == 1 && len(all[0].Where(watch.LinkDropped)) == 1 && all[0].Where(watch.LinkDropped)[0].Value > 0
	})
	return dir, kill
}

func TestTopPrintsANodeOfAnotherProcessAndItsLastWords(t *testing.T) {
	dir, kill := toldElsewhere(t)
	shown := func() (s view.State) {
		out, said, code := runVerb(t, "top", dir, "--once", "-o", "json", "--interval", "200ms")
		if err := json.Unmarshal([]byte(out), &s); code != 0 || err != nil || len(s.Channels) != 1 || len(s.Channels[0].Drops) != 1 {
			t.Fatalf("exit code %d, %v: %s%s", code, err, out, said)
		}
		return s
	}
	for _, alive := range []bool{true, false} {
		s := shown()
		if c := s.Channels[0]; s.Node != "trade" || s.Processes[0].Alive != alive || (c.Rate > 0) != alive || (c.Drops[0].Rate > 0) != alive || c.Messages == 0 {
			t.Errorf("alive %v: %+v", alive, s)
		}
		out, said, code := runVerb(t, "top", dir, "--interval", "100ms") // no terminal here
		for _, want := range []string{"trade  topology v7", "ticks", "udp to md", "link dropped", "forged", `strategy\x1b[2J`, "25%", "open"} {
			if code != 0 || !strings.Contains(out, want) {
				t.Errorf("alive %v: exit code %d, nothing of %q:\n%s%s", alive, code, want, out, said)
			}
		}
		if gone := strings.Contains(out, "all its processes are gone"); gone == alive || strings.Contains(out, "\x1b") {
			t.Errorf("alive %v:\n%q", alive, out)
		}
		kill()
	}
}

func TestTopStreamsStatesUntilItIsStopped(t *testing.T) {
	dir, _ := toldElsewhere(t)
	p := start(t, "top", dir, "-o", "json", "--interval", "100ms")
	eventually(t, "three lines", func() bool { return strings.Count(p.out.String(), "\n") >= 3 })
	_ = p.cmd.Process.Signal(os.Interrupt)
	if err := <-p.ended; err != nil {
		t.Error(err)
	}
	var last time.Time
	for line := range strings.Lines(p.out.String()) {
		var s view.State
		if err := json.Unmarshal([]byte(line), &s); err != nil || !s.At.After(last) || s.Channels[0].Rate <= 0 {
			t.Errorf("%v: %s", err, line)
		}
		last = s.At
	}
}

func TestTopRefusals(t *testing.T) {
	file := filepath.Join("..", "..", "examples", "single_host.yaml")
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{filepath.Join(t.TempDir(), "none")}, "no such file"},
		{[]string{t.TempDir()}, "no process there tells what it does"},
		{[]string{file}, "--node says which: "},
		{[]string{file, "--node", "nowhere"}, "--node says which: "},
		{[]string{"--node", "trade"}, "name its FILE"},
		{[]string{t.TempDir(), "--interval", "99ms"}, "not between 100ms and 1m0s"},
		{[]string{t.TempDir(), "--interval", "61s", "-o", "xml"}, "not text or json\ntop: --interval"},
		{[]string{"a", "b"}, "at most 1 arg"},
	} {
		if out, said, code := runVerb(t, append([]string{"top"}, c.args...)...); code != exitUsage || !strings.Contains(said, c.says) {
			t.Errorf("%v: exit code %d, want %d and %q: %s%s", c.args, code, exitUsage, c.says, out, said)
		}
	}
}

func TestTopWithoutAnArgumentIsOfTheOnlyNode(t *testing.T) {
	shm := t.TempDir()
	if _, err := onlyNode(shm); err == nil || !strings.Contains(err.Error(), "no node") {
		t.Error(err)
	}
	for i, name := range []string{"pulse-b-one", "pulse-a-two"} {
		dir := filepath.Join(shm, name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, process := range []string{watch.NodeProcess, "actor"} {
			b, err := watch.Post(dir, name, process)
			if err != nil {
				t.Fatal(err)
			}
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
		}
		got, err := onlyNode(shm)
		if i == 0 && (err != nil || got != dir) {
			t.Errorf("%q, %v", got, err)
		}
		if i == 1 && (err == nil || !strings.Contains(err.Error(), "2 nodes") || !strings.Contains(err.Error(), "pulse-b-one") || !strings.Contains(err.Error(), "pulse-a-two")) {
			t.Error(err)
		}
	}
}

// typist is a terminal in which the program runs.
type typist struct {
	*pulse
	far, terminal *os.File
	screen        output
	before        string // how the terminal was set
}

// atTerminal runs the program in a terminal of its own.
func atTerminal(t *testing.T, args ...string) *typist {
	t.Helper()
	far, terminal, err := sys.NewTerminal(120, 24)
	if err != nil {
		t.Skip("no terminal can be made: ", err)
	}
	p := &typist{far: far, terminal: terminal, pulse: &pulse{T: t, ended: make(chan error, 1)}}
	if p.before, err = sys.TerminalModes(terminal); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd = exec.Command(self, args...)
	p.cmd.Env = append(os.Environ(), asProgram+"=1", "TERM=xterm", "NO_COLOR=")
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr, p.cmd.SysProcAttr = terminal, terminal, terminal, sys.InTerminal()
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		_, _ = io.Copy(&p.screen, far) // until it is closed
		close(read)
	}()
	go func() { p.ended <- p.cmd.Wait() }()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // it has ended unless the test failed
		_, _ = far.Close(), terminal.Close()
		<-read
	})
	return p
}

// sees waits until the screen was told all of that since the call before that pressed keys.
func (p *typist) sees(keys string, all ...string) {
	p.Helper()
	from := len(p.screen.String())
	if _, err := p.far.WriteString(keys); err != nil {
		p.Fatal(err)
	}
	for _, want := range all {
		eventually(p.T, fmt.Sprintf("after %q: %q", keys, want), func() bool { return strings.Contains(p.screen.String()[from:], want) })
	}
}

// ends waits for the end, and for the terminal to be as it was.
func (p *typist) ends() {
	p.Helper()
	select {
	case err := <-p.ended:
		if err != nil {
			p.Errorf("%v\n%q", err, p.screen.String())
		}
	case <-time.After(patience):
		p.Fatal("it does not end")
	}
	if after, err := sys.TerminalModes(p.terminal); err != nil || after != p.before {
		p.Errorf("%v: the terminal is left as %s, it was %s", err, after, p.before)
	}
	eventually(p.T, "the first screen is back, with a cursor", func() bool { return strings.HasSuffix(p.screen.String(), "\x1b[?7h\x1b[?25h\x1b[?1049l") })
}

func TestTopInATerminal(t *testing.T) {
	dir, _ := toldElsewhere(t)
	p := atTerminal(t, "top", dir, "--interval", "1m") // so that what is drawn is what keys and the resize ask for
	p.sees("", "\x1b[?1049h", "[1 channels]", "ticks", "\x1b[7m")
	p.sees("2", "[2 ways]", "carries", "open")
	p.sees("?", "another view", "State of the way's breaker")
	p.sees("?", "[2 ways]")
	p.sees("\x1b[Z4", "[4 drops]", "forged", "by reason; those of lossless channels come again")
	p.sees("3", "[3 readers]", `strategy\x1b[2J`)
	p.sees("/x", "filter:")
	p.sees("\x1b", "1-5 view", "strategy") // escape, alone
	if err := sys.ResizeTerminal(p.far, 50, 8); err != nil {
		t.Fatal(err)
	}
	narrow := func() bool {
		all := p.screen.String()
		frame := all[strings.LastIndex(all, "\x1b[H"):]
		return strings.Count(frame, "\r\n") == 7 && strings.HasSuffix(frame, "\x1b[J")
	}
	eventually(t, "a frame of eight lines", narrow)
	if strings.Contains(p.screen.String(), "\x1b[2J") {
		t.Error("the screen is blank in between, or a name has made it so")
	}
	p.sees("q")
	p.ends()
}

func TestTopLeavesTheTerminalAsItWasWhateverEndsIt(t *testing.T) {
	dir, kill := toldElsewhere(t)
	kill()
	for _, how := range []func(*typist) error{
		func(p *typist) error { return p.cmd.Process.Signal(syscall.SIGTERM) },
		func(p *typist) error { _, err := p.far.WriteString("\x03"); return err },
	} {
		p := atTerminal(t, "top", dir)
		p.sees("", "all its processes are gone")
		if err := how(p); err != nil {
			t.Fatal(err)
		}
		p.ends()
	}
}
