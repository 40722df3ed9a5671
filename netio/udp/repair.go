package udp

import (
	"slices"
	"time"

	"github.com/alphapulse/transport/seal"
)

// repair sends again what receivers asked for, by reading the ring at an older position. What the ring no longer holds is
// answered with an explicit lost.
func (s *Sender) repair(f *feed, now time.Duration) error {
	for len(f.wants) > 0 {
		if f.at >= len(f.wants) {
			f.at = 0
		}
		w := &f.wants[f.at]
		r := f.receiver(w.id)
		if r == nil || w.First > w.Last {
			f.wants = slices.Delete(f.wants, f.at, f.at+1)
			continue
		}
		wire := s.wires[r.path]
		if !wire.repairs() || !s.paced.allows() {
			return nil
		}
		r.tokens, r.paidAt = topped(r.tokens, s.options.Budget, r.paidAt, now, budgetBurst)
		if r.tokens <= 0 && w.offset == 0 { // a record that is begun is sent to its end: half of it is of no use
			s.drop(OverBudget, 1)
			f.wants = slices.Delete(f.wants, f.at, f.at+1)
			continue
		}
		next, err := s.again(f, r, wire, w, now)
		if err != nil {
			return err
		}
		if next != w.First {
			w.First, w.offset = next, 0
			f.at++ // a datagram each, in turns
		}
	}
	return nil
}

// repairs reports whether another repair fits. Half of a batch is left to news: those who miss nothing do not wait for one who does.
func (w *wire) repairs() bool {
	if w.medium != nil {
		return w.datagrams < sendDatagrams/2 && w.medium.Spare() > mediumSpare
	}
	return w.batch.Len() < w.messages()/2 && w.datagrams < sendDatagrams/2 && w.bytes < sendBytes/2
}

// again sends one datagram of a range, or says that its beginning is lost, and returns the number to go on with.
func (s *Sender) again(f *feed, r *receiver, w *wire, want *want, now time.Duration) (next uint64, err error) {
	last := min(want.Last, f.held()-1)
	if last < want.First {
		return want.Last + 1, nil // not carried yet: it is on its way
	}
	run, epoch := f.locate(want.First, indexEvery+2*w.room)
	if len(run) == 0 { // released, or a number that the ring never had
		gone := last
		if held := f.firstHeld(); held > want.First {
			gone = min(last, held-1)
		} else if _, until, ok := f.index.find(want.First); ok && until > want.First {
			gone = want.First
		}
		return gone + 1, s.lost(f, r, w, seal.Range{First: want.First, Last: gone}, now)
	}
	bound := s.bound()
	if size := seal.RecordSize(run, want.First, anyRecord); size > bound {
		return s.fragmentsAgain(f, r, w, epoch, want, run[:size], bound, now)
	}
	part, trace, k := f.tracedAgain(want.First, run, bound)
	if over := want.First + uint64(k) - 1; over > last {
		rest := seal.After(part, want.First, last)
		part, k = part[:len(part)-len(rest)], int(last-want.First)+1
	}
	r.tokens -= int64(len(part))
	s.Again += uint64(k)
	h := seal.Header{Kind: seal.Data, Channel: s.channel, Source: f.source, Epoch: epoch, Seq: want.First}
	if h.Traced = trace != nil; h.Traced {
		return want.First + uint64(k), s.emitTo(w, &r.from, f, &h, part, trace, false, 0, now)
	}
	return want.First + uint64(k), s.emitTo(w, &r.from, f, &h, nil, part, true, 0, now)
}

// locate lends records from number seq on, about chunk bytes of them, by way of the index entry before it. Nothing: it is not
// there to be lent.
func (f *feed) locate(seq uint64, chunk int) (run []byte, epoch uint32) {
	e, until, ok := f.index.find(seq)
	if !ok || seq >= until || seq < f.reader.Owed() {
		return nil, 0
	}
	if at := f.reader.Cursor(); e.pos < at { // the entry is older than what is released
		e.pos, e.seq = at, f.reader.Owed()
	}
	for {
		run, n := f.reader.Again(e.pos, e.seq, chunk)
		if n == 0 {
			return nil, 0
		}
		if seq < e.seq+uint64(n) {
			return seal.After(run, e.seq, seq-1), e.epoch
		}
		e.pos, e.seq = e.pos+uint64(len(run)), e.seq+uint64(n)
	}
}

// firstHeld is the number of the oldest record that can be read again.
func (f *feed) firstHeld() uint64 {
	if f.index.n == 0 {
		return f.held()
	}
	return max(f.reader.Owed(), f.index.at(0).seq)
}

// lost tells a receiver that a range cannot be had.
func (s *Sender) lost(f *feed, r *receiver, w *wire, gone seal.Range, now time.Duration) error {
	s.Lost += gone.Last - gone.First + 1
	body := s.scratch[:seal.LostSize]
	seal.PutLost(body, gone.Last)
	h := seal.Header{Kind: seal.Lost, Channel: s.channel, Source: f.source, Epoch: f.epoch, Seq: gone.First}
	return s.emitTo(w, &r.from, f, &h, nil, body, false, 0, now)
}

// fragmentsAgain sends parts of a record again, as many as the batch takes: the rest follows with the next.
func (s *Sender) fragmentsAgain(f *feed, r *receiver, w *wire, epoch uint32, want *want, record []byte, bound int, now time.Duration) (next uint64, err error) {
	for want.offset < len(record) {
		if !w.repairs() || !s.paced.allows() {
			return want.First, nil
		}
		n := min(bound-seal.FragmentHeader, len(record)-want.offset)
		if n < len(record)-want.offset {
			n &^= 7
		}
		var head [seal.FragmentHeader]byte
		seal.PutFragment(head[:], want.offset, len(record))
		h := seal.Header{Kind: seal.Fragment, Channel: s.channel, Source: f.source, Epoch: epoch, Seq: want.First}
		if err := s.emitTo(w, &r.from, f, &h, head[:], record[want.offset:want.offset+n], true, 0, now); err != nil {
			return want.First, err
		}
		r.tokens -= int64(n)
		want.offset += n
	}
	s.Again++
	return want.First + 1, nil
}
