package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/alphapulse/transport/ring"
)

// asProgram makes the test binary behave as pulse, and so its children.
const asProgram = "PULSE_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	if dir := os.Getenv(asBoard); dir != "" {
		tell(dir)
		return
	}
	os.Exit(m.Run())
}

// patience bounds every wait for a condition.
const patience = 30 * time.Second

// eventually waits for a condition.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// pulse is the program running.
type pulse struct {
	*testing.T
	cmd *exec.Cmd
	out output

	mu    sync.Mutex
	said  []string // lines on standard error
	ended chan error
}

// start runs the program with args; it is killed with the test.
func start(t *testing.T, args ...string) *pulse {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return startAs(t, exec.Command(exe, args...))
}

// startAs is start by way of another program, which ends as the program does.
func startAs(t *testing.T, cmd *exec.Cmd) *pulse {
	t.Helper()
	return startAsIn(t, cmd, t.TempDir())
}

// startAsIn is startAs in a directory.
func startAsIn(t *testing.T, cmd *exec.Cmd, dir string) *pulse {
	t.Helper()
	p := &pulse{T: t, cmd: cmd, ended: make(chan error, 1)}
	// Under the race detector a process would sleep a second before it ends.
	p.cmd.Env = append(os.Environ(), asProgram+"=1", "GORACE="+os.Getenv("GORACE")+" atexit_sleep_ms=0")
	p.cmd.Dir = dir
	p.cmd.Stdout = &p.out
	said, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.listen(said)
		p.ended <- p.cmd.Wait()
	}()
	t.Cleanup(func() { _ = p.cmd.Process.Kill() }) // it has ended unless the test failed
	return p
}

// output is what a program printed so far.
type output struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all.Write(b)
}

func (o *output) Bytes() []byte { return []byte(o.String()) }

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all.String()
}

func (p *pulse) listen(r io.Reader) {
	for s := bufio.NewScanner(r); s.Scan(); {
		p.mu.Lock()
		p.said = append(p.said, s.Text())
		p.mu.Unlock()
	}
}

func (p *pulse) words() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.said, "\n")
}

// pids are those of all lives of one of the three.
func (p *pulse) pids(name string) (all []int) {
	for line := range strings.Lines(p.words()) {
		if pid, ok := strings.CutPrefix(strings.TrimSpace(line), name+": process "); ok {
			n, err := strconv.Atoi(pid)
			if err != nil {
				p.Fatal(line)
			}
			all = append(all, n)
		}
	}
	return all
}

// end waits for the program and returns its exit code.
func (p *pulse) end() int {
	p.Helper()
	select {
	case err := <-p.ended:
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			p.Fatal(err)
		}
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		p.Fatalf("still running\n%s", p.words())
		return 0
	}
}

func (p *pulse) signal(s os.Signal) {
	p.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.Fatal(err)
	}
}

// demoCounts are the keys of the demo's JSON object that these tests look at.
type demoCounts struct {
	Sent, Delivered, Gaps, Repeated, Reordered, Corrupt uint64
}

type demoResult struct {
	demoCounts
	Hops []struct {
		Name string
		demoCounts
		Samples uint64
		P50     int64 `json:"p50_ns"`
		Max     int64 `json:"max_ns"`
	}
	End       struct{ demoCounts } `json:"end_to_end"`
	Processes []struct {
		Name     string
		Restarts int
	}
	Verified bool
	Faults   []string
	Seed     uint64
}

// result reads the one JSON object on standard output.
func (p *pulse) result() (r demoResult) {
	p.Helper()
	if err := json.Unmarshal(p.out.Bytes(), &r); err != nil || strings.Count(p.out.String(), "\n") != 1 {
		p.Fatalf("%v: %q\n%s", err, p.out.String(), p.words())
	}
	return r
}

// flowing waits until the ring of a process has grown by more than some messages.
func flowing(t *testing.T, path string) {
	t.Helper()
	published := func() uint64 {
		r, err := ring.Attach(path, ring.Options{})
		if err != nil {
			return 0
		}
		defer r.Close()
		return r.Info().Published
	}
	from := uint64(0)
	eventually(t, path+" grows", func() bool { from = published(); return from > 0 })
	eventually(t, path+" grows", func() bool { return published() > from+1<<17 })
}

// working waits until a process has noted in its book that it is ready: how many lives it had stands at byte 16.
func working(t *testing.T, dir, name string) {
	t.Helper()
	eventually(t, name+" works", func() bool {
		text, err := os.ReadFile(filepath.Join(dir, name+".book"))
		return err == nil && len(text) > 24 && binary.LittleEndian.Uint64(text[16:]) > 0
	})
}

func TestDemoAccountsForEveryMessage(t *testing.T) {
	out := t.TempDir()
	p := start(t, "demo", "--for", "1s", "--json", "--seed", "17", "--out", out)
	if code := p.end(); code != 0 {
		t.Fatalf("exit code %d\n%s", code, p.words())
	}
	r := p.result()
	h := r.Hops
	if len(h) != 2 || h[0].Sent == 0 || h[0].Sent != h[1].Sent || r.Sent != h[0].Sent+h[1].Sent || !r.Verified || r.Seed != 17 {
		t.Errorf("%+v", r)
	}
	for _, c := range []demoCounts{r.demoCounts, h[0].demoCounts, h[1].demoCounts, r.End.demoCounts} {
		if c.Sent != c.Delivered || c.Gaps+c.Repeated+c.Reordered+c.Corrupt != 0 {
			t.Errorf("%+v", c)
		}
	}
	if h[0].Samples != h[0].Delivered || h[1].P50 <= 0 || h[1].Max < h[1].P50 {
		t.Errorf("%+v", h)
	}
	for _, name := range []string{"demo.json", "demo.html", "demo.hlog", "demo-feed-strategy.hgrm", "demo-end-to-end.hgrm"} {
		if st, err := os.Stat(filepath.Join(out, name)); err != nil || st.Size() == 0 {
			t.Error(name, err)
		}
	}
	if left, err := filepath.Glob(fmt.Sprintf("/dev/shm/pulse-demo-%d", p.cmd.Process.Pid)); err != nil || len(left) > 0 {
		t.Error(left, err)
	}
}

// Each is killed as it starts and again in full flow; then an interrupt ends the demo, and the counts hold.
func TestDemoCarriesOnWhenOneIsKilled(t *testing.T) {
	for _, c := range []struct {
		name, rate string
		nth        int
	}{{"feed", "20000", 0}, {"strategy", "20000", 1}, {"sink", "20000", 2}, {"strategy", "0", 1}} {
		t.Run(c.name+" at "+c.rate, func(t *testing.T) {
			name, dir := c.name, filepath.Join(t.TempDir(), "rings")
			p := start(t, "demo", "--for", "0", "--json", "--dir", dir, "--rate", c.rate)
			for life := 1; life <= 2; life++ {
				eventually(t, fmt.Sprintf("%s lives for the %d. time", name, life), func() bool { return len(p.pids(name)) == life })
				if life > 1 {
					flowing(t, filepath.Join(dir, "trades", "feed.0.ring"))
					flowing(t, filepath.Join(dir, "signals", "strategy.0.ring"))
				}
				one, err := os.FindProcess(p.pids(name)[life-1])
				if err == nil {
					err = one.Kill()
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			eventually(t, name+" lives again", func() bool { return len(p.pids(name)) == 3 })
			flowing(t, filepath.Join(dir, "trades", "feed.0.ring"))
			flowing(t, filepath.Join(dir, "signals", "strategy.0.ring"))
			p.signal(os.Interrupt)
			if code := p.end(); code != 0 {
				t.Fatalf("exit code %d\n%s", code, p.words())
			}
			r := p.result()
			if r.Sent != r.Delivered || r.Gaps+r.Reordered+r.Corrupt != 0 || r.End.Sent != r.End.Delivered || !r.Verified {
				t.Errorf("%+v", r)
			}
			if r.Processes[c.nth].Restarts != 2 {
				t.Errorf("%+v", r.Processes)
			}
			for k, h := range r.Hops {
				if bound := uint64(256 * r.Processes[k+1].Restarts); h.Repeated > bound {
					t.Errorf("%s: %d repeated, at most %d", h.Name, h.Repeated, bound)
				}
			}
		})
	}
}

func TestDemosChildrenEndWithIt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "rings")
	p := start(t, "demo", "--for", "0", "--json", "--dir", dir)
	flowing(t, filepath.Join(dir, "signals", "strategy.0.ring"))
	p.signal(os.Kill)
	p.end()
	for _, name := range []string{"feed", "strategy", "sink"} {
		pid := p.pids(name)[0]
		eventually(t, name+" ends", func() bool { return !running(pid) })
	}
}

// A child that is stopped cannot drain. The demo waits for it a while; a second interrupt does not.
func TestSecondInterruptEndsTheDemoAtOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "rings")
	p := start(t, "demo", "--for", "0", "--json", "--dir", dir)
	flowing(t, filepath.Join(dir, "signals", "strategy.0.ring"))
	feed, err := os.FindProcess(p.pids("feed")[0])
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = feed.Kill() }() // with its demo gone nobody else would
	if err := feed.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	p.signal(os.Interrupt)
	began := time.Now()
	eventually(t, "the demo ends", func() bool {
		select {
		case err := <-p.ended:
			p.ended <- err
			return true
		default:
			_ = p.cmd.Process.Signal(os.Interrupt) // it may have ended
			return false
		}
	})
	var exit *exec.ExitError
	if err := <-p.ended; !errors.As(err, &exit) || exit.Exited() {
		t.Errorf("after %s: %v, not by the signal", time.Since(began), err)
	}
}

// running: there is such a process, and it is more than an entry nobody has waited for.
func running(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(text[bytes.LastIndexByte(text, ')'):]), " ")
	return !strings.HasPrefix(rest, "Z")
}

func TestStagesRunByHandInAnyOrder(t *testing.T) {
	const count = "5000"
	for _, order := range [][]string{{"feed", "strategy", "sink"}, {"sink", "strategy", "feed"}, {"strategy", "sink", "feed"}} {
		t.Run(strings.Join(order, " "), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "rings")
			stages := map[string]*pulse{}
			for _, name := range order {
				args := []string{name, "--dir", dir}
				if name == "feed" {
					args = append(args, "--rate", "0", "--count", count)
				}
				stages[name] = start(t, args...)
				working(t, dir, name)
			}
			for _, name := range []string{"feed", "strategy", "sink"} {
				s := stages[name]
				if name != "feed" {
					s.signal(os.Interrupt)
				}
				if code := s.end(); code != 0 {
					t.Fatalf("%s: exit code %d\n%s", name, code, s.words())
				}
				want := map[string]string{"feed": "sent " + count, "strategy": "delivered " + count + "  gaps 0", "sink": "delivered " + count + "  gaps 0"}[name]
				if !strings.Contains(s.out.String(), want) {
					t.Errorf("%s: %q", name, s.out.String())
				}
			}
		})
	}
}

func TestDemoRefusesBadUsage(t *testing.T) {
	for _, args := range [][]string{
		{"demo", "extra"}, {"demo", "--for", "soon"}, {"demo", "--for", "-1s"}, {"demo", "--rate", "-1"}, {"demo", "--rate", "NaN"},
		{"demo", "--pace", "slow"}, {"demo", "--pace", "x2", "--rate", "5"}, {"feed"}, {"strategy"}, {"sink"},
		{"feed", "--dir", "x", "--pace", "x0"}, {"sink", "--dir", "x", "--name", "a/b"},
	} {
		p := start(t, args...)
		if code := p.end(); code != exitUsage || p.words() == "" {
			t.Errorf("%v: exit code %d, %q", args, code, p.words())
		}
	}
}

func TestDemoNamesThePlaceAndTheRemedy(t *testing.T) {
	for name, c := range map[string]struct {
		file string
		want []string
	}{
		"ring of garbage": {"trades/feed.0.ring", []string{"feed.0.ring", "ring corrupt", "remove", "start again"}},
		"cut signals":     {"signals/strategy.0.ring", []string{"strategy.0.ring", "remove", "start again"}},
		"book of garbage": {"sink.book", []string{"sink.book", "remove it"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "rings")
			path := filepath.Join(dir, c.file)
			garbage := bytes.Repeat([]byte("garbage "), 600)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, garbage, 0o600), os.WriteFile(path+".cursors", garbage, 0o600)); err != nil {
				t.Fatal(err)
			}
			p := start(t, "demo", "--for", "1s", "--json", "--dir", dir)
			if code := p.end(); code != exitRuntime || len(p.out.Bytes()) > 0 {
				t.Errorf("exit code %d, %q", code, p.out.String())
			}
			last := p.words()[strings.LastIndex(p.words(), "\npulse:")+1:]
			for _, want := range c.want {
				if !strings.Contains(last, want) {
					t.Errorf("%q lacks %q", last, want)
				}
			}
			if strings.Count(last, "\n") > 0 {
				t.Errorf("more than one line: %q", last)
			}
		})
	}
	p := start(t, "demo", "--json", "--dir", "/proc/nowhere")
	if code := p.end(); code != exitRuntime || !strings.Contains(p.words(), "/proc/nowhere") {
		t.Errorf("exit code %d, %q", code, p.words())
	}
}

func TestDemoKeepsItsResultWhateverBecomesOfTheFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, "demo", "--for", "1s", "--json", "--out", filepath.Join(file, "report"))
	if code := p.end(); code != exitRuntime || !strings.Contains(p.words(), file) || len(p.pids("feed")) > 0 {
		t.Errorf("nowhere to write to: exit code %d\n%s", code, p.words())
	}
	out := t.TempDir()
	if err := os.Mkdir(filepath.Join(out, "demo.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	p = start(t, "demo", "--for", "100ms", "--json", "--out", out)
	if code := p.end(); code != exitRuntime || !strings.Contains(p.words(), "demo.json") || !p.result().Verified {
		t.Errorf("a file that cannot be written: exit code %d\n%s", code, p.words())
	}
}

func TestDemosCountsWeighMoreThanItsFiles(t *testing.T) {
	counts, disk := errors.New("counts"), errors.New("disk")
	for _, c := range []struct {
		counts, report error
		code           int
	}{{counts, disk, exitCheck}, {counts, nil, exitCheck}, {nil, disk, exitRuntime}} {
		var coded *exitError
		if err := demoEnd(c.counts, c.report); !errors.As(err, &coded) || coded.code != c.code {
			t.Errorf("%v and %v: %v", c.counts, c.report, err)
		}
	}
	if err := demoEnd(nil, nil); err != nil {
		t.Error(err)
	}
}

func TestStageRefusesASecondOfItsName(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "rings")
	first := start(t, "sink", "--dir", dir)
	working(t, dir, "sink")
	second := start(t, "sink", "--dir", dir)
	if code := second.end(); code != exitRuntime || !strings.Contains(second.words(), "already running") {
		t.Errorf("exit code %d\n%s", code, second.words())
	}
	first.signal(os.Interrupt)
	if code := first.end(); code != 0 {
		t.Errorf("exit code %d\n%s", code, first.words())
	}
}
