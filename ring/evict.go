package ring

import (
	"math/bits"

	"github.com/alphapulse/transport/internal/sys"
)

// Behind is how many bytes the gating reader that is furthest behind has not released; 0 without one. It costs a look at each cursor and no
// system call, so that who watches over a ring may ask it often.
func (r *Ring) Behind() (n uint64, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed && r.users == 0 {
		return 0, ErrClosed
	}
	err = sys.Guard(func() error { // the file may have been cut
		end := r.end()
		for left := r.cur.Load64(curGates); left != 0; left &= left - 1 {
			if cursor := r.slot(bits.TrailingZeros64(left)).Load64(slotCursor); cursor < end {
				n = max(n, end-cursor)
			}
		}
		return nil
	})
	return n, err
}

// Extent is how far the ring has come: the position after the last commit, and the number of the message that comes next. A mirror that was just
// made may not know; then it is where the ring begins.
func (r *Ring) Extent() (pos, seq uint64, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed && r.users == 0 {
		return 0, 0, ErrClosed
	}
	err = sys.Guard(func() error { // the file may have been cut
		pos, seq = r.geo.capacity, firstSeq
		if m, ok := r.data.tail(); ok {
			pos, seq = m.pos, m.seq
		}
		return nil
	})
	return pos, seq, err
}

// Evict is Writer.Evict for who is not the writer: any goroutine of the process that has the ring's Writer may call it, while the Writer is
// at work, too. The reader is one that Readers listed; if it has moved since, or another has its slot, it stays. It reports whether
// the reader is cut off.
func (r *Ring) Evict(info ReaderInfo) (evicted bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w, i := r.writer, info.Slot
	if w == nil || i < 0 || i >= MaxReaders {
		return false
	}
	_ = sys.Guard(func() error { // the file may have been cut: then nobody is held up
		same := r.slotNamed(i) == info.Name && r.slot(i).Load64(slotCursor) == info.Cursor
		if evicted = same && r.cur.Load64(curGates)>>i&1 == 1 && w.hdr.Load64(hdrEpoch) == w.epoch; evicted { // else it is another writer's
			w.evict(i)
		}
		return nil
	})
	return evicted
}

// Gates reports whether a gating reader of a name holds the writer back where it stands, alive or not.
func (r *Ring) Gates(name string) (gates bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed && r.users == 0 {
		return false
	}
	_ = sys.Guard(func() error { // the file may have been cut: then it holds nobody back
		for left := r.cur.Load64(curGates); left != 0 && !gates; left &= left - 1 {
			gates = r.slotNamed(bits.TrailingZeros64(left)) == name
		}
		return nil
	})
	return gates
}
