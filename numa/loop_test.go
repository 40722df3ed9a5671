package numa

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/sys"
)

// do is a worker made of a function.
type do func() (int, error)

func (d do) Do() (int, error) { return d() }

var errDone = errors.New("done")

// deadline ends a test that waits for something that never comes.
func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func TestLoopRunsAllWorkersInTurn(t *testing.T) {
	var order []int
	worker := func(id int) Worker {
		return do(func() (int, error) {
			order = append(order, id)
			if len(order) == 9 {
				return 0, errDone
			}
			return 1, nil
		})
	}
	err := new(Loop).Run(deadline(t), worker(0), worker(1), worker(2))
	if !errors.Is(err, errDone) {
		t.Fatal(err)
	}
	equal(t, "order", order, []int{0, 1, 2, 0, 1, 2, 0, 1, 2})
}

type named struct{ do }

func (named) String() string { return "udp sender" }

func TestLoopErrorNamesLoopAndWorker(t *testing.T) {
	fail := do(func() (int, error) { return 0, errDone })
	rest := do(func() (int, error) { return 0, nil })
	l := Loop{Name: "tx"}
	for _, c := range []struct {
		worker Worker
		want   string
	}{
		{named{fail}, `numa: loop "tx": udp sender: done`},
		{fail, `numa: loop "tx": worker 1 (numa.do): done`},
	} {
		if err := l.Run(deadline(t), rest, c.worker); err == nil || err.Error() != c.want {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}

func TestLoopDoesNoWorkAfterCancel(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errDone)
	err := new(Loop).Run(ctx, do(func() (int, error) {
		t.Error("work after cancel")
		return 0, nil
	}))
	if err != errDone {
		t.Errorf("%v, want the cause as it is", err)
	}
}

func TestCancelEndsABusyLoop(t *testing.T) {
	ctx, cancel := context.WithCancelCause(deadline(t))
	if err := new(Loop).Run(ctx, do(func() (int, error) {
		cancel(errDone)
		return 1, nil
	})); err != errDone {
		t.Error(err)
	}
}

func TestCancelWakesAParkedLoop(t *testing.T) {
	ctx, cancel := context.WithCancelCause(deadline(t))
	b := newBox(0)
	b.armed = func() {
		if b.arms == 2 { // the loop slept once, so nothing but cancel ends this sleep
			time.AfterFunc(time.Millisecond, func() { cancel(errDone) })
		} else {
			go b.put(1)
		}
	}
	l := Loop{Idle: Idle{Spins: -1, Yields: -1, Nap: time.Hour}}
	if err := l.Run(ctx, b); err != errDone {
		t.Error(err)
	}
}

func TestLoopLendsOneClockPerCycle(t *testing.T) {
	a, b := new(clocked), new(clocked)
	err := new(Loop).Run(deadline(t), a, b)
	if !errors.Is(err, errDone) {
		t.Fatal(err)
	}
	if !slices.Equal(a.times, b.times) || len(a.times) != 3 {
		t.Errorf("%v and %v", a.times, b.times)
	}
}

type clocked struct{ times []time.Time }

func (c *clocked) SetNow(now time.Time) { c.times = append(c.times, now) }

func (c *clocked) Do() (int, error) {
	if len(c.times) == 3 {
		return 0, errDone
	}
	return 1, nil
}

func TestLoopAllocatesNothingOnceItRuns(t *testing.T) {
	run := func(cycles int) float64 {
		return testing.AllocsPerRun(5, func() {
			n := 0
			b := newBox(0)
			b.took = func(int64) error {
				if n++; n == cycles {
					return errDone
				}
				return nil
			}
			l := Loop{Idle: Idle{Spins: 2, Yields: 2, Nap: time.Microsecond}}
			if err := l.Run(t.Context(), b); !errors.Is(err, errDone) {
				t.Error(err)
			}
		})
	}
	if few, many := run(20), run(2000); many > few+5 {
		t.Errorf("20 cycles allocate %v times, 2000 cycles %v times", few, many)
	}
}

func TestPinnedLoopStaysOnItsCPUAndGivesTheThreadBack(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, err := sys.Affinity()
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("no affinity on this system")
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, cpu := range before {
		l := Loop{CPUs: []int{cpu}}
		err = l.Run(deadline(t), do(func() (int, error) {
			mask, err := sys.Affinity()
			equal(t, "mask inside", mask, []int{cpu})
			return 0, errors.Join(err, errDone)
		}))
		if !errors.Is(err, errDone) {
			t.Error(err)
		}
		after, err := sys.Affinity()
		if err != nil {
			t.Error(err)
		}
		equal(t, "mask afterwards", after, before)
	}
}

func TestLoopRestoresItsThreadAfterAPanic(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, err := sys.Affinity()
	if err != nil {
		t.Skip("no affinity on this system:", err)
	}
	func() {
		defer func() {
			if recover() != "worker" {
				t.Error("the worker's panic is gone")
			}
		}()
		l := Loop{CPUs: before[:1]}
		_ = l.Run(deadline(t), do(func() (int, error) { panic("worker") }))
	}()
	after, _ := sys.Affinity()
	equal(t, "mask", after, before)
}

func TestFIFOLoopIsRealtimeOnlyWhileItRuns(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	l := Loop{FIFO: 1}
	err := l.Run(deadline(t), do(func() (int, error) {
		s, err := sys.ThreadScheduling()
		if !s.Realtime() {
			t.Error("not real-time inside")
		}
		return 0, errors.Join(err, errDone)
	}))
	if errors.Is(err, os.ErrPermission) {
		if !strings.Contains(err.Error(), "CAP_SYS_NICE") {
			t.Errorf("%v does not name the remedy", err)
		}
		t.Skip("needs CAP_SYS_NICE:", err)
	}
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("no SCHED_FIFO on this system")
	}
	if !errors.Is(err, errDone) {
		t.Fatal(err)
	}
	if s, err := sys.ThreadScheduling(); err != nil || s.Realtime() {
		t.Errorf("real-time afterwards: %v, %v", s.Realtime(), err)
	}
}

func TestLoopRefusesBadPlans(t *testing.T) {
	idle := do(func() (int, error) { return 0, errors.New("the loop ran") })
	for _, c := range []struct {
		loop Loop
		want string
	}{
		{Loop{FIFO: 1, Idle: Idle{Deepest: Spin}}, ErrFIFOSpins.Error()},
		{Loop{FIFO: 1, Idle: Idle{Deepest: Yield}}, ErrFIFOSpins.Error()},
		{Loop{FIFO: 100}, "FIFO priority 100"},
		{Loop{FIFO: -1}, "FIFO priority -1"},
		{Loop{CPUs: []int{-1}}, "CPU -1"},
		{Loop{CPUs: []int{0, maxCPUs}}, "CPU 8192"},
		{Loop{Idle: Idle{Nap: -1}}, ErrNap.Error()},
		{Loop{Idle: Idle{Nap: 25 * time.Hour}}, ErrNap.Error()},
	} {
		c.loop.Name = "rx"
		err := c.loop.Run(deadline(t), idle)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), `numa: loop "rx": `) {
			t.Errorf("%+v: %v, want %s", c.loop, err, c.want)
		}
	}
	l := Loop{CPUs: []int{maxCPUs - 1}}
	if err := l.Run(deadline(t), idle); err == nil || !strings.Contains(err.Error(), "pin to CPU 8191") && !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a CPU that is not there: %v", err)
	}
}

func TestSpinningLoopsLeaveACoreToTheRest(t *testing.T) {
	before := runtime.GOMAXPROCS(3)
	defer runtime.GOMAXPROCS(before)
	ctx, cancel := context.WithCancelCause(deadline(t))
	spinner := Loop{Name: "spinner", Idle: Idle{Deepest: Spin}}
	var running atomic.Int32
	ended := make(chan error, 2)
	for range 2 {
		go func() {
			first := true
			ended <- spinner.Run(ctx, do(func() (int, error) {
				if first {
					running.Add(1)
					first = false
				}
				return 0, nil
			}))
		}()
	}
	for running.Load() < 2 {
		runtime.Gosched()
	}
	equal(t, "room", Room(), 0)
	if err := spinner.Run(ctx); !errors.Is(err, ErrTooManySpinners) {
		t.Errorf("a third spinner with GOMAXPROCS=3: %v", err)
	}
	parker := Loop{}
	if err := parker.Run(ctx, do(func() (int, error) { return 0, errDone })); !errors.Is(err, errDone) {
		t.Errorf("a parking loop beside spinners: %v", err)
	}
	cancel(errDone)
	for range 2 {
		if err := <-ended; err != errDone {
			t.Error(err)
		}
	}
	equal(t, "room afterwards", Room(), 2)
}

// onePage returns a file of one page and its mapping, which names errDone when the page is lost.
func onePage(t *testing.T) (*os.File, *sys.Mapping) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "ring"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	page := os.Getpagesize()
	if err := f.Truncate(int64(page)); err != nil {
		t.Fatal(err)
	}
	m, err := sys.Map(f, 0, page, true)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("no mappings on this system")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Unmap() })
	m.OnFault(errDone)
	return f, m
}

func TestTruncatedMappingStopsTheLoopOnly(t *testing.T) {
	f, m := onePage(t)
	reads := 0
	l := Loop{Name: "rx"}
	err := l.Run(deadline(t), do(func() (int, error) {
		if reads++; reads == 3 {
			if err := f.Truncate(0); err != nil {
				return 0, err
			}
		}
		return int(m.Load32(0)), nil
	}))
	if !errors.Is(err, errDone) || !strings.Contains(err.Error(), `loop "rx": worker 0`) {
		t.Errorf("%v, want the mapping's error", err)
	}
	equal(t, "reads", reads, 3)
}

// cutAsleep is a worker whose mapping is cut short between its look and the loop's sleep.
type cutAsleep struct {
	f *os.File
	m *sys.Mapping
}

func (c cutAsleep) Do() (int, error) { return int(c.m.Load32(0)), nil }

func (c cutAsleep) Arm() (*uint32, uint32, bool) {
	value := c.m.Load32(0)
	if err := c.f.Truncate(0); err != nil {
		panic(err)
	}
	return c.m.Word32(0), value, true
}

func TestMappingCutUnderASleeperStopsTheLoop(t *testing.T) {
	f, m := onePage(t)
	l := Loop{Name: "rx", Idle: forever}
	err := l.Run(deadline(t), newBox(0), cutAsleep{f, m})
	if !errors.Is(err, errDone) || !strings.Contains(err.Error(), "worker 1") {
		t.Errorf("%v, want the mapping's error", err)
	}
}
