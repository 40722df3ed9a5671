package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/spf13/cobra"

	"github.com/alphapulse/transport/route/watch/otel"
)

func newTraces() *cobra.Command {
	node, to := "", ""
	cmd := &cobra.Command{
		Use:   "traces DIR --to URL | traces FILE --node NAME --to URL",
		Short: "Send the traces of a node of this machine to a collector",
		Long: "Sends the spans that the processes of a node keep in its directory to a collector that takes OTLP over HTTP, as they come, until it is\n" +
			"stopped with Ctrl-C. pulse run --traces does the same from within.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := directoryOf(args[0], node)
			if err == nil && to == "" {
				err = errors.New("--to says which collector")
			}
			if err != nil {
				return exit(exitUsage, fmt.Errorf("traces: %w", err))
			}
			if node == "" {
				node = filepath.Base(dir)
			}
			ended, err := exportTraces(cmd.Context(), dir, node, to, stamped(cmd.OutOrStdout()))
			if err != nil {
				return exit(exitUsage, fmt.Errorf("traces: --to: %w", err))
			}
			ended()
			return nil
		},
	}
	cmd.Flags().StringVar(&node, "node", "", "the node, by its name in FILE; of a directory, what spans call it")
	cmd.Flags().StringVar(&to, "to", "", "URL of the collector, http://HOST:4318 for instance")
	return cmd
}

// exportTraces has the spans of a node's processes go to a collector until ctx ends. ended waits for that.
func exportTraces(ctx context.Context, dir, node, url string, say func(string)) (ended func(), err error) {
	e, err := otel.New(otel.Options{Dir: dir, Node: node, URL: url})
	if err != nil {
		return nil, err
	}
	var done sync.WaitGroup
	done.Go(func() {
		err := e.Run(ctx, func(err error) {
			if err == nil {
				say("traces go to " + url)
			} else {
				say("traces: " + err.Error())
			}
		})
		if s := e.Stats(); err != nil || s.Dropped > 0 {
			say(fmt.Sprintf("traces: %d spans sent, %d dropped: %v", s.Sent, s.Dropped, err))
		}
	})
	return done.Wait, nil
}
