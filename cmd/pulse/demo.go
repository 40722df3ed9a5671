package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
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
		net   netFlags
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
			if err == nil {
				o.UDP, err = net.chosen()
			}
			if err != nil {
				return exit(exitUsage, err)
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
	net.add(cmd)
	f.StringVar(&lines.out, "out", "report", "directory of the report's files; empty writes none")
	f.BoolVar(&lines.json, "json", false, "print one JSON object and nothing else on standard output")
	return cmd
}

// netFlags say what lies between feed and strategy.
type netFlags struct {
	udp, xdp, sealed bool
	loss             string
}

func (f *netFlags) add(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.udp, "udp", false, "trades travel by UDP between two network namespaces, or over loopback where these cannot be made")
	cmd.Flags().BoolVar(&f.xdp, "xdp", false, "with --udp: past the kernel's sockets at both ends (AF_XDP), or with sockets and a warning where that cannot be")
	cmd.Flags().StringVar(&f.loss, "udp-loss", "", "with --udp: how many of the datagrams are lost each way, 5% for instance")
	cmd.Flags().BoolVar(&f.sealed, "sealed", false, "with --udp: seal what travels with a secret drawn for this run")
}

func (f *netFlags) chosen() (*demo.UDPOptions, error) {
	if !f.udp {
		if f.loss != "" || f.sealed || f.xdp {
			return nil, errors.New("--udp-loss, --sealed and --xdp need --udp")
		}
		return nil, nil
	}
	o := &demo.UDPOptions{Sealed: f.sealed, XDP: f.xdp}
	if f.xdp && f.loss != "" {
		return nil, errors.New("--udp-loss and --xdp exclude each other: the network loses what sockets send and receive")
	}
	if f.loss == "" {
		return o, nil
	}
	loss, err := strconv.ParseFloat(strings.TrimSuffix(f.loss, "%"), 64)
	if err != nil || !(loss >= 0 && loss <= 99) {
		return nil, fmt.Errorf("--udp-loss %q is not 0%% to 99%%", f.loss)
	}
	o.Loss = loss
	return o, nil
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
	if err := writableDir(out.out); err != nil {
		return exit(exitRuntime, fmt.Errorf("demo: --out: %w", err))
	}
	screen := &liveView{w: cmd.OutOrStdout(), redraw: stdoutIsTerminal()}
	if out.json {
		screen = &liveView{w: cmd.ErrOrStderr()}
	} else {
		o.Live = func(r *demo.Report) { screen.show(r.Lines()) }
	}
	o.Notice = screen.line
	r, err := demo.Run(cmd.Context(), o)
	switch {
	case errors.Is(err, demo.ErrPace):
		return exit(exitUsage, err)
	case err != nil && !errors.Is(err, demo.ErrCounts):
		return exit(exitRuntime, err)
	}
	return demoEnd(err, demoReport(cmd, r, out))
}

// demoEnd chooses the exit code: counts that do not hold weigh more than a report that could not be written.
func demoEnd(counts, report error) error {
	switch {
	case counts != nil:
		return exit(exitCheck, errors.Join(counts, report))
	case report != nil:
		return exit(exitRuntime, report)
	}
	return nil
}

// demoReport prints either the JSON object or the table, and then writes the files.
func demoReport(cmd *cobra.Command, r *demo.Report, out demoOutput) error {
	w := cmd.OutOrStdout()
	var printed error
	if out.json {
		printed = r.WriteJSON(w)
	} else {
		fmt.Fprintln(w)
		printed = r.WriteTable(w)
	}
	if out.out == "" {
		return printed
	}
	files, err := r.WriteFiles(out.out)
	if err == nil && !out.json {
		fmt.Fprintf(w, "report     %s\n", strings.Join(files, " "))
	}
	return errors.Join(printed, err)
}

// writableDir makes dir, unless it is "", and tries it with a file: a run should not end with nowhere to write to.
func writableDir(dir string) error {
	if dir == "" {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".pulse-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// liveView writes lines for people. On a terminal the live ones are drawn over each other.
type liveView struct {
	mu     sync.Mutex
	w      io.Writer
	redraw bool
	drawn  int // lines that the next show draws over
}

func (v *liveView) line(format string, args ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	fmt.Fprintf(v.w, format+"\n", args...)
	v.drawn = 0
}

func (v *liveView) show(lines []string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.drawn > 0 {
		fmt.Fprintf(v.w, "\x1b[%dA", v.drawn) // cursor up (ECMA-48, CUU)
	}
	for _, l := range lines {
		if v.redraw {
			l += "\x1b[K" // erase the rest of the line (EL)
		}
		fmt.Fprintln(v.w, l)
	}
	if v.redraw {
		v.drawn = len(lines)
	}
}
