package link

import "github.com/alphapulse/transport/seal"

const (
	batchBytes  = 64 << 10                                           // after which a batch is full
	batchPieces = 64                                                 // lent at once
	envelope    = 16 << 10                                           // bytes of records in an envelope
	gatherFrom  = 4 << 10                                            // bytes of a body from which on it is lent where it lies
	slabBytes   = batchBytes + seal.HeaderSize + seal.MaxBody + 4096 // one that begins before the batch is full, and a beat
)

// batch is what is on its way out: pieces, in order, that lie in the slab or in rings. Headers, and bodies that are small or packed, lie
// in the slab one behind the other, and go as one piece.
type batch struct {
	pieces [][]byte
	at     int // the first that is not written
	slab   []byte
	used   int
	open   bool // the last piece ends where the slab is used up
	bytes  int
}

func newBatch() batch {
	return batch{pieces: make([][]byte, 0, batchPieces), slab: make([]byte, slabBytes)}
}

func (b *batch) empty() bool { return b.at == len(b.pieces) }

// spare reports whether another envelope fits.
func (b *batch) spare() bool {
	return b.bytes < batchBytes && len(b.pieces)+2 <= batchPieces
}

func (b *batch) reset() { b.pieces, b.at, b.used, b.open, b.bytes = b.pieces[:0], 0, 0, false, 0 }

// place lends n bytes of the slab, which go next.
func (b *batch) place(n int) []byte {
	out := b.slab[b.used : b.used+n : b.used+n]
	if b.open {
		last := &b.pieces[len(b.pieces)-1]
		*last = b.slab[b.used-len(*last) : b.used+n]
	} else {
		b.pieces = append(b.pieces, out)
	}
	b.used += n
	b.bytes += n
	b.open = true
	return out
}

// lend puts p next, which stays where it is until it is written.
func (b *batch) lend(p []byte) {
	b.pieces = append(b.pieces, p)
	b.bytes += len(p)
	b.open = false
}

// envelope puts an envelope of a header, the head of a body and the rest of it next.
func (b *batch) envelope(h *seal.Header, head, body []byte) {
	h.Length = len(head) + len(body)
	if len(body) >= gatherFrom {
		out := b.place(seal.HeaderSize + len(head))
		h.Put(out)
		copy(out[seal.HeaderSize:], head)
		b.lend(body)
		return
	}
	b.copied(h, head, body)
}

// copied is envelope for a body that does not stay where it is.
func (b *batch) copied(h *seal.Header, head, body []byte) {
	h.Length = len(head) + len(body)
	out := b.place(seal.HeaderSize + h.Length)
	h.Put(out)
	copy(out[seal.HeaderSize+copy(out[seal.HeaderSize:], head):], body)
}

// sent takes out the first n bytes.
func (b *batch) sent(n int) {
	for n > 0 {
		p := &b.pieces[b.at]
		k := min(n, len(*p))
		*p = (*p)[k:]
		if n -= k; len(*p) == 0 {
			b.at++
		}
	}
}

// own copies what is lent and not written yet: the ring it lies in is to be let go of.
func (b *batch) own() {
	for i := b.at; i < len(b.pieces); i++ {
		b.pieces[i] = append([]byte(nil), b.pieces[i]...)
	}
	b.open = false
}
