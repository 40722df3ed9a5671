package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/spf13/cobra"

	"github.com/alphapulse/transport"
	"github.com/alphapulse/transport/internal/demo"
)

// stageFlags are what feed, strategy and sink have in common.
type stageFlags struct {
	demo.Options
	attached bool
}

// stageCommand makes one of the three verbs.
func stageCommand(name, short, long string, flags *stageFlags, run func(ctx context.Context) (demo.Progress, error)) *cobra.Command {
	cmd := &cobra.Command{
		Use:   name,
		Short: short,
		Long:  long + "\n\nIt ends with Ctrl-C, after taking what is there, and goes on where it stood when it is started again.",
		Args:  cobra.NoArgs,
		PreRunE: func(*cobra.Command, []string) error {
			switch {
			case flags.Dir == "" && flags.File == "":
				return exit(exitUsage, errors.New(name+": --dir names the directory the three processes share, or --topology says where it is"))
			case (flags.Actor != "" || flags.At != "") && flags.File == "":
				return exit(exitUsage, errors.New(name+": --actor and --node belong to a --topology"))
			case flags.File != "" && flags.Actor == "":
				flags.Actor = name
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			if flags.attached {
				var end context.CancelFunc
				ctx, end = attached(ctx, cmd.InOrStdin())
				defer end()
			} else {
				flags.Tell = teller(cmd.OutOrStdout())
			}
			p, err := run(ctx)
			return stageEnd(p, err, flags.attached)
		},
	}
	cmd.Flags().StringVar(&flags.Dir, "dir", "", "the directory the three processes share, /dev/shm/NAME for instance")
	cmd.Flags().StringVar(&flags.Name, "name", name, "this process's name among those that share the directory")
	cmd.Flags().StringVar(&flags.File, "topology", "", "a topology file, in which this process is an actor; pulse run joins its node to the others")
	cmd.Flags().StringVar(&flags.Actor, "actor", "", "the actor's name in the topology (default "+name+")")
	cmd.Flags().StringVar(&flags.At, "node", "", "the node it runs on, where the actor has several")
	cmd.Flags().BoolVar(&flags.attached, "attached", false, "end when standard input does instead of at Ctrl-C, and print nothing")
	_ = cmd.Flags().MarkHidden("attached") // the flag exists
	return cmd
}

// attached returns a context that ends when in does. Signals do not reach it: whoever holds the other end of in decides.
func attached(ctx context.Context, in io.Reader) (context.Context, context.CancelFunc) {
	ctx, end := context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		_, _ = io.Copy(io.Discard, in) // an error ends the input too
		end()
	}()
	return ctx, end
}

// teller prints a line of progress.
func teller(w io.Writer) func(demo.Progress) {
	var turn sync.Mutex
	return func(p demo.Progress) {
		turn.Lock()
		defer turn.Unlock()
		fmt.Fprintln(w, p)
	}
}

// stageEnd chooses the exit code. An attached process leaves the judgement to whoever started it.
func stageEnd(p demo.Progress, err error, attached bool) error {
	var coded *exitError
	switch {
	case errors.As(err, &coded):
		return coded
	case errors.Is(err, demo.ErrPace), errors.Is(err, transport.ErrConfig):
		return exit(exitUsage, err)
	case err != nil:
		return exit(exitRuntime, err)
	case !attached && p.Gaps+p.Reordered+p.Corrupt > 0:
		return exit(exitCheck, fmt.Errorf("%s: %d messages missing, %d out of order, %d corrupt", p.Name, p.Gaps, p.Reordered, p.Corrupt))
	}
	return nil
}

// stdoutIsTerminal reports whether people look at standard output.
func stdoutIsTerminal() bool {
	st, err := os.Stdout.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0
}
