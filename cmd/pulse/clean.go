package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/ring"
)

// cleanFlags say how far clean goes.
type cleanFlags struct{ yes, lose bool }

// newClean removes what dead processes left.
func newClean() *cobra.Command {
	var (
		where  whereFlags
		f      cleanFlags
		format string
	)
	c := &cobra.Command{
		Use:   "clean [DIR | FILE [--node NAME]]",
		Short: "Remove rings and directories of nodes that no living process uses",
		Long: "Says what dead processes left in DIR, in the nodes' directories of a topology FILE, or in all /dev/shm/pulse-*, and what of it can\n" +
			"go; with --yes it goes. What a living process holds is never touched, nor is a file that is not Pulse's. A ring in which a durable\n" +
			"place has unconfirmed data stays, for its owner's next life, unless --lose-unconfirmed says otherwise (docs/views.md).\n" +
			"Exit code 0, 1 when something could not be removed, 2 when there is no such node.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			dirs, err := where.dirs(strings.Join(args, ""))
			if err == nil && format != "text" && format != "json" {
				err = fmt.Errorf("output %q is not text or json", format)
			}
			if err != nil {
				return exit(exitUsage, fmt.Errorf("clean: %w", err))
			}
			found := leftovers{}
			for _, dir := range dirs {
				found = append(found, f.look(dir)...)
			}
			if f.yes {
				found.remove()
			}
			return ended("clean", show(c.OutOrStdout(), format, found.write, found), found.faults())
		},
	}
	where.add(c)
	outputFlag(c, &format)
	c.Flags().BoolVar(&f.yes, "yes", false, "remove; without it nothing is changed")
	c.Flags().BoolVar(&f.lose, "lose-unconfirmed", false, "also rings with data that a durable place has not confirmed, or that nobody can read")
	return c
}

// leftover is a file or directory, and what becomes of it. Names are a contract (docs/views.md).
type leftover struct {
	Path    string `json:"path"`
	Remove  bool   `json:"remove"`
	Why     string `json:"why"`
	Removed bool   `json:"removed"`
	Fault   string `json:"error,omitempty"`

	remove func(path string) error
}

type leftovers []leftover

// look finds what is in a directory, what is in its channels first.
func (f cleanFlags) look(dir string) (all leftovers) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return leftovers{{Path: dir, Why: err.Error()}}
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch {
		case e.Name() == ".watch" && e.IsDir():
			all = append(all, lookOwn(path)...)
		case strings.HasPrefix(e.Name(), ".") && e.IsDir():
			all = append(all, leftover{Path: path, Why: "not looked into: dead letters have to be removed by hand"})
		case e.IsDir():
			all = append(all, f.lookChannel(path)...)
		default:
			all = append(all, lookFile(path))
		}
	}
	return append(all, emptied(dir, all))
}

// emptied is a directory: it goes when all that is in it does.
func emptied(dir string, in leftovers) leftover {
	if slices.ContainsFunc(in, func(l leftover) bool { return !l.Remove }) {
		return leftover{Path: dir, Why: "not empty"}
	}
	return leftover{Path: dir, Remove: true, Why: "nothing stays in it", remove: os.Remove} // which refuses what is not empty
}

// lookOwn is a directory of files of processes that say how they do.
func lookOwn(dir string) (all leftovers) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return leftovers{{Path: dir, Why: err.Error()}}
	}
	for _, e := range entries {
		all = append(all, lookFile(filepath.Join(dir, e.Name())))
	}
	return append(all, emptied(dir, all))
}

// own are the names, or their endings, of files that Pulse makes in a node's directory.
var own = []string{".fabric", statusFile, statusFile + ".new", ".book", ".stats", ".spans"}

// lookFile is a file that is no ring's.
func lookFile(path string) leftover {
	l := leftover{Path: path}
	if !slices.ContainsFunc(own, func(end string) bool { return strings.HasSuffix(path, end) }) {
		l.Why = "not Pulse's"
		return l
	}
	if strings.HasPrefix(filepath.Base(path), statusFile) && joined(filepath.Dir(path)) {
		l.Why = "a living process renews it"
		return l
	}
	l.judge(path)
	l.remove = removeFree
	return l
}

// judge lets a file go that nobody holds.
func (l *leftover) judge(path string) {
	held, err := isHeld(path)
	switch {
	case err != nil:
		l.Why = err.Error()
	case held:
		l.Why = "a living process holds it"
	default:
		l.Remove, l.Why = true, "nobody holds it"
	}
}

// isHeld reports whether a living process has locked any of a file.
func isHeld(path string) (bool, error) {
	file, err := sys.OpenShared(path, false)
	if err != nil {
		return false, err
	}
	held, err := sys.AnyHeld(file)
	return held, errors.Join(err, file.Close())
}

// errHeld: somebody has come meanwhile.
var errHeld = errors.New("a living process has taken it meanwhile")

// removeFree removes a file unless somebody took it since it was looked at.
func removeFree(path string) error {
	if held, err := isHeld(path); err != nil || held {
		return errors.Join(err, errHeld)
	}
	return os.Remove(path)
}

// lookChannel finds a channel's rings.
func (f cleanFlags) lookChannel(dir string) (all leftovers) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return leftovers{{Path: dir, Why: err.Error()}}
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		data, cursors := strings.CutSuffix(path, ".cursors")
		switch {
		case strings.HasSuffix(path, ".ring"):
			all = append(all, f.lookRing(path))
		case cursors && strings.HasSuffix(data, ".ring"):
			if _, err := os.Lstat(data); errors.Is(err, fs.ErrNotExist) { // what a creator left that died
				l := leftover{Path: path, remove: removeFree}
				l.judge(path)
				all = append(all, l)
			}
		default:
			all = append(all, leftover{Path: path, Why: "not Pulse's"})
		}
	}
	return append(all, emptied(dir, all))
}

// lookRing says whether anybody living has a ring, or a dead one's place waits in it.
func (f cleanFlags) lookRing(path string) leftover {
	s := seeRing(path)
	l := leftover{Path: path, remove: f.removeRing}
	if s.Fault != "" {
		l.Why = s.Fault
		if held, err := isHeld(path + ".cursors"); (err == nil || errors.Is(err, fs.ErrNotExist)) && !held {
			if l.remove = ring.Remove; f.lose {
				l.Remove = true
			} else {
				l.Why += "; --lose-unconfirmed removes it, whatever is in it"
			}
		}
		return l
	}
	l.Why, l.Remove = f.spoken(&s)
	return l
}

// spoken says who keeps a ring, if anybody does.
func (f cleanFlags) spoken(s *seenRing) (why string, remove bool) {
	if s.Alive {
		return fmt.Sprintf("its writer %d is alive", s.PID), false
	}
	why = "its writer is dead, and nobody reads it"
	for _, r := range s.Readers {
		switch {
		case r.Alive:
			return fmt.Sprintf("its reader %q, process %d, is alive", r.Name, r.PID), false
		case r.Durable && r.Gating && r.Lag > 0 && !f.lose:
			return fmt.Sprintf("%d bytes are not confirmed by %q; --lose-unconfirmed removes it all the same", r.Lag, r.Name), false
		case r.Durable && r.Gating && r.Lag > 0:
			why = fmt.Sprintf("its writer is dead, and the %d bytes that %q has not confirmed are to be lost", r.Lag, r.Name)
		}
	}
	return why, true
}

// removeRing takes the ring's writing end, so that nobody can begin to write, looks again and removes it.
func (f cleanFlags) removeRing(path string) (err error) {
	r, err := ring.Attach(path, ring.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	w, err := r.Writer()
	if errors.Is(err, ring.ErrOwned) {
		return errHeld
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	s := seeRing(path)
	s.Alive = false // that is this process
	if s.Fault != "" {
		return errors.New(s.Fault)
	}
	if why, ok := f.spoken(&s); !ok {
		return fmt.Errorf("%w: %s", errHeld, why)
	}
	return ring.Remove(path)
}

// remove removes what can go, in the order in which it was found: what is in a directory before it.
func (all leftovers) remove() {
	for i := range all {
		l := &all[i]
		if !l.Remove {
			continue
		}
		err := l.remove(l.Path)
		if l.Removed = err == nil; err != nil {
			l.Fault = err.Error()
		}
	}
}

func (all leftovers) faults() error {
	var faults []error
	for _, l := range all {
		if l.Fault != "" {
			faults = append(faults, fmt.Errorf("%s: %s", l.Path, l.Fault))
		}
	}
	return errors.Join(faults...)
}

func (all leftovers) write(w io.Writer) error {
	removable, removed := 0, 0
	for _, l := range all {
		does := "stays"
		if l.Remove {
			removable++
			does = "can go"
		}
		if l.Removed {
			removed++
			does = "removed"
		}
		if _, err := fmt.Fprintf(w, "%-7s  %s: %s\n", does, l.Path, strings.TrimSpace(l.Why+"  "+l.Fault)); err != nil {
			return err
		}
	}
	says := fmt.Sprintf("%d of %d can go: --yes removes them", removable, len(all))
	if removed > 0 || removable == 0 {
		says = fmt.Sprintf("%d removed, %d stay", removed, len(all)-removed)
	}
	_, err := fmt.Fprintln(w, says)
	return err
}
