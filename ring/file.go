package ring

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/alphapulse/transport/internal/check"
	"github.com/alphapulse/transport/internal/sys"
)

// writerByte is the lock byte of the writer in the cursors file; reader slot i locks byte slotByte + i; the name of a
// durable reader locks one of the bytes from namesByte on.
const (
	writerByte = 1 << 20
	slotByte   = 1<<20 + 64
	namesByte  = 1 << 40
)

func newInstance() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return binary.LittleEndian.Uint64(b[:])
}

// createNamed makes both files without names first, complete, and links them last: a process that dies on the way
// leaves nothing, and nobody ever sees half a ring. Creators in one directory take turns.
func createNamed(o Options) (r *Ring, err error) {
	dir := filepath.Dir(o.Path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := checkDir(dir, o.GID); err != nil {
		return nil, err
	}
	turn, err := sys.LockDir(dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, turn.Close()) }()
	if _, err := os.Lstat(o.Path); err == nil {
		return nil, &fs.PathError{Op: "create ring", Path: o.Path, Err: fs.ErrExist}
	}
	geo := geometry{page: uint64(o.page()), capacity: uint64(o.Capacity), instance: o.Instance}
	gid := -1
	if o.GID > 0 {
		gid = o.GID
	}
	dataFile, err := sys.Unlinked(dir, int64(geo.page+geo.capacity), o.mode(), gid)
	if err != nil {
		return nil, err
	}
	if check.On {
		check.Point("create.data")
	}
	curFile, err := sys.Unlinked(dir, cursorsSize(geo), o.mode(), gid)
	if err != nil {
		return nil, errors.Join(err, dataFile.Close())
	}
	if check.On {
		check.Point("create.cursors")
	}
	if r, err = fill(o, geo, dataFile, curFile); err != nil {
		return nil, err
	}
	if check.On {
		check.Point("create.filled")
	}
	// Cursors without data are what a creator left that died between the two links.
	if err := os.Remove(o.Path + cursorsSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(err, r.Close())
	}
	if check.On {
		check.Point("create.swept")
	}
	if err := sys.Link(curFile, o.Path+cursorsSuffix); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	if check.On {
		check.Point("create.linked")
	}
	if err := sys.Link(dataFile, o.Path); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	if check.On {
		check.Point("created")
	}
	return r, nil
}

func createAnonymous(o Options) (*Ring, error) {
	r, err := createMemfd(o)
	if err != nil && o.HugePages && !errors.Is(err, errors.ErrUnsupported) {
		o.HugePages = false // the pool is empty: Info says so
		return createMemfd(o)
	}
	return r, err
}

func createMemfd(o Options) (*Ring, error) {
	geo := geometry{page: uint64(o.page()), capacity: uint64(o.Capacity), instance: o.Instance}
	dataFile, err := sys.Memfd("pulse-ring", int64(geo.page+geo.capacity), o.HugePages)
	if err != nil {
		return nil, err
	}
	curFile, err := sys.Memfd("pulse-cursors", curSize, false)
	if err != nil {
		return nil, errors.Join(err, dataFile.Close())
	}
	return fill(o, geo, dataFile, curFile)
}

// fill writes the headers of new files and maps them. It owns the files.
func fill(o Options, geo geometry, dataFile, curFile *os.File) (*Ring, error) {
	head, err := sys.Map(dataFile, 0, int(geo.page), true)
	if err != nil {
		return nil, errors.Join(err, dataFile.Close(), curFile.Close())
	}
	initHeader(head.Mem, geo, o.First)
	geo.encode(head.All(), magicData)
	if err := head.Unmap(); err != nil {
		return nil, errors.Join(err, dataFile.Close(), curFile.Close())
	}
	r, err := mapRing(o, geo, dataFile, curFile)
	if err != nil {
		return nil, err
	}
	geo.encode(r.cur.Bytes(0, hdrSize), magicCursors)
	return r, nil
}

// cursorsSize is the size of a named ring's cursors: whole pages of the file system.
func cursorsSize(geo geometry) int64 {
	return int64((curSize + geo.page - 1) / geo.page * geo.page)
}

// mapRing maps the files of a ring as its readers need them. It owns the files.
func mapRing(o Options, geo geometry, dataFile, curFile *os.File) (r *Ring, err error) {
	r = &Ring{opts: o, geo: geo, dataFile: dataFile, curFile: curFile}
	defer func() {
		if err != nil {
			r.closed = true
			err = errors.Join(err, r.unmapIfUnused())
			r = nil
		}
	}()
	cursors, err := sys.Map(curFile, 0, int(max(curSize, cursorsMapped(geo, curFile))), !o.looking)
	if err != nil {
		return r, err
	}
	r.keep(cursors)
	r.cur = cursors.Mem
	head, body, err := r.mapData(dataFile, false)
	if err != nil {
		return r, err
	}
	r.data = view(body.Mem, head.Mem, geo.capacity, false)
	return r, nil
}

// cursorsMapped is the length to map: a file on huge pages can only be mapped whole.
func cursorsMapped(geo geometry, f *os.File) int64 {
	if facts, err := sys.Facts(f); err == nil && facts.HugePages {
		return cursorsSize(geo)
	}
	return curSize
}

// mapData maps header and records, the records twice in a row, and touches every page.
func (r *Ring) mapData(f *os.File, writable bool) (head, body *sys.Mapping, err error) {
	if head, err = sys.Map(f, 0, int(r.geo.page), writable); err != nil {
		return nil, nil, err
	}
	r.keep(head)
	if body, err = sys.MapDouble(f, int64(r.geo.page), int(r.geo.capacity), writable, int(r.geo.page)); err != nil {
		return nil, nil, err
	}
	r.keep(body)
	if r.opts.looking { // at a few pages of it, perhaps
		return head, body, nil
	}
	return head, body, errors.Join(head.Prefault(), body.Prefault())
}

// keep remembers m for unmapping, and what it means when the file loses the bytes behind it.
func (r *Ring) keep(m *sys.Mapping) {
	m.OnFault(fmt.Errorf("%w: %s was truncated while in use", ErrCorrupt, r.name()))
	r.maps = append(r.maps, m)
}

// attachNamed opens an existing ring and believes nothing about it that it has not checked.
func attachNamed(o Options) (*Ring, error) {
	dataFile, err := sys.OpenShared(o.Path, false)
	if err != nil {
		return nil, err
	}
	curFile, err := sys.OpenShared(o.Path+cursorsSuffix, !o.looking)
	if errors.Is(err, fs.ErrNotExist) { // they come before the data and go after it
		err = fmt.Errorf("%w: %s has no cursors beside it: remove it", ErrCorrupt, o.Path)
	}
	if err == nil && !o.looking {
		err = checkDir(filepath.Dir(o.Path), o.GID)
	}
	if err != nil {
		if curFile != nil {
			err = errors.Join(err, curFile.Close())
		}
		return nil, errors.Join(err, dataFile.Close())
	}
	return attach(o, dataFile, curFile, true)
}

// AttachFiles opens a ring from the files that Ring.Files of another process returned. It owns them afterwards, also
// when it fails.
//
// An inherited descriptor is the same open file as its original, and a lock belongs to the open file: the cursors are
// opened anew, or each process would take the other's locks for its own.
func AttachFiles(data, cursors *os.File) (*Ring, error) {
	own, err := sys.Reopen(cursors)
	if err = errors.Join(err, cursors.Close()); err != nil {
		return nil, errors.Join(err, data.Close())
	}
	return attach(Options{}, data, own, false)
}

func attach(o Options, dataFile, curFile *os.File, named bool) (*Ring, error) {
	geo, err := checkFile(dataFile, magicData, o, named)
	if err == nil {
		var of geometry
		if of, err = checkFile(curFile, magicCursors, o, named); err == nil && of != geo {
			err = fmt.Errorf("%w: %s and its cursors belong to different rings", ErrCorrupt, dataFile.Name())
		}
	}
	if err != nil {
		return nil, errors.Join(err, dataFile.Close(), curFile.Close())
	}
	o.Capacity, o.HugePages = int(geo.capacity), geo.page >= sys.HugePage
	r, err := mapRing(o, geo, dataFile, curFile)
	if err != nil {
		return nil, err
	}
	if err := checkWords(r.data); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", r.name(), err), r.Close())
	}
	return r, nil
}

// checkFile answers whether f is a file of a ring that this process may trust its memory to, and its geometry.
func checkFile(f *os.File, magic uint64, o Options, named bool) (geometry, error) {
	facts, err := sys.Facts(f)
	switch {
	case err != nil:
		return geometry{}, err
	case !facts.Regular:
		return geometry{}, fmt.Errorf("%w: %s is no regular file", ErrForeign, f.Name())
	case named && facts.Links == 0:
		return geometry{}, fmt.Errorf("%w: %s", ErrUnlinked, f.Name())
	case named && !o.looking && !private(facts, o.GID):
		return geometry{}, fmt.Errorf("%w: %s belongs to user %d group %d with mode %04o; this process is user %d: remove it or mend its rights",
			ErrForeign, f.Name(), facts.UID, facts.GID, facts.Mode, os.Geteuid())
	}
	b := make([]byte, hdrStatic)
	if n, err := f.ReadAt(b, 0); n < len(b) {
		return geometry{}, fmt.Errorf("%w: %s has %d bytes, no room for a header (%v)", ErrSize, f.Name(), n, err)
	}
	geo, err := decode(b, magic)
	if err != nil {
		return geometry{}, fmt.Errorf("%s: %w", f.Name(), err)
	}
	want := int64(geo.page + geo.capacity)
	if magic == magicCursors {
		want = cursorsSize(geo)
		if !named {
			want = curSize
		}
	}
	if facts.Size != want {
		return geometry{}, fmt.Errorf("%w: %s has %d bytes, its header says %d", ErrSize, f.Name(), facts.Size, want)
	}
	return geo, nil
}

// checkDir answers whether somebody else could put other files in the place of a ring's.
func checkDir(dir string, gid int) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	facts, err := sys.Facts(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	others := facts.Mode & 0o022
	if gid > 0 && facts.GID == gid {
		others &= 0o002
	}
	if (others != 0 && !facts.Sticky) || (facts.UID != os.Geteuid() && facts.UID != 0) {
		return fmt.Errorf("%w: directory %s of user %d with mode %04o: others can replace what is in it; choose one of mode 0700",
			ErrForeign, dir, facts.UID, facts.Mode)
	}
	return nil
}

func private(facts sys.FileFacts, gid int) bool {
	if gid > 0 && facts.GID == gid {
		return facts.Mode&0o007 == 0
	}
	return facts.UID == os.Geteuid() && facts.Mode&0o077 == 0
}

// decode reads the static part of a header.
func decode(b []byte, magic uint64) (geometry, error) {
	le := binary.LittleEndian
	switch got := le.Uint64(b); {
	case got == 0:
		return geometry{}, fmt.Errorf("%w: zeroed header", ErrCorrupt)
	case got != magic:
		return geometry{}, fmt.Errorf("%w: no ring (magic %#x)", ErrCorrupt, got)
	}
	if v := le.Uint32(b[8:]); v != version {
		return geometry{}, fmt.Errorf("%w: version %d, this program knows %d", ErrVersion, v, version)
	}
	if crc32.ChecksumIEEE(b[:hdrCRC]) != le.Uint32(b[hdrCRC:]) {
		return geometry{}, fmt.Errorf("%w: header checksum", ErrCorrupt)
	}
	geo := geometry{page: le.Uint64(b[16:]), capacity: le.Uint64(b[24:]), instance: le.Uint64(b[32:])}
	if geo.page != uint64(os.Getpagesize()) && geo.page != sys.HugePage {
		return geometry{}, fmt.Errorf("%w: page size %d, this machine has %d", ErrVersion, geo.page, os.Getpagesize())
	}
	if _, err := (Options{Capacity: int(geo.capacity), HugePages: geo.page == sys.HugePage}).checked(); err != nil || geo.capacity == 0 {
		return geometry{}, fmt.Errorf("%w: capacity %d with pages of %d", ErrCorrupt, geo.capacity, geo.page)
	}
	return geo, nil
}

// checkWords answers whether the moving words of the header fit each other.
func checkWords(d data) error {
	limit := d.hdr.Load64(hdrLimit)
	published := d.hdr.Load64(hdrPublished)
	// Loaded in this order under a running writer, published may be ahead of limit by what was granted since.
	if limit < d.capacity || published < d.capacity || published&7 != 0 || limit > published+2*d.capacity {
		return fmt.Errorf("%w: published %d, limit %d in a ring of %d", ErrCorrupt, published, limit, d.capacity)
	}
	return nil
}

// Remove deletes the files of a named ring. Processes that have it open keep it; a new one can be made at once.
func Remove(path string) error {
	turn, err := sys.LockDir(filepath.Dir(path)) // or the cursors removed last might be those of a new ring
	if err != nil {
		return err
	}
	noData := os.Remove(path)
	if check.On {
		check.Point("remove.data")
	}
	return errors.Join(noData, os.Remove(path+cursorsSuffix), turn.Close())
}

// Sound answers ErrCorrupt if a file of the ring is not as long any more as it was made, nil otherwise.
func (r *Ring) Sound() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.dataFile == nil || r.closed && r.users == 0 {
		return nil
	}
	for f, least := range map[*os.File]uint64{r.dataFile: r.geo.page + r.geo.capacity, r.curFile: curSize} {
		facts, err := sys.Facts(f)
		if err != nil {
			return err
		}
		if uint64(facts.Size) < least {
			return fmt.Errorf("%w: %s has %d bytes of %d", ErrCorrupt, f.Name(), facts.Size, least)
		}
	}
	return nil
}
