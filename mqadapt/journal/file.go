package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/mqadapt"
)

// mapped is a file of the journal in memory.
type mapped struct {
	*sys.Mapping
	file *os.File
	path string
}

// create makes a file of size zeroed bytes, lets fill write into it, and gives it its name last: nobody ever sees half of it. A name that is
// taken answers fs.ErrExist.
func create(path string, size int, fill func(sys.Mem)) (m *mapped, err error) {
	f, err := sys.Unlinked(filepath.Dir(path), int64(size), 0o600, -1)
	if err != nil {
		return nil, err
	}
	if m, err = mapFile(f, path, size, true); err != nil {
		return nil, err
	}
	err = sys.Guard(func() error {
		fill(m.Mem)
		return nil
	})
	if err == nil {
		err = sys.Link(f, path)
	}
	if err != nil {
		return nil, errors.Join(err, m.close())
	}
	return m, nil
}

// open maps an existing file and believes nothing of it but that nobody else could have written it. least is the size it must have.
func open(path string, least int, writable bool) (*mapped, error) {
	f, err := sys.OpenShared(path, writable)
	if err != nil {
		return nil, err
	}
	facts, err := sys.Facts(f)
	switch {
	case err != nil:
	case !facts.Regular || facts.UID != os.Geteuid() && facts.UID != 0 && os.Geteuid() != 0 || facts.Mode&0o022 != 0:
		err = fmt.Errorf("journal: %w: %s of user %d with mode %04o: others can write it; mend its rights", mqadapt.ErrCorrupt, path, facts.UID, facts.Mode)
	case facts.Size < int64(least) || facts.Size > mostSegment:
		err = corrupt(path, uint64(facts.Size), fmt.Errorf("a file of %d bytes", facts.Size))
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return mapFile(f, path, int(facts.Size), writable)
}

// mapFile owns f.
func mapFile(f *os.File, path string, size int, writable bool) (*mapped, error) {
	m, err := sys.Map(f, 0, size, writable)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	m.OnFault(fmt.Errorf("journal: %w: %s: a page of it is gone: truncated under us, or its device fails", mqadapt.ErrCorrupt, path))
	return &mapped{m, f, path}, nil
}

func (m *mapped) close() error { return errors.Join(m.Unmap(), m.file.Close()) }

func segPath(dir string, first uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%016x%s", first, segSuffix))
}

// segments lists the first numbers of the segments in dir, in order.
func segments(dir string) ([]uint64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var all []uint64
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), segSuffix)
		if first, err := strconv.ParseUint(name, 16, 64); ok && err == nil && len(name) == 16 {
			all = append(all, first)
		}
	}
	slices.Sort(all)
	return all, nil
}

// segment is an open segment.
type segment struct {
	*mapped
	head
}

// openSegment opens a segment of a journal and checks its header.
func openSegment(dir string, first, journal uint64, writable bool) (*segment, error) {
	path := segPath(dir, first)
	m, err := open(path, segHeader, writable)
	if err != nil {
		return nil, err
	}
	s := &segment{mapped: m}
	err = sys.Guard(func() (err error) {
		if s.head, err = decodeHead(m.All()); err != nil {
			err = corrupt(path, 0, err)
		}
		return err
	})
	switch {
	case err != nil:
	case s.journal != journal || s.first != first:
		err = corrupt(path, 16, fmt.Errorf("a segment of journal %x from number %d, this one is %x and its name says %d", s.journal, s.first, journal, first))
	case s.size != uint64(m.Len()):
		err = corrupt(path, uint64(m.Len()), fmt.Errorf("%d bytes, its header says %d", m.Len(), s.size))
	}
	if err != nil {
		return nil, errors.Join(err, m.close())
	}
	return s, nil
}

// at reads the record at off.
func (s *segment) at(off, due uint64, least uint32) (record, error) {
	if off+8 > s.size {
		return record{}, errEnd
	}
	r, err := parse(s.All(), off, s.Load64(off), due, least)
	if err != nil && err != errEnd {
		err = corrupt(s.path, off, err)
	}
	return r, err
}

// syncDir makes names in dir durable.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// gone reports whether a file does not exist.
func gone(err error) bool { return errors.Is(err, fs.ErrNotExist) }
