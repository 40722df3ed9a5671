package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/alphapulse/transport/internal/check"
	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/mqadapt"
)

// againAfter is how long a journal that found no room answers so without looking again.
const againAfter = 20 * time.Millisecond

var errTooLarge = fmt.Errorf("journal: %w: larger than %d bytes", mqadapt.ErrRefused, maxEntry)

// growth is the slow half of an Appender: making segments and letting them go.
type growth struct {
	kept  []keptSegment // all segments but the newest, oldest first
	bytes int64         // of all segments
	why   error         // there was no room
	again int64         // when to look again
}

type keptSegment struct {
	first uint64
	bytes int64
	until int64 // stamp of its last entry, or of its making if that is not known
}

type counts struct {
	entries, rejected, dropped, syncs, segs, held atomic.Uint64
	recovery                                      Recovery
}

// Stats is what an Appender has done.
type Stats struct {
	Entries  uint64 // appended
	Rejected uint64
	Dropped  uint64 // segments let go
	Syncs    uint64 // calls of fdatasync
	Segments uint64 // there are
	Bytes    uint64 // of all of them
}

// Stats may be called from any goroutine.
func (a *Appender) Stats() Stats {
	return Stats{a.entries.Load(), a.rejected.Load(), a.dropped.Load(), a.syncs.Load(), a.segs.Load(), a.counts.held.Load()}
}

func (a *Appender) reject(n int, why error) {
	a.rejected.Add(uint64(n))
	a.tally.put(n, false, why)
}

// publish keeps the counts that others may read, once per batch.
func (a *Appender) publish() {
	a.entries.Store(a.number - a.recovery.Next)
}

// now returns the instant, later than any before.
func (c *clock) now() int64 {
	c.last = max(c.last, c.base+int64(time.Since(c.from)))
	return c.last
}

// fenced answers ErrFenced when another producer has raised the epoch.
func (a *Appender) fenced() error {
	epoch, err := a.j.state.get(stateEpoch)
	if err != nil {
		return err
	}
	if epoch != uint64(a.epoch) {
		return fmt.Errorf("journal: %w: %s has epoch %d, this producer %d", mqadapt.ErrFenced, a.j.options.Dir, epoch, a.epoch)
	}
	return nil
}

// grow goes on in a new segment. why says that there is no room for one: the journal stays as it is, and looks again later. err is final.
func (a *Appender) grow(now int64) (why, err error) {
	if a.why != nil && now < a.again {
		return a.why, nil
	}
	a.commit()
	if a.waits { // what lies in the old segment is not asked about any more
		if err := a.sync(); err != nil {
			return nil, err
		}
	}
	next, why := a.room(now)
	if why != nil {
		a.why, a.again = why, now+int64(againAfter)
		return why, nil
	}
	a.why = nil
	if check.On {
		check.Point("grow.made")
	}
	a.finish(a.seg, a.off, a.number, a.epoch, now)
	a.kept = append(a.kept, keptSegment{a.seg.first, int64(a.seg.size), now})
	old := a.seg
	a.seg, a.off, a.ready = next, segHeader, 0
	a.bytes += int64(next.size)
	a.publishSegments()
	return nil, old.close()
}

func (a *Appender) publishSegments() {
	a.segs.Store(uint64(len(a.kept) + 1))
	a.counts.held.Store(uint64(a.bytes))
}

// finish says in a segment where the next one begins. The next one exists already: a segment that ends has a successor.
func (a *Appender) finish(s *segment, off, number uint64, epoch uint32, now int64) {
	m := s.At(off)
	m.Store64(recNumber, number)
	m.Store64(recKind, uint64(epoch)|kindEnd<<32)
	m.Store64(recStamp, uint64(now))
	m.Store64(recHeader, number)
	if check.On {
		check.Point("end.header")
	}
	s.Store64(off, 8|uint64(sum(m.Bytes(0, endSize), 8))<<32)
	if check.On {
		check.Point("end.word")
	}
}

// room makes the next segment, after letting go what may go.
func (a *Appender) room(now int64) (*segment, error) {
	o := &a.j.options
	for len(a.kept) > 0 && o.MaxAge > 0 && now-a.kept[0].until > int64(o.MaxAge) {
		if a.drop(o.DropOldest) != nil {
			break
		}
	}
	for a.bytes+int64(o.Segment) > o.MaxBytes && len(a.kept) > 0 {
		if err := a.drop(o.DropOldest); err != nil {
			return nil, err
		}
	}
	return a.makeSegment(now)
}

// makeSegment makes the segment that begins with the next number. Its blocks are allocated: a full disk shows here and nowhere else.
func (a *Appender) makeSegment(now int64) (*segment, error) {
	o := &a.j.options
	h := head{journal: a.j.state.journal, first: a.number, size: uint64(o.Segment), created: now}
	m, err := create(segPath(o.Dir, a.number), o.Segment, func(m sys.Mem) { h.encode(m.Bytes(0, segHeader)) })
	if err == nil && o.Durability == mqadapt.OS {
		if err = errors.Join(sys.SyncData(m.file), syncDir(o.Dir)); err != nil {
			err = errors.Join(err, m.close(), os.Remove(segPath(o.Dir, a.number)))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("journal: %w: no new segment: %w", mqadapt.ErrFull, err)
	}
	return &segment{m, h}, nil
}

// drop lets the oldest segment go, or says who needs it.
func (a *Appender) drop(anyway bool) error {
	oldest, next := a.kept[0], a.seg.first
	if len(a.kept) > 1 {
		next = a.kept[1].first
	}
	if !anyway {
		if err := a.passed(next); err != nil {
			return err
		}
	}
	if err := os.Remove(segPath(a.j.options.Dir, oldest.first)); err != nil && !gone(err) {
		return fmt.Errorf("journal: %w: %w", mqadapt.ErrFull, err)
	}
	a.kept = a.kept[1:]
	a.bytes -= oldest.bytes
	a.dropped.Add(1)
	return nil
}

// passed answers nil when every group has acknowledged what comes before number, else who has not.
func (a *Appender) passed(number uint64) error {
	groups, err := groupsIn(a.j.options.Dir, a.j.state.journal)
	if err != nil {
		return err
	}
	for _, g := range groups {
		if g.Next < number {
			return fmt.Errorf("journal: %w: %s has %d bytes of at most %d, and group %s still needs entry %d of its oldest segment: let it read on, forget it, or raise MaxBytes",
				mqadapt.ErrFull, a.j.options.Dir, a.bytes, a.j.options.MaxBytes, g.Name, g.Next)
		}
	}
	return nil
}

// Group is what a journal knows of a group of consumers.
type Group struct {
	Name string
	Next uint64 // number of the entry it gets next
}

// groupsIn reads all cursors of a journal.
func groupsIn(dir string, journal uint64) (all []Group, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), cursorSuffix)
		if !ok {
			continue
		}
		next, err := readCursor(filepath.Join(dir, e.Name()), journal)
		if errors.Is(err, fs.ErrNotExist) { // forgotten meanwhile
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, Group{name, next})
	}
	return all, nil
}

func readCursor(path string, journal uint64) (next uint64, err error) {
	c, err := openSmall(path, journal, kindCursor, false)
	if err != nil {
		return 0, err
	}
	err = sys.Guard(func() (err error) {
		next, err = c.get(cursorNext)
		return err
	})
	return next, errors.Join(err, c.close())
}

// sync has the device keep everything so far, under mqadapt.OS, and lets consumers have it. After an error nobody knows what the device has: it is final.
func (a *Appender) sync() error {
	a.commit()
	if a.dirty {
		if err := sys.SyncData(a.seg.file); err != nil {
			return fmt.Errorf("journal: %w", err)
		}
		a.syncs.Add(1)
		a.dirty = false
	}
	if err := errors.Join(a.j.state.set(stateSynced, a.number), a.j.state.set(stateVisible, a.number)); err != nil {
		return err
	}
	a.tally.synced()
	return nil
}

// Close makes what was put whole, syncs it, and gives the journal to the next producer.
func (a *Appender) Close() error { return a.j.release(a) }

func (a *Appender) shut() error {
	var err error
	if a.broken == nil {
		err = sys.Guard(func() error {
			a.commit()
			if err := a.settlePast(); err != nil || !a.waits {
				return err
			}
			return a.j.state.set(stateVisible, a.number)
		})
	}
	a.broken = fmt.Errorf("journal: %w", mqadapt.ErrClosed)
	return errors.Join(err, a.seg.close(), sys.UnlockByte(a.j.state.file, lockByte))
}
