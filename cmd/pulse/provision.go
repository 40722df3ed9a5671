package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	transport "github.com/alphapulse/transport"
)

// newProvision makes the queues of a topology.
func newProvision() *cobra.Command {
	dry := false
	c := &cobra.Command{
		Use:   "provision FILE",
		Short: "Make the exchanges, queues and topics that a topology's channels go through",
		Long: "Makes what the channels of FILE (docs/topology.md) need on their brokers and is not there, and prints a line for each step. What is\n" +
			"there with other arguments is left alone and named. A journal and Redis need nothing.\n" +
			"Exit code 0, 2 when FILE is wrong, 3 when a broker cannot be reached or refuses.",
		Example: "  pulse provision topology.yaml --dry-run",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			steps, err := transport.Provision(c.Context(), transport.Config{File: args[0], Queues: queues()}, dry)
			would := ""
			if dry {
				would = "would "
			}
			for _, s := range steps {
				if _, e := fmt.Fprintln(c.OutOrStdout(), would+s); e != nil {
					return e
				}
			}
			switch {
			case errors.Is(err, transport.ErrTopology):
				return exit(exitUsage, fmt.Errorf("provision: %w", err))
			case err != nil:
				return fmt.Errorf("provision: %w", err)
			case len(steps) == 0:
				_, err = fmt.Fprintln(c.OutOrStdout(), "nothing to make")
			}
			return err
		},
	}
	c.Flags().BoolVar(&dry, "dry-run", false, "say what would be made, and make nothing")
	return c
}
