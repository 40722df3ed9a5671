package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/alphapulse/transport"
	"github.com/alphapulse/transport/mqadapt/journal"
	"github.com/alphapulse/transport/ring"
)

// newInspect looks closely at one thing.
func newInspect() *cobra.Command {
	c := &cobra.Command{Use: "inspect", Short: "Look closely at a ring, a journal or the links of a node",
		Long: "Looks closely at one thing, from outside: nothing is changed, nobody waits, and what dead processes left can be looked at, too (docs/views.md)."}
	c.AddCommand(newInspectRing(), newInspectLink(),
		&cobra.Command{Use: "journal DIR", Short: "Show a journal's segments, groups and dead letters, and check every byte that means something",
			Long: "Shows a journal's segments, groups with their places, and dead letters by reason, after checking every byte that means something.\n" +
				"Exit code 1 when anything is not what was written.",
			Args: cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error {
				return journalShow(c.OutOrStdout(), args[0], journal.Verify)
			}})
	return c
}

// seenInside is a ring with what only a close look shows.
type seenInside struct {
	seenRing
	Path      string     `json:"path"`
	Page      int        `json:"page"`
	Instance  string     `json:"instance"`
	Published uint64     `json:"published"` // position
	Limit     uint64     `json:"limit"`     // position
	End       uint64     `json:"end"`       // position
	Oldest    uint64     `json:"oldest"`    // number of the oldest message that a mark leads to
	Fenced    bool       `json:"fenced"`
	Marks     []seenMark `json:"marks"`
	Last      []*heard   `json:"last"`
}

// seenMark is a place that the writer has noted.
type seenMark struct {
	Seq      uint64 `json:"seq"`
	Position uint64 `json:"position"`
	Epoch    uint64 `json:"epoch"`
	Held     bool   `json:"held"`
}

func newInspectRing() *cobra.Command {
	var (
		last   int
		format string
	)
	c := &cobra.Command{Use: "ring PATH", Short: "Show a ring's header, cursors, owners, marks and last messages",
		Long: "Shows the header of the ring at PATH (docs/layout.md), its cursors and who owns them, the places its writer has noted, and its last\n" +
			"messages, as protocol_v2 or else as hex. Exit code 0, 1 when it is damaged, 2 when PATH is no ring.",
		Args: cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error {
			if format != "text" && format != "json" || last < 0 {
				return exit(exitUsage, fmt.Errorf("inspect ring: output %q is not text or json, or --last %d is negative", format, last))
			}
			s, err := inspectRing(args[0], last)
			if s == nil {
				return exit(lookCode(err), fmt.Errorf("inspect ring: %w", err))
			}
			return ended("inspect ring", show(c.OutOrStdout(), format, s.write, s), err)
		}}
	c.Flags().IntVar(&last, "last", 10, "how many of the last messages are shown")
	outputFlag(c, &format)
	return c
}

// lookCode is the exit code of a look that was refused: what was named is wrong, or the machine says no.
func lookCode(err error) int {
	if errors.Is(err, fs.ErrPermission) {
		return exitRuntime
	}
	return exitUsage
}

// inspectRing is nil where nothing can be said; with an error beside it, it is as much as could be seen.
func inspectRing(path string, last int) (*seenInside, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		all, err := ringsIn(path)
		return nil, errors.Join(fmt.Errorf("%s is a directory: rings in it are %s", path, names(all, filepath.Base)), err)
	}
	o, err := ring.Look(path)
	if err != nil {
		return nil, err
	}
	i := o.Info()
	s := &seenInside{seenRing: seenRing{Name: filepath.Base(path), Readers: []seenReader{}, path: path}, Path: path, Page: i.Page,
		Instance: fmt.Sprintf("%016x", i.Instance), Published: i.Published, Limit: i.Limit, Fenced: i.Fenced, Marks: []seenMark{}, Last: []*heard{}}
	err = s.look(o, last)
	if err = errors.Join(err, o.Close()); err != nil {
		s.Fault = err.Error()
	}
	return s, err
}

func (s *seenInside) look(o *ring.Onlooker, last int) error {
	if err := s.fill(o); err != nil {
		return err
	}
	end, err := o.End()
	if err != nil {
		return err
	}
	s.End = end.Position
	marks, err := o.Marks()
	if err != nil {
		return err
	}
	for _, m := range marks {
		if s.Marks = append(s.Marks, seenMark{m.Seq, m.Position, m.Epoch, m.Held}); m.Held && s.Oldest == 0 {
			s.Oldest = m.Seq
		}
	}
	if last == 0 || end.Seq == 0 {
		return nil
	}
	return transport.Guard(func() error { return s.hearLast(o, end, last) })
}

// hearLast reads from the newest mark that has last messages behind it, or from the oldest there is. Where the writer came round meanwhile,
// it has fewer.
func (s *seenInside) hearLast(o *ring.Onlooker, end ring.Boundary, last int) (err error) {
	rd, err := o.Reader(ring.Oldest)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rd.Close()) }()
	first := end.Seq - min(uint64(last), end.Seq)
	for _, m := range s.Marks {
		if m.Held && m.Seq <= first && m.Position > rd.Position() && m.Position <= end.Position {
			_ = rd.Seek(m.Position) // overwritten meanwhile: then it begins earlier, or is lapped
		}
	}
	batch := make([]ring.Record, 64)
	for rd.Seq() < end.Seq {
		n := rd.Peek(batch)
		if n == 0 {
			if rd.Err() != nil || rd.Laps() == 0 {
				return rd.Err()
			}
			return nil // it flows faster than it can be shown
		}
		for i, r := range batch[:n] {
			if seq := rd.First() + uint64(i); seq >= first && seq < end.Seq {
				h := hear(r, "", s.Name, s.Source, rd.Epoch(), seq)
				h.payload = nil // it is valid until here
				s.Last = append(s.Last, h)
			}
		}
	}
	return nil
}

func (s *seenInside) write(w io.Writer) error {
	what := "ring"
	if s.Mirror {
		what = "mirror of another node's ring"
	}
	fenced := ""
	if s.Fenced {
		fenced = ", each commit passes a fence"
	}
	fmt.Fprintf(w, "%s  %s\n", s.Path, what)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "  instance\t%s\t\n", s.Instance)
	fmt.Fprintf(t, "  capacity\t%s, pages of %s\t\n", sized(float64(s.Capacity)), sized(float64(s.Page)))
	fmt.Fprintf(t, "  epoch\t%d\t\n", s.Epoch)
	fmt.Fprintf(t, "  writer\t%s%s\t\n", processName(s.PID, "", s.Alive), fenced)
	fmt.Fprintf(t, "  messages\t%d to %d held, %s since it was made\t\n", s.Oldest, s.Committed, sized(float64(s.Bytes)))
	fmt.Fprintf(t, "  positions\tpublished %d, end %d, limit %d\t\n", s.Published, s.End, s.Limit)
	for _, r := range s.Readers {
		fmt.Fprintf(t, "  reader\t%s\t\n", strings.TrimPrefix(r.String(), "reader "))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "  %d marks", len(s.Marks))
	for _, m := range s.Marks {
		if m.Held {
			fmt.Fprintf(w, "  %d at %d", m.Seq, m.Position)
		}
	}
	fmt.Fprintf(w, "\n  last %d messages\n", len(s.Last))
	for _, h := range s.Last {
		fmt.Fprint(w, "    ")
		if err := h.write(w); err != nil {
			return err
		}
	}
	if s.Fault != "" {
		fmt.Fprintf(w, "  %s\n", s.Fault)
	}
	return nil
}

func newInspectLink() *cobra.Command {
	var (
		where           whereFlags
		dir, to, format string
	)
	c := &cobra.Command{Use: "link FILE --node NAME | link --dir DIR", Short: "Show how a node's channels go to other nodes, and what was agreed with them",
		Long: "Shows what pulse run of a node said last, at most half a second ago: each channel's ways with their breakers and changes, what the\n" +
			"nodes agreed on, clocks, shadows and dead letters. Exit code 0, 1 when pulse run is dead, 2 when there is no such node or link.",
		Args: cobra.MaximumNArgs(1), RunE: func(c *cobra.Command, args []string) error {
			at := strings.Join(args, "")
			if (at == "") == (dir == "") || format != "text" && format != "json" {
				return exit(exitUsage, fmt.Errorf("inspect link: FILE with --node or --dir says where, one of them, and output %q is text or json", format))
			}
			at += dir
			found, err := where.one(at)
			if err != nil {
				return exit(exitUsage, fmt.Errorf("inspect link: %w", err))
			}
			s, err := seeLinks(found, to)
			if err != nil {
				return exit(exitUsage, fmt.Errorf("inspect link: %w", err))
			}
			return ended("inspect link", show(c.OutOrStdout(), format, s.write, s), s.dead())
		}}
	where.add(c)
	c.Flags().StringVar(&dir, "dir", "", "the node's directory, instead of FILE")
	c.Flags().StringVar(&to, "to", "", "only what goes to, or comes from, this node")
	outputFlag(c, &format)
	return c
}

// seenLinks are what pulse run of a node said of its links.
type seenLinks struct {
	Dir string `json:"dir"`
	seenRun
}

// seeLinks picks what goes to a node; empty: to all.
func seeLinks(dir, to string) (s seenLinks, err error) {
	r := seeRun(dir)
	if r == nil {
		return s, fmt.Errorf("no pulse run has joined %s to other nodes", dir)
	}
	s = seenLinks{dir, *r}
	if to == "" {
		return s, nil
	}
	s.Carriages, s.Accords = nil, nil
	var far []string
	for _, c := range r.Carriages {
		if far = append(far, c.Node); c.Node == to {
			s.Carriages = append(s.Carriages, c)
		}
	}
	for _, a := range r.Accords {
		if far = append(far, a.Node); a.Node == to {
			s.Accords = append(s.Accords, a)
		}
	}
	if s.Carriages == nil && s.Accords == nil {
		return s, fmt.Errorf("nothing goes from %s to %q: there are %s", dir, to, names(distinct(far), func(n string) string { return n }))
	}
	return s, nil
}

func (s seenLinks) dead() error {
	if s.Alive {
		return nil
	}
	return fmt.Errorf("pulse run %d of %s is dead: this is what it said last", s.PID, s.Dir)
}

func (s seenLinks) write(w io.Writer) error {
	fmt.Fprintf(w, "%s  %s\n", s.Dir, &s.seenRun)
	for i := range s.Carriages {
		c := &s.Carriages[i]
		to := c.Node
		if to == "" {
			to = "all who take from it"
		}
		fmt.Fprintf(w, "channel %s to %s\n", c.Channel, to)
		l := &live{Node: s.Node, PID: s.PID, Version: s.Version, Carries: c}
		if err := l.write(w); err != nil {
			return err
		}
		for _, one := range c.Switches {
			fmt.Fprintf(w, "  change      from %s to %s: %s, handed over in %s\n", wayName(c.Ways, one.From), wayName(c.Ways, one.To), one.Cause, one.Took)
		}
	}
	for i := range s.Accords {
		a := &s.Accords[i]
		fmt.Fprintf(w, "channel %s with %s\n", a.Channel, a.Node)
		l := &live{Node: s.Node, PID: s.PID, Version: s.Version, Accord: a}
		if err := l.write(w); err != nil {
			return err
		}
	}
	for _, one := range s.Comparisons {
		fmt.Fprintf(w, "shadow of %s: %d matched, %d different, %d missing, %d extra, %d unseen\n", one.Channel, one.Matched, one.Different, one.Missing, one.Extra, one.Unseen)
	}
	return writeRefused(w, s.Refused)
}

// wayName is the medium of one of a channel's ways.
func wayName(ways []transport.CarriageWay, i int) string {
	if i < 0 || i >= len(ways) {
		return "none"
	}
	return ways[i].Medium
}

// distinct keeps the first of each.
func distinct(all []string) (some []string) {
	had := map[string]bool{}
	for _, one := range all {
		if !had[one] && one != "" {
			had[one] = true
			some = append(some, one)
		}
	}
	return some
}
