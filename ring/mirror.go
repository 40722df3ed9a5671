package ring

import (
	"encoding/binary"
	"fmt"

	"github.com/alphapulse/transport/internal/check"
)

// A mirror is a ring that carries another ring's records: same bytes, same numbers, same epochs, at positions of its own.
// Whoever brings the records from elsewhere is its writer, appends runs of them, and says where a run does not follow
// the one before. It is an ordinary ring to its readers.

// maxSkip bounds how many numbers Continue passes.
const maxSkip = 1 << 62

// Continue makes seq, of epoch, the next record's number instead of Seq. The numbers between them are passed over and
// lost of them count as lost for every reader; seq must not be below Seq nor 2⁶² beyond it: ErrRange. Readers learn of it
// together with the next record; until then another Continue takes its place. A Trace that no record came for is forgotten.
func (w *Writer) Continue(epoch, seq, lost uint64) error {
	if w.broken != nil {
		return w.broken
	}
	if seq < w.seq || seq-w.seq > maxSkip || lost > seq-w.seq {
		return fmt.Errorf("%w: number %d after %d, %d of them lost", ErrRange, seq, w.seq, lost)
	}
	w.voice, w.skip, w.lost, w.traced = epoch, 0, 0, false
	if seq != w.seq {
		w.skip, w.lost = seq, lost
	}
	w.edge = 0 // the next claim comes by prepare
	return nil
}

// Append puts n records behind the open batch that Flush publishes: run is what another ring holds of them, whole and
// byte for byte, the first with the number Seq (after Continue: its seq). The caller has checked every commit word in it.
// It answers ErrFull, ErrTooLarge for a run beyond MaxRun, ErrEmpty, ErrFenced or ErrClosed, and then nothing has changed.
func (w *Writer) Append(run []byte, n int) error {
	size := uint64(len(run))
	if n <= 0 || size < HeaderSize+8 || size&7 != 0 {
		return fmt.Errorf("%w: %d records in %d bytes", ErrEmpty, n, size)
	}
	if len(run) > w.MaxRun() {
		return fmt.Errorf("%w: run of %d bytes, at most %d in this ring", ErrTooLarge, len(run), w.MaxRun())
	}
	if _, err := w.Claim(int(size) - HeaderSize); err != nil {
		return err
	}
	word := binary.LittleEndian.Uint64(run)
	if check.On {
		check.That(word>>seqShift == uint64(uint32(w.seq)), "I6: a mirrored record keeps its number")
	}
	off := w.off
	next := off + size
	w.seq += uint64(n)
	if w.mem.Load64(next)>>seqShift == uint64(uint32(w.seq)) {
		w.mem.Store64(next, 0)
	}
	// The words inside the run are in place before anybody can get to them: the first one is stored last, or held.
	copy(w.mem.Bytes(off+wordSize, size-wordSize), run[wordSize:])
	w.off, w.lent = next, next
	if check.On {
		check.Point("prepared")
	}
	if w.held == 0 {
		w.held, w.first = word, off
		return nil
	}
	w.mem.Store64(off, word)
	if check.On {
		check.Point("staged")
	}
	return nil
}

// MaxRun returns the largest run that Append takes, in bytes: an eighth of the ring with room for a skip and an epoch.
func (w *Writer) MaxRun() int { return (w.room - skipRecord - 16) &^ 7 }

// turn appends what Continue and Trace announced: the record that passes numbers over, the one that opens an epoch, the context of the next.
func (w *Writer) turn() {
	if w.skip != 0 {
		w.control(kindSkip, skipRecord, w.skip, w.lost, w.seq)
		w.seq, w.skip, w.lost = w.skip, 0, 0
	}
	if w.opened != w.voice {
		w.control(kindEpoch, epochSize(w.Position()), w.voice, w.opened)
		w.opened = w.voice
	}
	if w.traced {
		w.context()
	}
}
