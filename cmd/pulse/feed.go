package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/alphapulse/transport/internal/demo"
)

// defaultRate is what a feed sends when nothing else is asked, messages per second.
const defaultRate = 20_000

// paceFlags choose between a rate and the recorded pace.
type paceFlags struct {
	rate float64
	pace string
}

func (f *paceFlags) add(cmd *cobra.Command) {
	cmd.Flags().Float64Var(&f.rate, "rate", defaultRate, "messages per second; 0 is flat out")
	cmd.Flags().StringVar(&f.pace, "pace", "", "instead of a rate: recorded, or xN for N times as fast as the trades were captured")
}

func (f *paceFlags) chosen(cmd *cobra.Command) (demo.Pace, error) {
	if f.pace == "" {
		if f.rate < 0 {
			return demo.Pace{}, errors.New("--rate is not negative")
		}
		return demo.Pace{Rate: f.rate}, nil
	}
	if cmd.Flags().Changed("rate") {
		return demo.Pace{}, errors.New("--rate and --pace exclude each other")
	}
	return demo.ParsePace(f.pace)
}

// newFeed publishes trades.
func newFeed() *cobra.Command {
	var (
		flags stageFlags
		pace  paceFlags
		feed  demo.FeedOptions
		far   farFlags
	)
	cmd := stageCommand(demo.FeedName, "Publish captured trades as protocol_v2 messages into a named ring",
		"Publish captured trades as protocol_v2 messages into a named ring. It waits for the first strategy, and whenever the\n"+
			"ring is full; it drops nothing. The 300 trades start over at their end, with fresh sequence numbers.",
		&flags, func(ctx context.Context) (p demo.Progress, err error) {
			feed.Options = flags.Options
			if feed.To, err = far.chosen(); err != nil {
				return p, err
			}
			return demo.Feed(ctx, feed)
		})
	pace.add(cmd)
	cmd.Flags().Uint64Var(&feed.Seed, "seed", 0, "the trade to begin with")
	cmd.Flags().Uint64Var(&feed.Count, "count", 0, "messages to send; 0 is no end")
	cmd.Flags().IntVar(&feed.TraceEvery, "trace-every", 0, "one of so many messages begins a trace (docs/trace.md); 0 is none")
	far.add(cmd, "udp-to", "HOST:PORT of a strategy on another machine, to send to it instead")
	inner := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, args []string) (err error) {
		if feed.TraceEvery < 0 {
			return exit(exitUsage, errors.New("--trace-every is not negative"))
		}
		if feed.Pace, err = pace.chosen(cmd); err != nil {
			return exit(exitUsage, err)
		}
		return inner(cmd, args)
	}
	return cmd
}
