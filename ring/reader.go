package ring

import (
	"github.com/alphapulse/transport/internal/check"
	"github.com/alphapulse/transport/internal/sys"
)

// Reader reads the records of a ring in order. It belongs to one goroutine at a time. The zero Reader is not valid.
//
// It has two numbers: next, private, moved by Peek and Seek; and cursor, shared, moved forward by Release.
//
// Where it looks for news decides the ring's speed. A reader that waits looks at the commit word at next and at nothing
// else: a message of one line then costs one line transfer. A reader in a stream must not do so, since each look takes
// the line away that the writer is filling; it looks at the published position, and at the commit word only when that
// has not moved for a while.
type Reader struct {
	data          // a page of zeroes once the reader is closed or broken
	next   uint64 // position of the next record to peek
	seq    uint64 // its number
	end    uint64 // the published position when it was last read
	idle   bool   // gating, and the last Peek found nothing and no stream: it waits
	stream int    // Peeks that still look at the published position first
	lossy  bool
	out    int    // records peeked and not released
	count  uint64 // records peeked in the last batch
	cursor uint64 // as in the slot
	owed   uint64 // number of the record at cursor
	gen    uint32 // the slot's generation at attach
	slot   sys.Mem
	attached
}

const lineSize = 64 // of a cache line

// Peek lends the next records, at most len(batch), in place, and returns how many. They stay readable until they are
// released (gate) or until the next Peek (lossy). Peeking again goes on after them.
//
// 0 means that nothing is committed beyond what was peeked, or that the reader can go no further: Err tells.
func (r *Reader) Peek(batch []Record) int {
	if !r.idle {
		return r.peek(batch)
	}
	// Waiting: this record and no other, since looking further would take lines the writer is about to fill.
	// The line behind is asked for along with the word's: a record of two lines then costs hardly more than one of one,
	// where a reader that looks first and fetches then pays both transfers one after the other.
	off := r.next & r.mask
	r.mem.Touch((r.next + lineSize) & r.mask)
	word := r.mem.Load64(off)
	if absent(word, r.seq) {
		if r.slot.Load32(slotGen) != r.gen {
			r.evicted()
		}
		return 0
	}
	size := word & sizeMask
	if word>>flagShift != uint64(uint32(r.seq))<<4 || size-(HeaderSize+1) > r.largest-(HeaderSize+1) ||
		off+size > r.span || len(batch) == 0 {
		return r.peek(batch)
	}
	batch[0] = r.mem.Bytes(off, size)
	r.idle = false
	r.next += stride(size)
	r.seq++
	r.count = 1
	r.out++
	if check.On {
		check.Point("peek")
	}
	return 1
}

// peek is Peek of a reader that is not waiting, or not for a plain record.
func (r *Reader) peek(batch []Record) int {
	if r.lossy {
		return r.peekCopies(batch)
	}
	pos, until := r.next, r.end
	if pos >= until && r.stream > 0 {
		until = r.await(pos)
	}
	off := pos & r.mask
	word := r.mem.Load64(off)
	if absent(word, r.seq) {
		if pos < until {
			return r.odd(batch, 0, pos, word)
		}
		return r.nothing()
	}
	if pos >= until {
		until = pos + r.capacity // what is no commit word ends the batch
	}
	end, tag, n := off+until-pos, uint64(uint32(r.seq))<<4, 0
	mem, span, room := r.mem, r.span, r.largest-(HeaderSize+1)
	for n < len(batch) {
		size := word & sizeMask
		if word>>flagShift != tag || size-(HeaderSize+1) > room || off+size > span {
			return r.odd(batch, n, pos-pos&r.mask+off, word)
		}
		for step := stride(size); ; { // as in extent: those as large as this one need not wait for their words
			batch[n] = mem.Bytes(off, size)
			n++
			off += step
			word += 1 << seqShift
			if n >= len(batch) || off >= end || off+size > span || mem.Load64(off) != word {
				break
			}
		}
		if off >= end {
			break
		}
		tag = word >> flagShift
		if word = mem.Load64(off); word>>seqShift != tag>>4 {
			break
		}
	}
	r.next, r.seq = pos-pos&r.mask+off, r.seq+uint64(n)
	if n > 1 {
		r.stream = streamPeeks
	}
	r.count, r.out = uint64(n), r.out+n
	if check.On {
		check.Point("peek")
	}
	return n
}

const (
	streamPeeks = 64 // Peeks without news after which a stream counts as ended
	streamLooks = 32 // looks at the published position in one Peek
)

// await looks for news of a stream, for a fraction of a microsecond, and returns the published position.
func (r *Reader) await(pos uint64) uint64 {
	for range streamLooks {
		if end := r.hdr.Load64(hdrPublished); end-pos-1 < r.capacity {
			r.end = end
			return end
		}
		sys.Pause()
	}
	r.stream--
	return pos
}

// nothing is what Peek returns when no record is committed at next.
func (r *Reader) nothing() int {
	r.idle = r.stream == 0 && r.err == nil
	if r.slot.Load32(slotGen) != r.gen {
		r.evicted()
	}
	return 0
}

// Release gives the first n records back that were peeked and not yet released. A gating reader's cursor moves past
// them and the writer may overwrite them. It answers ErrReleased when n is more than were peeked, and ErrEvicted when
// the writer went on without this reader: what was peeked is then to be discarded.
func (r *Reader) Release(n int) error {
	sys.LoadFence() // what was read of the records was read before the generation is
	if n != r.out || r.slot.Load32(slotGen) != r.gen {
		return r.releaseSome(n)
	}
	r.out = 0
	r.cursor, r.owed = r.next, r.seq
	r.slot.Store64(slotSeq, r.seq)
	r.slot.Store64(slotCursor, r.next)
	if check.On {
		check.Point("release")
	}
	return nil
}

// Seq returns the sequence number of the next record to peek.
func (r *Reader) Seq() uint64 { return r.seq }

// First returns the sequence number of the first record of the last batch.
func (r *Reader) First() uint64 { return r.seq - r.count }

// Position returns the position of the next record to peek, in bytes.
func (r *Reader) Position() uint64 { return r.next }

// Cursor returns the position up to which records were released, in bytes.
func (r *Reader) Cursor() uint64 { return r.cursor }

// Owed returns the sequence number of the first record that is not released.
func (r *Reader) Owed() uint64 { return r.owed }

// Lag returns how many bytes are published beyond the cursor.
func (r *Reader) Lag() uint64 {
	return max(r.hdr.Load64(hdrPublished), r.next) - r.cursor
}
