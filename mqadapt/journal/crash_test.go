package journal

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/check"
	"github.com/alphapulse/transport/mqadapt"
)

// partEnv tells this test program, run once more, which part it plays in another process.
const partEnv = "JOURNAL_TEST_PART"

// part is what a process of a test is told.
type part struct {
	Role       string
	Dir        string
	Seed       uint64
	Durability mqadapt.Durability
	Point      string // where it kills itself (builds with the invariants tag),
	Pass       int64  // and at which passing
}

// roles are the parts there are; each test file adds its own.
var roles = map[string]func(part) error{"put": putForEver}

func itoa(n int) string { return strconv.Itoa(n) }

// play plays the part that the environment names, if it names one.
func play() (code int, played bool) {
	text := os.Getenv(partEnv)
	if text == "" {
		return 0, false
	}
	var p part
	err := json.Unmarshal([]byte(text), &p)
	if err == nil {
		var passed atomic.Int64
		if p.Point != "" {
			check.Hook = func(point string) {
				if point == p.Point && passed.Add(1) == p.Pass {
					killSelf()
				}
			}
		}
		err = roles[p.Role](p)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%+v: %v\n", p, err)
		return 1, true
	}
	return 0, true
}

func killSelf() {
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	panic(fmt.Sprint("survived SIGKILL: ", err))
}

// putForEver puts envelopes numbered as their entries and says after each batch up to where they are accepted.
func putForEver(p part) error {
	j, err := Open(Options{Dir: p.Dir, Segment: leastSegment, Durability: p.Durability})
	if err != nil {
		return err
	}
	a, err := j.Appender()
	if err != nil {
		return err
	}
	rnd := rand.New(rand.NewPCG(p.Seed, 1))
	out := make([]mqadapt.Outcome, 64)
	for {
		var batch []mqadapt.Envelope
		for i := range uint64(rnd.IntN(20) + 1) {
			batch = append(batch, envelope(a.Number()+i, 16+rnd.IntN(1<<rnd.IntN(13))))
		}
		n, err := a.Put(batch)
		if err != nil || n != len(batch) {
			return fmt.Errorf("took %d of %d: %w", n, len(batch), err)
		}
		for n > 0 {
			k, err := a.Settle(out, 0)
			if err != nil {
				return err
			}
			for _, o := range out[:k] {
				if o.Verdict != mqadapt.Accepted {
					return fmt.Errorf("%s: %w", o.Verdict, o.Why)
				}
			}
			n -= k
		}
		fmt.Println(a.Number() - 1)
	}
}

// child is another process of this test, which is killed at the latest with the test.
type child struct {
	cmd  *exec.Cmd
	said atomic.Uint64 // the last number it said
	done chan struct{}
	errs strings.Builder
}

func startChild(t *testing.T, p part) *child {
	t.Helper()
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &child{cmd: exec.Command(exe), done: make(chan struct{})}
	c.cmd.Env = append(os.Environ(), partEnv+"="+string(text))
	c.cmd.Stderr = &c.errs
	out, err := c.cmd.StdoutPipe()
	if err == nil {
		err = c.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(c.done)
		for scan := bufio.NewScanner(out); scan.Scan(); {
			if n, err := strconv.ParseUint(scan.Text(), 10, 64); err == nil {
				c.said.Store(n)
			}
		}
		_ = c.cmd.Wait() // how it ended is in ProcessState
	}()
	t.Cleanup(func() { c.kill() })
	return c
}

// kill ends the child and returns the last number it said.
func (c *child) kill() uint64 {
	_ = c.cmd.Process.Kill() // it may be dead already
	<-c.done
	return c.said.Load()
}

// comes waits until something is so.
func comes(d time.Duration, ok func() bool) bool {
	for end := time.Now().Add(d); !ok(); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// storm is the record of one journal through many lives.
type storm struct {
	t     *testing.T
	dir   string
	acked uint64
	read  uint64
}

// settle looks at the journal a killed producer left: everything accepted is there, in order, and nothing is half there.
func (s *storm) settle(what string) {
	s.t.Helper()
	j, err := Open(Options{Dir: s.dir, Segment: leastSegment})
	if err != nil {
		s.t.Fatalf("%s: %v", what, err)
	}
	defer func() {
		if err := j.Close(); err != nil {
			s.t.Fatalf("%s: %v", what, err)
		}
	}()
	c, err := j.Consumer("checker")
	if err != nil {
		s.t.Fatalf("%s: %v", what, err)
	}
	batch := make([]mqadapt.Delivery, 256)
	for {
		n, err := c.Get(batch, 0)
		if err != nil {
			s.t.Fatalf("%s: after %d: %v", what, s.read, err)
		}
		if n == 0 {
			break
		}
		for _, d := range batch[:n] {
			s.read++
			if got, err := numberOf(d.Envelope); err != nil || got != s.read || d.Position != s.read || d.Lost != 0 {
				s.t.Fatalf("%s: envelope %d at %d where %d is due: %v", what, got, d.Position, s.read, err)
			}
		}
		if err := c.Ack(s.read); err != nil {
			s.t.Fatalf("%s: %v", what, err)
		}
	}
	if s.read < s.acked {
		s.t.Fatalf("%s: %d were accepted, %d are there", what, s.acked, s.read)
	}
}

func TestNothingAcceptedIsLostHoweverOftenTheProducerIsKilled(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 2))
	s := &storm{t: t, dir: bedDir(t)}
	lives := scaled(1000)
	for life := range lives {
		p := part{Role: "put", Dir: s.dir, Seed: rnd.Uint64(), Durability: mqadapt.Durability(rnd.IntN(3))}
		what := fmt.Sprintf("life %d, %s", life, p.Durability)
		c := startChild(t, p)
		if life%4 != 0 && !comes(10*time.Second, func() bool { return c.said.Load() > 0 || over(c) }) { // else it is killed while it recovers
			t.Fatalf("%s: said nothing: %s", what, c.errs.String())
		}
		time.Sleep(time.Duration(rnd.IntN(3000)) * time.Microsecond) // a random point, and not a wait for something
		s.acked = max(s.acked, c.kill())
		if c.errs.Len() > 0 {
			t.Fatalf("%s: %s", what, c.errs.String())
		}
		s.settle(what)
	}
	if s.acked < uint64(lives) {
		t.Errorf("only %d were accepted in %d lives", s.acked, lives)
	}
	if _, err := Verify(s.dir); err != nil {
		t.Error(err)
	}
	t.Logf("%d lives, %d accepted, %d there", lives, s.acked, s.read)
}

// bedDir is a directory on the disk that tests have.
func bedDir(t *testing.T) string {
	t.Helper()
	if err := bed(t, Options{}).Close(); err != nil { // skips where there are no journals
		t.Fatal(err)
	}
	return t.TempDir()
}

func over(c *child) bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// Killed at each labelled store in turn, in builds with the invariants tag.
func TestNothingAcceptedIsLostWhicheverStoreIsTheLast(t *testing.T) {
	if !check.On {
		t.Log("points are not compiled in; TestNothingAcceptedIsLostHoweverOftenTheProducerIsKilled kills anywhere")
		return
	}
	for _, point := range []string{"append.payload", "append.header", "append.word", "grow.made", "end.header", "end.word",
		"register.cleared", "register.value"} {
		for _, d := range []mqadapt.Durability{mqadapt.Process, mqadapt.Memory, mqadapt.OS} {
			s := &storm{t: t, dir: bedDir(t)}
			for pass := range int64(scaled(60)) {
				c := startChild(t, part{Role: "put", Dir: s.dir, Seed: uint64(pass), Durability: d, Point: point, Pass: pass + 1})
				what := fmt.Sprintf("%s at its %d. passing, %s", point, pass+1, d)
				if !comes(20*time.Second, func() bool {
					return over(c) || strings.HasPrefix(point, "register") && d != mqadapt.OS && c.said.Load() > 0
				}) {
					t.Fatalf("%s: still alive", what)
				}
				s.acked = max(s.acked, c.kill())
				if c.errs.Len() > 0 {
					t.Fatalf("%s: %s", what, c.errs.String())
				}
				s.settle(what)
			}
		}
	}
}

func TestStoppedProducerIsNotReplaced(t *testing.T) {
	dir := bedDir(t)
	c := startChild(t, part{Role: "put", Dir: dir, Seed: 1})
	if !comes(10*time.Second, func() bool { return c.said.Load() > 0 }) {
		t.Fatal(c.errs.String())
	}
	j := bed(t, Options{Dir: dir, Segment: leastSegment})
	if _, err := j.Appender(); !errors.Is(err, mqadapt.ErrOwned) || !strings.Contains(err.Error(), itoa(c.cmd.Process.Pid)) {
		t.Fatal(err)
	}
	said := c.kill()
	a := bedAppender(t, j)
	if a.Number() <= said {
		t.Errorf("goes on at %d, %d were accepted", a.Number(), said)
	}
}
