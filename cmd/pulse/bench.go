package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/alphapulse/transport/bench"
	"github.com/alphapulse/transport/internal/doctor"
)

// benchOutput is how a report leaves: a table by default.
type benchOutput struct {
	json bool
	dir  string
}

// newBench measures a workload beside its baselines.
func newBench() *cobra.Command {
	var (
		setup bench.Setup
		out   benchOutput
		list  bool
	)
	cmd := &cobra.Command{
		Use:   "bench WORKLOAD",
		Short: "Measure a workload beside its baselines, in turns, in one run",
		Long: "Measure a workload beside its baselines, in turns, in one run.\n\nWorkloads:\n" + benchList() +
			"\nThe JSON object and the method are described in docs/bench.md.",
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case list && len(args) > 0:
				return errors.New("bench: --list takes no workload")
			case !list && len(args) != 1:
				return errors.New("bench: name one workload; --list shows them")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if list {
				return benchPrintNames(cmd.OutOrStdout())
			}
			return benchRun(cmd, args[0], setup, out)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&list, "list", false, "print the workloads' names and end")
	f.BoolVar(&out.json, "json", false, "print one JSON object instead of a table")
	f.StringVar(&out.dir, "out", "", "also write .json, .html, .hlog and .hgrm files into this directory")
	f.DurationVar(&setup.For, "for", 0, "measured time, all lanes together (default 10s)")
	f.Float64Var(&setup.Rate, "rate", 0, "messages per second where the workload is an open loop (default 100000)")
	f.IntVar(&setup.Size, "size", 0, "payload bytes where the workload lets you choose (default 48)")
	f.Uint64Var(&setup.Seed, "seed", 0, "payload bytes and order of lanes (default: from the clock)")
	f.IntSliceVar(&setup.CPUs, "cpus", nil, "near and far processor (default: the first two)")
	f.StringVar(&setup.Net, "net", "", "network under a workload over UDP: loopback (default) or veth, a pair of network namespaces (root)")
	f.BoolVar(&setup.InProcess, "in-process", false, "far side as a thread instead of a process")
	return cmd
}

// verdict is what the doctor says of the host before anything runs; nil where it knows none.
func verdict(ctx context.Context) *bench.Verdict {
	d, err := doctor.Check(ctx, doctor.Options{Quick: true})
	if err != nil {
		return nil
	}
	return &bench.Verdict{Profile: string(d.Profile), Verdict: string(d.Verdict), Failed: d.Failed()}
}

// benchList shows each workload with what it measures.
func benchList() string {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
	for _, n := range bench.Names() {
		fmt.Fprintf(t, "  %s\t%s\n", n, bench.About(n))
	}
	_ = t.Flush() // a strings.Builder takes everything
	return b.String()
}

func benchPrintNames(w io.Writer) error {
	_, err := fmt.Fprintln(w, strings.Join(bench.Names(), "\n"))
	return err
}

// benchRun measures and prints. A bad setup is a usage error, a message not delivered as sent a failed check.
func benchRun(cmd *cobra.Command, name string, setup bench.Setup, out benchOutput) error {
	w, err := bench.New(name, setup)
	if err != nil {
		return exit(exitUsage, err)
	}
	fit := verdict(cmd.Context())
	r, err := w.Run(cmd.Context())
	switch {
	case errors.Is(err, bench.ErrSetup):
		return exit(exitUsage, err)
	case errors.Is(err, bench.ErrCorrupt):
		return exit(exitCheck, err)
	case err != nil:
		return exit(exitRuntime, err)
	}
	r.Doctor = fit
	if out.json {
		err = r.WriteJSON(cmd.OutOrStdout())
	} else {
		err = r.WriteTable(cmd.OutOrStdout())
	}
	if err == nil && out.dir != "" {
		var files []string
		files, err = r.WriteFiles(out.dir)
		for _, f := range files {
			fmt.Fprintln(cmd.ErrOrStderr(), "wrote", f)
		}
	}
	if err != nil {
		return exit(exitRuntime, err)
	}
	return nil
}

// newBenchPeer is the far side of a workload; newBench's process starts it.
func newBenchPeer() *cobra.Command {
	return &cobra.Command{
		Use:    "bench-peer",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := bench.ServePeer(os.Stdin, os.Stdout); err != nil {
				return exit(exitRuntime, err)
			}
			return nil
		},
	}
}
