package ring

import (
	"bufio"
	"bytes"
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
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/check"
	"github.com/alphapulse/transport/internal/sys"
)

// partEnv tells this test binary, run once more, which part it plays in another process.
const partEnv = "RING_TEST_PART"

// patience bounds every wait of these tests: far more than anything takes, far less than the test's own limit.
const patience = 30 * time.Second

// part is what a process of a test is told.
type part struct {
	Role   string
	Path   string // of the ring
	Ledger string // see ledger
	Seed   int64
	Life   uint64 // which of its role's processes this is
	Count  int
	Mode   Mode
	Name   string
	Fds    bool   // the ring comes as file descriptors 3 and 4
	Point  string // where it kills itself (builds with the invariants tag),
	Pass   int64  // and at which passing
	apart  bool   // in a pid namespace of its own
	files  []*os.File
}

// roles are the parts there are; each test file adds its own.
var roles = map[string]func(part) error{}

// confine makes a child die with its parent. Systems that cannot have no named rings either.
var confine = func(*exec.Cmd, bool) {}

// play plays the part that the environment names, if it names one.
func play() (code int, played bool) {
	text := os.Getenv(partEnv)
	if text == "" {
		return 0, false
	}
	var p part
	err := json.Unmarshal([]byte(text), &p)
	if err == nil {
		p.killAtPoint()
		err = roles[p.Role](p)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s, life %d, seed %d: %v\n", p.Role, p.Life, p.Seed, err)
		return 1, true
	}
	return 0, true
}

func (p part) killAtPoint() {
	if p.Point == "" {
		return
	}
	var passed atomic.Int64
	check.Hook = func(point string) {
		if point == p.Point && passed.Add(1) == p.Pass {
			killSelf()
		}
	}
}

// killSelf does not return: the thread that sends itself SIGKILL meets it before the call ends.
func killSelf() {
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	panic(fmt.Sprint("survived SIGKILL: ", err))
}

// child is another process of this test.
type child struct {
	t     *testing.T
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan string
	done  chan struct{}
	errs  bytes.Buffer
}

// startChild runs a child that does not outlive the test.
func startChild(t *testing.T, p part) *child {
	t.Helper()
	c, err := launchChild(t, p)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func launchChild(t *testing.T, p part) (*child, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{t: t, cmd: exec.Command(exe), lines: make(chan string, 1024), done: make(chan struct{})}
	c.cmd.Env = append(os.Environ(), partEnv+"="+string(text))
	c.cmd.Stderr = &c.errs
	c.cmd.ExtraFiles = p.files
	confine(c.cmd, p.apart)
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(c.done)
		for scan := bufio.NewScanner(out); scan.Scan(); {
			c.lines <- scan.Text()
		}
		_ = c.cmd.Wait() // how it ended is in ProcessState
	}()
	t.Cleanup(func() { c.kill(); <-c.done })
	return c, nil
}

func (c *child) pid() int { return c.cmd.Process.Pid }

func (c *child) kill() { c.signal(syscall.SIGKILL) }

func (c *child) signal(s os.Signal) {
	if err := c.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		c.t.Error(err)
	}
}

// stop stops the child and returns once the kernel says so.
func (c *child) stop() {
	c.t.Helper()
	c.signal(syscall.SIGSTOP)
	soon(c.t, "child stopped", func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.pid()))
		return err == nil && strings.HasPrefix(string(stat[bytes.LastIndexByte(stat, ')')+1:]), " T")
	})
}

// say sends the child a line, hear waits for one and returns what follows want in it.
func (c *child) say(line string) {
	if _, err := io.WriteString(c.in, line+"\n"); err != nil {
		c.t.Errorf("say %q: %v", line, err)
	}
}

func (c *child) hear(want string) string {
	c.t.Helper()
	select {
	case line := <-c.lines:
		if rest, ok := strings.CutPrefix(line, want); ok {
			return strings.TrimSpace(rest)
		}
		c.t.Fatalf("child said %q, want %q", line, want)
	case <-c.done:
		select {
		case line := <-c.lines:
			if rest, ok := strings.CutPrefix(line, want); ok {
				return strings.TrimSpace(rest)
			}
		default:
		}
		c.t.Fatalf("child ended (%v) without saying %q: %s", c.cmd.ProcessState, want, c.errs.String())
	case <-time.After(patience):
		c.t.Fatalf("child did not say %q", want)
	}
	return ""
}

// ended waits for the child and returns why it did not end well: nil, or what it printed.
func (c *child) ended() error {
	select {
	case <-c.done:
	case <-time.After(patience):
		return fmt.Errorf("process %d does not end", c.pid())
	}
	if !c.cmd.ProcessState.Success() {
		return fmt.Errorf("%v: %s", c.cmd.ProcessState, c.errs.String())
	}
	return nil
}

// killed reports whether the child died of SIGKILL, and not of something it found.
func (c *child) killed() bool {
	ws, ok := c.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && ws.Signaled() && ws.Signal() == syscall.SIGKILL
}

// heard is the child's side of say.
var heard = bufio.NewScanner(os.Stdin)

func hearLine() (string, error) {
	if !heard.Scan() {
		return "", errors.Join(io.ErrUnexpectedEOF, heard.Err())
	}
	return heard.Text(), nil
}

// soon waits for a condition, with a deadline.
func soon(t *testing.T, what string, ok func() bool) {
	t.Helper()
	if !comes(patience, ok) {
		t.Fatalf("not within %v: %s", patience, what)
	}
}

func comes(d time.Duration, ok func() bool) bool {
	for end := time.Now().Add(d); ; {
		if ok() {
			return true
		}
		if time.Now().After(end) {
			return false
		}
		time.Sleep(200 * time.Microsecond)
	}
}

// crashCount divides a full count as the scripts ask.
func crashCount(full int) int {
	scale, err := strconv.Atoi(os.Getenv("PULSE_SCALE"))
	if err != nil || scale < 1 {
		scale = 20
	}
	return max(1, full/scale)
}

// crashSeed is printed, so that a storm can be repeated.
func crashSeed(t *testing.T) int64 {
	t.Helper()
	s := time.Now().UnixNano()
	if text := os.Getenv("RING_TEST_SEED"); text != "" {
		var err error
		if s, err = strconv.ParseInt(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("RING_TEST_SEED=%d", s)
	return s
}

// unavailable skips a test for want of something, or fails it where nothing may be skipped.
func unavailable(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("PULSE_REQUIRE") == "all" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// privateDir returns a directory of the test's own, in memory where there is such a place.
func privateDir(t *testing.T) string {
	t.Helper()
	sweepDirs.Do(sweepPrivateDirs)
	dir, err := os.MkdirTemp(sharedMemory, privatePrefix)
	if err != nil {
		return t.TempDir()
	}
	alive, err := os.Create(filepath.Join(dir, aliveFile))
	if err == nil {
		_, err = sys.LockByte(alive, 0)
	}
	own := filepath.Join(dir, "own")
	if err = errors.Join(err, os.Mkdir(own, 0o700)); err != nil {
		t.Fatal(errors.Join(err, os.RemoveAll(dir)))
	}
	t.Cleanup(func() {
		if err := errors.Join(os.RemoveAll(dir), alive.Close()); err != nil {
			t.Error(err)
		}
	})
	return own
}

const (
	sharedMemory  = "/dev/shm"
	privatePrefix = "pulse-ring-test-"
	aliveFile     = "alive" // locked as long as the test's process lives
)

var sweepDirs sync.Once

// sweepPrivateDirs removes what killed runs left: directories whose lock nobody holds.
func sweepPrivateDirs() {
	dirs, _ := filepath.Glob(filepath.Join(sharedMemory, privatePrefix+"*")) // the pattern is well formed
	for _, dir := range dirs {
		f, err := os.OpenFile(filepath.Join(dir, aliveFile), os.O_RDWR, 0)
		if err != nil {
			continue // being made, or not a test's
		}
		if free, err := sys.LockByte(f, 0); err == nil && free {
			_ = os.RemoveAll(dir) // another sweep may be at it
		}
		_ = f.Close()
	}
}

// crashRing makes a ring with a path, which Linux alone has.
func crashRing(t *testing.T, o Options) *Ring {
	t.Helper()
	o.Path = filepath.Join(privateDir(t), "ring")
	r, err := Create(o)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("no named rings on this system")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil && !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
	})
	return r
}

// ring opens the ring that the part names.
func (p part) ring() (*Ring, error) {
	if p.Fds {
		return AttachFiles(os.NewFile(3, "data"), os.NewFile(4, "cursors"))
	}
	return Attach(p.Path, Options{})
}

// A ledger is a page of words that all processes of a test map: what they want to be held to after they are killed.
const ledgerSize = 4096

func newLedger(t *testing.T) (sys.Mem, string) {
	t.Helper()
	path := filepath.Join(privateDir(t), "ledger")
	if err := os.WriteFile(path, make([]byte, ledgerSize), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := openLedger(path)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("no shared mappings on this system")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Unmap(); err != nil {
			t.Error(err)
		}
	})
	return m.Mem, path
}

func openLedger(path string) (*sys.Mapping, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return sys.Map(f, 0, ledgerSize, true)
}

// works sends one record through r.
func works(t *testing.T, r *Ring) {
	t.Helper()
	rd, err := r.Reader(ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w, err := r.Writer()
	if err != nil {
		t.Fatal(err)
	}
	seq := w.Seq()
	if err := commitCrash(w, 100, false, 1); err != nil {
		t.Fatal(err)
	}
	batch := make([]Record, 2)
	if n := rd.Peek(batch); n != 1 || rd.First() != seq {
		t.Fatalf("peeked %d records from %d, want record %d", n, rd.First(), seq)
	}
	if _, err := checkCrash(batch[0], seq); err != nil {
		t.Error(err)
	}
	if err := errors.Join(rd.Release(1), rd.Close(), w.Close()); err != nil {
		t.Error(err)
	}
}
