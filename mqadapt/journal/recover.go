package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/mqadapt"
)

// Recovery is what a producer found when it opened.
type Recovery struct {
	Next    uint64 // number of the next entry
	Cleared uint64 // bytes cleared behind the last record: a killed append's
	// The machine went down since the last producer, and from here on nothing was synced and something is not whole: it was cut off. File is
	// empty otherwise.
	File    string
	Offset  uint64
	Dropped int // segments removed behind it
}

// Recovery says what this producer found when it opened.
func (a *Appender) Recovery() Recovery { return a.recovery }

// Appender opens the journal's one producer, as Producer does.
func (j *Journal) Appender() (*Appender, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return nil, fmt.Errorf("journal: %s: %w", j.options.Dir, mqadapt.ErrClosed)
	}
	for c := range j.open {
		if _, ok := c.(*Appender); ok {
			return nil, fmt.Errorf("journal: %w: %s is written by this very journal", mqadapt.ErrOwned, j.options.Dir)
		}
	}
	a := &Appender{j: j}
	a.waits = j.options.Durability == mqadapt.OS
	if err := sys.Guard(j.state.own); err != nil {
		return nil, err
	}
	if err := sys.Guard(a.recover); err != nil {
		err = errors.Join(err, sys.UnlockByte(j.state.file, lockByte))
		if a.seg != nil {
			err = errors.Join(err, a.seg.close())
		}
		return nil, err
	}
	j.open[a] = true
	return a, nil
}

// past is what the last producer left.
type past struct {
	firsts []uint64
	epoch  uint64
	synced uint64
	down   bool  // the machine went down since
	stamp  int64 // newest
}

func (a *Appender) recover() (err error) {
	var p past
	s := a.j.state
	boot, faults := s.get(stateBoot)
	var more error
	p.epoch, more = s.get(stateEpoch)
	faults = errors.Join(faults, more)
	p.synced, more = s.get(stateSynced)
	if faults = errors.Join(faults, more); faults != nil {
		return faults
	}
	p.down = boot != 0 && boot != bootNow()
	if p.firsts, err = segments(a.j.options.Dir); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	start := time.Now()
	if err := a.walk(&p); err != nil {
		return err
	}
	a.clock = newClock(start, p.stamp)
	a.epoch = uint32(max(p.epoch+1, uint64(start.Unix())))
	if a.seg == nil {
		a.number, a.off = firstNumber, segHeader
		if a.seg, err = a.makeSegment(a.clock.now()); err != nil {
			return err
		}
		a.bytes = int64(a.seg.size)
	}
	a.recovery.Next = a.number
	a.publishSegments()
	return a.begin(&p)
}

// begin tells the state of the new producer.
func (a *Appender) begin(p *past) error {
	s := a.j.state
	if err := s.set(stateEpoch, uint64(a.epoch)); err != nil {
		return err
	}
	if p.down {
		if err := a.pullBack(); err != nil {
			return err
		}
	}
	visible := allVisible
	if a.waits {
		if err := a.settlePast(); err != nil {
			return err
		}
		visible = a.number
	}
	return errors.Join(s.set(stateVisible, visible), s.set(stateBoot, bootNow()))
}

// walk finds the end of the journal. What a kill can leave it mends; anything else that is not whole is an error, but for what the machine
// went down with before it was synced.
func (a *Appender) walk(p *past) error {
	if len(p.firsts) == 0 {
		if p.synced > firstNumber {
			return corrupt(a.j.options.Dir, 0, fmt.Errorf("no segment, and there were %d entries", p.synced-firstNumber))
		}
		return nil
	}
	from, err := a.headers(p)
	if err != nil {
		return err
	}
	for i := from; i < len(p.firsts); i++ {
		if err := a.walkSegment(p, i); err != nil || a.seg != nil {
			return err
		}
	}
	return nil
}

// headers checks the header of every segment and returns the first whose records are to be looked at.
func (a *Appender) headers(p *past) (from int, err error) {
	for i, first := range p.firsts {
		s, err := openSegment(a.j.options.Dir, first, a.j.state.journal, false)
		if err != nil {
			return 0, err
		}
		a.bytes += int64(s.size)
		a.kept = append(a.kept, keptSegment{first, int64(s.size), s.created})
		if i > 0 {
			a.kept[i-1].until = s.created
		}
		if first <= p.synced || !p.down {
			from = i
		}
		last := i == len(p.firsts)-1
		if last && i > 0 && s.Load64(segHeader) == 0 { // its maker may have been killed before it ended the one before
			from = min(from, i-1)
		}
		if err := s.close(); err != nil {
			return 0, err
		}
	}
	return from, nil
}

// walkSegment walks segment i. The one that the journal goes on in stays open.
func (a *Appender) walkSegment(p *past, i int) error {
	s, err := openSegment(a.j.options.Dir, p.firsts[i], a.j.state.journal, true)
	if err != nil {
		return err
	}
	last := i == len(p.firsts)-1
	off, due, epoch := uint64(segHeader), s.first, uint32(0)
	var r record
	for err == nil {
		if r, err = s.at(off, due, epoch); err != nil {
			break
		}
		epoch, p.stamp, p.epoch = r.epoch, max(p.stamp, r.stamp), max(p.epoch, uint64(r.epoch))
		if r.kind == kindEnd {
			break
		}
		off, due = r.next, due+1
	}
	lost := p.down && due >= p.synced
	switch {
	case err != nil && err != errEnd && !lost:
	case err == nil && !last && p.firsts[i+1] == due:
		return s.close()
	case err == nil && last:
		err = corrupt(segPath(a.j.options.Dir, due), 0, errors.New("missing, and the segment before it ends"))
	case err == nil:
		err = corrupt(s.path, off, fmt.Errorf("it ends before entry %d, the next segment begins with %d", due, p.firsts[i+1]))
	case err == errEnd && !last && i == len(p.firsts)-2 && p.firsts[i+1] == due && !lost:
		a.finish(s, off, due, max(epoch, uint32(p.epoch)), p.stamp)
		return s.close()
	case !last && !lost:
		err = corrupt(s.path, off, fmt.Errorf("it stops before entry %d, the next segment begins with %d", due, p.firsts[i+1]))
	case due < p.synced:
		err = corrupt(s.path, off, fmt.Errorf("nothing, and entries up to %d were there", p.synced-1))
	default:
		if err != errEnd || !last {
			a.recovery.File, a.recovery.Offset = s.path, off
		}
		if err = a.clear(s, off, due, p.down); err == nil {
			err = a.dropAfter(p, i)
		}
		if err == nil {
			a.seg, a.off, a.number = s, off, due
			a.kept = a.kept[:i]
			return nil
		}
	}
	return errors.Join(err, s.close())
}

// clear zeroes what lies behind the last record. If whole records of this journal lie there, something before them was damaged and is not
// the end, unless the machine went down.
func (a *Appender) clear(s *segment, off, due uint64, down bool) error {
	zeroes := make([]byte, pageBytes)
	b := s.All()
	for at := off; at < s.size; {
		end := min((at/pageBytes+1)*pageBytes, s.size)
		if !bytes.Equal(b[at:end], zeroes[:end-at]) {
			if hole, found := wholeIn(b, at, end, due); found && !down {
				return corrupt(s.path, off, fmt.Errorf("nothing, and entry %d lies at offset %d", binary.LittleEndian.Uint64(b[hole+recNumber:]), hole))
			}
		}
		at = end
	}
	for at := off; at < s.size; {
		end := min((at/pageBytes+1)*pageBytes, s.size)
		if part := b[at:end]; !bytes.Equal(part, zeroes[:end-at]) {
			clear(part)
			a.recovery.Cleared += end - at
		}
		at = end
	}
	return nil
}

// wholeIn looks for a record with a number beyond due that begins between from and to.
func wholeIn(b []byte, from, to, due uint64) (off uint64, found bool) {
	le := binary.LittleEndian
	for off = from; off+recHeader < uint64(len(b)) && off < to; off += 8 {
		word, number := le.Uint64(b[off:]), le.Uint64(b[off+recNumber:])
		if word == 0 || number < due || number-due > uint64(len(b))/recHeader {
			continue
		}
		if _, err := parse(b, off, word, number, 0); err == nil {
			return off, true
		}
	}
	return 0, false
}

// dropAfter removes the segments behind number i: they begin beyond what is whole.
func (a *Appender) dropAfter(p *past, i int) error {
	for k := len(p.firsts) - 1; k > i; k-- {
		if err := os.Remove(segPath(a.j.options.Dir, p.firsts[k])); err != nil {
			return fmt.Errorf("journal: %w", err)
		}
		a.bytes -= a.kept[k].bytes
		a.recovery.Dropped++
	}
	return nil
}

// pullBack moves groups back that had passed what was cut off: they would miss what takes its place.
func (a *Appender) pullBack() error {
	groups, err := groupsIn(a.j.options.Dir, a.j.state.journal)
	if err != nil {
		return err
	}
	for _, g := range groups {
		if g.Next <= a.number {
			continue
		}
		c, err := openSmall(filepath.Join(a.j.options.Dir, g.Name+cursorSuffix), a.j.state.journal, kindCursor, true)
		if err != nil {
			return err
		}
		if err := errors.Join(c.set(cursorNext, a.number), c.close()); err != nil {
			return err
		}
	}
	return nil
}

// settlePast has the device keep all that earlier producers wrote and did not sync.
func (a *Appender) settlePast() error {
	synced, err := a.j.state.get(stateSynced)
	if err != nil {
		return err
	}
	for i, k := range a.kept {
		next := a.seg.first
		if i+1 < len(a.kept) {
			next = a.kept[i+1].first
		}
		if next <= synced {
			continue
		}
		f, err := sys.OpenShared(segPath(a.j.options.Dir, k.first), false)
		if gone(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("journal: %w", err)
		}
		if err := errors.Join(sys.SyncData(f), f.Close()); err != nil {
			return err
		}
	}
	if err := sys.SyncData(a.seg.file); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return errors.Join(syncDir(a.j.options.Dir), a.j.state.set(stateSynced, a.number))
}
