package ring

import (
	"errors"
	"fmt"
	"math/bits"
	"sync/atomic"

	"github.com/alphapulse/transport/internal/check"
	"github.com/alphapulse/transport/internal/sys"
)

// grants is the slow half of a Writer: how far it may write, and who is in the way. Claim comes here once per window,
// and looks at readers once per eighth of the ring, and whenever the ring is full.
//
// Two promises are made to readers here. To lossy ones: before anything below limit − capacity is overwritten, limit
// says so. To gating ones: the writer stays within capacity of the slowest. A reader that attaches sets its gate and
// then looks at limit; the writer stores limit, passes a full fence and then looks at the gates. So either the writer
// sees the gate, or the reader sees that it came too late and starts further on.
type grants struct {
	data
	ring    *Ring
	base    uint64 // a position,
	based   uint64 // and where it lies in mem
	room    int    // the largest payload
	step    uint64 // an eighth of the ring
	single  bool   // mapped once: records do not run over the end
	limit   uint64 // as in the header; never decreases
	granted uint64 // what gates allowed last; at most limit
	epoch   uint64
	opened  uint64 // epoch of which the readers know from a record; another than voice until the next claim
	voice   uint64 // epoch of the records to come: the writer's own, or in a mirror that of whom it repeats
	skip    uint64 // number that Continue goes on with; 0: none
	lost    uint64 // of those it passes over
	trace   [TraceSize]byte
	traced  bool   // trace is about the next record
	marked  uint64 // position of the newest mark
	marks   int    // how many marks were made
	behind  bool   // a gating reader was a good part of a window behind at the last look: a stream
	fulls   uint64 // ErrFull in a row
	known   uint64 // gates seen before
	life    [MaxReaders]uint32
	seen    [MaxReaders]uint64 // their cursors, then
	evicted atomic.Uint64
	closed  bool
	broken  error
}

const (
	// windowSize is how many bytes Claim lends before it comes back here.
	windowSize = 2048

	// reapEvery is how many ErrFull in a row pass between two looks for dead readers: a look costs a system call per gate.
	reapEvery = 64

	// freeSpare is what control records may take beside one record: a skip, an epoch and a trace, each of at most 88 bytes with pads, and a
	// word: 216 together.
	freeSpare = 256
)

// ask is Claim when the quick way is closed: at the end of the window, at the edge of what is granted, and for n that no
// claim can have.
func (w *Writer) ask(n int) ([]byte, error) {
	switch {
	case w.broken != nil:
		return nil, w.broken
	case n <= 0:
		return nil, fmt.Errorf("%w: claim of %d bytes", ErrEmpty, n)
	case n > w.room:
		return nil, fmt.Errorf("%w: claim of %d bytes, at most %d in this ring", ErrTooLarge, n, w.room)
	}
	if err := w.prepare(uint64(n)); err != nil {
		return nil, err
	}
	w.lent = w.off + uint64(n)
	return w.mem.Bytes(w.off+HeaderSize, uint64(n)), nil
}

// askBatch makes room for one to k records of n bytes and says for how many.
func (w *Writer) askBatch(n, k int) (int, error) {
	if k <= 0 && w.broken == nil {
		return 0, fmt.Errorf("%w: claim of %d records", ErrEmpty, k)
	}
	if n <= 0 || n > w.room || w.opened != w.voice || w.skip != 0 || w.traced || w.broken != nil {
		if _, err := w.ask(n); err != nil {
			return 0, err
		}
	}
	next := stride(uint64(n) + HeaderSize)
	fit := (w.end() - w.Position() - wordSize) / next
	if fit < uint64(k) {
		if _, err := w.ask(n); err != nil {
			return 0, err
		}
		fit = (w.end() - w.Position() - wordSize) / next
	}
	k = min(k, int(fit), int(w.step/next))
	return k, nil
}

// prepare makes room for a record of n bytes and begins a window with it.
func (w *Writer) prepare(n uint64) error {
	w.Abort()
	if w.held == 0 {
		w.publish()
	} else if (w.off-w.first)&w.mask > w.step {
		w.Flush()
	}
	need := stride(n+HeaderSize) + wordSize
	if w.opened != w.voice {
		need += max(epochRecord, epochSize(w.Position())) // a pad may come before it
	}
	if w.skip != 0 {
		need += skipRecord + HeaderSize + 16 // and makes the epoch record larger by that at most
	}
	if w.traced {
		need += traceRecord
	}
	pad := w.pad(need)
	if err := w.reach(need + pad); err != nil {
		return err
	}
	for pad > 0 { // no record is larger than an eighth, and so two may be needed
		part := min(pad, w.largest)
		w.control(kindPad, part)
		pad -= part
	}
	w.turn()
	w.open(n)
	return nil
}

// end returns the position up to which may be written now, the commit word after the last record included.
func (w *Writer) end() uint64 {
	if w.single {
		return min(w.granted, w.Position()|w.mask+1) // so the end of a single mapping is always a pad
	}
	return w.granted
}

// reach makes sure that need bytes at head may be written.
func (w *Writer) reach(need uint64) error {
	if w.Position()+need <= w.granted {
		return nil
	}
	if w.hdr.Load64(hdrEpoch) != w.epoch {
		return w.stop(fmt.Errorf("%w: epoch %d", ErrFenced, w.epoch))
	}
	if !w.grant(need) {
		w.edge = 0
		w.Flush() // readers cannot make room by what they cannot see
		return ErrFull
	}
	return nil
}

// open begins a window at head for a record of n bytes and more.
func (w *Writer) open(n uint64) {
	head := w.Position()
	w.rebase(head)
	end := min(w.end(), head+max(windowSize, stride(n+HeaderSize)+wordSize))
	w.edge = w.off + min(max(end-head-min(end-head, HeaderSize+wordSize+7), n), uint64(w.room))
	if w.behind { // in a stream it pays to take all lines of the window from the readers at once
		clear(w.mem.Bytes(w.off+wordSize, end-head-wordSize)) // not the word that readers look at
	}
}

// rebase makes pos the next record's, and finds it in the first of the two mappings.
func (w *Writer) rebase(pos uint64) {
	w.base, w.based = pos, pos&w.mask
	w.off = w.based
}

// pad returns what is left of a single mapping when need, and the pad after it, do not fit in.
func (w *Writer) pad(need uint64) uint64 {
	if left := w.capacity - w.Position()&w.mask; w.single && need > left {
		return left
	}
	return 0
}

// control appends a control record of size bytes to the batch, and so right before the next message.
func (w *Writer) control(kind, size uint64, words ...uint64) {
	pos := w.Position()
	next := pos + size
	off := pos & w.mask
	w.mem.Store64(next&w.mask, 0)
	if size > wordSize {
		w.mem.Store64(off+8, kind)
	}
	for i, v := range words {
		w.mem.Store64(off+HeaderSize+uint64(i)*8, v)
	}
	if check.On {
		check.Point("control")
	}
	word := size | flagControl | w.seq<<seqShift
	if w.held == 0 {
		w.held, w.first = word, off
	} else {
		w.mem.Store64(off, word)
	}
	w.rebase(next)
}

func (w *Writer) publish() {
	w.hdr.Store64(hdrPublished, w.Position())
	if check.On {
		check.Point("published")
	}
}

// grant tries to make room for need bytes at head.
func (w *Writer) grant(need uint64) bool {
	head := w.Position()
	w.mark(head)
	if limit := head + max(need, w.step); limit > w.limit {
		w.limit = limit
		w.hdr.Store64(hdrLimit, limit)
		if check.On {
			check.Point("limit")
		}
	}
	// Full fence: limit is out before any overwriting, and before the gates are read.
	sys.StoreFence()
	slowest := w.slowest()
	w.behind = head-slowest >= windowSize/4
	w.granted = max(w.granted, min(w.limit, slowest+w.capacity))
	if head+need <= w.granted {
		if check.On {
			check.Point("granted")
		}
		w.fulls = 0
		return true
	}
	if w.fulls%reapEvery == 0 && w.reap() {
		w.granted = max(w.granted, min(w.limit, w.slowest()+w.capacity))
	}
	w.fulls++
	return head+need <= w.granted
}

// slowest returns the lowest gating cursor, or head. A cursor is believed only between where it was seen last and head:
// one outside is forged, and its owner is evicted.
func (w *Writer) slowest() uint64 {
	head := w.Position()
	lowest, known := head, uint64(0)
	for left := w.cur.Load64(curGates); left != 0; left &= left - 1 {
		i := bits.TrailingZeros64(left)
		slot := w.cur.At(curSlots + uint64(i)*slotSize)
		life := slot.Load32(slotLife)
		if check.On {
			check.Point("life")
		}
		cursor := slot.Load64(slotCursor)
		floor := w.seen[i]
		if w.known>>i&1 == 0 || w.life[i] != life {
			if w.cur.Load64(curGates)>>i&1 == 0 {
				continue // it has closed the gate of a dead reader, and the cursor is still the dead one's
			}
			cursor = slot.Load64(slotCursor)
			floor = w.granted - w.capacity
			if cursor < floor {
				continue // it is attaching, will see limit and start further on
			}
		}
		if slot.Load32(slotLife) != life {
			continue // so is this one, in the place of a reader that left since the gates were read
		}
		if cursor < floor || cursor > head || cursor&7 != 0 {
			w.evict(i)
			continue
		}
		w.life[i], w.seen[i] = life, cursor
		known |= 1 << i
		lowest = min(lowest, cursor)
	}
	w.known = known
	return lowest
}

// evict closes gate i and makes its owner's next Release fail.
func (w *Writer) evict(i int) {
	slot := w.cur.At(curSlots + uint64(i)*slotSize)
	slot.Add32(slotGen, 1) // before the gate: a writer that dies in between has told its reader
	if check.On {
		check.Point("evict.gen")
	}
	w.cur.AndNot64(curGates, 1<<i)
	slot.Add32(slotGen, 1) // and after it: a reader that adopted the slot in between learns of it too
	w.evicted.Add(1)
	if check.On {
		check.Point("evicted")
	}
}

// reap evicts the gates of dead readers: ephemeral ones in any case, durable ones if they are what the ring is full of, held ones never.
// It reports whether it found any.
func (w *Writer) reap() bool {
	lowest, found := w.slowest(), false
	for left := w.known; left != 0; left &= left - 1 {
		i := bits.TrailingZeros64(left)
		slot := w.cur.At(curSlots + uint64(i)*slotSize)
		if state := slot.Load32(slotState); state&stateHeld != 0 || state&stateDurable != 0 && w.seen[i] != lowest {
			continue
		}
		if w.ring.ifDead(i, func() {
			if w.cur.Load64(curGates)>>i&1 == 1 && slot.Load64(slotCursor) == w.seen[i] {
				w.evict(i)
			} // else it left, or came and moved on, since the look above
		}) {
			found = true
		}
	}
	return found
}

// refuse says why a commit of n bytes cannot be.
func (w *Writer) refuse(n int) error {
	switch {
	case w.broken != nil:
		return w.broken
	case int(w.lent-w.off) <= 0:
		return ErrNoClaim
	case n <= 0:
		return fmt.Errorf("%w: commit of %d bytes", ErrEmpty, n)
	default:
		return fmt.Errorf("%w: commit of %d bytes, claimed %d", ErrTooLarge, n, w.lent-w.off)
	}
}

// refuseBatch says why a commit of k records cannot be.
func (w *Writer) refuseBatch(k int) error {
	switch {
	case w.broken != nil:
		return w.broken
	case w.batch.len == 0:
		return ErrNoClaim
	case k <= 0:
		return fmt.Errorf("%w: commit of %d records", ErrEmpty, k)
	default:
		return fmt.Errorf("%w: commit of %d records, claimed %d", ErrTooLarge, k, w.batch.len)
	}
}

// stop makes every later call answer err, and drops what was staged: a fenced writer publishes nothing more.
func (w *Writer) stop(err error) error {
	w.broken, w.edge, w.lent, w.batch.len, w.held = err, 0, 0, 0, 0
	return err
}

// wake lets the sleepers know. A reader that arms sets bit 0; raising the word by one clears the bit and counts the
// wake-up, so that who is about to sleep on the old value does not.
func (w *Writer) wake() {
	if w.fenced != 0 {
		sys.StoreFence()
	}
	if w.cur.Load32(curParked)&1 == 0 {
		return
	}
	if check.On {
		check.Point("wake.seen")
	}
	w.rouse()
}

// rouse wakes all sleepers, also those whose bit is clear already because a writer died before it called them. Where
// nobody had set the bit it is set now, and the next commit calls once in vain.
func (w *Writer) rouse() {
	w.cur.Add32(curParked, 1)
	if check.On {
		check.Point("wake")
	}
	// The word is mapped for as long as the writer lives, so the kernel has nothing to refuse.
	_, _ = sys.FutexWake(w.cur.Word32(curParked), 1<<30)
}

// Evictions returns how many gating readers this writer went on without: dead ones, those whose cursor was forged, and those that were evicted.
func (w *Writer) Evictions() uint64 { return w.evicted.Load() }

// Evict goes on without the gating reader in slot i (ReaderInfo.Slot), dead or alive: its next Release answers
// ErrEvicted. It reports whether there was a gate to close.
func (w *Writer) Evict(i int) bool {
	if i < 0 || i >= MaxReaders || w.broken != nil || w.cur.Load64(curGates)>>i&1 == 0 {
		return false
	}
	w.evict(i)
	return true
}

// Close flushes the batch and gives the ring to the next writer.
func (w *Writer) Close() error {
	if w.closed {
		return ErrClosed
	}
	w.closed = true
	w.Abort()
	var err error
	if w.broken == nil {
		err = sys.Guard(func() error { // the file may have been cut
			w.Flush()
			w.publish()
			return nil
		})
		_ = w.stop(ErrClosed) // every later call answers this
	}
	return errors.Join(err, w.ring.dropWriter(w))
}

// Free returns how many bytes of records there is room for before a gating reader is in the way, never more than the ring has. Who brings
// records from elsewhere asks it to say how far the other end may run ahead. Readers that died are let go of where they leave less than an
// eighth of the ring, as Claim does when it would answer ErrFull.
func (w *Writer) Free() int {
	if w.broken != nil {
		return 0
	}
	free := w.slack()
	if free < w.step {
		if w.fulls%reapEvery == 0 && w.reap() {
			free = w.slack()
		}
		w.fulls++
	}
	return int(free)
}

// slack is what is free without the records that go with a record: the end of a single mapping, an epoch, a skip, the word after it.
func (w *Writer) slack() uint64 {
	apart := uint64(freeSpare)
	if w.single {
		apart += w.step + 2*traceRecord // the pad is as large as what it makes way for, control records and all
	}
	return max(w.capacity-(w.Position()-w.slowest()), apart) - apart
}
