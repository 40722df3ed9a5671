package ring

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/alphapulse/transport/internal/sys"
)

// Onlooker sees a ring without being part of it: both files are mapped read-only, no slot and no lock is taken, and nothing
// is stored. Neither its writer nor its readers can tell that it is there, however slow or dead it is. The zero Onlooker is not valid.
type Onlooker struct{ ring *Ring }

// Look opens the ring at path to look at it. It answers what Attach answers, but for ErrForeign: who may read the files may look, since
// nothing that they say is believed.
func Look(path string) (*Onlooker, error) {
	r, err := attachNamed(Options{Path: path, looking: true})
	if err != nil {
		return nil, err
	}
	return &Onlooker{r}, nil
}

// Info describes the ring.
func (o *Onlooker) Info() Info { return o.ring.Info() }

// Readers lists the readers, living and dead, that have a slot.
func (o *Onlooker) Readers() ([]ReaderInfo, error) { return o.ring.Readers() }

// WriterAlive reports whether a living process owns the ring's writing end. A stopped process is alive.
func (o *Onlooker) WriterAlive() (bool, error) { return o.ring.WriterAlive() }

// Close ends the look. Its readers are closed on their own.
func (o *Onlooker) Close() error { return o.ring.Close() }

// Boundary is a place between two records: where the record Seq begins.
type Boundary struct {
	Position uint64 // in bytes
	Seq      uint64 // number of the record that begins there
	Epoch    uint64 // in force before it
	Held     bool   // what begins there is not overwritten
}

// End is the place after the last committed record.
func (o *Onlooker) End() (b Boundary, err error) {
	err = o.guarded(func(d *data) error {
		for range attachTries {
			if m, ok := d.tail(); ok {
				b = Boundary{m.pos, m.seq, m.epoch, true}
				return nil
			}
		}
		return fmt.Errorf("%w: %s: no record boundary at its end", ErrCorrupt, o.ring.name())
	})
	return b, err
}

// Marks are the places that the writer has noted, the oldest first: at most 32.
func (o *Onlooker) Marks() (all []Boundary, err error) {
	err = o.guarded(func(d *data) error {
		floor := d.hdr.Load64(hdrLimit) - d.capacity
		for i := range markCount {
			if m, ok := loadMark(d.hdr, i); ok {
				all = append(all, Boundary{m.pos, m.seq, m.epoch, m.pos >= floor})
			}
		}
		return nil
	})
	slices.SortFunc(all, func(a, b Boundary) int { return cmp.Compare(a.Position, b.Position) })
	return all, err
}

func (o *Onlooker) guarded(fn func(*data) error) error {
	r := o.ring
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return fmt.Errorf("%w: %s", ErrClosed, r.name())
	}
	return sys.Guard(func() error { return fn(&r.data) }) // the file may have been cut
}

// noSlot is the index of a reader that has none.
const noSlot = -1

// Reader makes a lossy reader that has no slot: what it releases nobody learns. It cannot sleep for news, Wait returns at once: whoever
// sleeps must be able to say so.
func (o *Onlooker) Reader(from From) (*Reader, error) {
	r := o.ring
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.use(); err != nil {
		return nil, err
	}
	rd := &Reader{data: r.data, lossy: true, slot: sys.Heap(slotSize)}
	rd.ring, rd.index, rd.opts = r, noSlot, ReaderOptions{Mode: Lossy, From: from}
	rd.arena = make([]byte, r.data.capacity/8+HeaderSize)
	if err := sys.Guard(rd.enter); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", r.name(), err), r.unuse())
	}
	return rd, nil
}
