package ring

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"github.com/alphapulse/transport/internal/sys"
)

// Ring is an open ring: the place where its writer and its readers come from. Its methods may be called from any
// goroutine. The zero Ring is not valid.
type Ring struct {
	opts Options
	geo  geometry
	data data    // as readers see it
	cur  sys.Mem // the cursors, writable

	mu       sync.Mutex
	writer   *Writer
	slots    uint64   // reader slots taken through this Ring
	names    []string // durable readers attached through this Ring
	kept     []kept   // slots that were handed over and not taken yet
	users    int      // writer and readers not closed yet
	closed   bool
	dataFile *os.File // nil on the heap
	curFile  *os.File
	maps     []*sys.Mapping
	writable *sys.Mapping // the data as the writer sees it
	header   *sys.Mapping // its header
}

// data is one view of the data file: read-only for readers, writable for the writer.
type data struct {
	mem      sys.Mem // the records
	mask     uint64  // capacity − 1
	hdr      sys.Mem
	capacity uint64
	largest  uint64 // no record is larger, nor a pad before one
	span     uint64 // bytes that can be read in a row from mem: 2 × capacity when mapped twice
}

// absent reports whether word is no commit word of record seq: nothing is committed there yet. Whatever else lies there,
// left by a former lap, is not taken for a commit: the writer sees to it that its upper half is another.
func absent(word, seq uint64) bool { return word == 0 || word>>seqShift != uint64(uint32(seq)) }

func view(mem, hdr sys.Mem, capacity uint64, single bool) data {
	span := 2 * capacity
	if single {
		span = capacity
	}
	return data{mem: mem, mask: capacity - 1, hdr: hdr, capacity: capacity, largest: capacity / 8, span: span}
}

// Create makes a ring. A path that exists answers fs.ErrExist: Attach it, or use Open.
func Create(o Options) (*Ring, error) {
	o, err := o.checked()
	if err != nil {
		return nil, err
	}
	switch {
	case o.Path != "":
		return createNamed(o)
	case o.Heap:
		return createHeap(o), nil
	}
	r, err := createAnonymous(o)
	if errors.Is(err, errors.ErrUnsupported) {
		return createHeap(o), nil
	}
	return r, err
}

// Attach opens the ring at path, whoever made it. Of Options it heeds GID. It answers ErrVersion, ErrSize, ErrCorrupt,
// ErrForeign, ErrUnlinked or what the file system says, each with the path.
func Attach(path string, o Options) (*Ring, error) {
	o.Path = path
	return attachNamed(o)
}

// Open attaches the ring at o.Path, or makes it if there is none.
func Open(o Options) (*Ring, error) {
	for range 8 { // another process may create and remove meanwhile; nobody does so often
		r, err := Attach(o.Path, o)
		if !errors.Is(err, fs.ErrNotExist) {
			return r, err
		}
		if r, err = Create(o); !errors.Is(err, fs.ErrExist) {
			return r, err
		}
	}
	return nil, fmt.Errorf("ring %s: created and removed by others all the time", o.Path)
}

func createHeap(o Options) *Ring {
	o.Heap = true
	geo := geometry{page: uint64(o.page()), capacity: uint64(o.Capacity), instance: o.Instance}
	r := &Ring{opts: o, geo: geo, cur: sys.Heap(curSize)}
	hdr := sys.Heap(hdrSize)
	r.data = view(sys.Heap(o.Capacity), hdr, geo.capacity, true)
	initHeader(hdr, geo, o.First)
	return r
}

// initHeader puts the first position and mark into a new header. Positions start at capacity, so that limit − capacity
// is never negative.
func initHeader(hdr sys.Mem, geo geometry, first uint64) {
	storeMark(hdr, 0, mark{pos: geo.capacity, seq: first})
	hdr.Store64(hdrPublished, geo.capacity)
	hdr.Store64(hdrLimit, geo.capacity)
}

// name says which ring an error is about.
func (r *Ring) name() string {
	if r.opts.Path == "" {
		return "anonymous ring"
	}
	return r.opts.Path
}

// Info is what a ring is, for people and reports.
type Info struct {
	Path      string
	Capacity  int    // bytes
	Page      int    // page size in bytes
	HugePages bool   // in force, not only asked for
	Double    bool   // mapped twice: records are contiguous
	Instance  uint64 // drawn at creation: tells a ring from a later one of the same path
	Epoch     uint64 // of the last writer
	WriterPID int    // of the last writer, for display
	Fenced    bool   // each of its commits passes a full fence
	Published uint64 // position in bytes
	Limit     uint64 // nothing below Limit − Capacity is whole any more
}

// Info describes the ring.
func (r *Ring) Info() Info {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := Info{Path: r.opts.Path, Capacity: int(r.geo.capacity), Page: int(r.geo.page), Instance: r.geo.instance,
		HugePages: r.geo.page >= sys.HugePage, Double: r.data.span > r.data.capacity}
	if !r.closed || r.users > 0 {
		_ = sys.Guard(func() error { // the file may have been cut: then these stay 0
			i.Epoch, i.WriterPID = r.data.hdr.Load64(hdrEpoch), int(r.data.hdr.Load32(hdrPID))
			i.Published, i.Limit = r.data.hdr.Load64(hdrPublished), r.data.hdr.Load64(hdrLimit)
			i.Fenced = r.data.hdr.Load32(hdrFenced) != 0
			return nil
		})
	}
	return i
}

// Files returns the files behind an anonymous mapped ring, to be passed to another process, which calls AttachFiles.
// They stay the ring's own. On the heap there are none: errors.ErrUnsupported.
func (r *Ring) Files() (data, cursors *os.File, err error) {
	if r.dataFile == nil {
		return nil, nil, fmt.Errorf("%s on the heap has no files: %w", r.name(), errors.ErrUnsupported)
	}
	return r.dataFile, r.curFile, nil
}

// WriterAlive reports whether a living process owns the ring's writing end. A stopped process is alive.
func (r *Ring) WriterAlive() (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.writer != nil:
		return true, nil
	case r.closed:
		return false, ErrClosed
	case r.curFile == nil:
		return false, nil
	}
	return sys.ByteHeld(r.curFile, writerByte)
}

// Close closes the ring once its writer and readers are closed too: memory outlives whoever can see it. Files of a named
// ring stay; Remove deletes them.
func (r *Ring) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return ErrClosed
	}
	r.closed = true
	return r.unmapIfUnused()
}

func (r *Ring) unmapIfUnused() error {
	if !r.closed || r.users > 0 {
		return nil
	}
	var errs []error
	for _, m := range r.maps {
		errs = append(errs, m.Unmap())
	}
	r.maps = nil
	for _, f := range []*os.File{r.dataFile, r.curFile} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}

// use counts one more writer or reader.
func (r *Ring) use() error {
	if r.closed {
		return fmt.Errorf("%w: %s", ErrClosed, r.name())
	}
	r.users++
	return nil
}

func (r *Ring) unuse() error {
	r.users--
	return r.unmapIfUnused()
}
