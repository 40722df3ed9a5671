package ring

import "github.com/alphapulse/transport/internal/check"

// PeekRun lends the next records side by side, as they lie in the ring: commit words included, each padded to 8 bytes, at
// most limit bytes together but always the first one whole. n says how many; First and Epoch belong to them. It is Peek
// for who carries records on, and only a gating reader may call it. A run ends where a control record stands, and stays
// readable until it is released. 0 means what it means for Peek.
func (r *Reader) PeekRun(limit int) (run []byte, n int) {
	pos, until := r.next, r.end
	if pos >= until && r.stream > 0 { // a look costs nothing here: who carries on has more to do than to wait
		if end := r.hdr.Load64(hdrPublished); end-pos-1 < r.capacity {
			r.end, until = end, end
		}
	}
	off := pos & r.mask
	word := r.mem.Load64(off)
	if absent(word, r.seq) && pos >= until {
		return nil, r.nothing()
	}
	if r.lossy || !r.plausible(pos, word, r.seq) || word&flagControl != 0 {
		r.odd(nil, 0, pos, word)
		if r.next == pos || r.err != nil {
			return nil, 0
		}
		return r.PeekRun(limit)
	}
	size, n := r.extent(off, word, limit)
	r.next, r.seq = pos+size, r.seq+uint64(n)
	if n > 1 {
		r.stream = streamPeeks
	}
	r.idle = false
	r.count, r.out = uint64(n), r.out+n
	if check.On {
		check.Point("peek")
	}
	return r.mem.Bytes(off, size), n
}

// Again lends records a second time that were peeked and not released: from the one at pos on, whose number is seq, as
// PeekRun does, and moves nothing. No records: they are not held, or no longer.
func (r *Reader) Again(pos, seq uint64, limit int) (run []byte, n int) {
	if pos < r.cursor || pos >= r.next || pos&7 != 0 {
		return nil, 0
	}
	off := pos & r.mask
	word := r.mem.Load64(off)
	if !r.plausible(pos, word, seq) || word&flagControl != 0 {
		return nil, 0
	}
	size, n := r.extent(off, word, min(limit, int(r.next-pos)))
	return r.mem.Bytes(off, size), n
}

// extent measures a run that begins at off with a record whose word is plausible: its bytes and records.
//
// Records are mostly as large as the one before. What the next word says, and where, is then known before it is loaded, and it is only
// compared: otherwise each load would wait for the size that the one before brings.
func (r *Reader) extent(off, word uint64, limit int) (size uint64, n int) {
	mem, room := r.mem, r.largest-(HeaderSize+1)
	end := off + min(uint64(max(limit, 0)), r.capacity, r.span-off)
	at, step := off, stride(word&sizeMask)
	for {
		at += step
		n++
		word += 1 << seqShift
		if at+step <= end && mem.Load64(at) == word {
			continue
		}
		if at+wordSize > end {
			break
		}
		tag := word >> flagShift
		word = mem.Load64(at)
		step = stride(word & sizeMask)
		if word>>flagShift != tag || word&sizeMask-(HeaderSize+1) > room || at+step > end {
			break
		}
	}
	return at - off, n
}

// Measure returns how many bytes PeekRun would lend within limit, at least a record if there is one, and moves nothing. 0
// means that nothing is committed there; 8, that a control record comes first.
func (r *Reader) Measure(limit int) int {
	off := r.next & r.mask
	word := r.mem.Load64(off)
	if absent(word, r.seq) {
		return 0
	}
	if word&flagControl != 0 || !r.plausible(r.next, word, r.seq) {
		return wordSize
	}
	size, _ := r.extent(off, word, limit)
	return int(size)
}
