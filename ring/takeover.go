package ring

import (
	"fmt"
	"os"
	"time"

	"github.com/alphapulse/transport/internal/check"
	"github.com/alphapulse/transport/internal/sys"
)

// Writer takes the writing end. A living owner, in whatever process, answers ErrOwned; a dead one is fenced: its
// successor finds the end of what was committed, raises the epoch to max(stored + 1, Unix seconds) and goes on from
// there. What was claimed, or staged and not flushed, was never visible and is gone.
func (r *Ring) Writer() (*Writer, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.writer != nil {
		return nil, fmt.Errorf("%w: %s", ErrOwned, r.name())
	}
	if err := r.use(); err != nil {
		return nil, err
	}
	var w *Writer
	err := sys.Guard(func() (err error) { // the file may have been cut
		w, err = r.takeWriter()
		return err
	})
	if err != nil {
		r.unlockWriter() // of another owner's lock this takes nothing away
		r.users--
		return nil, err
	}
	r.writer = w
	return w, nil
}

func (r *Ring) takeWriter() (*Writer, error) {
	if err := r.lockWriter(); err != nil {
		return nil, err
	}
	if check.On {
		check.Point("resume.locked")
	}
	d, err := r.writableData()
	if err == nil {
		var w *Writer
		if w, err = r.resume(d); err == nil {
			return w, nil
		}
	}
	return nil, err
}

func (r *Ring) lockWriter() error {
	if r.curFile == nil {
		return nil
	}
	ok, err := sys.LockByte(r.curFile, writerByte)
	if err == nil && !ok {
		err = fmt.Errorf("%w: %s by process %d", ErrOwned, r.name(), r.data.hdr.Load32(hdrPID))
	}
	return err
}

func (r *Ring) unlockWriter() {
	if r.curFile != nil {
		_ = sys.UnlockByte(r.curFile, writerByte) // closing the file would do the same
	}
}

// writableData maps the data for writing, the first time a writer is asked for.
func (r *Ring) writableData() (data, error) {
	if r.curFile == nil {
		return r.data, nil
	}
	if r.writable == nil {
		f, err := sys.Reopen(r.dataFile)
		if err != nil {
			return data{}, err
		}
		head, body, err := r.mapData(f, true)
		_ = f.Close() // the mapping holds the file
		if err != nil {
			return data{}, err
		}
		r.header, r.writable = head, body
	}
	return view(r.writable.Mem, r.header.Mem, r.geo.capacity, false), nil
}

// resume makes a Writer that goes on where the last one ended.
func (r *Ring) resume(d data) (*Writer, error) {
	end, ok := d.tail()
	if !ok || checkWords(d) != nil {
		return nil, fmt.Errorf("%w: %s: no record boundary at the published position %d", ErrCorrupt, r.name(), d.hdr.Load64(hdrPublished))
	}
	w := &Writer{seq: end.seq, cur: r.cur}
	w.data, w.ring = d, r
	w.rebase(end.pos)
	w.room, w.step = int(maxPayload(d.capacity)), d.capacity/8
	w.single = d.span == d.capacity
	w.limit, w.granted = max(d.hdr.Load64(hdrLimit), end.pos), end.pos
	w.opened = end.epoch
	w.epoch = max(d.hdr.Load64(hdrEpoch)+1, uint64(time.Now().Unix()))
	w.voice = w.epoch
	w.fence()
	if check.On {
		check.Point("resume.fence")
	}
	w.dropMarks(end.pos)
	if check.On {
		check.Point("resume.marks")
	}
	w.mem.Store64(w.off, 0)
	if check.On {
		check.Point("resume.zero")
	}
	d.hdr.Store32(hdrPID, uint32(os.Getpid()))
	d.hdr.Store64(hdrEpoch, w.epoch)
	if check.On {
		check.Point("resume.epoch")
	}
	w.publish()
	w.rouse() // for what the former writer committed and did not live to announce
	if check.On {
		check.Point("resumed")
	}
	return w, nil
}

// fence learns how readers can be sure of this writer's store order, and says so in the header.
func (w *Writer) fence() {
	if sys.PlainStores && sys.RegisterMembarrier() != nil {
		w.fenced = 1
	}
	w.hdr.Store32(hdrFenced, w.fenced)
	sys.StoreFence()
}

// dropMarks erases marks the former writer made beyond what it committed, and finds the newest one left.
func (w *Writer) dropMarks(head uint64) {
	newest := -1
	for i := range markCount {
		m, ok := loadMark(w.hdr, i)
		switch {
		case !ok || m.pos > head:
			w.hdr.Store64(hdrMarks+uint64(i)*markSize+24, 0)
		case newest < 0 || m.pos > w.marked:
			newest, w.marked = i, m.pos
		}
	}
	w.marks = newest + 1
}

// dropWriter ends w's ownership.
func (r *Ring) dropWriter(w *Writer) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.writer != w {
		return ErrClosed
	}
	r.writer = nil
	r.unlockWriter()
	return r.unuse()
}
