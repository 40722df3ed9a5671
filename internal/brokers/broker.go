package brokers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/alphapulse/transport/internal/sys"
)

// Kind is a kind of broker.
type Kind string

// The kinds there are.
const (
	KindRedis    Kind = "redis"
	KindRabbitMQ Kind = "rabbitmq"
	KindKafka    Kind = "kafka"
)

var (
	// ErrMissing: the broker's program is not installed. The text says what installs it; a test skips.
	ErrMissing = errors.New("broker not installed")

	// ErrForeign: the broker is somebody else's, named by the environment: it is neither killed nor stopped.
	ErrForeign = errors.New("broker of somebody else")
)

const (
	probePause = 20 * time.Millisecond
	probeMost  = 2 * time.Second // one probe
	endMost    = 15 * time.Second
	tries      = 4 // with other ports each
)

// recipe is how brokers of a kind are run.
type recipe struct {
	kind     Kind
	env      string // names one that runs already
	ports    int
	patience time.Duration // from start to ready
	settle   func(b *Broker) error
	command  func(b *Broker) (*exec.Cmd, error)
	probe    func(ctx context.Context, addr string) error // nil: it answers in its protocol
	first    func(b *Broker) error                        // once, after the first start; may be nil
	url      func(b *Broker) string
}

// Broker is one broker that runs, or did. Its methods are for one goroutine at a time.
type Broker struct {
	Kind  Kind
	URL   string // what clients are given: redis://HOST:PORT, amqp://USER:PASSWORD@HOST:PORT/, or HOST:PORT of Kafka
	Dir   string // its settings, data and logs
	Ports []int  // the first is that of clients

	recipe *recipe
	own    bool // Dir goes with it
	cmd    *exec.Cmd
	ended  chan struct{} // closed when the process is gone
	paused bool
	note   string // the file that says it runs
}

// Addr is the address of clients, "127.0.0.1:PORT".
func (b *Broker) Addr() string { return fmt.Sprintf("127.0.0.1:%d", b.Ports[0]) }

// Private reports whether the broker may be killed: it was started here.
func (b *Broker) Private() bool { return b.recipe != nil }

// Pid returns the process number, which is that of its group; 0 when it does not run.
func (b *Broker) Pid() int {
	if b.cmd == nil {
		return 0
	}
	return b.cmd.Process.Pid
}

func open(r *recipe, dir string) (*Broker, error) {
	if runtime.GOOS != "linux" {
		return nil, fmt.Errorf("brokers: %s: %w", r.kind, errors.ErrUnsupported)
	}
	sweep()
	b := &Broker{Kind: r.kind, recipe: r, Dir: dir, own: dir == ""}
	var err error
	if b.own {
		if b.Dir, err = os.MkdirTemp("", "pulse-"+string(r.kind)+"-"); err != nil {
			return nil, fmt.Errorf("brokers: %w", err)
		}
	} else if b.Dir, err = filepath.Abs(dir); err == nil {
		err = os.MkdirAll(b.Dir, 0o700)
	}
	if err != nil {
		return nil, fmt.Errorf("brokers: %w", err)
	}
	for range tries { // between finding a port and using it somebody else may have it
		if b.Ports, err = freePorts(r.ports); err == nil {
			b.URL = r.url(b)
			err = b.Start()
		}
		if err == nil || errors.Is(err, ErrMissing) {
			break
		}
	}
	if err == nil && r.first != nil {
		err = r.first(b)
	}
	if err != nil {
		return nil, errors.Join(err, b.Stop())
	}
	return b, nil
}

// Open starts a private broker of a kind in dir; an empty dir is one of its own, which goes when the broker is stopped.
func Open(k Kind, dir string) (*Broker, error) {
	r := recipes[k]
	if r == nil {
		return nil, fmt.Errorf("brokers: no kind %q", k)
	}
	return open(r, dir)
}

// Start starts the broker again, with the directory and ports that it had, and returns when it is ready.
func (b *Broker) Start() error {
	if !b.Private() {
		return fmt.Errorf("brokers: %s: %w", b.URL, ErrForeign)
	}
	if b.cmd != nil {
		return nil
	}
	if err := b.recipe.settle(b); err != nil {
		return fmt.Errorf("brokers: %s: %w", b.Kind, err)
	}
	cmd, err := b.recipe.command(b)
	if err != nil {
		return fmt.Errorf("brokers: %s: %w", b.Kind, err)
	}
	if err := sys.KeepFiles(); err != nil { // it may outlive us, and with it a lock
		return fmt.Errorf("brokers: %s: %w", b.Kind, err)
	}
	log, err := os.OpenFile(b.log(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("brokers: %w", err)
	}
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = log, log, sys.OwnGroup()
	if cmd.Dir == "" {
		cmd.Dir = b.Dir
	}
	err = cmd.Start()
	_ = log.Close() // the child has it
	if err != nil {
		return fmt.Errorf("brokers: %s: %w", b.Kind, err)
	}
	b.cmd, b.ended, b.paused = cmd, make(chan struct{}), false
	go func(cmd *exec.Cmd, ended chan struct{}) {
		_ = cmd.Wait() // killed, mostly
		close(ended)
	}(cmd, b.ended)
	if err := b.writeNote(os.Getpid()); err != nil {
		return errors.Join(err, b.Kill())
	}
	if err := b.await(); err != nil {
		return errors.Join(err, b.Kill())
	}
	return nil
}

func (b *Broker) log() string { return filepath.Join(b.Dir, "out.log") }

// await probes until the broker answers, dies, or its kind's patience is over.
func (b *Broker) await() error {
	end := time.Now().Add(b.recipe.patience)
	for {
		ctx, cancel := context.WithTimeout(context.Background(), probeMost)
		err := b.recipe.probe(ctx, b.Addr())
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-b.ended:
			return fmt.Errorf("brokers: %s ended at once: %s", b.Kind, tail(b.log()))
		case <-time.After(probePause):
		}
		if time.Now().After(end) {
			return fmt.Errorf("brokers: %s is not ready after %s: %w; %s", b.Kind, b.recipe.patience, err, tail(b.log()))
		}
	}
}

// tail is the end of a log.
func tail(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return path + " ends with:\n" + string(text[max(0, len(text)-2000):])
}

// Kill kills every process of the broker at once, as kill -9 does, and returns when they are gone.
func (b *Broker) Kill() error { return b.end(syscall.SIGKILL) }

// end signals the group and waits for its leader's end; what does not end by a softer signal is killed.
func (b *Broker) end(s syscall.Signal) error {
	if !b.Private() {
		return fmt.Errorf("brokers: %s: %w", b.URL, ErrForeign)
	}
	if b.cmd == nil {
		return nil
	}
	pid := b.Pid()
	err := sys.SignalGroup(pid, s)
	if s != syscall.SIGKILL {
		select {
		case <-b.ended:
		case <-time.After(endMost):
		}
	}
	if e := sys.SignalGroup(pid, syscall.SIGKILL); e != nil && !errors.Is(e, syscall.ESRCH) {
		err = errors.Join(err, e)
	}
	<-b.ended
	for deadline := time.Now().Add(endMost); groupLives(pid); time.Sleep(time.Millisecond) { // children of the leader
		if time.Now().After(deadline) {
			err = errors.Join(err, fmt.Errorf("group %d is still there", pid))
			break
		}
	}
	b.cmd, b.paused = nil, false
	b.eraseNote()
	if err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("brokers: %s: %w", b.Kind, err)
	}
	return nil
}

// groupLives reports whether a process of a group is there that is more than a zombie.
func groupLives(pid int) bool {
	return sys.SignalGroup(pid, syscall.Signal(0)) == nil && groupHas(pid, "/proc/[0-9]*/stat", "ZX")
}

// groupHas reports whether a group has one whose state is none of these, of its processes or its threads.
func groupHas(pid int, stats, states string) bool {
	all, err := filepath.Glob(stats)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(all, func(path string) bool {
		s, ok := readStat(path)
		return ok && s.group == pid && !strings.Contains(states, s.state)
	})
}

// Pause stops every process of the broker where it is: its sockets stay, and nothing answers. A thread stops when it next leaves the kernel or
// is interrupted, so it waits for each.
func (b *Broker) Pause() error {
	if err := b.hold(syscall.SIGSTOP, true); err != nil {
		return err
	}
	for deadline := time.Now().Add(endMost); groupHas(b.Pid(), "/proc/[0-9]*/task/[0-9]*/stat", "TZX"); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("brokers: %s does not stop", b.Kind)
		}
	}
	return nil
}

// Resume lets them go on.
func (b *Broker) Resume() error { return b.hold(syscall.SIGCONT, false) }

func (b *Broker) hold(s syscall.Signal, paused bool) error {
	if !b.Private() {
		return fmt.Errorf("brokers: %s: %w", b.URL, ErrForeign)
	}
	if b.cmd == nil {
		return fmt.Errorf("brokers: %s does not run", b.Kind)
	}
	if err := sys.SignalGroup(b.Pid(), s); err != nil {
		return fmt.Errorf("brokers: %s: %w", b.Kind, err)
	}
	b.paused = paused
	return nil
}

// Stop ends the broker for good and removes its directory if it had one of its own. One of somebody else is left alone.
func (b *Broker) Stop() error {
	if !b.Private() {
		return nil
	}
	var err error
	if b.paused || b.own { // nobody will look at what it leaves
		err = b.Kill()
	} else {
		err = b.end(syscall.SIGTERM)
	}
	if b.own {
		err = errors.Join(err, os.RemoveAll(b.Dir))
	}
	return err
}

// used is what Use has started or found, by kind.
var used = struct {
	sync.Mutex
	brokers map[Kind]*Broker
	faults  map[Kind]error
}{brokers: map[Kind]*Broker{}, faults: map[Kind]error{}}

// Use returns the broker that all tests of a process share: the one the environment names, or a private one. What it could not start once it
// does not try again.
func Use(k Kind) (*Broker, error) {
	r := recipes[k]
	if r == nil {
		return nil, fmt.Errorf("brokers: no kind %q", k)
	}
	if url := os.Getenv(r.env); url != "" {
		return &Broker{Kind: k, URL: url}, nil
	}
	used.Lock()
	defer used.Unlock()
	if used.brokers[k] == nil && used.faults[k] == nil {
		used.brokers[k], used.faults[k] = open(r, "")
	}
	return used.brokers[k], used.faults[k]
}

// StopAll stops what Use has started.
func StopAll() (err error) {
	used.Lock()
	defer used.Unlock()
	for k, b := range used.brokers {
		if b != nil {
			err = errors.Join(err, b.Stop())
		}
		delete(used.brokers, k)
		delete(used.faults, k)
	}
	return err
}

// Kinds returns the kinds that can be run here, sorted.
func Kinds() []Kind {
	all := make([]Kind, 0, len(recipes))
	for _, k := range []Kind{KindKafka, KindRabbitMQ, KindRedis} {
		if recipes[k] != nil {
			all = append(all, k)
		}
	}
	return all
}
