package ring

import "encoding/binary"

// A record may be traced: a control record right before it says of what it is a part, and whoever carries the record on carries that
// along. To the ring it is bytes; a reader that does not ask passes them by.
//
// A batch ends before a traced record, so what is known of a batch is about its first record, as an epoch is. Hardly one record in
// thousands is traced, and the others pay nothing: neither the quick half of Claim and Commit nor that of Peek knows of it.

// TraceSize is the number of bytes of a trace context: of W3C's, in binary, 16 of trace id, 8 of span id, 1 of flags.
const TraceSize = 25

// Trace has t go right before the next record that is claimed, or before the first of a claimed batch or an appended run. A claim that
// is given back leaves it to the one after. It is called before the claim: of a record that is claimed already it says nothing.
func (w *Writer) Trace(t [TraceSize]byte) {
	w.trace, w.traced = t, true
	w.edge = 0 // the next claim comes by prepare
}

// context appends the trace record.
func (w *Writer) context() {
	var b [32]byte
	copy(b[:], w.trace[:])
	le := binary.LittleEndian
	w.control(kindTrace, traceRecord, le.Uint64(b[:]), le.Uint64(b[8:]), le.Uint64(b[16:]), le.Uint64(b[24:]))
	w.traced = false
}

// Trace returns what the writer said with Trace of the first record of the last batch that was peeked, nil if nothing. It is valid until
// the next Peek. A reader that begins between a trace and its record, or seeks there, may not have it.
func (r *Reader) Trace() *[TraceSize]byte {
	if r.traced != r.seq-r.count {
		return nil
	}
	return &r.trace
}

// heed takes what the control record at next, which is whole, says of the record after it. What a former writer said before it ended
// is not about a record of its successor.
func (r *Reader) heed(word uint64) {
	switch kind, _, _ := r.control(r.next, word); kind {
	case kindEpoch:
		r.traced = 0
	case kindTrace:
		r.mem.CopyTo(r.trace[:], r.next&r.mask+HeaderSize)
		r.traced = r.seq
	}
}
