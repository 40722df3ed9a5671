package ring

import (
	"github.com/alphapulse/transport/internal/check"
	"github.com/alphapulse/transport/internal/sys"
)

// Writer appends records to a ring. It belongs to one goroutine at a time. The zero Writer is not valid.
//
// The order of stores is the whole protocol. A commit word carries the record's number, and a reader takes nothing else
// for a commit. Bytes of a former lap can say anything, though: so before a record's commit word is stored, the place of
// the next one is looked at, and zeroed if it happens to carry the next number. To look costs less than to zero always,
// since the line need not be taken from the reader that had it last. A batch holds its first commit word back until
// Flush: the words behind it are in place but nobody gets past the first. The published position is stored after the
// words it covers; single commits store it only once per window, since a reader that waits looks at the commit word and
// one that has fallen behind has enough to read.
//
// A window is the short run of bytes that Claim may lend from without looking at anything else. At its end the slow half
// (grant.go) publishes and, once per eighth of the ring, looks at the readers.
type Writer struct {
	grants        // the slow half, and the view of the data
	off    uint64 // where the next record lies in mem
	edge   uint64 // up to where in mem a payload may reach without asking
	lent   uint64 // off + the bytes lent by the last claim; off or less: none
	seq    uint64 // of the next record
	stamp  uint64
	held   uint64 // commit word held back by the open batch; 0: no batch
	first  uint64 // where it belongs in mem
	batch  Batch  // lent by the last ClaimBatch
	cur    sys.Mem
	fenced uint32 // 1 where readers cannot make this side pass a fence
}

// Claim lends n bytes for the next record, 1 to MaxPayload. They are valid until Commit, Stage, Abort or the next
// claim, which takes the place of this one. Their content is whatever an earlier lap left.
//
// It answers ErrFull when a gating reader is in the way, ErrTooLarge, ErrEmpty, ErrFenced or ErrClosed.
func (w *Writer) Claim(n int) ([]byte, error) {
	if n > int(w.edge-w.off) || n <= 0 {
		return w.ask(n)
	}
	w.lent = w.off + uint64(n)
	return w.mem.Bytes(w.off+HeaderSize, uint64(n)), nil
}

// Commit ends the claim with its first n bytes and publishes the record, and with it whatever was staged before.
// It answers ErrNoClaim, ErrEmpty or ErrTooLarge, and then nothing has changed.
func (w *Writer) Commit(n int) error {
	if n > int(w.lent-w.off) || n <= 0 {
		return w.refuse(n)
	}
	if w.held != 0 {
		w.append(n)
		w.Flush()
		return nil
	}
	off, size := w.off, uint64(n)+HeaderSize
	next := off + stride(size)
	word := size | w.seq<<seqShift
	w.seq++
	if w.mem.Load64(next)>>seqShift == uint64(uint32(w.seq)) {
		w.mem.Store64(next, 0)
	}
	if check.On {
		check.Point("zeroed")
	}
	w.off, w.lent = next, next
	w.mem.Store64(off+8, w.stamp)
	if check.On {
		check.Point("prepared")
	}
	w.mem.Store64(off, word)
	if check.On {
		check.Point("committed")
	}
	if w.cur.Load32(curParked)&1|w.fenced != 0 {
		w.wake()
	}
	return nil
}

// Stage ends the claim with its first n bytes and adds the record to the batch that Flush publishes. A batch that grows
// past an eighth of the ring is flushed by itself. It answers as Commit does.
func (w *Writer) Stage(n int) error {
	if n > int(w.lent-w.off) || n <= 0 {
		return w.refuse(n)
	}
	w.append(n)
	return nil
}

// append puts the claimed record behind the open batch, or opens one with it.
func (w *Writer) append(n int) {
	off, size := w.off, uint64(n)+HeaderSize
	next := off + stride(size)
	word := size | w.seq<<seqShift
	w.seq++
	if w.mem.Load64(next)>>seqShift == uint64(uint32(w.seq)) {
		w.mem.Store64(next, 0)
	}
	w.off, w.lent = next, next
	w.mem.Store64(off+8, w.stamp)
	if w.held == 0 {
		w.held, w.first = word, off
		return
	}
	w.mem.Store64(off, word)
	if check.On {
		check.Point("staged")
	}
}

// Flush publishes the batch: its first commit word, then the position after it. Without a batch it does nothing.
func (w *Writer) Flush() {
	if w.held == 0 {
		return
	}
	if check.On {
		check.Point("flush")
	}
	w.mem.Store64(w.first, w.held)
	if check.On {
		check.Point("flushed")
	}
	w.held = 0
	w.hdr.Store64(hdrPublished, w.Position())
	if check.On {
		check.Point("published")
	}
	if w.cur.Load32(curParked)&1|w.fenced != 0 {
		w.wake()
	}
}

// ClaimBatch lends room for up to k records of n bytes each: as many as there are room for, at least one. What holds for
// Claim holds for each.
func (w *Writer) ClaimBatch(n, k int) (*Batch, error) {
	k, err := w.askBatch(n, k)
	if err != nil {
		return nil, err
	}
	size := uint64(n) + HeaderSize
	w.batch = Batch{mem: w.mem.At(w.off), size: uint64(n), stride: stride(size), word: size | w.seq<<seqShift, stamp: w.stamp, len: k}
	w.lent, w.edge = w.off, 0 // Commit finds no claim, and Claim comes by to end this one
	return &w.batch, nil
}

// CommitBatch publishes the first k records of the last ClaimBatch, each with all its bytes, and with them whatever was
// staged before. A record that was not asked for with At carries whatever an earlier lap left. It answers ErrNoClaim,
// ErrEmpty or ErrTooLarge, and then nothing has changed.
func (w *Writer) CommitBatch(k int) error {
	b := &w.batch
	if uint(k-1) >= uint(b.len) {
		return w.refuseBatch(k)
	}
	end := w.off + uint64(k)*b.stride
	for off, word := w.off+b.stride, b.word; off < end; off += b.stride {
		if word += 1 << seqShift; w.mem.Load64(off) != word { // not asked for
			w.mem.Store64(off+8, b.stamp)
			w.mem.Store64(off, word)
		}
	}
	w.mem.Store64(end, 0)
	if check.On {
		check.Point("prepared")
	}
	w.mem.Store64(w.off+8, b.stamp)
	if w.held == 0 {
		w.held, w.first = b.word, w.off
	} else {
		w.mem.Store64(w.off, b.word)
	}
	w.off = end
	w.seq += uint64(k)
	b.len = 0
	w.Flush()
	return nil
}

// Batch is room for records of one size, lent by ClaimBatch. A Writer has one: it is empty once it is committed or
// aborted, once another claim has taken its place, and when the Writer is closed. The zero Batch is empty.
type Batch struct {
	mem    sys.Mem // the first record
	size   uint64  // of a payload
	stride uint64
	word   uint64 // commit word of the first record
	stamp  uint64
	len    int
}

// Len returns how many records there is room for.
func (b *Batch) Len() int { return b.len }

// At lends the bytes of record i and writes its header, so that a batch filled in order is written in one go from its
// first byte to its last: stores that jump between cache lines leave the core one by one. The commit word of the first
// record stays 0 until CommitBatch; behind it nobody sees the others. Of an i that is not 0 to Len−1 there are none: nil.
func (b *Batch) At(i int) []byte {
	if uint(i) >= uint(b.len) {
		return nil
	}
	off, word := uint64(i)*b.stride, b.word+uint64(i)<<seqShift
	if i == 0 {
		word = 0
	}
	b.mem.Store64(off, word)
	b.mem.Store64(off+8, b.stamp)
	return b.mem.Bytes(off+HeaderSize, b.size)
}

// Abort gives the claim back. Nothing was visible of it.
func (w *Writer) Abort() { w.lent, w.batch.len = w.off, 0 }

// SetStamp lends the stamp of all records committed or staged, and of all batches claimed, from now on: any number, by
// custom the nanoseconds of the monotonic clock at which the message was meant to be sent; 0 means none.
func (w *Writer) SetStamp(stamp uint64) { w.stamp = stamp }

// Seq returns the sequence number of the next record. A ring's first record is 1.
func (w *Writer) Seq() uint64 { return w.seq }

// Position returns the position of the next record in bytes.
func (w *Writer) Position() uint64 { return w.base + w.off - w.based }

// Epoch returns the epoch of this writer: later writers of a ring have higher ones.
func (w *Writer) Epoch() uint64 { return w.epoch }

// Capacity returns the size of the ring in bytes.
func (w *Writer) Capacity() int { return int(w.capacity) }

// MaxPayload returns the largest n that Claim takes, in bytes.
func (w *Writer) MaxPayload() int { return w.room }
