package journal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/alphapulse/transport/internal/sys"
)

// SegmentInfo is one segment as Verify finds it.
type SegmentInfo struct {
	Path     string
	First    uint64 // number of its first entry
	Entries  uint64
	Bytes    int64 // of the file
	Used     int64
	From, To int64 // stamps of its first and last entry, Unix ns; 0 without entries
	Ended    bool  // another follows
}

// Contents is a journal as Verify finds it.
type Contents struct {
	Dir      string
	Journal  uint64
	Epoch    uint64
	Owner    string // the last producer, for people; it may be dead
	Alive    bool   // it is not
	Next     uint64 // number of the next entry
	Segments []SegmentInfo
	Groups   []Group
}

// Verify reads a whole journal and checks every byte that means something: checksums, numbers, epochs, what lies between and behind the
// records, the state and the cursors. It changes nothing, and may be called while the journal is written. The error names file and offset
// of each fault, and is mqadapt.ErrCorrupt; what could be read is in Contents all the same.
func Verify(dir string) (Contents, error) { return look(dir, true) }

// List is Verify without a look at more than the ends of segments: cheap, and blind for damage within.
func List(dir string) (Contents, error) { return look(dir, false) }

func look(dir string, all bool) (c Contents, err error) {
	c.Dir = dir
	state, err := openState(dir, false)
	if err != nil {
		return c, err
	}
	var faults []error
	fault := func(err error) { faults = append(faults, err) }
	fault(sys.Guard(func() error { return c.readState(state, all) }))
	firsts, err := segments(dir)
	fault(err)
	due := uint64(0)
	for i, first := range firsts {
		info, next, err := verifySegment(dir, first, state.journal, i == len(firsts)-1)
		if gone(err) && i == 0 { // let go meanwhile
			continue
		}
		fault(err)
		if due != 0 && first != due {
			fault(corrupt(info.Path, 24, fmt.Errorf("it begins with entry %d, the segment before it leads to %d", first, due)))
		}
		if due = 0; err == nil {
			due, c.Next = next, next
		}
		c.Segments = append(c.Segments, info)
	}
	groups, err := groupsIn(dir, state.journal)
	fault(err)
	c.Groups = groups
	if all {
		fault(verifyCursors(dir, state.journal))
	}
	return c, errors.Join(append(faults, state.close())...)
}

// readState reads the state, and all of it if asked.
func (c *Contents) readState(s *small, all bool) (err error) {
	c.Journal = s.journal
	text, _, _ := bytes.Cut(s.Bytes(stateOwner, ownerSize), []byte{0})
	c.Owner = strings.ToValidUTF8(string(text), "?")
	if c.Epoch, err = s.get(stateEpoch); err != nil {
		return err
	}
	if c.Alive, err = sys.ByteHeld(s.file, lockByte); err != nil || !all {
		return err
	}
	for _, off := range []uint64{stateBoot, stateVisible, stateSynced} {
		if _, err := s.get(off); err != nil {
			return err
		}
	}
	return errors.Join(s.zero(fileHeader, stateEpoch), s.zero(stateSynced+registerSize, stateOwner), s.zero(stateOwner+ownerSize, fileSize))
}

// zero checks that nothing is where nothing belongs.
func (m *mapped) zero(from, to uint64) error {
	for i, b := range m.All()[from:to] {
		if b != 0 {
			return corrupt(m.path, from+uint64(i), fmt.Errorf("byte %#02x where nothing is", b))
		}
	}
	return nil
}

func verifyCursors(dir string, journal uint64) error {
	paths, err := filepath.Glob(filepath.Join(dir, "*"+cursorSuffix))
	if err != nil {
		return err
	}
	var faults []error
	for _, path := range paths {
		c, err := openSmall(path, journal, kindCursor, false)
		if err == nil {
			err = errors.Join(sys.Guard(func() error {
				return errors.Join(c.zero(fileHeader, cursorNext), c.zero(cursorNext+registerSize, fileSize))
			}), c.close())
		}
		if !gone(err) {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// verifySegment walks a segment and returns the number that follows it.
func verifySegment(dir string, first, journal uint64, last bool) (info SegmentInfo, next uint64, err error) {
	info = SegmentInfo{Path: segPath(dir, first), First: first}
	s, err := openSegment(dir, first, journal, false)
	if err != nil {
		return info, 0, err
	}
	info.Bytes = int64(s.size)
	err = sys.Guard(func() error {
		t := trail{seg: s, off: segHeader, next: first}
		for {
			r, err := s.at(t.off, t.next, t.epoch)
			if err == errEnd {
				break
			}
			if err != nil {
				return err
			}
			t.off, t.epoch = r.next, r.epoch
			if r.kind == kindEnd {
				info.Ended = true
				break
			}
			t.next++
			info.Entries++
			info.To = r.stamp
			if info.Entries == 1 {
				info.From = r.stamp
			}
		}
		info.Used, next = int64(t.off), t.next
		switch {
		case info.Ended && !last:
			return s.zero(t.off, s.size)
		case info.Ended && last:
			if _, err := os.Stat(segPath(dir, next)); gone(err) {
				return corrupt(segPath(dir, next), 0, errors.New("missing, and the segment before it ends"))
			}
			return s.zero(t.off, s.size)
		case !info.Ended && !last:
			if s.Load64(t.off) == 0 && !linked(dir, t.next, journal) {
				return corrupt(s.path, t.off, fmt.Errorf("it stops before entry %d, and another segment follows", t.next))
			}
		}
		return s.quiet(t.off, t.next)
	})
	return info, next, errors.Join(err, s.close())
}

// linked reports whether an empty segment begins with number: the one before it is about to be ended.
func linked(dir string, number, journal uint64) bool {
	s, err := openSegment(dir, number, journal, false)
	if err != nil {
		return false
	}
	empty := sys.Guard(func() error {
		if s.Load64(segHeader) != 0 {
			return errEnd
		}
		return nil
	}) == nil
	return s.close() == nil && empty
}

// quiet checks that nothing lies behind the last record: but for what an append under way, or one that was killed, has put there before its
// word.
func (s *segment) quiet(off, due uint64) error {
	if s.Load64(off) != 0 { // an append came by meanwhile
		return nil
	}
	if hole, found := wholeIn(s.All(), off, s.size, due); found && s.Load64(off) == 0 {
		return corrupt(s.path, off, fmt.Errorf("nothing, and a whole entry lies at offset %d", hole))
	}
	if number := s.Load64(off + recNumber); number == due { // begun and not whole
		return nil
	}
	return s.zero(off, s.size)
}

// Scan calls fn with every entry of a journal from number on, in order, until fn answers an error or the journal ends. The envelope is valid
// until fn returns. It needs no group and holds nothing: of a journal that is written meanwhile, entries that are let go are skipped. Number 0
// is the oldest. It answers fn's error, or mqadapt.ErrCorrupt with file and offset.
func Scan(dir string, number uint64, fn func(Entry) error) (err error) {
	state, err := openState(dir, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, state.close()) }()
	t := trail{dir: dir, journal: state.journal}
	if err := t.seek(number); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.seg.close()) }()
	for {
		var r record
		err := sys.Guard(func() (err error) {
			r, err = t.step(nil)
			return err
		})
		if err == errEnd {
			return nil
		}
		if err != nil {
			return err
		}
		if err := fn(Entry{Number: r.number, Stamp: r.stamp, Epoch: r.epoch, Envelope: r.payload, Dead: r.dead}); err != nil {
			return err
		}
	}
}

// Entry is one entry of a journal.
type Entry struct {
	Number   uint64
	Stamp    int64  // Unix ns at which it was put; never lower than the one before
	Epoch    uint32 // of the producer that put it
	Envelope []byte // of a dead letter what a queue held, which may be no envelope
	Dead     *Dead  // nil: it is no dead letter
}
