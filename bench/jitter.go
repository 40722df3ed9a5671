package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/alphapulse/transport/numa"
)

// ErrJitter says what is wrong with JitterOptions.
var ErrJitter = errors.New("bench: jitter")

// JitterOptions say how long to look for stalls, and where.
type JitterOptions struct {
	CPUs      []int         // a spinning loop on each; empty: all that this process may run on
	For       time.Duration // 0 is 10 s
	Threshold time.Duration // a longer gap counts as a stall; 0 is 1 µs
}

// CoreJitter is how far two readings of the clock lay apart on one core that did nothing else.
type CoreJitter struct {
	CPU int `json:"cpu"`
	Latency
	Seconds float64 `json:"seconds"`           // looked at
	Stalls  float64 `json:"stalls_per_second"` // gaps above the threshold
	Stolen  float64 `json:"stolen"`            // share of the time that went into them, 0 to 1
}

// JitterReport is a look at several cores at once.
type JitterReport struct {
	ThresholdNS int64        `json:"threshold_ns"`
	Clock       string       `json:"clock"` // "tsc" or "monotonic"
	Cores       []CoreJitter `json:"cores"`
}

// Jitter spins on each CPU and records what takes it away. It ends when the time is over or ctx is done, and reports what it has seen. A CPU
// that cannot be had, or more of them than GOMAXPROCS leaves room for, is an error before any spins.
func Jitter(ctx context.Context, o JitterOptions) (JitterReport, error) {
	if o.For == 0 {
		o.For = 10 * time.Second
	}
	if o.Threshold == 0 {
		o.Threshold = time.Microsecond
	}
	if o.For < 0 || o.Threshold < 0 {
		return JitterReport{}, fmt.Errorf("%w: %v and a threshold of %v: neither may be negative", ErrJitter, o.For, o.Threshold)
	}
	if len(o.CPUs) == 0 {
		m, err := numa.Local()
		if err != nil {
			return JitterReport{}, fmt.Errorf("%w: which CPUs there are: %w", ErrJitter, err)
		}
		o.CPUs = m.CPUs(numa.AnyNode)
	}
	if room := numa.Room(); len(o.CPUs) > room {
		return JitterReport{}, fmt.Errorf("%w: %d CPUs, room for %d: %w", ErrJitter, len(o.CPUs), room, numa.ErrTooManySpinners)
	}
	c := newClock()
	r := JitterReport{ThresholdNS: o.Threshold.Nanoseconds(), Clock: c.facts.Kind}
	gauges, err := spinOn(ctx, c, o)
	if err != nil {
		return JitterReport{}, err
	}
	for i, g := range gauges {
		if g.hist.TotalCount() > 0 {
			r.Cores = append(r.Cores, g.report(o.CPUs[i]))
		}
	}
	return r, nil
}

// spinOn runs a gauge on each CPU until the time is over; the first one that fails ends the others.
func spinOn(ctx context.Context, c *clock, o JitterOptions) ([]*gauge, error) {
	over := errors.New("the time is over")
	timed, stop := context.WithTimeoutCause(ctx, o.For, over)
	defer stop()
	timed, fail := context.WithCancelCause(timed)
	defer fail(nil)
	gauges := make([]*gauge, len(o.CPUs))
	var all sync.WaitGroup
	for i, cpu := range o.CPUs {
		g := &gauge{clock: c, hist: newHistogram(), threshold: uint64(o.Threshold)}
		gauges[i] = g
		all.Go(func() {
			loop := numa.Loop{Name: fmt.Sprintf("jitter on %d", cpu), CPUs: []int{cpu}, Idle: numa.Idle{Deepest: numa.Spin}}
			fail(loop.Run(timed, g)) // the first cause stays
		})
	}
	all.Wait()
	if cause := context.Cause(timed); cause != over && ctx.Err() == nil {
		return nil, fmt.Errorf("%w: %w", ErrJitter, cause)
	}
	return gauges, nil
}

// gauge reads the clock as fast as it can. One reading stays from one Do to the next, so that no stall between them is lost.
type gauge struct {
	clock     *clock
	hist      *hdrhistogram.Histogram
	threshold uint64 // ns

	last, total   uint64 // ticks
	started       bool
	above, stolen uint64 // gaps above the threshold, and their ns
}

// Do reads the clock 256 times.
func (g *gauge) Do() (int, error) {
	if !g.started {
		g.started, g.last = true, g.clock.now()
	}
	for range 256 {
		now := g.clock.now()
		g.total += now - g.last
		ns := g.clock.ns(now - g.last)
		record(g.hist, ns)
		if ns > g.threshold {
			g.above++
			g.stolen += ns
		}
		g.last = now
	}
	return 1, nil
}

func (g *gauge) report(cpu int) CoreJitter {
	c := CoreJitter{CPU: cpu, Latency: *latencyOf(g.hist)}
	if ns := float64(g.clock.ns(g.total)); ns > 0 {
		c.Seconds = ns / 1e9
		c.Stalls, c.Stolen = float64(g.above)/c.Seconds, float64(g.stolen)/ns
	}
	return c
}

// WriteText prints a row for each core.
func (r JitterReport) WriteText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "cpu\tp50\tp99\tp99.9\tmax\tstalls/s > %v\tstolen\t\n", time.Duration(r.ThresholdNS))
	for _, c := range r.Cores {
		fmt.Fprintf(t, "%d\t%v\t%v\t%v\t%v\t%.1f\t%.3f %%\t\n", c.CPU, time.Duration(c.P50), time.Duration(c.P99), time.Duration(c.P999), time.Duration(c.Max),
			c.Stalls, 100*c.Stolen)
	}
	return t.Flush()
}
