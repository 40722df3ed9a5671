package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// plan is a workload taken apart: what is measured, and what is divided by what.
type plan struct {
	name     string
	lanes    []laneSpec // in the order of a round: what is compared lies side by side
	subject  string
	against  []string           // the subject's baselines
	variants map[string]variant // by the name a report gives them
}

// variant is another lane held against baselines.
type variant struct {
	lane    string
	against []string
}

const (
	warmUp      = 2 * time.Millisecond // of every slice, not measured
	stallSlice  = 5 * time.Millisecond
	stallEvery  = 4           // rounds between two quiet slices
	stallName   = "stall"     // the near processor's
	stallFarOwn = "stall-far" // the far one's
	warmRounds  = 1           // whole rounds not measured
	leastRounds = 3           // measured, however short the time
	logInterval = time.Second // slices of one lane share a line of the .hlog for this long
)

// track is what a lane gathers during a run.
type track struct {
	spec    laneSpec
	near    near
	total   *hdrhistogram.Histogram
	samples []sample
	counted uint64
	lost    uint64
	log     []Interval
	pending *hdrhistogram.Histogram
	since   time.Time
}

// engine drives the slices of one run.
type engine struct {
	setup  Setup
	clock  *clock
	peer   *peer
	tracks []*track
	far    *hdrhistogram.Histogram // the far processor's stalls
	slice  slice
}

// run measures p under s.
func run(ctx context.Context, s Setup, p plan) (*Report, error) {
	files, err := openScratch(scratchParent(s.Dir))
	if err != nil {
		return nil, err
	}
	r := &Report{
		Workload: p.name, Host: readHost(), Commit: commitOf(), Seed: s.Seed, Processes: 2, SliceNS: int64(s.Slice),
		Quantiles: map[string]float64{"lo": spreadLo, "hi": spreadHi}, Started: time.Now(),
	}
	if s.InProcess {
		r.Processes = 1
	}
	r.Host.Pins, r.Host.Pinned = s.CPUs, canPin()
	if procs := 2*spinnersPerSide + 1; runtime.GOMAXPROCS(0) < procs {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
	}
	r.Host.MaxProcs = runtime.GOMAXPROCS(0)
	err = measure(ctx, s, p, files.dir, r)
	return r, errors.Join(err, files.close())
}

// measure opens both sides, runs the rounds on a pinned thread, and fills the report.
func measure(ctx context.Context, s Setup, p plan, dir string, r *Report) (err error) {
	specs := append(slices.Clone(p.lanes), laneSpec{Name: stallName, Kind: kindStall})
	for i := range specs {
		specs[i].Path, specs[i].CPU = filepath.Join(dir, fmt.Sprint("lane", i)), s.CPUs[1]
	}
	for i, spec := range specs {
		if k := slices.IndexFunc(specs, func(one laneSpec) bool { return one.Name == spec.Beside }); k >= 0 {
			specs[i].Path = specs[k].Path
		}
	}
	size := place(specs)
	unplug, err := plug(s, specs)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unplug()) }()
	e := &engine{setup: s, clock: newClock(), far: newHistogram()}
	r.Host.Clock, r.Host.ClockHz, r.Host.ClockStep = e.clock.facts.Kind, e.clock.facts.Hz, e.clock.facts.Step
	for _, spec := range specs {
		e.tracks = append(e.tracks, &track{spec: spec, total: newHistogram(), pending: newHistogram()})
	}
	if e.peer, err = startPeer(s, e.clock, size, e.open(specs)); err != nil {
		return errors.Join(err, e.closeLanes())
	}
	defer func() { err = errors.Join(err, e.closeLanes(), e.peer.close()) }()
	if err := e.dial(); err != nil {
		return err
	}

	before, gcBefore, own := readLoad(), readGC(), e.ownTicks()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread is narrowed to one processor and ends with this goroutine
		err := pin(s.CPUs[0])
		if err == nil {
			err = e.rounds(ctx, r)
		}
		done <- err
	}()
	if err := <-done; err != nil {
		return err
	}
	r.GC = readGC().since(gcBefore)
	r.Host.Foreign, r.Host.Stolen = foreign(before, readLoad(), e.ownTicks()-own)
	r.Seconds = time.Since(r.Started).Seconds()
	e.fill(r, p)
	return nil
}

// open returns what opens the near ends once the board is there, before the far ends open.
func (e *engine) open(specs []laneSpec) func(board) ([]laneSpec, error) {
	return func(b board) ([]laneSpec, error) {
		for i, t := range e.tracks {
			n, err := openNear(specs[i], b, e.setup.Seed)
			if err != nil {
				return nil, fmt.Errorf("lane %s: %w", t.spec.Name, err)
			}
			t.near = n
		}
		return specs, nil
	}
}

// dial completes the near ends that had to wait for the far ones.
func (e *engine) dial() error {
	for _, t := range e.tracks {
		if d, ok := t.near.(dialer); ok {
			if err := d.dial(); err != nil {
				return fmt.Errorf("lane %s: %w", t.spec.Name, err)
			}
		}
	}
	return nil
}

func (e *engine) closeLanes() (err error) {
	for _, t := range e.tracks {
		if t.near != nil {
			err = errors.Join(err, t.near.close())
			t.near = nil
		}
	}
	return err
}

// ownTicks is the processor time of both sides.
func (e *engine) ownTicks() uint64 {
	own := ownTicks(os.Getpid())
	if e.peer.process != nil {
		own += ownTicks(e.peer.process.Process.Pid)
	}
	return own
}

// rounds runs slices until time is up or ctx ends. Even rounds go through the lanes forwards, odd ones backwards, so that no lane always
// has the same neighbour before it and a slow drift of the machine cancels out.
func (e *engine) rounds(ctx context.Context, r *Report) error {
	e.slice = slice{clock: e.clock, gone: &e.peer.gone, hist: newHistogram(), waits: e.setup.patience}
	until := time.Now().Add(e.setup.For)
	flip := int(e.setup.Seed % 2)
	for round := -warmRounds; round < leastRounds || time.Now().Before(until); round++ {
		for i := range len(e.tracks) - 1 {
			if (round+flip)%2 != 0 {
				i = len(e.tracks) - 2 - i
			}
			if err := e.turn(ctx, i, round); err != nil {
				return fmt.Errorf("lane %s: %w", e.tracks[i].spec.Name, err)
			}
		}
		if round%stallEvery == 0 {
			if err := e.turn(ctx, len(e.tracks)-1, round); err != nil {
				return err
			}
		}
		r.Rounds = round + 1
	}
	for _, t := range e.tracks {
		t.flush(time.Now())
	}
	return nil
}

// turn measures one slice of lane i.
func (e *engine) turn(ctx context.Context, i, round int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t, s, length := e.tracks[i], &e.slice, e.setup.Slice
	if t.spec.Kind == kindStall {
		length = stallSlice
	}
	local := t.spec.here()
	if !local {
		if err := e.peer.enter(i); err != nil {
			return err
		}
	}
	before := mallocs()
	s.begin(warmUp, length)
	e.peer.view().count(s.warm)
	err := t.near.run(s)
	allocs := mallocs() - before
	if err != nil {
		return e.peer.why(err)
	}
	if local {
		t.note(round, s, allocs, nil, e.clock.facts.Step)
		return nil
	}
	a, hist, err := e.peer.leave(s.sent)
	if err != nil {
		return err
	}
	if t.spec.Kind == kindStall {
		if hist != nil && round >= 0 {
			e.far.Merge(hist)
		}
		hist = nil
	} else if a.Bad > 0 || a.Messages+a.Lost != s.sent {
		return fmt.Errorf("%w: sent %d, seen %d, missing %d, wrong %d", ErrCorrupt, s.sent, a.Messages, a.Lost, a.Bad)
	}
	if round >= 0 {
		t.lost += max(a.Lost, s.lost) // each side may miss the same message
	}
	if !e.setup.InProcess { // within one process the near side has counted both
		allocs += a.Mallocs
	}
	t.note(round, s, allocs, hist, e.clock.facts.Step)
	return nil
}

// note keeps what a slice measured; hist is the far side's, where that side holds the clock at the end of a message's way.
func (t *track) note(round int, s *slice, allocs uint64, hist *hdrhistogram.Histogram, step float64) {
	if round < 0 {
		return
	}
	if hist == nil {
		hist = s.hist
	}
	t.counted += s.sent
	m := sample{round: round, perSec: s.perSec()}
	switch {
	case s.ownOps > 0:
		m.allocs = float64(s.own) / float64(s.ownOps)
	case s.sent > 0:
		m.allocs = float64(allocs) / float64(s.sent)
	}
	if hist.TotalCount() > 0 {
		m.p50, m.p99 = quantised(hist, 50, step), quantised(hist, 99, step)
		t.total.Merge(hist)
		t.keep(hist, time.Now())
	}
	t.samples = append(t.samples, m)
}

// fill turns tracks into the report's figures and ratios.
func (e *engine) fill(r *Report, p plan) {
	byName := make(map[string]*track)
	for _, t := range e.tracks {
		byName[t.spec.Name] = t
		r.order = append(r.order, t.spec.Name)
	}
	r.lanes, r.Lane = byName, p.subject
	ratios := func(lane string, against []string) map[string]Ratio {
		m := make(map[string]Ratio)
		for _, b := range against {
			m[b] = ratioOf(byName[lane].samples, byName[b].samples)
		}
		return m
	}
	r.Subject = byName[p.subject].figures()
	r.Allocs = r.Subject.Allocs
	r.Ratio = ratios(p.subject, p.against)
	r.Baselines = make(map[string]Figures)
	named := map[string]bool{p.subject: true, stallName: true}
	for name, v := range p.variants {
		if r.Variants == nil {
			r.Variants = make(map[string]Variant)
		}
		r.Variants[name] = Variant{byName[v.lane].figures(), ratios(v.lane, v.against)}
		named[v.lane] = true
	}
	for _, b := range p.against {
		named[b] = false
	}
	for _, t := range e.tracks {
		if !named[t.spec.Name] {
			r.Baselines[t.spec.Name] = t.figures()
		}
	}
	byName[stallFarOwn] = &track{total: e.far}
	r.order = append(r.order, stallFarOwn)
	stall := byName[stallName]
	r.Stall = map[string]Figures{
		fmt.Sprintf("cpu%d", e.setup.CPUs[0]): {Latency: latencyOf(stall.total), Slices: len(stall.samples)},
		fmt.Sprintf("cpu%d", e.setup.CPUs[1]): {Latency: latencyOf(e.far), Slices: len(stall.samples)},
	}
}

// figures sums a track up.
func (t *track) figures() Figures {
	rate := func(s sample) float64 { return s.perSec }
	f := Figures{
		Latency: latencyOf(t.total),
		PerSec:  quantileOf(t.samples, 0.5, rate), PerSecLo: quantileOf(t.samples, spreadLo, rate), PerSecHi: quantileOf(t.samples, spreadHi, rate),
		Slices: len(t.samples), Messages: t.counted,
	}
	if t.counted > 0 {
		f.Lost = float64(t.lost) / float64(t.counted)
	}
	allocs := make([]float64, len(t.samples))
	for i, s := range t.samples {
		allocs[i] = s.allocs
	}
	slices.Sort(allocs)
	// The median slice: a timer or signal of the runtime that fell into one slice is not the lane's.
	f.Allocs = quantile(allocs, 0.5)
	return f
}
