package udp

import "sort"

// index knows where the numbers of a source lie in its ring: an entry for about every 512 bytes carried, and one wherever
// numbers, or positions, do not simply go on. It is what a repair starts from.
type index struct {
	entries []entry // a ring
	head, n int
	next    entry // what would follow without a break
}

// entry is a record boundary: position, and number and epoch of the record there.
type entry struct {
	seq, pos uint64
	epoch    uint32
}

const indexEvery = 512 // bytes

func newIndex(capacity int) *index { return &index{entries: make([]entry, capacity/indexEvery+64)} }

// add notes a run that was carried: n records in size bytes, from e on.
func (x *index) add(e entry, n int, size uint64) {
	if x.n == 0 || e.pos-x.last().pos >= indexEvery || e.epoch != x.last().epoch || e.seq != x.next.seq || e.pos != x.next.pos {
		if x.n == len(x.entries) {
			x.head, x.n = (x.head+1)%len(x.entries), x.n-1
		}
		x.entries[(x.head+x.n)%len(x.entries)] = e
		x.n++
	}
	x.next = entry{seq: e.seq + uint64(n), pos: e.pos + size}
}

func (x *index) last() entry { return x.at(x.n - 1) }

func (x *index) at(i int) entry { return x.entries[(x.head+i)%len(x.entries)] }

// find returns the entry at or before seq, and the number of the entry after it (of what comes next, for the last one).
func (x *index) find(seq uint64) (e entry, until uint64, ok bool) {
	i := sort.Search(x.n, func(i int) bool { return x.at(i).seq > seq })
	if i == 0 {
		return entry{}, 0, false
	}
	if i < x.n {
		return x.at(i - 1), x.at(i).seq, true
	}
	return x.at(i - 1), x.next.seq, true
}

// position returns a position at or before which seq lies, as far on as is known.
func (x *index) position(seq uint64) (pos uint64, ok bool) {
	if x.n > 0 && seq >= x.next.seq {
		return x.next.pos, true
	}
	e, _, ok := x.find(seq)
	return e.pos, ok
}
