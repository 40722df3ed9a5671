package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/alphapulse/transport/internal/demo"
)

// newStrategy answers trades with signals.
func newStrategy() *cobra.Command {
	var flags stageFlags
	return stageCommand(demo.StrategyName, "Answer every trade with a signal of rolling statistics",
		"Answer every trade with a signal that carries its product's rolling mean, deviation, VWAP and momentum.",
		&flags, func(ctx context.Context) (demo.Progress, error) { return demo.Strategy(ctx, flags.Options) })
}
