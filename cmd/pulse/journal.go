package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/alphapulse/transport"
	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/mqadapt/journal"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// newJournal looks into journals.
func newJournal() *cobra.Command {
	cmd := &cobra.Command{Use: "journal", Short: "Look into journals, check them, replay them"}
	cmd.AddCommand(
		&cobra.Command{Use: "ls DIR", Short: "Show a journal's segments and groups", Args: cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error {
			return journalShow(c.OutOrStdout(), args[0], journal.List)
		}},
		&cobra.Command{Use: "verify DIR", Short: "Read all of a journal and check every byte that means something",
			Long: "Read all of a journal and check every byte that means something. It changes nothing, and the journal may be written meanwhile.\n" +
				"Exit code 1 when anything is not what was written; each fault names file and offset.",
			Args: cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error {
				return journalShow(c.OutOrStdout(), args[0], journal.Verify)
			}},
		&cobra.Command{Use: "forget DIR GROUP", Short: "Let a group go that holds segments and will not come back", Args: cobra.ExactArgs(2),
			RunE: func(_ *cobra.Command, args []string) error {
				if err := journal.Forget(args[0], args[1]); err != nil {
					return exit(exitRuntime, err)
				}
				return nil
			}},
		newReplay())
	return cmd
}

// journalShow prints what a look finds, and its faults as a failed check.
func journalShow(out io.Writer, dir string, look func(string) (journal.Contents, error)) error {
	c, fault := look(dir)
	if fault != nil && !errors.Is(fault, mqadapt.ErrCorrupt) {
		return exit(exitRuntime, fault)
	}
	if err := errors.Join(journalPrint(out, c), deadPrint(out, dir)); err != nil && fault == nil {
		return exit(exitRuntime, err)
	}
	if fault != nil {
		return exit(exitCheck, fault)
	}
	return nil
}

func journalPrint(out io.Writer, c journal.Contents) error {
	alive := "dead or closed"
	if c.Alive {
		alive = "alive"
	}
	owner := c.Owner
	if owner == "" {
		owner = "nobody"
	}
	fmt.Fprintf(out, "%s  journal %016x  epoch %d  last producer %s, %s  next entry %d\n", c.Dir, c.Journal, c.Epoch, owner, alive, c.Next)
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "first\tentries\tbytes\tof\tfrom\tto\t")
	for _, s := range c.Segments {
		fmt.Fprintf(t, "%d\t%d\t%d\t%d\t%s\t%s\t\n", s.First, s.Entries, s.Used, s.Bytes, journalTime(s.From), journalTime(s.To))
	}
	if len(c.Groups) > 0 {
		fmt.Fprintln(t, "group\tnext\tbehind\t\t\t\t")
	}
	for _, g := range c.Groups {
		fmt.Fprintf(t, "%s\t%d\t%d\t\t\t\t\n", g.Name, g.Next, c.Next-min(g.Next, c.Next))
	}
	return t.Flush()
}

// mostReasons bounds the reasons that are listed of a journal of dead letters.
const mostReasons = 20

var errNoLetters = errors.New("no journal of dead letters")

// deadPrint says why a journal has what it has, if that is dead letters.
func deadPrint(out io.Writer, dir string) error {
	type seen struct {
		letters     uint64
		first, last journal.Entry
	}
	why := map[string]*seen{}
	more := uint64(0)
	err := journal.Scan(dir, 0, func(e journal.Entry) error {
		if e.Dead == nil {
			return errNoLetters
		}
		e.Envelope = nil // it is valid until here
		s := why[e.Dead.Why]
		switch {
		case s == nil && len(why) == mostReasons:
			more++
			return nil
		case s == nil:
			s = &seen{first: e}
			why[e.Dead.Why] = s
		}
		s.letters, s.last = s.letters+1, e
		return nil
	})
	if errors.Is(err, errNoLetters) {
		err = nil
	}
	for _, text := range slices.Sorted(maps.Keys(why)) {
		s := why[text]
		fmt.Fprintf(out, "%d dead letters, entries %d to %d, %s to %s: %s\n", s.letters, s.first.Number, s.last.Number, journalTime(s.first.Stamp), journalTime(s.last.Stamp), text)
	}
	if more > 0 {
		fmt.Fprintf(out, "%d dead letters for other reasons\n", more)
	}
	return err
}

func journalTime(ns int64) string {
	if ns == 0 {
		return "–"
	}
	return time.Unix(0, ns).UTC().Format("2006-01-02T15:04:05.000Z")
}

// replayFlags say what is replayed, where to and how fast.
type replayFlags struct {
	dir, channel, pace string
	from               uint64
}

func newReplay() *cobra.Command {
	f := replayFlags{pace: "recorded"}
	cmd := &cobra.Command{Use: "replay DIR", Short: "Publish a journal's messages into a channel, as they were recorded",
		Long: "Publish a journal's messages into a channel, as they were recorded: in the journal's order, by one publisher named replay, each\n" +
			"once. Subscribers that are to have all of them are there before it begins; a full ring makes it wait.",
		Args: cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error {
			speed, err := replaySpeed(f.pace)
			if err == nil && (f.dir == "" || f.channel == "") {
				err = errors.New("journal replay: --dir and --channel name where the messages go")
			}
			if err != nil {
				return exit(exitUsage, err)
			}
			done, err := replay(c.Context(), journal.Replay{Dir: args[0], From: f.from, Speed: speed}, f)
			fmt.Fprintf(c.OutOrStdout(), "%d messages, %d repeated in the journal, %d lost before it, %d entries of other kinds, at most %s late\n",
				done.Messages, done.Repeated, done.Lost, done.Foreign, done.Late.Round(time.Microsecond))
			switch {
			case errors.Is(err, mqadapt.ErrCorrupt):
				return exit(exitCheck, err)
			case err != nil && !errors.Is(err, context.Canceled):
				return exit(exitRuntime, err)
			}
			return nil
		}}
	cmd.Flags().StringVar(&f.dir, "dir", "", "the directory of the channel's rings, as in transport.Config")
	cmd.Flags().StringVar(&f.channel, "channel", "", "the channel to publish into")
	cmd.Flags().StringVar(&f.pace, "pace", f.pace, "recorded, xN for N times as fast, or flat for as fast as subscribers read")
	cmd.Flags().Uint64Var(&f.from, "from", 0, "the entry to begin with; 0 is the oldest")
	return cmd
}

// replaySpeed reads a pace; 0 is flat out.
func replaySpeed(pace string) (float64, error) {
	switch pace {
	case "recorded":
		return 1, nil
	case "flat":
		return 0, nil
	}
	n, ok := strings.CutPrefix(pace, "x")
	speed, err := strconv.ParseFloat(n, 64)
	if !ok || err != nil || !(speed > 0) || speed > 1e9 {
		return 0, fmt.Errorf("journal replay: pace %q is not recorded, flat or xN with N above 0", pace)
	}
	return speed, nil
}

func replay(ctx context.Context, r journal.Replay, f replayFlags) (done journal.Replayed, err error) {
	node, err := transport.Open(ctx, transport.Config{Dir: f.dir, Source: "replay"})
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, node.Close()) }()
	p, err := node.Publisher(f.channel)
	if err != nil {
		return done, err
	}
	if done, err = r.Run(ctx, func(m seal.Frame) error { return replayOne(ctx, p, m) }); err != nil {
		return done, err
	}
	return done, node.Drain(ctx)
}

// replayOne publishes one message, and waits while the ring is full.
func replayOne(ctx context.Context, p *transport.Publisher, m seal.Frame) error {
	for {
		b, err := p.Claim(len(m.Payload))
		if err == nil {
			copy(b, m.Payload)
			return p.Commit(len(b))
		}
		if !errors.Is(err, ring.ErrFull) {
			return fmt.Errorf("message %d of source %x: %w", m.Seq, m.Source, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Microsecond):
		}
	}
}
