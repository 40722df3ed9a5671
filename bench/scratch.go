package bench

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/alphapulse/transport/internal/sys"
)

// A run keeps its ring files and its socket in a directory of its own, and takes it away at the end. A run that is killed cannot; the
// next one does it.
//
// Which runs are dead is told by a lock that dies with its process, and not by a process number, which another process may have by
// then. The directory holds a file whose first byte is locked for as long as the run lives. The file gets its name only when it is
// locked, so whoever can open it can ask. A directory without it is one that is being made, or whose maker died there: it is taken
// away only when it is empty, and a maker that loses its directory this way makes another.
type scratch struct {
	dir   string
	alive *os.File // holds the lock
}

const (
	scratchPrefix = "pulse-bench-"
	aliveName     = "alive"
	aliveSize     = 8           // bytes; an empty file cannot be allocated
	makingAtMost  = time.Minute // an older directory without a lock is no run's any more
	scratchTries  = 8           // directories lost to a sweep before giving up: two would be a wonder
)

// openScratch takes away what dead runs left in parent and makes this run's directory there.
func openScratch(parent string) (*scratch, error) {
	sweep(parent)
	var err error
	for range scratchTries {
		var s *scratch
		if s, err = makeScratch(parent); err == nil {
			return s, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return nil, fmt.Errorf("bench: %w", err)
}

func makeScratch(parent string) (*scratch, error) {
	dir, err := os.MkdirTemp(parent, scratchPrefix)
	if err != nil {
		return nil, err
	}
	f, err := sys.Unlinked(dir, aliveSize, 0o600, -1)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	s := &scratch{dir, f}
	if _, err = sys.LockByte(f, 0); err == nil { // nobody else can hold it: the file has no name yet
		err = sys.Link(f, filepath.Join(dir, aliveName))
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// close takes the directory away.
func (s *scratch) close() error {
	return errors.Join(clearScratch(s.dir), s.alive.Close())
}

// clearScratch removes dir, the locked file after all others: a removal that is cut short leaves what a later one finds.
func clearScratch(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if e.Name() != aliveName {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	if err != nil {
		return err
	}
	return os.RemoveAll(dir)
}

// sweep takes away this user's directories whose runs are dead. One that resists stays where it is: it is in nobody's way, and the next
// run tries again.
func sweep(parent string) {
	entries, _ := os.ReadDir(parent) // a directory that cannot be read shows when this run makes its own there
	for _, e := range entries {
		if e.IsDir() && strings.HasPrefix(e.Name(), scratchPrefix) {
			_ = sweepOne(filepath.Join(parent, e.Name()))
		}
	}
}

func sweepOne(dir string) (err error) {
	f, err := sys.OpenShared(filepath.Join(dir, aliveName), true)
	if errors.Is(err, fs.ErrNotExist) {
		if made, err := os.Lstat(dir); err != nil || time.Since(made.ModTime()) < makingAtMost {
			return err
		}
		return os.Remove(dir) // refuses unless it is empty
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	facts, err := sys.Facts(f)
	if err != nil || facts.UID != os.Geteuid() {
		return err
	}
	dead, err := sys.LockByte(f, 0)
	if err != nil || !dead {
		return err
	}
	return clearScratch(dir)
}

// scratchParent returns where ring files live: memory, where there is a file system for it.
func scratchParent(dir string) string {
	const shm = "/dev/shm"
	if dir != "" {
		return dir
	}
	if st, err := os.Stat(shm); err == nil && st.IsDir() {
		return shm
	}
	return os.TempDir()
}
