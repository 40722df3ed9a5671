package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/alphapulse/transport/bench"
	"github.com/alphapulse/transport/numa"
)

// newJitter measures what takes cores away.
func newJitter() *cobra.Command {
	o := bench.JitterOptions{For: 10 * time.Second, Threshold: time.Microsecond}
	cpus, format := "", "text"
	cmd := &cobra.Command{
		Use:   "jitter",
		Short: "Spin on each core and say how often and how long it is taken away",
		Long: "Pins a loop to each core that does nothing but read the clock, and prints how far two readings lay apart: whatever takes the core\n" +
			"away shows as a gap. A row for each core: percentiles, the longest gap, gaps above --threshold each second and their share of\n" +
			"the time. The cores are busy meanwhile: on a host that works, name only those that are free. Ctrl-C ends it early.",
		Example: "  pulse jitter --cpus 2-3 --for 60s",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if format != "text" && format != "json" {
				return exit(exitUsage, fmt.Errorf("jitter: output %q is not text or json", format))
			}
			var err error
			if o.CPUs, err = jitterCPUs(cpus); err != nil {
				return err
			}
			// A processor is left for the rest of the program: without one a timer is tens of milliseconds late.
			runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), len(o.CPUs)+1))
			r, err := bench.Jitter(cmd.Context(), o)
			switch {
			case err != nil && (o.For < 0 || o.Threshold < 0):
				return exit(exitUsage, err)
			case err != nil:
				return exit(exitRuntime, err)
			}
			if format == "json" {
				e := json.NewEncoder(cmd.OutOrStdout())
				e.SetIndent("", "  ")
				err = e.Encode(r)
			} else {
				err = r.WriteText(cmd.OutOrStdout())
			}
			if err != nil {
				return exit(exitRuntime, fmt.Errorf("jitter: %w", err))
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&cpus, "cpus", "", "the cores, such as 0,2-3 (default: all that this process may run on)")
	f.DurationVar(&o.For, "for", o.For, "how long")
	f.DurationVar(&o.Threshold, "threshold", o.Threshold, "the gap from which on a core counts as taken away")
	outputFlag(cmd, &format)
	return cmd
}

// jitterCPUs are the CPUs of a list, or all.
func jitterCPUs(list string) ([]int, error) {
	m, err := numa.Local()
	if err != nil {
		return nil, exit(exitRuntime, fmt.Errorf("jitter: %w", err))
	}
	if list == "" {
		return m.CPUs(numa.AnyNode), nil
	}
	cpus, err := numa.ParseCPUs(list)
	if err == nil && len(cpus) == 0 {
		err = errors.New("no core")
	}
	for _, cpu := range cpus {
		if c, ok := m.CPU(cpu); !ok || !c.Online || !c.Allowed {
			err = errors.Join(err, fmt.Errorf("core %d is not there, or this process may not run on it", cpu))
		}
	}
	if err != nil {
		return nil, exit(exitUsage, fmt.Errorf("jitter: --cpus: %w", err))
	}
	return cpus, nil
}
