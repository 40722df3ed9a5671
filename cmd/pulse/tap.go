package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/alphapulse/transport"
	"github.com/alphapulse/transport/internal/pcapng"
	"github.com/alphapulse/transport/ring"
)

// tapFlags say what is listened to, and for how long.
type tapFlags struct {
	whereFlags
	hearing
	at, from, format string
	count            uint64
	during           time.Duration
}

// newTap listens to a channel.
func newTap() *cobra.Command {
	f := tapFlags{}
	c := &cobra.Command{
		Use:   "tap CHANNEL [--dir DIR | --dir FILE --node NAME]",
		Short: "Listen to a channel: decode its messages, filter them, write them as text, JSON lines or pcapng",
		Long: "Prints the messages of all publishers of CHANNEL at a node, as protocol_v2 or else as hex. It is no reader of the rings: nobody waits\n" +
			"for it and nobody sees it. Where it is too slow it is lapped; how many messages it missed stands in the next one's \"lost\", and at\n" +
			"the end on the standard error (docs/views.md).",
		Example: "  pulse tap trades --dir /dev/shm/pulse-pipeline-left --instrument BTC-USD --count 10\n" +
			"  pulse tap trades --dir pipeline.yaml --node left -o pcapng > trades.pcapng",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			t, err := f.open(args[0], c.OutOrStdout())
			if err != nil {
				return exit(exitUsage, fmt.Errorf("tap: %w", err))
			}
			ctx := c.Context()
			if f.during > 0 {
				var end context.CancelFunc
				ctx, end = context.WithTimeout(ctx, f.during)
				defer end()
			}
			err = t.run(ctx)
			fmt.Fprintf(c.ErrOrStderr(), "%d messages, %d others, %d lost: this tap was lapped, or they were lost before it\n", t.told, t.others, t.lost)
			switch {
			case err != nil:
				return exit(exitRuntime, fmt.Errorf("tap: %w", err))
			case t.faults > 0:
				return exit(exitCheck, fmt.Errorf("tap: %d rings could not be read: %w", t.faults, t.fault))
			}
			return nil
		},
	}
	f.whereFlags.add(c)
	f.hearing.add(c)
	c.Flags().StringVar(&f.at, "dir", "", "the node's directory, or with --node a topology file (default: the only node that has run here)")
	c.Flags().StringVar(&f.from, "from", "now", "now, or oldest: what the rings still hold comes first")
	c.Flags().StringVarP(&f.format, "output", "o", "text", "text, jsonl or pcapng")
	c.Flags().Uint64Var(&f.count, "count", 0, "end after so many messages; 0 is no end")
	c.Flags().DurationVar(&f.during, "for", 0, "end after this time; 0 is no end")
	return c
}

// tapSink is where messages go. A flush ends what was written between two looks.
type tapSink interface {
	tell(h *heard) error
	flush() error
}

// open checks the flags, all of them.
func (f *tapFlags) open(channel string, out io.Writer) (*tap, error) {
	t := &tap{channel: channel, filter: &f.hearing, count: f.count, rings: map[string]*tapped{}, refused: map[string]time.Time{}, batch: make([]ring.Record, tapBatch)}
	faults := []error{f.check()}
	switch f.from {
	case "now":
	case "oldest":
		t.from = ring.Oldest
	default:
		faults = append(faults, fmt.Errorf("--from %s is not now or oldest", f.from))
	}
	w := bufio.NewWriterSize(out, 1<<16)
	switch f.format {
	case "text":
		t.sink = textSink{w}
	case "jsonl":
		t.sink = jsonSink{w, json.NewEncoder(w)}
	case "pcapng":
		t.sink = &packetSink{out: w, of: map[string]int{}}
	default:
		faults = append(faults, fmt.Errorf("output %q is not text, jsonl or pcapng", f.format))
	}
	var err error
	t.dir, err = f.one(f.at)
	if err == nil {
		_, err = seeNode(t.dir).channel(channel)
	}
	return t, errors.Join(append(faults, err)...)
}

const (
	tapBatch   = 256
	tapRest    = time.Millisecond       // between two looks that found nothing
	tapLook    = 100 * time.Millisecond // between two looks for other rings
	tapRetryIn = time.Second            // a ring that could not be read is left alone for that long
)

// tap listens to all rings of a channel.
type tap struct {
	dir, channel string
	from         ring.From
	filter       *hearing
	count        uint64
	sink         tapSink
	rings        map[string]*tapped // by path
	refused      map[string]time.Time
	batch        []ring.Record

	told, others, lost uint64
	faults             int
	fault              error // the last one
}

// tapped is one ring.
type tapped struct {
	path, source string
	info         fs.FileInfo
	ring         *ring.Onlooker
	reader       *ring.Reader
	lost         uint64 // that were told of
}

// run listens until ctx ends or there were enough.
func (t *tap) run(ctx context.Context) (err error) {
	defer func() {
		for _, r := range t.rings {
			err = errors.Join(err, r.close())
		}
		err = errors.Join(err, t.sink.flush())
	}()
	looked := time.Time{}
	for ctx.Err() == nil {
		if now := time.Now(); now.Sub(looked) > tapLook {
			t.look(now)
			looked = now
		}
		n, err := t.cycle()
		if err != nil || t.count > 0 && t.told >= t.count {
			return err
		}
		if n > 0 {
			continue
		}
		if err := t.sink.flush(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(tapRest):
		}
	}
	return nil
}

// look takes rings up that were made meanwhile, and lets those go that were removed. Of two of one source it takes the publisher's.
func (t *tap) look(now time.Time) {
	paths, err := ringsIn(filepath.Join(t.dir, t.channel))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.fail(err)
	}
	slices.SortStableFunc(paths, func(a, b string) int { return cmp.Compare(rank(a), rank(b)) })
	for path, r := range t.rings {
		if info, err := os.Lstat(path); err != nil || !os.SameFile(info, r.info) {
			t.drop(r, nil)
		}
	}
	for _, path := range paths {
		if t.rings[path] != nil || now.Before(t.refused[path]) {
			continue
		}
		if err := t.take(path); err != nil {
			t.refused[path] = now.Add(tapRetryIn)
			t.fail(err)
		}
	}
	t.from = ring.Oldest // what is found from now on was made later
}

// rank puts mirrors, whose names have one dot, behind publishers' rings.
func rank(path string) int { return -strings.Count(filepath.Base(path), ".") }

func (t *tap) take(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	o, err := ring.Look(path)
	if err != nil {
		return err
	}
	source := fmt.Sprintf("%016x", o.Info().Instance)
	for _, had := range t.rings {
		if had.source == source {
			return o.Close()
		}
	}
	rd, err := o.Reader(t.from)
	if err != nil {
		return errors.Join(err, o.Close())
	}
	t.rings[path] = &tapped{path, source, info, o, rd, 0}
	return nil
}

func (t *tap) fail(err error) { t.faults, t.fault = t.faults+1, err }

// drop lets a ring go.
func (t *tap) drop(r *tapped, why error) {
	delete(t.rings, r.path)
	if err := errors.Join(why, r.close()); err != nil {
		t.refused[r.path] = time.Now().Add(tapRetryIn)
		t.fail(err)
	}
}

func (r *tapped) close() error { return errors.Join(r.reader.Close(), r.ring.Close()) }

// cycle takes a batch from each ring. A ring that is cut short is dropped; what cannot be told ends the tap.
func (t *tap) cycle() (n int, err error) {
	for _, r := range t.rings {
		var told error
		k := 0
		gone := transport.Guard(func() error {
			if k = r.reader.Peek(t.batch); k == 0 {
				return r.reader.Err()
			}
			told = t.hear(r, k)
			return nil
		})
		if n += k; gone != nil {
			t.drop(r, gone)
		}
		if told != nil || t.count > 0 && t.told >= t.count {
			return n, told
		}
	}
	return n, nil
}

func (t *tap) hear(r *tapped, n int) error {
	lost := r.reader.Lost() - r.lost
	r.lost += lost
	t.lost += lost
	for i, rec := range t.batch[:n] {
		h := hear(rec, t.channel, filepath.Base(r.path), r.source, r.reader.Epoch(), r.reader.First()+uint64(i))
		if !t.filter.takes(h) {
			t.others++
			continue
		}
		h.Lost, lost = lost, 0
		if err := t.sink.tell(h); err != nil {
			return err
		}
		if t.told++; t.told == t.count {
			break
		}
	}
	return nil
}

type textSink struct{ *bufio.Writer }

func (s textSink) tell(h *heard) error { return h.write(s) }
func (s textSink) flush() error        { return s.Flush() }

type jsonSink struct {
	out *bufio.Writer
	to  *json.Encoder
}

func (s jsonSink) tell(h *heard) error { return s.to.Encode(h) }
func (s jsonSink) flush() error        { return s.out.Flush() }

// packetSink writes an interface for each source, and the frame's name as a comment.
type packetSink struct {
	out  *bufio.Writer
	file *pcapng.Writer
	of   map[string]int
}

func (s *packetSink) flush() (err error) {
	if s.file == nil { // a file without messages is a file, too
		if s.file, err = pcapng.NewWriter(s.out, "pulse tap"); err != nil {
			return err
		}
	}
	return s.out.Flush()
}

func (s *packetSink) tell(h *heard) (err error) {
	if s.file == nil {
		if s.file, err = pcapng.NewWriter(s.out, "pulse tap"); err != nil {
			return err
		}
	}
	name := h.Channel + "/" + h.Ring
	of, known := s.of[name]
	if !known {
		if of, err = s.file.Interface(name, pcapng.LinkUser0); err != nil {
			return err
		}
		s.of[name] = of
	}
	comments := []string{fmt.Sprintf("source %s epoch %d seq %d stamp %d", h.Source, h.Epoch, h.Seq, h.Stamp)}
	if h.Lost > 0 {
		comments = append(comments, fmt.Sprintf("%d lost before it", h.Lost))
	}
	return s.file.Packet(of, time.Now(), h.payload, comments...)
}
