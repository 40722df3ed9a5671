package ring

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/alphapulse/transport/internal/check"
	"github.com/alphapulse/transport/internal/sys"
)

// States of a reader slot. A slot is owned by whoever holds its lock byte; the state outlives the owner.
const (
	stateFree    = 0
	stateGate    = 1
	stateLossy   = 2
	stateDurable = 1 << 8
	stateHeld    = 1 << 9
)

// attachTries bounds how often an attaching reader starts further on because the writer was quicker.
const attachTries = 1000

// standTries bounds how often it looks for a boundary in a ring that does not move: a mark may be half written.
const standTries = 20

func (r *Ring) slot(i int) sys.Mem { return r.cur.At(curSlots + uint64(i)*slotSize) }

// Reader attaches a reader.
func (r *Ring) Reader(o ReaderOptions) (*Reader, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.use(); err != nil {
		return nil, err
	}
	var rd *Reader
	err := sys.Guard(func() (err error) { // the file may have been cut
		rd, err = r.attachReader(o)
		return err
	})
	if err != nil {
		r.users--
		return nil, err
	}
	return rd, nil
}

func (r *Ring) attachReader(o ReaderOptions) (*Reader, error) {
	i, adopted, err := r.takeSlot(o)
	if err != nil {
		return nil, err
	}
	rd := &Reader{data: r.data, lossy: o.Mode == Lossy, slot: r.slot(i)}
	rd.ring, rd.index, rd.opts = r, i, o
	if rd.lossy {
		rd.arena = make([]byte, r.data.capacity/8+HeaderSize)
	}
	if check.On {
		check.Point("attach.slot")
	}
	if adopted && rd.adopt() {
		return rd, nil
	}
	if !adopted {
		rd.slot.Store64(slotSeq, 0) // nothing is owed to the name yet
	}
	r.describe(i, o)
	if err := rd.enter(); err != nil {
		r.freeSlot(i, false)
		r.unlockName(o)
		return nil, fmt.Errorf("%s: %w", r.name(), err)
	}
	rd.countMissed()
	if check.On {
		check.Point("attached")
	}
	return rd, nil
}

// adopt goes on at the cursor of a durable slot that still gates. An eviction clears the gate and then raises the
// generation once more: looked at the other way round, one of the two tells of it.
func (rd *Reader) adopt() bool {
	rd.gen = rd.slot.Load32(slotGen)
	if rd.ring.cur.Load64(curGates)>>rd.index&1 == 0 {
		return false
	}
	m, ok := rd.gated(rd.slot.Load64(slotCursor))
	if !ok {
		return false
	}
	if check.On {
		check.Point("adopt")
	}
	rd.ring.describe(rd.index, rd.opts)
	rd.begin(m)
	rd.countMissed()
	if check.On {
		check.Point("adopted")
	}
	return true
}

// countMissed compares where it starts with what its name has released or was promised.
func (rd *Reader) countMissed() {
	if owed := rd.slot.Load64(slotSeq); owed != 0 && owed < rd.seq {
		rd.lost = rd.seq - owed
	}
	rd.slot.Store64(slotSeq, rd.seq)
}

func (rd *Reader) begin(m mark) {
	rd.next, rd.cursor, rd.end = m.pos, m.pos, m.pos
	rd.seq, rd.owed, rd.epoch = m.seq, m.seq, m.epoch
}

// enter finds the place to start and, gating, makes the writer respect it.
func (rd *Reader) enter() error {
	rd.slot.Add32(slotLife, 1)
	if check.On {
		check.Point("attach.life")
	}
	rd.gen = rd.slot.Load32(slotGen)
	limit, still := uint64(0), 0
	for range attachTries {
		m, ok := rd.start()
		if !ok { // the writer came round meanwhile; if it did not move, the file is no ring's
			if now := rd.hdr.Load64(hdrLimit); now != limit {
				limit, still = now, 0
			} else if still++; still > standTries {
				break
			}
			continue
		}
		rd.slot.Store64(slotCursor, m.pos)
		if check.On {
			check.Point("attach.cursor")
		}
		if !rd.lossy {
			rd.ring.cur.Or64(curGates, 1<<rd.index) // full fence: see grants
		}
		if check.On {
			check.Point("attach.gate")
		}
		if m.pos >= rd.hdr.Load64(hdrLimit)-rd.capacity {
			rd.begin(m)
			return nil
		}
	}
	if !rd.lossy {
		rd.ring.cur.AndNot64(curGates, 1<<rd.index)
	}
	return fmt.Errorf("%w: no record boundary found", ErrCorrupt)
}

func (rd *Reader) start() (mark, bool) {
	if rd.opts.From == Oldest {
		if m, ok := rd.oldest(); ok {
			return m, true
		}
	}
	return rd.tail()
}

func (r *Ring) describe(i int, o ReaderOptions) {
	s := r.slot(i)
	state := uint32(stateGate)
	if o.Mode == Lossy {
		state = stateLossy
	}
	if o.Durable {
		state |= stateDurable | s.Load32(slotState)&stateHeld // who takes a held slot over holds it, too
		if r.slotNamed(i) != o.Name {
			state &^= stateHeld
		}
		if o.Held {
			state |= stateHeld
		}
	}
	if r.slotNamed(i) != o.Name { // an adopted slot is never without its name
		name := s.Bytes(slotName, maxName)
		clear(name)
		copy(name, o.Name)
	}
	s.Store32(slotPID, uint32(os.Getpid()))
	if check.On {
		check.Point("attach.name")
	}
	s.Store32(slotState, state)
	if check.On {
		check.Point("attach.described")
	}
}

// freeSlot gives slot i back; keep leaves it gating for a successor.
func (r *Ring) freeSlot(i int, keep bool) {
	if !keep {
		r.cur.AndNot64(curGates, 1<<i)
		if check.On {
			check.Point("detach.gate")
		}
		r.slot(i).Store32(slotState, stateFree)
		if check.On {
			check.Point("detach.state")
		}
	}
	r.unlockSlot(i)
}

func (r *Ring) dropReader(rd *Reader) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := sys.Guard(func() error { // the file may have been cut
		if rd.index != noSlot {
			r.freeSlot(rd.index, rd.opts.Durable)
		}
		return nil
	})
	r.unlockName(rd.opts)
	return errors.Join(err, r.unuse())
}

// keepSlot is dropReader that leaves slot and name locked.
func (r *Ring) keepSlot(rd *Reader) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept = append(r.kept, kept{rd.opts.Name, rd.index})
	return r.unuse()
}

// Forget frees the slot of a durable reader that is dead, closed, or handed over and not taken. It answers ErrOwned when the reader lives and
// ErrRange when there is none of that name.
func (r *Ring) Forget(name string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return ErrClosed
	}
	return sys.Guard(func() error { return r.forget(name) }) // the file may have been cut
}

func (r *Ring) forget(name string) error {
	if i := r.takeKept(name); i >= 0 {
		r.freeSlot(i, false)
		r.unlockName(ReaderOptions{Name: name, Durable: true})
		return nil
	}
	for i := range MaxReaders {
		if r.slot(i).Load32(slotState)&stateDurable == 0 || r.slotNamed(i) != name {
			continue
		}
		if ok, err := r.lockSlot(i); err != nil || !ok {
			return fmt.Errorf("%w: durable reader %q of %s (%v)", ErrOwned, name, r.name(), err)
		}
		r.freeSlot(i, false)
		return nil
	}
	return fmt.Errorf("%w: no durable reader %q in %s", ErrRange, name, r.name())
}

func (r *Ring) slotNamed(i int) string {
	name := r.slot(i).Bytes(slotName, maxName)
	if end := bytes.IndexByte(name, 0); end >= 0 {
		name = name[:end]
	}
	return string(name)
}

// ReaderInfo is one reader as the ring's files show it.
type ReaderInfo struct {
	Slot    int
	Name    string
	PID     int    // as the reader wrote it, for display: another pid namespace counts differently
	Command string // the process's name in this pid namespace, empty when unknown
	Mode    Mode
	Durable bool
	Held    bool   // see ReaderOptions
	Gating  bool   // the writer waits for it
	Alive   bool   // a stopped process is alive
	Cursor  uint64 // position in bytes
	Lag     uint64 // bytes committed beyond the cursor
}

// String names the reader the way a lag report does.
func (i ReaderInfo) String() string {
	alive := "alive"
	if !i.Alive {
		alive = "dead"
	}
	return fmt.Sprintf("%s reader %q of process %d (%s, %s), %d bytes behind", i.Mode, i.Name, i.PID, i.Command, alive, i.Lag)
}

// Readers lists the readers, living and dead, that have a slot.
func (r *Ring) Readers() ([]ReaderInfo, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed && r.users == 0 {
		return nil, ErrClosed
	}
	var all []ReaderInfo
	err := sys.Guard(func() error { // the file may have been cut
		for i := range MaxReaders {
			if r.slot(i).Load32(slotState) == stateFree {
				continue
			}
			info, err := r.readerInfo(i)
			if err != nil {
				return err
			}
			all = append(all, info)
		}
		return nil
	})
	return all, err
}

// end is the position after the last commit: what single commits have not published yet counts too.
func (r *Ring) end() uint64 {
	if m, ok := r.data.tail(); ok {
		return m.pos
	}
	return r.data.hdr.Load64(hdrPublished)
}

func (r *Ring) readerInfo(i int) (ReaderInfo, error) {
	s := r.slot(i)
	state := s.Load32(slotState)
	info := ReaderInfo{Slot: i, Name: r.slotNamed(i), PID: int(s.Load32(slotPID)), Durable: state&stateDurable != 0, Held: state&stateHeld != 0,
		Gating: r.cur.Load64(curGates)>>i&1 == 1, Cursor: s.Load64(slotCursor), Alive: r.slots>>i&1 == 1}
	if state&0xff == stateLossy {
		info.Mode = Lossy
	}
	if end := r.end(); end > info.Cursor {
		info.Lag = end - info.Cursor
	}
	if !info.Alive && r.curFile != nil {
		held, err := sys.ByteHeld(r.curFile, slotByte+int64(i))
		if err != nil {
			return info, err
		}
		info.Alive = held
	}
	if comm, err := os.ReadFile("/proc/" + strconv.Itoa(info.PID) + "/comm"); err == nil {
		info.Command = string(bytes.TrimSpace(comm))
	}
	return info, nil
}

// Slowest returns the gating reader the writer waits for, or ok false when no reader gates. Ask it after ErrFull to
// name the process that holds the ring.
func (w *Writer) Slowest() (slowest ReaderInfo, ok bool) {
	if w.closed {
		return ReaderInfo{}, false
	}
	all, err := w.ring.Readers()
	if err != nil {
		return ReaderInfo{}, false
	}
	for _, info := range all {
		if info.Gating && (!ok || info.Cursor < slowest.Cursor) {
			slowest, ok = info, true
		}
	}
	return slowest, ok
}
