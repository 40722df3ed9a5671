package mqadapt

import (
	"fmt"

	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// feed is one ring as a shipper reads it.
type feed struct {
	ring   *ring.Ring
	reader *ring.Reader
	source uint64
	place
	confirmed uint64 // the number that is accepted up to
	out       int    // envelopes under way
	back      bool   // one was not accepted: once nothing is under way, it goes on from the cursor
	gone      bool   // taken out
	leaves    bool   // no more is put: it is let go once nothing is under way
	heard     bool   // an envelope of it was accepted
	high      uint64 // number up to which something is accepted, maybe before what comes first
}

// place is where a feed stands.
type place struct {
	run    []byte // peeked and not in an envelope yet
	n      int    // its records
	seq    uint64 // number of the first
	epoch  uint32
	offset int        // how much of it is in fragments
	traced bool       // the first is: the reader has its context
	due    uint64     // the number that comes next, if nothing is lost
	given  seal.Range // frames given up; First 0: none
}

func newFeed(r *ring.Ring, name string) (*feed, error) {
	info := r.Info()
	reader, err := r.Reader(ring.ReaderOptions{From: ring.Oldest, Name: name, Durable: info.Path != "", Held: info.Path != ""})
	if err != nil {
		return nil, err
	}
	f := &feed{ring: r, reader: reader, source: info.Instance}
	f.due = reader.Seq() - min(reader.Lost(), reader.Seq()-1)
	f.confirmed = f.due
	return f, nil
}

// owes reports that the queue has something nobody can take before more is put: a part of a record, or what comes behind a gap.
func (f *feed) owes() bool { return f.high >= f.confirmed }

// release moves the cursor: everything below seq is accepted.
func (f *feed) release(seq uint64) error {
	f.confirmed = seq
	if f.reader.Err() != nil { // carry finds it, and takes the ring out
		return nil
	}
	if err := f.reader.ReleaseTo(seq); err != nil && f.reader.Err() == nil {
		return fmt.Errorf("mqadapt: release of %d: %w", seq, err)
	}
	return nil
}

// rewind goes back to the first record that is not accepted.
func (f *feed) rewind() error {
	if err := f.reader.Seek(f.reader.Cursor()); err != nil {
		return err
	}
	f.run, f.n, f.offset, f.back = nil, 0, 0, false
	f.due = min(f.confirmed, f.reader.Owed())
	return nil
}

// putBack has the next envelope be the one that was made at w's place: it was not taken. The cursor may have passed a control record since.
func (f *feed) putBack(w *flight) error {
	f.place = w.was
	return f.reader.Seek(max(w.pos, f.reader.Cursor()))
}

// next makes the next envelope: what is lost before it first.
func (f *feed) next(s *Shipper) (e Envelope, w flight, ok bool) {
	was, pos := f.place, f.reader.Position()
	if e, w, ok = f.form(s); ok {
		w.was, w.pos = was, pos
	}
	return e, w, ok
}

func (f *feed) form(s *Shipper) (e Envelope, w flight, ok bool) {
	if len(f.run) == 0 {
		limit := s.options.Body
		if s.options.Separate {
			limit = 1
		}
		if f.run, f.n = f.reader.PeekRun(limit); f.n == 0 {
			return e, w, false
		}
		f.seq, f.epoch, f.offset = f.reader.First(), uint32(f.reader.Epoch()), 0
		f.traced = f.reader.Trace() != nil
	}
	e.Header = seal.Header{Kind: seal.Data, Channel: s.channel, Source: f.source, Epoch: f.epoch, Seq: f.seq}
	if f.seq > f.due {
		return f.lost(s, e, f.due, f.seq-1)
	}
	if f.given.First != 0 && f.seq >= f.given.First {
		last := f.given.Last
		f.given = seal.Range{}
		if f.seq <= last {
			return f.giveUp(s, e, last)
		}
	}
	first := (seal.RecordSize(f.run, f.seq, anyRecord) + 7) &^ 7
	if first == 0 || first > len(f.run) { // overwritten: the reader was evicted
		return e, w, false
	}
	if f.traced {
		return f.withTrace(s, e, first)
	}
	if first > s.options.Body || f.offset > 0 {
		return f.fragment(s, e)
	}
	e.Body = f.run
	w = flight{feed: f, first: f.seq, last: f.seq + uint64(f.n) - 1, whole: true, frames: f.n, stamp: ring.Record(f.run).Stamp()}
	f.run, f.n, f.due = nil, 0, w.last+1
	return e, w, true
}

// lost says that frames cannot be had any more.
func (f *feed) lost(s *Shipper, e Envelope, first, last uint64) (Envelope, flight, bool) {
	e.Kind, e.Seq, e.Body = seal.Lost, first, s.slab[:seal.LostSize]
	seal.PutLost(e.Body, last)
	f.due = last + 1
	return e, flight{feed: f, first: first, last: last, whole: true}, true
}

// giveUp says that frames are lost which the queue will not take, up to last or as far as the run goes.
func (f *feed) giveUp(s *Shipper, e Envelope, last uint64) (Envelope, flight, bool) {
	end := f.seq + uint64(f.n) - 1
	if end < last {
		f.given = seal.Range{First: end + 1, Last: last}
	}
	first := f.seq
	last = min(last, end)
	f.run, f.n, f.seq, f.offset, f.traced = seal.After(f.run, first, last), int(end-last), last+1, 0, false
	return f.lost(s, e, first, last)
}

// fragment takes the next part of a record that is larger than an envelope.
func (f *feed) fragment(s *Shipper, e Envelope) (Envelope, flight, bool) {
	total := seal.RecordSize(f.run, f.seq, anyRecord)
	n := min(s.options.Body-seal.FragmentHeader, total-f.offset)
	if n < total-f.offset {
		n &^= 7
	}
	e.Kind, e.Body = seal.Fragment, s.slab[:seal.FragmentHeader+n]
	seal.PutFragment(e.Body, f.offset, total)
	copy(e.Body[seal.FragmentHeader:], f.run[f.offset:f.offset+n])
	w := flight{feed: f, first: f.seq, last: f.seq}
	if f.offset += n; f.offset == total {
		w.whole, w.frames, w.stamp = true, 1, ring.Record(f.run).Stamp()
		f.run, f.n, f.seq, f.offset = nil, 0, f.seq+1, 0 // it was peeked alone
		f.due = f.seq
	}
	return e, w, true
}
