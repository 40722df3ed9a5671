package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/alphapulse/transport/seal"
)

// newKeygen makes the secret that both ends of a channel are given.
func newKeygen() *cobra.Command {
	return &cobra.Command{
		Use:   "keygen FILE",
		Short: "Write a new secret for sealed channels into FILE, readable by its owner only",
		Long: "Draws 32 random bytes and writes them into FILE as 64 hex digits, mode 0600. An existing FILE is left as it is:\n" +
			"exit code 2. Copy FILE to the other hosts of the channel over a way you trust.",
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			err := seal.NewSecret().Write(args[0])
			if errors.Is(err, fs.ErrExist) {
				return exit(exitUsage, fmt.Errorf("keygen: %s exists and is not overwritten: remove it or name another file", args[0]))
			}
			if err != nil {
				return exit(exitRuntime, fmt.Errorf("keygen: %w", err))
			}
			return nil
		},
	}
}
