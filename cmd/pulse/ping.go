package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/alphapulse/transport"
	"github.com/alphapulse/transport/bench"
	"github.com/alphapulse/transport/route/topo"
)

// pingFlags are those of pulse ping.
type pingFlags struct {
	pingOptions
	config     transport.Config
	there, ret string
	own        string // the node that this actor is on
	echo       bool
	format     string
}

// newPing measures round trips through channels made for it.
func newPing() *cobra.Command {
	f := pingFlags{}
	c := &cobra.Command{
		Use:   "ping FILE --actor NAME [--echo]",
		Short: "Measure round trips through the real path, from one actor of a topology to another and back",
		Long: "As the actor NAME of FILE, publishes in its output channel and waits for the answers in its input channel, which pulse ping --echo\n" +
			"gives as the actor at the other end: through rings, links and whatever else carries these two channels (docs/views.md). Pings leave at\n" +
			"fixed instants; one that is held up counts from the instant it was meant for. It begins when the first answer has come, and what a\n" +
			"killed one left on its way is not mistaken for an answer.\n" +
			"Exit code 0, 1 when answers are missing, 2 when FILE or a name is wrong.",
		Example: "  pulse init ping ping.yaml\n  pulse ping ping.yaml --actor pinger --rate 1000 --count 10000",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			f.config.File = args[0]
			to, err := f.check()
			if err != nil {
				return exit(exitUsage, fmt.Errorf("ping: %w", err))
			}
			n, err := transport.Open(c.Context(), f.config)
			if errors.Is(err, transport.ErrConfig) || errors.Is(err, transport.ErrTopology) {
				return exit(exitUsage, err)
			}
			if err != nil {
				return exit(exitRuntime, err)
			}
			if f.echo {
				if err = errors.Join(echoPings(c.Context(), n, f.there, f.ret, c.OutOrStdout()), n.Close()); err != nil {
					return exit(exitRuntime, fmt.Errorf("ping: %w", err))
				}
				return nil
			}
			r, err := ping(c.Context(), n, f.there, f.ret, f.pingOptions)
			if err == nil {
				r.By = carriedBy(n.Dir(), f.there, f.own, to)
			}
			if err = errors.Join(err, n.Close()); err != nil {
				if errors.Is(err, errNoEcho) {
					return exit(exitCheck, fmt.Errorf("ping: %w", err))
				}
				return exit(exitRuntime, fmt.Errorf("ping: %w", err))
			}
			return ended("ping", show(c.OutOrStdout(), f.format, r.write, r), r.missing())
		},
	}
	p := c.Flags()
	p.StringVar(&f.config.Actor, "actor", "", "who this is in FILE")
	p.StringVar(&f.config.At, "node", "", "the node it runs on, where the actor has several")
	p.StringVar(&f.config.Dir, "dir", "", "where the node's rings are (default /dev/shm/pulse-TOPOLOGY-NODE)")
	p.BoolVar(&f.echo, "echo", false, "answer, until Ctrl-C")
	p.StringVar(&f.there, "out", "", "the channel to publish in, where the actor has several outputs")
	p.StringVar(&f.ret, "in", "", "the channel of the answers, where the actor has several inputs")
	p.Float64Var(&f.Rate, "rate", 1000, "pings per second")
	p.Uint64Var(&f.Count, "count", 1000, "how many pings; 0 is until Ctrl-C")
	p.IntVar(&f.Size, "size", 64, "bytes of a ping, at least 32")
	p.DurationVar(&f.Timeout, "timeout", time.Second, "an answer that takes longer is late; the last ones are waited for that long")
	p.DurationVar(&f.Wait, "wait", 10*time.Second, "how long the first answer is waited for")
	outputFlag(c, &f.format)
	return c
}

// check finds all that is wrong, settles the two channels, and returns the nodes at the other end.
func (f *pingFlags) check() (to []string, err error) {
	faults := []error{f.pingOptions.check()}
	if f.format != "text" && f.format != "json" {
		faults = append(faults, fmt.Errorf("output %q is not text or json", f.format))
	}
	t, found := topo.Load(f.config.File)
	if err := found.Err(); err != nil {
		return nil, errors.Join(append(faults, err)...)
	}
	a := t.Actor(f.config.Actor)
	if a == nil {
		return nil, errors.Join(append(faults, fmt.Errorf("--actor %q: the file has %s", f.config.Actor, names(t.Actors, func(a topo.Actor) string { return a.Name })))...)
	}
	f.own = f.config.At
	if all := t.PlacementsOf(a.Name); f.own == "" && len(all) > 0 { // of several, Open wants to be told
		f.own = all[0].Node
	}
	f.there, err = theOne("--out", f.there, a.Outputs)
	faults = append(faults, err)
	f.ret, err = theOne("--in", f.ret, a.Inputs)
	faults = append(faults, err)
	for _, other := range t.Actors {
		if slices.Contains(other.Inputs, f.there) {
			for _, p := range t.PlacementsOf(other.Name) {
				to = append(to, p.Node)
			}
		}
	}
	return to, errors.Join(faults...)
}

// theOne is the name that was said, or the only one there is.
func theOne(flag, said string, all []string) (string, error) {
	switch {
	case said == "" && len(all) == 1:
		return all[0], nil
	case said == "" || !slices.Contains(all, said):
		return said, fmt.Errorf("%s %q: the actor has %s", flag, said, names(all, func(n string) string { return n }))
	}
	return said, nil
}

// carriedBy is the medium that a channel goes by to one of those nodes, as pulse run says: at the latest when it says it next.
func carriedBy(dir, channel, own string, to []string) string {
	if slices.Contains(to, own) {
		return "shared memory"
	}
	for last := time.Now().Add(2 * statusEvery); ; time.Sleep(statusEvery / 10) {
		if r := seeRun(dir); r != nil && r.Alive {
			for _, c := range r.Carriages {
				if c.Channel == channel && slices.Contains(to, c.Node) {
					return c.Medium + " to " + c.Node
				}
			}
		}
		if time.Now().After(last) {
			return "a way that pulse run does not tell"
		}
	}
}

// pinged is what a ping found. Names are a contract (docs/views.md).
type pinged struct {
	Out      string         `json:"out"`
	In       string         `json:"in"`
	By       string         `json:"by"`
	Rate     float64        `json:"rate"`
	Size     int            `json:"size"`
	Sent     uint64         `json:"sent"`
	Answered uint64         `json:"answered"`
	Lost     uint64         `json:"lost"`     // not answered in time at the end
	Late     uint64         `json:"late"`     // answered, after the timeout
	Repeated uint64         `json:"repeated"` // answered once more
	Waits    uint64         `json:"ring_full"`
	Latency  *bench.Latency `json:"latency"` // round trips from the intended instant; null: none
}

func (r *pinged) missing() error {
	if r.Lost == 0 && r.Answered > 0 {
		return nil
	}
	return fmt.Errorf("%d of %d pings were not answered", r.Lost, r.Sent)
}

func (r *pinged) write(w io.Writer) error {
	fmt.Fprintf(w, "%s and back by %s, through %s\n", r.Out, r.In, r.By)
	fmt.Fprintf(w, "sent %d  answered %d  lost %d  late %d  repeated %d  ring full %d times\n", r.Sent, r.Answered, r.Lost, r.Late, r.Repeated, r.Waits)
	if r.Latency == nil {
		return nil
	}
	c := r.Latency.Cells()
	_, err := fmt.Fprintf(w, "round trip  p50 %s  p99 %s  p99.9 %s  max %s\n", c[0], c[2], c[3], c[5])
	return err
}

// echoPings answers until ctx ends.
func echoPings(ctx context.Context, n *transport.Node, out, in string, w io.Writer) error {
	e, err := openEcho(n, out, in)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "answering %s in %s\n", in, out)
	err = e.run(ctx)
	fmt.Fprintf(w, "answered %d, %d not for want of room\n", e.answered, e.full)
	return err
}
