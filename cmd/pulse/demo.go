package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/alphapulse/transport/internal/demo"
)

// newDemo runs feed, strategy and sink as three processes and reports.
func newDemo() *cobra.Command {
	var (
		o     demo.RunOptions
		pace  paceFlags
		lines demoOutput
	)
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Real trades through three processes, every message accounted for",
		Long: "Start feed, strategy and sink as processes of their own, show each hop's latency, and account for every message.\n" +
			"Kill any of the three meanwhile: it is started again and goes on where it stood. Ctrl-C drains and reports.",
		Args: cobra.NoArgs,
		PreRunE: func(cmd *cobra.Command, _ []string) (err error) {
			if o.Pace, err = pace.chosen(cmd); err == nil && o.For < 0 {
				err = errors.New("--for is not negative")
			}
			if err != nil {
				return exit(exitUsage, fmt.Errorf("demo: %w", err))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return demoRun(cmd, o, lines) },
	}
	f := cmd.Flags()
	f.DurationVar(&o.For, "for", 10*time.Second, "from the first message on; 0 is until Ctrl-C")
	pace.add(cmd)
	f.Uint64Var(&o.Seed, "seed", 0, "the trade of the capture to begin with")
	f.StringVar(&o.Dir, "dir", "", "where the rings live, kept (default: /dev/shm/pulse-demo-PID, removed at the end)")
	f.StringVar(&lines.out, "out", "report", "directory of the report's files; empty writes none")
	f.BoolVar(&lines.json, "json", false, "print one JSON object and nothing else on standard output")
	return cmd
}

// demoOutput is how a demo's report leaves.
type demoOutput struct {
	json bool
	out  string
}

func demoRun(cmd *cobra.Command, o demo.RunOptions, out demoOutput) (err error) {
	if o.Program, err = os.Executable(); err != nil {
		return exit(exitRuntime, fmt.Errorf("demo: %w", err))
	}
	var people io.Writer = cmd.OutOrStdout()
	if out.json {
		people = cmd.ErrOrStderr()
	}
	o.Notice = func(format string, args ...any) { fmt.Fprintf(people, format+"\n", args...) }
	r, err := demo.Run(cmd.Context(), o)
	switch {
	case errors.Is(err, demo.ErrPace), errors.Is(err, demo.ErrName):
		return exit(exitUsage, err)
	case err != nil && !errors.Is(err, demo.ErrCounts):
		return exit(exitRuntime, err)
	}
	if out.json {
		if err := r.WriteJSON(cmd.OutOrStdout()); err != nil {
			return exit(exitRuntime, err)
		}
	}
	if err != nil {
		return exit(exitCheck, err)
	}
	return nil
}
