package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/alphapulse/transport/internal/demo"
)

// newSink takes and checks signals.
func newSink() *cobra.Command {
	var flags stageFlags
	return stageCommand(demo.SinkName, "Take signals, check and count them",
		"Take signals, check each one's checksum, number and order, and count them and the trades they answer.",
		&flags, func(ctx context.Context) (demo.Progress, error) { return demo.Sink(ctx, flags.Options) })
}
