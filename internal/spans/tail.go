package spans

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/ring"
)

// atOnce is how many spans of one process a Read takes at most.
const atOnce = 256

// Tail reads the spans of all processes of a node's directory, from the oldest on that their rings hold. It belongs to one goroutine.
type Tail struct {
	dir   string
	files map[string]*file
	batch []ring.Record
	lost  uint64 // by files that are closed
	odd   uint64
}

// file is one process's ring.
type file struct {
	ring    *ring.Ring
	reader  *ring.Reader
	process string
}

// NewTail begins a tail. The directory, and rings in it, may come later.
func NewTail(dir string) *Tail {
	return &Tail{dir: filepath.Join(dir, Dir), files: map[string]*file{}, batch: make([]ring.Record, atOnce)}
}

// Read calls fn with the spans that are new, at most 256 of each process, and returns how many. An error concerns one ring; the
// others were read.
func (t *Tail) Read(fn func(process string, s Span)) (n int, err error) {
	err = t.look()
	for path, f := range t.files {
		k := 0
		e := sys.Guard(func() error {
			k = t.take(f, fn)
			return f.reader.Err()
		})
		n += k
		if e != nil {
			t.drop(path)
			err = errors.Join(err, fmt.Errorf("spans: %s: %w", path, e))
		}
	}
	return n, err
}

func (t *Tail) take(f *file, fn func(string, Span)) int {
	n := f.reader.Peek(t.batch)
	for _, r := range t.batch[:n] {
		s, err := Parse(r.Payload())
		if err != nil {
			t.odd++
			continue
		}
		fn(f.process, s)
	}
	_ = f.reader.Release(n) // what it answers Err has, too
	return n
}

// look opens the rings that it has not got.
func (t *Tail) look() error {
	entries, err := os.ReadDir(t.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	faults := []error{err}
	for _, e := range entries {
		process, ok := strings.CutSuffix(e.Name(), suffix)
		path := filepath.Join(t.dir, e.Name())
		if !ok || t.files[path] != nil {
			continue
		}
		r, err := ring.Attach(path, ring.Options{})
		if err == nil {
			var reader *ring.Reader
			if reader, err = r.Reader(ring.ReaderOptions{Mode: ring.Lossy, From: ring.Oldest, Name: "traces"}); err == nil {
				t.files[path] = &file{r, reader, process}
				continue
			}
			err = errors.Join(err, r.Close())
		}
		faults = append(faults, fmt.Errorf("spans: %w", err))
	}
	return errors.Join(faults...)
}

func (t *Tail) drop(path string) {
	f := t.files[path]
	delete(t.files, path)
	t.lost += f.reader.Lost()
	_ = errors.Join(f.reader.Close(), f.ring.Close()) // it was no good
}

// Lost is how many spans were overwritten before they were read, and records that are no spans.
func (t *Tail) Lost() uint64 {
	n := t.lost + t.odd
	for _, f := range t.files {
		n += f.reader.Lost()
	}
	return n
}

// Close closes all rings.
func (t *Tail) Close() error {
	var faults []error
	for path, f := range t.files {
		faults = append(faults, f.reader.Close(), f.ring.Close())
		delete(t.files, path)
	}
	return errors.Join(faults...)
}
