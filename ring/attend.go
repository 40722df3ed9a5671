package ring

import (
	"fmt"
	"time"

	"github.com/alphapulse/transport/internal/check"
	"github.com/alphapulse/transport/internal/sys"
)

// attached is the slow half of a Reader: its slot, what it missed, and why it stopped.
type attached struct {
	ring  *Ring
	index int
	epoch uint64
	lost  uint64
	laps  uint64
	err   error
	arena []byte // lossy: where copies go
	opts  ReaderOptions

	trace  [TraceSize]byte
	traced uint64 // number of the record that trace is about; 0: none
}

// nothing is what a stopped reader looks at: no record, ever.
var nothing = sys.Heap(hdrSize)

// odd handles what is no plain record at pos, after n plain ones.
func (r *Reader) odd(batch []Record, n int, pos, word uint64) int {
	r.count, r.out = uint64(n), r.out+n
	r.next, r.seq = pos, r.seq+uint64(n)
	if n > 0 {
		return n // the records before it first: they may belong to another epoch
	}
	if r.err != nil {
		return 0
	}
	for ; r.next == pos || !absent(word, r.seq); word = r.mem.Load64(r.next & r.mask) {
		if word&flagControl == 0 && r.next != pos {
			return r.Peek(batch)
		}
		if !r.skip(word) || r.next-pos > r.capacity {
			break
		}
		if r.out == 0 {
			r.cursor, r.owed = r.next, r.seq
			r.slot.Store64(slotSeq, r.seq)
			r.slot.Store64(slotCursor, r.next)
			if check.On {
				check.Point("skip")
			}
		}
	}
	return 0
}

// skip passes the control record at next. It reports false, and stops the reader, when there is none.
func (r *Reader) skip(word uint64) bool {
	if !r.plausible(r.next, word, r.seq) || word&flagControl == 0 {
		if r.evicted() { // overwritten, as was to be expected
			return false
		}
		r.fail(fmt.Errorf("%w: %s: word %#x at position %d is no record of number %d", ErrCorrupt, r.ring.name(), word, r.next, r.seq))
		return false
	}
	m, ok := r.past(mark{pos: r.next, seq: r.seq, epoch: r.epoch}, word)
	if !ok {
		if !r.evicted() {
			r.fail(fmt.Errorf("%w: %s: the record at position %d leads from number %d nowhere", ErrCorrupt, r.ring.name(), r.next, r.seq))
		}
		return false
	}
	r.heed(word)
	r.lost += m.lost
	r.next, r.seq, r.epoch = m.pos, m.seq, m.epoch
	return true
}

// evicted stops the reader if the writer went on without it.
func (r *Reader) evicted() bool {
	if r.err != nil || r.slot.Load32(slotGen) == r.gen {
		return false
	}
	r.fail(fmt.Errorf("%w: %q of %s at position %d", ErrEvicted, r.opts.Name, r.ring.name(), r.cursor))
	return true
}

func (r *Reader) releaseSome(n int) error {
	switch {
	case r.err != nil:
		return r.err
	case r.evicted():
		return r.err
	case n < 0 || n > r.out:
		return fmt.Errorf("%w: %d of %d", ErrReleased, n, r.out)
	case r.lossy: // what it copied may be overwritten in the ring: its cursor moves when the whole batch is released
		r.out -= n
		return nil
	}
	m := mark{pos: r.cursor, seq: r.owed}
	for left := n; left > 0; {
		word, ok := r.mem.Load64(m.pos&r.mask), false
		if word&flagControl == 0 {
			left--
		}
		if m, ok = r.past(m, word); !ok || m.pos > r.next {
			r.fail(fmt.Errorf("%w: %s: word %#x at position %d changed under its reader", ErrCorrupt, r.ring.name(), word, m.pos))
			return r.err
		}
	}
	r.settle(m, n)
	return nil
}

// ReleaseTo gives back every record that was peeked and whose number is below seq. It answers what Release answers.
func (r *Reader) ReleaseTo(seq uint64) error {
	if seq >= r.seq || r.err != nil || r.lossy || r.slot.Load32(slotGen) != r.gen {
		return r.Release(r.out)
	}
	m, ok := mark{pos: r.cursor, seq: r.owed}, true
	for m.seq < seq && m.pos < r.next {
		word := r.mem.Load64(m.pos & r.mask)
		if m, ok = r.past(m, word); !ok {
			r.fail(fmt.Errorf("%w: %s: word %#x at position %d changed under its reader", ErrCorrupt, r.ring.name(), word, m.pos))
			return r.err
		}
	}
	if m.pos > r.cursor {
		r.settle(m, int(m.count))
	}
	return nil
}

// ReleaseAt is ReleaseTo for who knows where record seq lies, in the run that PeekRun lent last: nothing need be walked. It answers
// ErrReleased, too, when the record at pos is not that one.
func (r *Reader) ReleaseAt(pos, seq uint64) error {
	if r.err != nil || r.lossy || seq >= r.seq || r.seq-seq > r.count || r.slot.Load32(slotGen) != r.gen {
		return r.ReleaseTo(seq)
	}
	if pos < r.cursor || pos >= r.next || pos&7 != 0 || !r.plausible(pos, r.mem.Load64(pos&r.mask), seq) {
		return fmt.Errorf("%w: record %d at position %d", ErrReleased, seq, pos)
	}
	r.settle(mark{pos: pos, seq: seq}, r.out-int(r.seq-seq))
	return nil
}

// settle moves the cursor to m: n records are given back.
func (r *Reader) settle(m mark, n int) {
	r.out -= n
	r.cursor, r.owed = m.pos, m.seq
	r.slot.Store64(slotSeq, m.seq)
	if check.On {
		check.Point("release.seq")
	}
	r.slot.Store64(slotCursor, m.pos)
	if check.On {
		check.Point("release")
	}
}

// fail makes Peek return 0 and Err and Release answer err from now on.
func (r *Reader) fail(err error) {
	r.err = err
	r.mem, r.mask, r.hdr, r.slot = nothing, 0, nothing, nothing
	r.gen, r.out, r.lossy, r.idle = ^uint32(0), 0, false, false
	r.end, r.stream = r.next, 0
}

// Err says why Peek finds nothing any more: ErrClosed, ErrCorrupt, ErrEvicted; nil while the reader is good.
func (r *Reader) Err() error { return r.err }

// Epoch returns the epoch of the writer of the last peeked batch, 0 before the first.
func (r *Reader) Epoch() uint64 { return r.epoch }

// Lost returns how many records this reader never saw: lapped (lossy), or overwritten while its durable slot was evicted. A Seek
// back counts anew.
func (r *Reader) Lost() uint64 { return r.lost }

// Laps returns how often the writer lapped this lossy reader.
func (r *Reader) Laps() uint64 { return r.laps }

// Seek makes position pos the next to peek. It must be a record boundary, not released yet if the reader gates, still
// held if it is lossy. What was peeked and not released counts as not peeked. It answers ErrRange otherwise, and then
// nothing has changed.
func (r *Reader) Seek(pos uint64) error {
	if r.err != nil {
		return r.err
	}
	if !r.lossy && pos < r.cursor {
		return fmt.Errorf("%w: %d is released, cursor %d", ErrRange, pos, r.cursor)
	}
	m, out, ok := r.find(pos)
	if !ok {
		if r.evicted() {
			return r.err
		}
		return fmt.Errorf("%w: %d", ErrRange, pos)
	}
	r.out = out
	r.next, r.seq, r.epoch, r.count = m.pos, m.seq, m.epoch, 0
	r.idle = false
	return nil
}

// find finds the record boundary at pos. The records between a gate's cursor and pos count as peeked, so that Release
// can give them back: out says how many.
func (r *Reader) find(pos uint64) (m mark, out int, ok bool) {
	if r.lossy {
		m, ok = r.locate(pos)
		return m, 0, ok
	}
	from, ok := r.gated(r.cursor)
	if !ok {
		return m, 0, false
	}
	m, ok = r.walk(from, pos)
	return m, int(m.count - from.count), ok
}

// peekCopies is Peek of a lossy reader. Between the look at a word and the end of its copy the writer may come round;
// so limit is read after the copies, and what it no longer covers is thrown away.
func (r *Reader) peekCopies(batch []Record) int {
	pos, seq, n, used := r.next, r.seq, 0, uint64(0)
	from := pos
	for n < len(batch) {
		word := r.mem.Load64(pos & r.mask)
		if absent(word, seq) {
			break
		}
		size := word & sizeMask
		if !r.plausible(pos, word, seq) || word&flagControl != 0 {
			if n > 0 {
				break
			}
			if !r.intact(pos) || !r.passLossy(word) {
				return r.relocate()
			}
			if pos, seq = r.next, r.seq; pos-from > r.capacity { // nothing but control records: forged
				break
			}
			continue
		}
		if used+stride(size) > uint64(len(r.arena)) {
			break
		}
		to := r.arena[used : used+size : used+size]
		r.mem.CopyTo(to, pos&r.mask)
		batch[n] = to
		n++
		seq++
		used += stride(size)
		pos += stride(size)
	}
	if !r.intact(r.next) {
		return r.relocate()
	}
	r.count, r.out = uint64(n), n
	r.next, r.seq = pos, seq
	return n
}

// passLossy passes a control record that may be overwritten while it is read.
func (r *Reader) passLossy(word uint64) bool {
	at, seq, epoch, lost := r.next, r.seq, r.epoch, r.lost
	if !r.skip(word) {
		return false
	}
	if !r.intact(at) {
		r.next, r.seq, r.epoch, r.lost, r.traced = at, seq, epoch, lost, 0
		return false
	}
	return true
}

// intact reports whether everything read from pos on was whole.
func (r *Reader) intact(pos uint64) bool {
	sys.LoadFence()
	return pos >= r.hdr.Load64(hdrLimit)-r.capacity
}

// relocate goes on at the published position after the writer came round, and counts what was lost on the way. It is
// tried anew by the next Peek if the writer comes round once more meanwhile.
func (r *Reader) relocate() int {
	if r.err != nil {
		return 0
	}
	r.count, r.out = 0, 0
	m, ok := r.locate(r.hdr.Load64(hdrPublished))
	if ok && m.seq >= r.seq {
		r.lost += m.seq - r.seq
		r.laps++
		r.next, r.seq, r.epoch = m.pos, m.seq, m.epoch
	}
	return 0
}

// Arm announces that the caller is about to sleep: it returns the word to sleep on (FutexWait) and the value it must
// still hold. ok is false when there is something to peek already, or when the reader must not sleep since no wake-up
// would be certain.
//
// No wake-up is lost. The writer stores a commit word and then loads parked; the reader sets bit 0 of parked and then
// loads the commit word. Each store must come before the other's load, but the writer's store is a plain one and may
// linger in its store buffer. Membarrier makes every running thread of the writer's process pass a full fence: if the
// writer's load of parked came before that fence, its store of the word did too, and the reader's load, after
// membarrier, sees it; if the load comes after the fence, it sees bit 0, since that was set before membarrier began.
// The writer then raises parked by one and wakes: a reader between here and the kernel finds another value and does not
// sleep, even when a second reader has set bit 0 again, since the count above it differs. Where the writer's process
// could not register, its header says fenced, and each of its commits passes a full fence itself.
func (r *Reader) Arm() (word *uint32, value uint32, ok bool) {
	if r.err != nil || r.index == noSlot {
		return nil, 0, false
	}
	value = r.ring.cur.Or32(curParked, 1)
	if r.hdr.Load32(hdrFenced) == 0 && sys.Membarrier() != nil {
		return nil, 0, false
	}
	if check.On {
		check.Point("armed")
	}
	if !absent(r.mem.Load64(r.next&r.mask), r.seq) || r.lossy && !r.intact(r.next) {
		return nil, 0, false
	}
	return r.ring.cur.Word32(curParked), value, true
}

// Wait sleeps until there may be something to peek, at most timeout. It can return early.
func (r *Reader) Wait(timeout time.Duration) error {
	word, value, ok := r.Arm()
	if !ok {
		return r.err
	}
	return sys.FutexWait(word, value, timeout)
}

// HandOver detaches a durable reader for the next one of its name on the same Ring, which goes on at its cursor. Until then, or until the
// ring is closed, the writer waits for the slot as for a living reader, where it would evict one that was closed when the ring is full.
// Another reader it closes.
func (r *Reader) HandOver() error {
	if r.ring == nil || !r.opts.Durable {
		return r.Close()
	}
	own := r.ring
	r.fail(ErrClosed)
	r.ring = nil
	return own.keepSlot(r)
}

// Close detaches the reader. A durable reader's slot goes on gating for its successor; Ring.Forget ends that.
func (r *Reader) Close() error {
	if r.ring == nil {
		return ErrClosed
	}
	own := r.ring
	r.fail(ErrClosed)
	r.ring = nil
	return own.dropReader(r)
}
