package numa

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/alphapulse/transport/internal/sys"
)

// ErrFIFOSpins is returned by Run for a loop with a FIFO priority that never parks: the kernel takes such a thread off its core for
// 50 ms of every second. Let it park, or isolate its core and leave FIFO out.
var ErrFIFOSpins = errors.New("a SCHED_FIFO loop must park")

// Loop carries workers: one thread calls them in turn. The zero Loop is valid, runs wherever the scheduler likes and parks when
// idle. A Loop is a plan: it may be copied, and run several times.
type Loop struct {
	Name string // for errors
	CPUs []int  // the CPUs its thread may run on, one of them to pin it; empty is any
	Idle Idle   // how it waits
	FIFO int    // real-time priority 1 to 99 under SCHED_FIFO; 0 is the ordinary scheduler
}

// Run calls every worker's Do in turn, cycle after cycle, on the caller's goroutine until ctx is done or a worker fails, and waits
// as Idle says while there is nothing to do. It returns context.Cause(ctx), or the first worker's error wrapped with the names of
// loop and worker, or at once what is wrong with the Loop. A memory fault inside a mapped file that was cut short is the error that
// the mapping names. When ctx is done the current cycle is finished and no other begins.
//
// With CPUs or FIFO the goroutine is locked to its thread meanwhile, and the thread's mask and scheduling are put back afterwards.
// SCHED_FIFO needs CAP_SYS_NICE or room in RLIMIT_RTPRIO. A loop allocates nothing once it runs.
func (l *Loop) Run(ctx context.Context, ws ...Worker) (err error) {
	if err = l.check(); err != nil {
		return fmt.Errorf("numa: loop %q: %w", l.Name, err)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if l.Idle.spins() {
		if err = spin(); err != nil {
			return fmt.Errorf("numa: loop %q: %w", l.Name, err)
		}
		defer unspin()
	}
	restore, err := l.settle()
	if err != nil {
		return fmt.Errorf("numa: loop %q: %w", l.Name, err)
	}
	defer func() {
		if undo := restore(); undo != nil {
			err = errors.Join(err, fmt.Errorf("numa: loop %q: restore thread: %w", l.Name, undo))
		}
	}()
	c := newCycle(l.Idle, ws)
	unhook := context.AfterFunc(ctx, c.halt)
	defer unhook()
	if err = sys.Guard(c.turn); err != nil {
		return fmt.Errorf("numa: loop %q: %s: %w", l.Name, c.current(), err)
	}
	return context.Cause(ctx)
}

// check finds everything that is wrong with the plan.
func (l *Loop) check() error {
	var faults []error
	for _, cpu := range l.CPUs {
		if cpu < 0 || cpu >= maxCPUs {
			faults = append(faults, fmt.Errorf("CPU %d is not 0 to %d", cpu, maxCPUs-1))
		}
	}
	if l.FIFO < 0 || l.FIFO > 99 {
		faults = append(faults, fmt.Errorf("FIFO priority %d is not 0 to 99", l.FIFO))
	}
	if l.FIFO > 0 && l.Idle.spins() {
		faults = append(faults, ErrFIFOSpins)
	}
	return errors.Join(append(faults, l.Idle.check())...)
}

// settle gives the calling thread the loop's mask and scheduling. restore undoes it; a thread that cannot be restored stays locked
// and ends with its goroutine.
func (l *Loop) settle() (restore func() error, err error) {
	if len(l.CPUs) == 0 && l.FIFO == 0 {
		return func() error { return nil }, nil
	}
	runtime.LockOSThread()
	var undo []func() error
	restore = func() error {
		var faults []error
		for _, u := range undo {
			faults = append(faults, u())
		}
		if err := errors.Join(faults...); err != nil {
			return err
		}
		runtime.UnlockOSThread()
		return nil
	}
	if len(l.CPUs) > 0 {
		mask, err := sys.Affinity()
		if err == nil {
			err = sys.SetAffinity(l.CPUs)
		}
		if err != nil {
			err = fmt.Errorf("pin to CPU %s: %w (is it online and in the cpuset?)", FormatCPUs(l.CPUs), err)
			return nil, errors.Join(err, restore())
		}
		undo = append(undo, func() error { return sys.SetAffinity(mask) })
	}
	if l.FIFO > 0 {
		before, err := sys.ThreadScheduling()
		if err == nil {
			err = sys.FIFO(l.FIFO).Apply()
		}
		if err != nil {
			err = fmt.Errorf("SCHED_FIFO priority %d: %w (grant CAP_SYS_NICE or raise RLIMIT_RTPRIO)", l.FIFO, err)
			return nil, errors.Join(err, restore())
		}
		undo = append(undo, before.Apply)
	}
	return restore, nil
}
