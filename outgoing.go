package transport

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/alphapulse/transport/ring"
)

// outgoing is the rings of a channel that publishers of this machine write, whatever process they are of: what there is to carry away. Mirrors
// are not among them, so nothing runs in a circle.
type outgoing struct {
	dir   string
	files map[string]outfile
}

type outfile struct {
	info fs.FileInfo
	ring *ring.Ring
}

// look finds what is new and what is gone. A file that cannot be attached yet is told by err, and tried again.
func (o *outgoing) look() (added, gone []*ring.Ring, err error) {
	entries, err := os.ReadDir(o.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	var faults []error
	there := map[string]bool{}
	for _, e := range entries {
		path := filepath.Join(o.dir, e.Name())
		if !strings.HasSuffix(path, ringSuffix) || isMirror(path) {
			continue
		}
		info, err := os.Lstat(path)
		if err != nil {
			continue
		}
		there[path] = true
		had, ok := o.files[path]
		if ok && os.SameFile(had.info, info) {
			continue
		}
		if ok {
			gone = append(gone, had.ring)
			delete(o.files, path)
		}
		r, err := ring.Attach(path, ring.Options{})
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, ring.ErrUnlinked) {
				faults = append(faults, err)
			}
			continue
		}
		o.files[path] = outfile{info, r}
		added = append(added, r)
	}
	for path, f := range o.files {
		if !there[path] {
			gone = append(gone, f.ring)
			delete(o.files, path)
		}
	}
	return added, gone, errors.Join(faults...)
}

func (o *outgoing) close() error {
	var faults []error
	for _, f := range o.files {
		faults = append(faults, f.ring.Close())
	}
	o.files = nil
	return errors.Join(faults...)
}
