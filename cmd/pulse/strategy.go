package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/alphapulse/transport/internal/demo"
)

// newStrategy answers trades with signals.
func newStrategy() *cobra.Command {
	var (
		flags stageFlags
		far   farFlags
	)
	cmd := stageCommand(demo.StrategyName, "Answer every trade with a signal of rolling statistics",
		"Answer every trade with a signal that carries its product's rolling mean, deviation, VWAP and momentum.",
		&flags, func(ctx context.Context) (p demo.Progress, err error) {
			o := demo.StrategyOptions{Options: flags.Options}
			if o.Listen, err = far.chosen(); err != nil {
				return p, err
			}
			return demo.Strategy(ctx, o)
		})
	far.add(cmd, "udp-listen", "HOST:PORT where trades from a feed on another machine arrive")
	return cmd
}
