package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/mqadapt/journal"
	"github.com/alphapulse/transport/ring"
)

// recordLooks is how often a recorder looks for publishers that are new.
const recordLooks = 20 * time.Millisecond

// recordFlags say what is recorded and where.
type recordFlags struct {
	dir, name, durability string
	journal               journal.Options
}

func newRecord() *cobra.Command {
	f := recordFlags{name: "record", durability: mqadapt.Process.String()}
	cmd := &cobra.Command{Use: "record CHANNEL", Short: "Record a channel into a journal",
		Long: "Record what all publishers of a channel say, and what arrives in it from elsewhere, into a journal. It begins with the oldest\n" +
			"message that the rings hold, and ends with Ctrl-C after taking what is there. Started again under the same name it goes on where\n" +
			"it stood: meanwhile it holds a place in each ring, until the ring is full of what it has not recorded.",
		Args: cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error {
			d, ok := journal.ParseDurability(f.durability)
			if f.journal.Durability = d; !ok {
				return exit(exitUsage, fmt.Errorf("record: durability %q is not memory, process-crash or os-crash", f.durability))
			}
			if f.dir == "" || f.journal.Dir == "" {
				return exit(exitUsage, errors.New("record: --dir names the rings' directory, --journal where to record"))
			}
			s, err := record(c.Context(), args[0], f)
			fmt.Fprintf(c.OutOrStdout(), "%d messages in %d envelopes, %d lost, %d rejected and tried again\n", s.Frames, s.Envelopes, s.Lost, s.Rejected)
			switch {
			case errors.Is(err, mqadapt.ErrOptions):
				return exit(exitUsage, err)
			case err != nil:
				return exit(exitRuntime, err)
			}
			return nil
		}}
	cmd.Flags().StringVar(&f.dir, "dir", "", "the directory of the channel's rings, as in transport.Config")
	cmd.Flags().StringVar(&f.journal.Dir, "journal", "", "the journal's directory")
	cmd.Flags().StringVar(&f.name, "name", f.name, "this recorder's name among those of the channel")
	cmd.Flags().StringVar(&f.durability, "durability", f.durability, "what a recorded message outlives: memory, process-crash or os-crash")
	cmd.Flags().Int64Var(&f.journal.MaxBytes, "max-bytes", 0, "the journal's size at most; the oldest segments go (default 4 GiB)")
	cmd.Flags().DurationVar(&f.journal.MaxAge, "max-age", 0, "let segments go that are older")
	return cmd
}

// record carries the channel's rings into the journal until ctx ends, and then what is left in them.
func record(ctx context.Context, channel string, f recordFlags) (stats mqadapt.ShipperStats, err error) {
	j, err := journal.Open(f.journal)
	if err != nil {
		return stats, err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	p, err := j.Producer()
	if err != nil {
		return stats, err
	}
	s, err := mqadapt.NewShipper(p, mqadapt.ShipperOptions{Channel: channel, Name: f.name})
	if err != nil {
		return stats, err
	}
	rings := recorded{dir: filepath.Join(f.dir, channel), rings: map[uint64]*ring.Ring{}}
	defer func() { err = errors.Join(err, s.Close(), rings.close()) }()
	last := false
	for {
		if err := rings.look(s); err != nil {
			return s.Stats(), err
		}
		slice, end := context.WithTimeout(context.WithoutCancel(ctx), recordLooks)
		err := s.Run(slice)
		end()
		if err != nil || last {
			return s.Stats(), err
		}
		last = ctx.Err() != nil // once more: what was there when it was asked to end
	}
}

// recorded is the rings that a recorder has found.
type recorded struct {
	dir   string
	rings map[uint64]*ring.Ring // by source: a mirror of a ring that is here, too, brings nothing new
}

// look adds the rings that are new.
func (r *recorded) look(s *mqadapt.Shipper) error {
	paths, err := filepath.Glob(filepath.Join(r.dir, "*.ring"))
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, one := range r.rings {
		known[one.Info().Path] = true
	}
	for _, path := range paths {
		if known[path] {
			continue
		}
		one, err := ring.Attach(path, ring.Options{})
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, ring.ErrUnlinked) { // gone meanwhile
			continue
		}
		if err != nil {
			return err
		}
		source := one.Info().Instance
		if r.rings[source] != nil {
			if err := one.Close(); err != nil {
				return err
			}
			continue
		}
		if err := s.Add(one); err != nil {
			return errors.Join(err, one.Close())
		}
		r.rings[source] = one
	}
	return nil
}

func (r *recorded) close() (err error) {
	for _, one := range r.rings {
		err = errors.Join(err, one.Close())
	}
	return err
}
