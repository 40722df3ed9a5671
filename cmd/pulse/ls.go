package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// newLs lists what nodes of this machine have.
func newLs() *cobra.Command {
	var (
		where  whereFlags
		during time.Duration
		format string
	)
	c := &cobra.Command{
		Use:   "ls [DIR | FILE [--node NAME]]",
		Short: "List channels, rings, readers and links of the nodes of this machine",
		Long: "Shows each node's directory: DIR, those of a topology FILE, or all /dev/shm/pulse-*. It only looks: no process can tell, and what\n" +
			"was left behind by dead ones is shown, too (docs/views.md). Rates are of the time that --for says.\n" +
			"Exit code 0, 1 when something there cannot be read, 2 when there is no such node.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			dirs, err := where.dirs(strings.Join(args, ""))
			if err == nil && format != "text" && format != "json" {
				err = fmt.Errorf("output %q is not text or json", format)
			}
			if err != nil {
				return exit(exitUsage, fmt.Errorf("ls: %w", err))
			}
			all := seeRates(c.Context(), dirs, during)
			text := func(w io.Writer) error { return writeNodes(w, all) }
			return ended("ls", show(c.OutOrStdout(), format, text, all), faultsOf(all))
		},
	}
	where.add(c)
	outputFlag(c, &format)
	c.Flags().DurationVar(&during, "for", 500*time.Millisecond, "how long rates are measured; 0: not at all")
	return c
}

// seeRates looks twice.
func seeRates(ctx context.Context, dirs []string, during time.Duration) []*seenNode {
	all, began := make([]*seenNode, len(dirs)), time.Now()
	for i, dir := range dirs {
		all[i] = seeNode(dir)
	}
	if during <= 0 {
		return all
	}
	select {
	case <-ctx.Done():
		return all
	case <-time.After(during):
	}
	for i, dir := range dirs {
		now := seeNode(dir)
		now.rates(all[i], time.Since(began))
		all[i] = now
	}
	return all
}

func (n *seenNode) rates(before *seenNode, passed time.Duration) {
	for i := range n.Channels {
		was, err := before.channel(n.Channels[i].Name)
		if err != nil {
			continue
		}
		for j := range n.Channels[i].Rings {
			r := &n.Channels[i].Rings[j]
			if k := slices.IndexFunc(was.Rings, func(o seenRing) bool { return o.Name == r.Name }); k >= 0 {
				r.rate(was.Rings[k], passed)
			}
		}
	}
}

// faultsOf joins what could not be seen.
func faultsOf(all []*seenNode) error {
	var faults []error
	for _, n := range all {
		if n.Fault != "" {
			faults = append(faults, errors.New(n.Fault))
		}
		for _, c := range n.Channels {
			for _, r := range c.Rings {
				if r.Fault != "" {
					faults = append(faults, errors.New(r.Fault))
				}
			}
		}
	}
	return errors.Join(faults...)
}

func writeNodes(w io.Writer, all []*seenNode) error {
	if len(all) == 0 {
		_, err := fmt.Fprintf(w, "no node has run on this machine: nothing in %s is called pulse-*\n", nodesRoot())
		return err
	}
	for _, n := range all {
		if err := n.write(w); err != nil {
			return err
		}
	}
	return nil
}

func (n *seenNode) write(w io.Writer) error {
	fmt.Fprintf(w, "%s  %s\n", n.Dir, n.Run)
	if n.Fault != "" {
		fmt.Fprintf(w, "  %s\n", n.Fault)
	}
	for _, c := range n.Channels {
		fmt.Fprintf(w, "  channel %s\n", c.Name)
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "    ring\tsource\tepoch\tcommitted\tmessages/s\tbytes\tbytes/s\tcapacity\twriter")
		for _, r := range c.Rings {
			r.write(t)
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	return n.Run.writeLinks(w)
}

func (r *seenRing) write(w io.Writer) {
	what := ""
	if r.Mirror {
		what = ", mirror"
	}
	if r.Fault != "" && r.Source == "" {
		fmt.Fprintf(w, "    %s\t%s\n", r.Name, r.Fault)
		return
	}
	fmt.Fprintf(w, "    %s%s\t%s\t%d\t%d\t%.0f\t%s\t%s\t%s\t%s\n", r.Name, what, r.Source, r.Epoch, r.Committed, r.PerSecond, sized(float64(r.Bytes)),
		sized(r.BytesRate), sized(float64(r.Capacity)), processName(r.PID, "", r.Alive))
	for _, one := range r.Readers {
		fmt.Fprintf(w, "      %s\n", one)
	}
	if r.Fault != "" {
		fmt.Fprintf(w, "      %s\n", r.Fault)
	}
}

// String is a reader for people.
func (r seenReader) String() string {
	kind := "lossy"
	if r.Gating {
		kind = "gate"
	}
	if r.Durable {
		kind += ", durable"
	}
	if r.Held {
		kind += ", held"
	}
	return fmt.Sprintf("reader %q  %s  %s behind  %s", r.Name, kind, sized(float64(r.Lag)), processName(r.PID, r.Command, r.Alive))
}

// String says who joins the node to others.
func (r *seenRun) String() string {
	switch {
	case r == nil:
		return "no pulse run"
	case r.Node == "":
		return "joined to others, by whom is not said"
	case !r.Alive:
		return fmt.Sprintf("node %s, topology %s, pulse run %d is dead, last seen %s ago", r.Node, r.Version, r.PID, r.Age.Round(time.Second))
	}
	return fmt.Sprintf("node %s, topology %s, pulse run %d alive", r.Node, r.Version, r.PID)
}

// writeLinks says how the channels go to other nodes.
func (r *seenRun) writeLinks(w io.Writer) error {
	if r == nil || !r.Alive {
		return nil
	}
	for _, c := range r.Carriages {
		to, by := c.Node, "by "+c.Medium
		if to == "" {
			to = "all who take from it"
		}
		if c.Medium == "" {
			by = "changes ways"
		}
		if c.Stranded {
			by += ", no way is alive"
		}
		if _, err := fmt.Fprintf(w, "  link %s to %s: %s, %d rings, %s not confirmed, %d failovers\n", c.Channel, to, by, c.Rings, sized(float64(c.Lag)), c.Failovers); err != nil {
			return err
		}
	}
	return nil
}

// sized is a number of bytes for people.
func sized(n float64) string {
	unit := 0
	for ; n >= 1024 && unit < 4; unit++ {
		n /= 1024
	}
	if unit == 0 {
		return fmt.Sprintf("%.0f B", n)
	}
	return fmt.Sprintf("%.3g %ciB", n, " KMGT"[unit])
}
