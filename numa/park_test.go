package numa

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/sys"
)

// box is a worker that takes what others put into it, one piece each, and can be woken.
type box struct {
	word   *uint32       // changes with every put
	pieces *atomic.Int64 // pieces put
	taken  int64         // pieces taken

	arms  int                 // calls of Arm
	armed func()              // runs after Arm looked and before the loop sleeps
	took  func(n int64) error // runs at the end of every Do
}

func newBox(pieces int64) *box {
	b := &box{word: new(uint32), pieces: new(atomic.Int64)}
	b.pieces.Store(pieces)
	return b
}

func (b *box) put(n int64) {
	b.pieces.Add(n)
	_ = Wake(b.word)
}

func (b *box) Do() (int, error) {
	n := b.pieces.Load() - b.taken
	b.taken += n
	if b.took != nil {
		if err := b.took(n); err != nil {
			return 0, err
		}
	}
	return int(n), nil
}

func (b *box) Arm() (*uint32, uint32, bool) {
	value := atomic.LoadUint32(b.word)
	ok := b.pieces.Load() == b.taken
	b.arms++
	if b.armed != nil {
		b.armed()
	}
	return b.word, value, ok
}

// forever makes a lost wake-up a test that does not end.
var forever = Idle{Spins: -1, Yields: -1, Nap: time.Hour}

func TestParkedLoopLosesNoWakeUp(t *testing.T) {
	rounds := int64(5000)
	if testing.Short() {
		rounds = 500
	}
	ping, pong := newBox(1), newBox(0)
	relay := func(from, to *box) func(int64) error {
		return func(n int64) error {
			if n > 0 {
				to.put(n)
			}
			if from.taken >= rounds {
				return errDone
			}
			return nil
		}
	}
	ping.took, pong.took = relay(ping, pong), relay(pong, ping)
	ctx := deadline(t)
	ended := make(chan error, 2)
	for _, b := range []*box{ping, pong} {
		go func() {
			l := Loop{Idle: forever}
			ended <- l.Run(ctx, b, newBox(0)) // and a second word that nobody wakes
		}()
	}
	if a, b := <-ended, <-ended; !errors.Is(a, errDone) || !errors.Is(b, errDone) {
		t.Errorf("%v and %v after %d and %d of %d rounds", a, b, ping.taken, pong.taken, rounds)
	}
}

func TestWorkBetweenArmAndSleepIsSeen(t *testing.T) {
	b := newBox(0)
	b.armed = func() { b.put(1) } // the worst instant: after the look, before the sleep
	b.took = func(int64) error {
		if b.taken == 100 {
			return errDone
		}
		return nil
	}
	l := Loop{Idle: forever}
	if err := l.Run(deadline(t), b); !errors.Is(err, errDone) {
		t.Errorf("%v after %d of 100", err, b.taken)
	}
}

func TestLoopDoesNotSleepOverWork(t *testing.T) {
	busy := newBox(0)
	late := newBox(0)
	late.armed = func() { busy.pieces.Add(1) } // work without a wake, before busy is armed
	late.took = func(int64) error {
		if busy.taken == 100 {
			return errDone
		}
		return nil
	}
	l := Loop{Idle: forever}
	if err := l.Run(deadline(t), late, busy); !errors.Is(err, errDone) {
		t.Errorf("%v after %d of 100", err, busy.taken)
	}
}

func TestWorkerThatCannotBeWokenIsPolledEachNap(t *testing.T) {
	looks := 0
	blind := do(func() (int, error) {
		if looks++; looks == 300 {
			return 0, errDone
		}
		return 0, nil
	})
	if err := new(Loop).Run(deadline(t), newBox(0), blind); !errors.Is(err, errDone) {
		t.Errorf("%v after %d looks", err, looks)
	}
}

func TestMoreSleepersThanWordsAreStillPolled(t *testing.T) {
	ws := make([]Worker, 0, 200)
	for range 199 {
		ws = append(ws, newBox(0))
	}
	last := newBox(0)
	rounds := 0
	last.took = func(int64) error {
		if rounds++; rounds == 250 {
			return errDone
		}
		return nil
	}
	if err := new(Loop).Run(deadline(t), append(ws, last)...); !errors.Is(err, errDone) {
		t.Errorf("%v after %d rounds", err, rounds)
	}
}

// boxes is a worker that any of its boxes wakes.
type boxes struct {
	all  []*box
	arm  []Sleeper
	took func(from int, n int64) error
}

func (b *boxes) Do() (done int, err error) {
	for i, one := range b.all {
		n, _ := one.Do()
		if done += n; n > 0 {
			if err := b.took(i, int64(n)); err != nil {
				return done, err
			}
		}
	}
	return done, nil
}

func (b *boxes) Sleepers() []Sleeper { return b.arm }

func (b *boxes) add() {
	one := newBox(0)
	b.all, b.arm = append(b.all, one), append(b.arm, one)
}

func TestGroupIsWokenFromEachOfItsPlaces(t *testing.T) {
	const places = 100 // below what one sleep takes
	var g boxes
	for range places {
		g.add()
	}
	round := 0
	// Each box is filled only after the box before it was emptied, so that every wake-up comes by another word.
	g.took = func(from int, _ int64) error {
		if from != round%len(g.all) {
			t.Errorf("round %d: box %d had work", round, from)
		}
		if round++; round == 2*places {
			return errDone
		}
		if round == places { // a place that appears while running
			g.add()
		}
		go g.all[round%len(g.all)].put(1)
		return nil
	}
	go g.all[0].put(1)
	l := Loop{Idle: forever}
	if err := l.Run(deadline(t), newBox(0), &g); !errors.Is(err, errDone) {
		t.Errorf("%v in round %d", err, round)
	}
}

func TestGroupWithMorePlacesThanWordsIsPolled(t *testing.T) {
	var g boxes
	for range maxWords + 50 {
		g.add()
	}
	rounds := 0
	g.took = func(int, int64) error {
		if rounds++; rounds == 20 {
			return errDone
		}
		go g.all[len(g.all)-1].put(1) // nobody sleeps on this word
		return nil
	}
	go g.all[len(g.all)-1].put(1)
	l := Loop{Idle: forever}
	if err := l.Run(deadline(t), &g); !errors.Is(err, errDone) {
		t.Errorf("%v in round %d", err, rounds)
	}
}

func TestIdlePhasesComeInOrder(t *testing.T) {
	phases := func(i Idle) (got []Phase) {
		i = i.settled(true)
		for empty := range 5 {
			got = append(got, i.phase(empty))
		}
		return got
	}
	equal(t, "all three", phases(Idle{Spins: 2, Yields: 1}), []Phase{Spin, Spin, Yield, Park, Park})
	equal(t, "park at once", phases(forever), []Phase{Park, Park, Park, Park, Park})
	equal(t, "never park", phases(Idle{Deepest: Yield, Spins: 1}), []Phase{Spin, Yield, Yield, Yield, Yield})
	equal(t, "never yield", phases(Idle{Deepest: Spin, Spins: -1, Yields: -1}), []Phase{Spin, Spin, Spin, Spin, Spin})
	equal(t, "the zero Idle ends in", Idle{}.settled(true).phase(idleSpins+idleYields), Park)
	equal(t, "nap when all can be woken", Idle{}.settled(true).Nap, 100*time.Millisecond)
	equal(t, "nap when not", Idle{}.settled(false).Nap, time.Millisecond)
	equal(t, "nap when asked", Idle{Nap: time.Second}.settled(false).Nap, time.Second)
	equal(t, "names", []string{Park.String(), Yield.String(), Spin.String()}, []string{"park", "yield", "spin"})
}

// wakerEnv tells a copy of the test program to be the other process of the next test; it holds the path of the shared page.
const wakerEnv = "PULSE_NUMA_WAKER"

const crossRounds = 1000

// remote relays counters in a shared page: it adds one to "to" whenever "from" has grown.
type remote struct {
	m        *sys.Mapping
	from, to uint64 // offsets of two words, each counter and futex word in one
	seen     uint32
}

func (r *remote) Do() (int, error) {
	n := r.m.Load32(r.from) - r.seen
	if n == 0 {
		return 0, nil
	}
	r.seen += n
	if err := Wake(r.m.Word32(r.to)); err != nil {
		return 0, err
	}
	if r.seen >= crossRounds {
		return 0, errDone
	}
	return int(n), nil
}

func (r *remote) Arm() (*uint32, uint32, bool) {
	return r.m.Word32(r.from), r.seen, r.m.Load32(r.from) == r.seen
}

func runRemote(ctx context.Context, path string, from, to uint64) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	m, err := sys.Map(f, 0, os.Getpagesize(), true)
	if err != nil {
		return err
	}
	defer m.Unmap()
	l := Loop{Idle: forever}
	if err := l.Run(ctx, &remote{m: m, from: from, to: to}); !errors.Is(err, errDone) {
		return err
	}
	return nil
}

func TestProcessesWakeEachOthersLoops(t *testing.T) {
	ctx := deadline(t)
	if path := os.Getenv(wakerEnv); path != "" {
		if err := runRemote(ctx, path, 0, 64); err != nil {
			t.Fatal(err)
		}
		return
	}
	path := filepath.Join(t.TempDir(), "words")
	page := make([]byte, os.Getpagesize())
	page[0] = 1 // the first ping, for the other process
	if err := os.WriteFile(path, page, 0o600); err != nil {
		t.Fatal(err)
	}
	other := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestProcessesWakeEachOthersLoops$")
	other.Env = append(os.Environ(), wakerEnv+"="+path)
	other.Stderr = os.Stderr
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	err := runRemote(ctx, path, 64, 0)
	if errors.Is(err, errors.ErrUnsupported) {
		_ = other.Process.Kill()
		_ = other.Wait()
		t.Skip("no shared mappings on this system")
	}
	if err = errors.Join(err, other.Wait()); err != nil {
		t.Fatal(err)
	}
}

func TestIdleLoopLeavesTheCPUAlone(t *testing.T) {
	cycles := func(idle Idle) (perSecond float64) {
		looks := 0
		b := newBox(0)
		began := time.Now()
		b.took = func(int64) error {
			if looks++; looks == 2000 || time.Since(began) > 100*time.Millisecond && looks > 10 {
				return errDone
			}
			return nil
		}
		l := Loop{Idle: idle}
		if err := l.Run(deadline(t), b); !errors.Is(err, errDone) {
			t.Error(err)
		}
		return float64(looks) / time.Since(began).Seconds()
	}
	before := runtime.GOMAXPROCS(2)
	defer runtime.GOMAXPROCS(before)
	// A machine that stands still slows the spinning loop down as well: only a difference that never shows is a fault.
	var spinning, parked float64
	for range 5 {
		spinning = cycles(Idle{Deepest: Spin})
		parked = cycles(Idle{Spins: -1, Yields: -1, Nap: 10 * time.Millisecond})
		if parked*100 <= spinning {
			return
		}
	}
	t.Errorf("a parked loop turns %.0f times a second, a spinning one %.0f, five times in a row", parked, spinning)
}
