package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/alphapulse/transport/internal/console"
	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/internal/view"
	"github.com/alphapulse/transport/route/watch"
)

const (
	leastInterval = 100 * time.Millisecond
	mostInterval  = time.Minute
)

// topFlags are the command line as it came.
type topFlags struct {
	node, format string
	interval     time.Duration
	once         bool
}

func newTop() *cobra.Command {
	f := topFlags{format: "text", interval: time.Second}
	cmd := &cobra.Command{
		Use:   "top [DIR | FILE --node NAME]",
		Short: "Show a node of this machine in the terminal, as it goes",
		Long: "Shows the node whose rings are in DIR, or that FILE calls NAME: rates, lags, losses and latencies of its channels, the ways they take and\n" +
			"their breakers, readers, drops by reason, health (docs/live.md). Without an argument it is the only node of this machine. The node runs\n" +
			"in other processes, or did: what they said last is shown.\n\n" +
			"Keys: 1 to 5 and tab choose a view, arrows a row, s the order, / what is shown, p pauses, ? explains each column, q leaves.\n\n" +
			"Where standard output is no terminal, it prints all views once, after two looks that are --interval apart.",
		Example: "  pulse top\n  pulse top topology.yaml --node trade\n  pulse top /dev/shm/pulse-example --once -o json",
		Args:    cobra.MaximumNArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	cmd.Flags().StringVar(&f.node, "node", "", "the node, by its name in FILE")
	cmd.Flags().DurationVar(&f.interval, "interval", f.interval, "time between two looks, 100ms to 1m")
	cmd.Flags().BoolVar(&f.once, "once", false, "print all views as plain text, or one object of JSON, and end")
	outputFlag(cmd, &f.format)
	return cmd
}

func (f topFlags) run(cmd *cobra.Command, args []string) error {
	var faults []error
	if f.format != "text" && f.format != "json" {
		faults = append(faults, fmt.Errorf("top: output %q is not text or json", f.format))
	}
	if f.interval < leastInterval || f.interval > mostInterval {
		faults = append(faults, fmt.Errorf("top: --interval %v is not between %v and %v", f.interval, leastInterval, mostInterval))
	}
	if len(args) == 0 && f.node != "" {
		faults = append(faults, errors.New("top: --node is of a topology: name its FILE"))
	}
	if len(faults) > 0 {
		return exit(exitUsage, errors.Join(faults...))
	}
	dir, err := "", error(nil)
	if len(args) == 1 {
		dir, err = watchedDir(args[0], f.node)
	} else {
		dir, err = onlyNode("/dev/shm")
	}
	if err != nil {
		return exit(exitUsage, fmt.Errorf("top: %w", err))
	}
	look := looking(dir)
	out, real := cmd.OutOrStdout().(*os.File)
	if real {
		_, _, err := sys.TerminalSize(out)
		real = err == nil && os.Getenv("TERM") != "dumb"
	}
	switch {
	case f.format == "json":
		return f.stream(cmd.Context(), look, cmd.OutOrStdout())
	case f.once || !real:
		return f.text(cmd.Context(), look, cmd.OutOrStdout())
	}
	t := console.Terminal{In: os.Stdin, Out: out, Interval: f.interval, Look: look, Screen: console.Screen{Colour: os.Getenv("NO_COLOR") == ""}}
	if err := t.Run(cmd.Context()); err != nil {
		return exit(exitRuntime, fmt.Errorf("top: %w", err))
	}
	return nil
}

// onlyNode is the directory of the only node below shm that tells, or told, what it does.
func onlyNode(shm string) (string, error) {
	files, err := filepath.Glob(filepath.Join(shm, "pulse-*", watch.Directory, "*.stats"))
	if err != nil {
		return "", err
	}
	for i, f := range files {
		files[i] = filepath.Dir(filepath.Dir(f))
	}
	switch dirs := slices.Compact(files); len(dirs) {
	case 0:
		return "", fmt.Errorf("no node tells what it does in %s/pulse-*: name its DIR, or FILE and --node", shm)
	case 1:
		return dirs[0], nil
	default:
		return "", fmt.Errorf("there are %d nodes: name one of\n  %s", len(dirs), strings.Join(dirs, "\n  "))
	}
}

// looking looks at a node; rates are those since the look before. What cannot be read is not shown: what is missing is seen to be.
func looking(dir string) func(time.Time) *view.State {
	var before *view.State
	return func(now time.Time) *view.State {
		all, _ := watch.ReadDir(dir)
		before = view.Of(now, all, before)
		return before
	}
}

// text prints one state, with rates.
func (f topFlags) text(ctx context.Context, look func(time.Time) *view.State, out io.Writer) error {
	s := f.next(ctx, look, look(time.Now()))
	if s == nil {
		return nil
	}
	_, err := io.WriteString(out, console.Text(s))
	return err
}

// stream prints a state as a line of JSON each interval, from the first on that has rates.
func (f topFlags) stream(ctx context.Context, look func(time.Time) *view.State, out io.Writer) error {
	e := json.NewEncoder(out)
	for s := f.next(ctx, look, look(time.Now())); s != nil; s = f.next(ctx, look, s) {
		if err := e.Encode(s); err != nil || f.once {
			return err
		}
	}
	return nil
}

// next looks one interval after a look; nil: ctx ended first.
func (f topFlags) next(ctx context.Context, look func(time.Time) *view.State, before *view.State) *view.State {
	wait := time.NewTimer(time.Until(before.At.Add(f.interval)))
	defer wait.Stop()
	select {
	case <-ctx.Done():
		return nil
	case now := <-wait.C:
		return look(now)
	}
}
