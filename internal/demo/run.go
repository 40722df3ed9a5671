package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/alphapulse/transport/bench"
)

// ErrCounts: a count does not hold; Report.Faults says which. The report is whole.
var ErrCounts = errors.New("demo: the counts do not hold")

// RunOptions say what a demo does.
type RunOptions struct {
	Dir     string        // "" is a directory of its own, removed at the end
	For     time.Duration // from the first message; 0 is until ctx ends
	Pace    Pace
	Seed    uint64
	UDP     *UDPOptions                      // feed and strategy share no directory, their trades travel; nil: they share Dir
	Program string                           // the program that has the verbs feed, strategy and sink
	Notice  func(format string, args ...any) // a line for people: processes started and lost
	Live    func(*Report)                    // called once a second with how it stands; nil: nobody
}

// readyWithin bounds how long the three processes may take until the first message arrives.
const readyWithin = 30 * time.Second

// endWithin bounds how long each of the three may take from being told to end: what it may drain, and a second to close.
const endWithin = drainFor + time.Second

// run is a demo under way.
type run struct {
	RunOptions
	network  *network // nil: none
	secret   string   // a path; empty: nothing is sealed
	report   *Report
	began    time.Time
	children []*child // feed, strategy, sink
	books    []*book
	base     []page
	last     []page // at the last look
	lastAt   time.Time
	ways     ways
}

// hear takes a line of a child.
func (r *run) hear(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	r.ways.hear(line)
	r.Notice("%s", line)
}

var names = []string{FeedName, StrategyName, SinkName}

// Run starts the three processes, watches them for the time given or until ctx ends, lets them drain from the first to
// the last, and reports. A process that is killed is started again; one that does not end when told to is killed. The error is ErrCounts, with the report, when a count
// does not hold; any other error comes without one.
func Run(ctx context.Context, o RunOptions) (rep *Report, err error) {
	if err := o.Pace.check(); err != nil {
		return nil, err
	}
	var release func() error
	if o.Dir == "" {
		o.Dir, release, err = ownDir()
	} else {
		release, err = holdDir(o.Dir)
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, release()) }()
	r := &run{RunOptions: o}
	defer func() { err = errors.Join(err, r.close()) }()
	if err := r.open(); err != nil {
		return nil, err
	}
	return r.run(ctx)
}

// dir is where a process works.
func (r *run) dir(name string) string {
	switch {
	case r.UDP == nil:
		return r.Dir
	case name == FeedName:
		return filepath.Join(r.Dir, FeedName)
	}
	return filepath.Join(r.Dir, StrategyName)
}

// open makes the network, if there shall be one, maps the three books and notes what they hold from earlier runs.
func (r *run) open() (err error) {
	if r.UDP != nil {
		if r.network, err = openNetwork(&r.RunOptions); err == nil && r.UDP.Sealed {
			r.secret, err = drawSecret(r.Dir)
		}
		if err != nil {
			return err
		}
	}
	for _, name := range names {
		b, err := openBook(r.dir(name), name)
		if err != nil {
			return err
		}
		r.books = append(r.books, b)
		r.base = append(r.base, b.read())
		if err := b.yield(); err != nil {
			return err
		}
	}
	r.last = r.base
	return nil
}

func (r *run) close() error {
	var faults []error
	for _, b := range r.books {
		faults = append(faults, b.close())
	}
	if r.secret != "" {
		faults = append(faults, os.Remove(r.secret))
	}
	if r.network != nil {
		faults = append(faults, r.network.close())
	}
	return errors.Join(faults...)
}

func (r *run) run(ctx context.Context) (*Report, error) {
	r.report = newReport(r.RunOptions)
	if r.network != nil {
		r.report.UDP = &UDP{Network: r.network.kind, Sealed: r.UDP.Sealed, Loss: r.UDP.Loss}
	}
	for _, name := range names {
		args := append([]string{name, "--attached", "--dir", r.dir(name)}, r.args(name)...)
		r.children = append(r.children, launch(name, func() *exec.Cmd {
			if r.network != nil {
				return r.network.command(name, r.Program, args...)
			}
			return exec.Command(r.Program, args...)
		}, r.hear))
	}
	err := r.watch(ctx)
	for _, c := range r.children { // the feed first: what it sent drains through the others
		if end := c.end(endWithin); err == nil {
			err = end // what comes after the first fault follows from it
		}
	}
	if err != nil {
		return nil, err
	}
	r.look(time.Now())
	r.account()
	if r.report.judge(); !r.report.Verified {
		return r.report, ErrCounts
	}
	return r.report, nil
}

// args are what one of the three is told beside where it works.
func (r *run) args(name string) (args []string) {
	if name == FeedName {
		args = append(r.pace(), "--seed", strconv.FormatUint(r.Seed, 10))
	}
	if r.network == nil || name == SinkName {
		return args
	}
	if r.UDP.XDP {
		args = append(args, "--xdp", r.network.device)
	}
	if r.secret != "" {
		args = append(args, "--secret", r.secret)
	}
	if name == FeedName {
		return append(args, "--udp-to", r.network.to.String())
	}
	return append(args, "--udp-listen", r.network.listen.String())
}

// pace is how the feed is told its pace.
func (r *run) pace() []string {
	if r.Pace.Speed > 0 {
		return []string{"--pace", "x" + strconv.FormatFloat(r.Pace.Speed, 'g', -1, 64)}
	}
	return []string{"--rate", strconv.FormatFloat(r.Pace.Rate, 'g', -1, 64)}
}

// watch looks at the books until the time is over, ctx ends or a process ended by itself.
func (r *run) watch(ctx context.Context) error {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	began := time.Now()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			return nil
		case <-r.children[0].done:
			return r.children[0].err
		case <-r.children[1].done:
			return r.children[1].err
		case <-r.children[2].done:
			return r.children[2].err
		case now := <-look.C:
			switch {
			case r.began.IsZero() && now.Sub(began) > readyWithin:
				return fmt.Errorf("demo: no message within %s", readyWithin)
			case r.began.IsZero():
				r.begin(now)
			case r.For > 0 && now.Sub(r.began) >= r.For:
				return nil
			case now.Sub(r.lastAt) >= tellEvery:
				r.look(now)
				r.account()
				if r.Live != nil {
					r.Live(r.report)
				}
			}
		}
	}
	return nil
}

// begin notes the first message's arrival at the far end.
func (r *run) begin(now time.Time) {
	sink := r.books[2].read()
	if sink.accounts[1].since(&r.base[2].accounts[1]).Delivered > 0 {
		r.began, r.lastAt = now, now
		r.report.Started = now
	}
}

// look reads the books and keeps what was timed since the last look as an interval.
func (r *run) look(now time.Time) {
	if r.lastAt.IsZero() {
		r.lastAt, r.report.Started = now, now
	}
	pages := make([]page, len(r.books))
	for i, b := range r.books {
		pages[i] = b.read()
	}
	for i, s := range series {
		h := histogramOf(pages[s.book].accounts[s.account].hist, r.last[s.book].accounts[s.account].hist)
		if h.TotalCount() > 0 {
			r.report.log[i] = append(r.report.log[i], bench.Interval{From: r.lastAt, To: now, Hist: h})
		}
	}
	r.last, r.lastAt = pages, now
	r.report.Seconds = now.Sub(r.report.Started).Seconds()
}

// account brings the report up to the last look.
func (r *run) account() {
	feed, strategy, sink := &r.last[0], &r.last[1], &r.last[2]
	signals := strategy.output
	ways := []Counts{
		strategy.accounts[0].against(&r.base[1].accounts[0], feed.output, r.base[0].output),
		sink.accounts[0].against(&r.base[2].accounts[0], signals, r.base[1].output),
		sink.accounts[1].against(&r.base[2].accounts[1], feed.output, r.base[0].output),
	}
	for i, s := range series {
		t := &r.last[s.book].accounts[s.account]
		r.report.total[i] = histogramOf(t.hist, r.base[s.book].accounts[s.account].hist)
	}
	rep := r.report
	rep.Hops[0].Counts, rep.Hops[1].Counts, rep.EndToEnd.Counts = ways[0], ways[1], ways[2]
	rep.Hops[0].Latency, rep.Hops[1].Latency = bench.LatencyOf(rep.total[0]), bench.LatencyOf(rep.total[1])
	rep.EndToEnd.Latency, rep.Lateness = bench.LatencyOf(rep.total[2]), bench.LatencyOf(rep.total[3])
	rep.sum()
	if rep.UDP != nil {
		rep.UDP.account(feed.net.since(&r.base[0].net), strategy.net.since(&r.base[1].net))
		rep.UDP.XDP = r.ways.said()
	}
	rep.Processes = rep.Processes[:0]
	for i, c := range r.children {
		pid, restarts := c.facts()
		p := Process{Name: c.name, PID: pid, Restarts: restarts, Waits: r.last[i].waits - r.base[i].waits}
		p.WaitedNS = r.last[i].waited - r.base[i].waited
		rep.Processes = append(rep.Processes, p)
	}
}
