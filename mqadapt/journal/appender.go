package journal

import (
	"time"

	"github.com/alphapulse/transport/internal/check"
	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/mqadapt"
)

const (
	window      = 1 << 16   // entries taken and not settled, at most
	openEntries = 256       // entries whose words are held back under mqadapt.Memory, at most
	readyBytes  = 256 << 10 // of a segment that are made ready to be written at a time
)

// Appender is a journal's producer. It belongs to one goroutine, but for Stats. The zero Appender is not valid: use Journal.Appender.
//
// The order of stores is the whole protocol, as in a ring: payload and header first, the word with length and sum last, in one store. A
// process killed anywhere before that store leaves no record, anywhere after it a whole one: what a process stored into a mapped file is the
// file's. Behind the last record everything is zero, so that nothing else is ever taken for a word.
type Appender struct {
	j      *Journal
	seg    *segment
	off    uint64 // where the next record lies
	ready  uint64 // up to where the segment's pages are ready
	number uint64 // of the next record
	epoch  uint32
	clock  clock

	held  [openEntries]heldWord // mqadapt.Memory: records without their word
	holds int
	tally outcomes
	unsynced

	broken error
	growth
	counts
}

// heldWord is where a record lies whose word is not stored yet, and its length.
type heldWord struct {
	off    uint64
	length uint32
}

// unsynced is what fdatasync has not covered.
type unsynced struct {
	waits bool // outcomes wait for it
	dirty bool // something was put since the last one
}

// Put appends the first n of batch. What the journal has no room for is taken and settled as rejected, so that nobody waits for a disk.
func (a *Appender) Put(batch []mqadapt.Envelope) (n int, err error) {
	if a.broken != nil {
		return 0, a.broken
	}
	err = sys.Guard(func() error {
		n, err = a.put(batch)
		return err
	})
	if err != nil {
		a.broken = err
	}
	return n, err
}

func (a *Appender) put(batch []mqadapt.Envelope) (n int, err error) {
	if err := a.fenced(); err != nil {
		return 0, err
	}
	now := a.clock.now()
	for i := range batch {
		if a.tally.full() {
			break
		}
		e := &batch[i]
		length := e.Size()
		if length > maxEntry {
			a.reject(1, errTooLarge)
			n++
			continue
		}
		if a.off+stride(uint64(length))+endSize > a.seg.size {
			if why, err := a.grow(now); err != nil {
				return n, err
			} else if why != nil {
				rest := len(batch) - i // in order: what comes after it is not taken either
				a.reject(rest, why)
				a.publish()
				return n + rest, nil
			}
		}
		if err := a.prepare(stride(uint64(length))); err != nil {
			return n, err
		}
		a.append(e, uint32(length), now)
		n++
	}
	a.publish()
	return n, nil
}

// append writes one record.
func (a *Appender) append(e *mqadapt.Envelope, length uint32, now int64) {
	e.PutBytes(a.payload(length))
	a.finishRecord(kindEntry, length, now)
}

// payload is where the next record's goes.
func (a *Appender) payload(length uint32) []byte {
	m := a.seg.At(a.off)
	m.Store64(stride(uint64(length))-8, 0) // the padding; the payload may reach into it
	return m.Bytes(recHeader, uint64(length))
}

// finishRecord writes what is around a payload.
func (a *Appender) finishRecord(kind uint64, length uint32, now int64) {
	off, size := a.off, stride(uint64(length))
	m := a.seg.At(off)
	if check.On {
		check.Point("append.payload")
	}
	m.Store64(recNumber, a.number)
	m.Store64(recKind, uint64(a.epoch)|kind<<32)
	m.Store64(recStamp, uint64(now))
	if check.On {
		check.Point("append.header")
	}
	a.off += size
	a.number++
	a.dirty = true
	a.tally.add(1, !a.waits)
	if a.j.options.Durability == mqadapt.Memory {
		a.held[a.holds] = heldWord{off, length}
		if a.holds++; a.holds == openEntries {
			a.commit()
		}
		return
	}
	a.word(off, length)
}

// word makes the record at off exist.
func (a *Appender) word(off uint64, length uint32) {
	b := a.seg.Bytes(off, stride(uint64(length)))
	a.seg.Store64(off, uint64(length)|uint64(sum(b, length))<<32)
	if check.On {
		check.Point("append.word")
	}
}

// commit stores the words that are held back.
func (a *Appender) commit() {
	for _, h := range a.held[:a.holds] {
		a.word(h.off, h.length)
	}
	a.holds = 0
}

// prepare makes the pages ready that the next n bytes lie in, many at a time: a page fault for each would cost more than the bytes.
func (a *Appender) prepare(n uint64) error {
	if a.off+n <= a.ready {
		return nil
	}
	from := a.ready
	a.ready = min((a.off+n+readyBytes-1)/readyBytes*readyBytes, a.seg.size)
	return a.seg.Populate(int(from), int(a.ready-from))
}

// Settle writes outcomes. Under mqadapt.OS it calls fdatasync first, if anything waits for it: that is the only waiting a journal does.
func (a *Appender) Settle(out []mqadapt.Outcome, _ time.Duration) (n int, err error) {
	if a.broken != nil {
		return 0, a.broken
	}
	err = sys.Guard(func() error {
		a.commit()
		if a.tally.waiting == 0 {
			return nil
		}
		if err := a.fenced(); err != nil {
			return err
		}
		return a.sync()
	})
	if err != nil {
		a.broken = err
		return 0, err
	}
	return a.tally.take(out), nil
}

// Number returns the number of the next entry.
func (a *Appender) Number() uint64 { return a.number }

// clock tells the time of the wall without following its jumps: it reads it once, and is never behind the last stamp of a former life.
type clock struct {
	from time.Time
	base int64
	last int64
}

func newClock(from time.Time, least int64) clock {
	return clock{from: from, base: max(from.UnixNano(), least)}
}
