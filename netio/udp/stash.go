package udp

import (
	"slices"
	"sort"

	"github.com/alphapulse/transport/seal"
)

// stash keeps what arrived before its turn: runs of records and parts of a record, copied into one slab, in the order of
// their numbers. The slab is a ring of bytes given out in the order of arrival: what was taken out leaves room once
// everything before it was. Both bounds, bytes and pieces, are fixed when the receiver opens.
type stash struct {
	slab   []byte
	tail   int // where the next will
	used   int
	pieces []piece // by first, then offset
	order  []lent  // by arrival, a ring of its own
	oldest int
	lents  int
}

// piece is one run or part. A run has total 0.
type piece struct {
	first, last uint64 // numbers
	epoch       uint32
	offset      int // of a part, in its record
	total       int // size of its record
	at, size    int // in the slab
	lent        int // in order
}

// lent is a stretch of the slab, with what was skipped at the slab's end to get to it.
type lent struct {
	room int
	done bool
}

func newStash(bytes, pieces int) *stash {
	return &stash{slab: make([]byte, bytes), pieces: make([]piece, 0, pieces), order: make([]lent, pieces)}
}

func (s *stash) empty() bool { return len(s.pieces) == 0 }

// add copies b. It reports held when the stash has it already, and full when there is no room.
func (s *stash) add(p piece, b []byte) (held, full bool) {
	i := sort.Search(len(s.pieces), func(i int) bool {
		q := &s.pieces[i]
		return q.first > p.first || q.first == p.first && q.offset >= p.offset
	})
	if i < len(s.pieces) && s.pieces[i].first == p.first && s.pieces[i].offset == p.offset {
		if q := &s.pieces[i]; q.size >= len(b) {
			return true, false
		}
	}
	if i > 0 && p.total == 0 && s.pieces[i-1].total == 0 && s.pieces[i-1].last >= p.last {
		return true, false
	}
	if len(s.pieces) == cap(s.pieces) || s.lents == len(s.order) {
		return false, true
	}
	size := (len(b) + 7) &^ 7
	room := size
	if s.tail+size > len(s.slab) { // not in one piece before the end
		room += len(s.slab) - s.tail
	}
	if s.used+room > len(s.slab) {
		return false, true
	}
	if room > size {
		s.tail = 0
	}
	p.at, p.size, p.lent = s.tail, len(b), (s.oldest+s.lents)%len(s.order)
	copy(s.slab[p.at:], b)
	s.order[p.lent] = lent{room: room}
	s.lents++
	s.tail += size
	s.used += room
	s.pieces = slices.Insert(s.pieces, i, p)
	return false, false
}

// bytes is what lies at p.
func (s *stash) bytes(p *piece) []byte { return s.slab[p.at : p.at+p.size] }

// drop takes the first n pieces out.
func (s *stash) drop(n int) {
	for i := range s.pieces[:n] {
		s.order[s.pieces[i].lent].done = true
	}
	s.pieces = slices.Delete(s.pieces, 0, n)
	for s.lents > 0 && s.order[s.oldest].done {
		s.used -= s.order[s.oldest].room
		s.oldest = (s.oldest + 1) % len(s.order)
		s.lents--
	}
	if s.lents == 0 {
		s.tail, s.used = 0, 0
	}
}

// yield lets go of everything but what has number next, which is due, and returns how many pieces that were.
func (s *stash) yield(next uint64) (gone int) {
	due := 0
	for due < len(s.pieces) && s.pieces[due].first <= next {
		due++
	}
	for i := range s.pieces[due:] {
		s.order[s.pieces[due+i].lent].done = true
	}
	gone, s.pieces = len(s.pieces)-due, s.pieces[:due]
	newest := func() int { return (s.oldest + s.lents - 1) % len(s.order) }
	for s.lents > 0 && s.order[newest()].done {
		s.used -= s.order[newest()].room
		s.lents--
	}
	s.drop(0)
	for i := range s.pieces {
		if p := &s.pieces[i]; p.lent == newest() {
			s.tail = p.at + (p.size+7)&^7
		}
	}
	return gone
}

// whole says how many of the first pieces are the parts of record number next, complete and in a row; 0 when some miss.
func (s *stash) whole(next uint64) (parts, total int) {
	at := 0
	for i := range s.pieces {
		p := &s.pieces[i]
		if p.first != next || p.total == 0 || p.offset > at || total != 0 && p.total != total {
			break
		}
		total, at, parts = p.total, max(at, p.offset+p.size), i+1
		if at == total {
			return parts, total
		}
	}
	return 0, 0
}

// missing lists the numbers from next up to, not including, top that the stash has not got, at most len(out) ranges. A
// record of which parts are there counts as missing.
func (s *stash) missing(next, top uint64, out []seal.Range) int {
	n := 0
	add := func(first, last uint64) {
		if n > 0 && out[n-1].Last+1 == first {
			out[n-1].Last = last
			return
		}
		if n < len(out) {
			out[n] = seal.Range{First: first, Last: last}
			n++
		}
	}
	at := next
	for i := range s.pieces {
		p := &s.pieces[i]
		if n == len(out) || p.first >= top {
			break
		}
		if p.first > at {
			add(at, p.first-1)
		}
		if p.total > 0 && p.first >= at {
			add(p.first, p.first) // parts: once per record, since at passes it
		}
		at = max(at, p.last+1)
	}
	if at < top && n < len(out) {
		add(at, top-1)
	}
	return n
}
