package ring

import (
	"github.com/alphapulse/transport/internal/check"
	"github.com/alphapulse/transport/internal/sys"
)

// A mark names a record boundary: its position, the seq of the record there, and the epoch in force before it. The
// writer makes one per eighth of the ring or so. From the marks a reader finds the oldest boundary still held, and what
// seq is at a position, by walking at most a few thousand bytes.
//
//	0  position u64 · seq u64 · epoch u64 · check u64 (the three and a constant, exclusive or)
type mark struct {
	pos, seq, epoch uint64
	count, lost     uint64 // in a walk, not in the file: messages passed, and numbers that skips on the way call lost
}

const markCheck = 0x9e3779b97f4a7c15

// mark records the boundary at head, unless the newest mark is near.
func (w *Writer) mark(head uint64) {
	if w.marks > 0 && head-w.marked < w.step/2 {
		return
	}
	storeMark(w.hdr, w.marks, mark{pos: head, seq: w.seq, epoch: w.opened})
	w.marked = head
	w.marks++
	if check.On {
		check.Point("mark")
	}
}

func storeMark(hdr sys.Mem, i int, m mark) {
	at := hdrMarks + uint64(i%markCount)*markSize
	hdr.Store64(at+24, 0)
	hdr.Store64(at, m.pos)
	hdr.Store64(at+8, m.seq)
	hdr.Store64(at+16, m.epoch)
	if check.On {
		check.Point("mark.open")
	}
	hdr.Store64(at+24, m.pos^m.seq^m.epoch^markCheck)
}

// loadMark reads mark i; ok is false for one that is empty or being written.
func loadMark(hdr sys.Mem, i int) (m mark, ok bool) {
	at := hdrMarks + uint64(i)*markSize
	sum := hdr.Load64(at + 24)
	m = mark{pos: hdr.Load64(at), seq: hdr.Load64(at + 8), epoch: hdr.Load64(at + 16)}
	return m, m.pos^m.seq^m.epoch^markCheck == sum && sum != 0 && m.seq >= firstSeq && m.pos&7 == 0
}

// nearest returns the newest mark at or before pos, and the oldest one after it, among those not below floor.
func nearest(hdr sys.Mem, pos, floor uint64) (before, after mark, hasBefore, hasAfter bool) {
	for i := range markCount {
		m, ok := loadMark(hdr, i)
		switch {
		case !ok || m.pos < floor:
		case m.pos <= pos && (!hasBefore || m.pos > before.pos):
			before, hasBefore = m, true
		case m.pos > pos && (!hasAfter || m.pos < after.pos):
			after, hasAfter = m, true
		}
	}
	return before, after, hasBefore, hasAfter
}

// walk follows the records from m to position to, at most a capacity on. It returns the mark there; ok is false when no
// boundary is at to, or the bytes between are not records.
func (d *data) walk(m mark, to uint64) (mark, bool) {
	if to-m.pos > d.capacity {
		return m, false
	}
	for from := m.pos; m.pos-from < to-from; {
		var ok bool
		if m, ok = d.past(m, d.mem.Load64(m.pos&d.mask)); !ok {
			return m, false
		}
	}
	return m, m.pos == to
}

// past returns the mark after the record at m, whose commit word is word.
func (d *data) past(m mark, word uint64) (mark, bool) {
	if !d.plausible(m.pos, word, m.seq) {
		return m, false
	}
	if word&flagControl == 0 {
		m.seq++
		m.count++
	} else {
		switch kind, value, lost := d.control(m.pos, word); kind {
		case kindEpoch:
			m.epoch = value
		case kindSkip:
			if due, whole := d.due(m.pos, word); !whole || due != m.seq || value-m.seq-1 >= maxSkip || lost > value-m.seq {
				return m, false
			}
			m.seq, m.lost = value, m.lost+lost
		case kindTrace:
			if word&sizeMask < traceRecord {
				return m, false
			}
		}
	}
	m.pos += stride(word & sizeMask)
	return m, true
}

// plausible reports whether word can be the commit word at pos of a record of number seq.
func (d *data) plausible(pos, word, seq uint64) bool {
	size := word & sizeMask
	least := uint64(HeaderSize + 1)
	if word&flagControl != 0 {
		least = wordSize
	}
	return size >= least && size <= d.largest && uint32(word>>seqShift) == uint32(seq) &&
		word&flagMask&^flagControl == 0 && pos&d.mask+size <= d.span
}

// control reads the control record at pos: its kind, and the two words of an epoch change (new, old) or a skip (next number,
// how many are lost).
func (d *data) control(pos, word uint64) (kind, first, second uint64) {
	size, at := word&sizeMask, pos&d.mask
	if size < HeaderSize {
		return kindPad, 0, 0
	}
	if kind = d.mem.Load64(at + 8); kind != kindPad && size >= HeaderSize+16 {
		first, second = d.mem.Load64(at+HeaderSize), d.mem.Load64(at+HeaderSize+8)
	}
	return kind, first, second
}

// due reads what a skip says of the number it stands at; whole is false for one that has no such word.
func (d *data) due(pos, word uint64) (seq uint64, whole bool) {
	if word&sizeMask < skipRecord {
		return 0, false
	}
	return d.mem.Load64(pos&d.mask + HeaderSize + 16), true
}

// locate finds the record boundary at pos: its seq and the epoch in force. ok is false when pos is no boundary or is
// not held any more.
func (d *data) locate(pos uint64) (m mark, ok bool) {
	floor := d.hdr.Load64(hdrLimit) - d.capacity
	if pos < floor {
		return mark{}, false
	}
	m, ok = d.boundary(pos, floor)
	sys.LoadFence()
	return m, ok && pos >= d.hdr.Load64(hdrLimit)-d.capacity
}

// gated is locate for a pos that a gate holds. limit may already be a capacity beyond it while the writer still waits
// for the gate; then there is a mark after pos, and all between is held.
func (d *data) gated(pos uint64) (m mark, ok bool) {
	if m, ok = d.locate(pos); ok {
		return m, true
	}
	return d.boundary(pos, pos)
}

// boundary finds the record boundary at pos from the marks that are not below floor.
func (d *data) boundary(pos, floor uint64) (m mark, ok bool) {
	before, after, hasBefore, hasAfter := nearest(d.hdr, pos, floor)
	switch {
	case hasBefore:
		return d.walk(before, pos)
	case hasAfter:
		return d.backward(pos, after)
	}
	return mark{}, false
}

// backward finds what is at pos from a mark after it: the record's own half of the seq, proved by a walk to the mark.
func (d *data) backward(pos uint64, after mark) (mark, bool) {
	word := d.mem.Load64(pos & d.mask)
	near := after.seq
	if due, skips := d.skipBefore(pos, after.pos); skips {
		near = due
	}
	seq := near - uint64(uint32(near)-uint32(word>>seqShift))
	end, ok := d.walk(mark{pos: pos, seq: seq}, after.pos)
	if !ok || end.seq != after.seq {
		return mark{}, false
	}
	epoch := after.epoch
	if old, changed := d.epochBefore(pos, after.pos); changed {
		epoch = old
	}
	return mark{pos: pos, seq: seq, epoch: epoch}, true
}

// skipBefore returns the number that the first skip from pos on stands at.
func (d *data) skipBefore(pos, to uint64) (due uint64, skips bool) {
	if to-pos > d.capacity { // forged: no walk has proved it yet
		return 0, false
	}
	for left := to - pos; left > 0; { // counted down: a forged pos may be at the end of all numbers
		word := d.mem.Load64(pos & d.mask)
		size := word & sizeMask
		if size < wordSize || size > d.largest {
			return 0, false
		}
		if kind, _, _ := d.control(pos, word); word&flagControl != 0 && kind == kindSkip {
			return d.due(pos, word)
		}
		step := stride(size)
		if step > left {
			break
		}
		pos, left = pos+step, left-step
	}
	return 0, false
}

// epochBefore returns the epoch in force at pos as the first epoch record from there names it.
func (d *data) epochBefore(pos, to uint64) (old uint64, changed bool) {
	for pos < to {
		word := d.mem.Load64(pos & d.mask)
		size := word & sizeMask
		if size < wordSize || size > d.largest {
			return 0, false
		}
		if kind, _, before := d.control(pos, word); word&flagControl != 0 && kind == kindEpoch {
			return before, true
		}
		pos += stride(size)
	}
	return 0, false
}

// oldest returns the oldest mark still held, or ok false when there is none yet.
func (d *data) oldest() (m mark, ok bool) {
	floor := d.hdr.Load64(hdrLimit) - d.capacity
	_, m, _, ok = nearest(d.hdr, floor-1, floor)
	return m, ok
}

// tail walks from the published position to the end of what is committed. ok is false when the writer came round
// meanwhile: then what was walked over may have been payload.
func (d *data) tail() (m mark, ok bool) {
	published := d.hdr.Load64(hdrPublished)
	m, ok = d.locate(published)
	for whole := ok; whole && m.pos-published <= d.capacity; {
		m, whole = d.past(m, d.mem.Load64(m.pos&d.mask))
	}
	sys.LoadFence()
	return m, ok && published >= d.hdr.Load64(hdrLimit)-d.capacity
}
