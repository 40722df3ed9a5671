package demo

import (
	"errors"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/tlv"
)

// Counts of an account, by offset.
const (
	countGaps      = 0
	countRepeated  = 8
	countReordered = 16
	countCorrupt   = 24
)

// errRows: more publishers than an account has rows.
var errRows = errors.New("demo: more than 126 rings to account for: remove the directory and start again")

// account keeps count of the messages of several sources by their numbers.
//
// delivered is not counted: it is the sum of next − first over the rows, less the gaps. So one store says that a message
// is done with, and a kill at any instruction leaves it either done or not.
type account struct {
	sys.Mem
	lanes  []lane
	recent int // the lane of the last message: bursts come from one source
}

// lane follows one source.
type lane struct {
	row
	source  uint64
	epoch   uint64
	tracker *tlv.Tracker
}

func (a *account) row(i int) row { return row{a.At(accountRows + uint64(i)*rowSize)} }

// load takes over the rows of a former life.
func (a *account) load() {
	for i := range maxRows {
		if r := a.row(i); r.next() != 0 {
			a.follow(r, r.source(), r.Load64(rowEpoch))
		}
	}
}

func (a *account) follow(r row, source, epoch uint64) *lane {
	t := &tlv.Tracker{}
	t.Resume(tlv.MarketData, 0, r.next()-1)
	a.lanes = append(a.lanes, lane{r, source, epoch, t})
	return &a.lanes[len(a.lanes)-1]
}

// lane finds the lane of source, and opens one whose first message is seq.
func (a *account) lane(source, seq uint64) (*lane, error) {
	if a.recent < len(a.lanes) && a.lanes[a.recent].source == source {
		return &a.lanes[a.recent], nil
	}
	for i := range a.lanes {
		if a.lanes[i].source == source {
			a.recent = i
			return &a.lanes[i], nil
		}
	}
	if len(a.lanes) == maxRows {
		return nil, errRows
	}
	r := a.row(len(a.lanes))
	r.Store64(rowSource, source)
	r.Store64(rowFirst, seq)
	r.Store64(rowEpoch, 0)
	r.Store64(rowNext, seq)
	return a.follow(r, source, 0), nil
}

// see says whether message seq is new, and counts what its number tells: missing ones before it, itself late or repeated.
// The caller does its work and then calls done.
func (a *account) see(l *lane, seq, epoch uint64) bool {
	if epoch != l.epoch {
		if epoch < l.epoch {
			a.count(countReordered)
		}
		l.epoch = epoch
		l.Store64(rowEpoch, epoch)
	}
	v := l.tracker.Sequence(tlv.MarketData, 0, seq)
	switch v.Arrival {
	case tlv.InOrder:
	case tlv.Gap:
		a.add(countGaps, v.Missing)
	case tlv.TooFar:
		a.add(countGaps, v.Missing)
		l.tracker.Resume(tlv.MarketData, 0, seq)
	case tlv.Late:
		a.count(countReordered)
		a.Store64(countGaps, a.Load64(countGaps)-1) // it was counted as missing
	default:
		a.count(countRepeated)
		return false
	}
	return true
}

// done notes that message seq is done with, and how long it took.
func (a *account) done(l *lane, seq, ns uint64) {
	record(a.At(accountHist), ns)
	if seq >= l.next() {
		l.Store64(rowNext, seq+1)
	}
}

// pass is done for a message that tells no time.
func (a *account) pass(l *lane, seq uint64) {
	if seq >= l.next() {
		l.Store64(rowNext, seq+1)
	}
}

// settle notes that everything up to seq is done with: a former life did it and did not live to say so.
func (a *account) settle(source, seq uint64) error {
	l, err := a.lane(source, seq+1)
	if err == nil && seq >= l.next() {
		l.Store64(rowNext, seq+1)
		l.tracker.Resume(tlv.MarketData, 0, seq)
	}
	return err
}

func (a *account) count(at uint64)  { a.add(at, 1) }
func (a *account) add(at, n uint64) { a.Store64(at, a.Load64(at)+n) }
