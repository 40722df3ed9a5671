package demo

import "github.com/alphapulse/transport/bench"

// Counts is what a receiver knows of the messages of a way, or several ways' sum.
type Counts struct {
	Sent      uint64 `json:"sent"`
	Delivered uint64 `json:"delivered"` // distinct messages, corrupt ones too
	Gaps      uint64 `json:"gaps"`      // messages that never came
	Repeated  uint64 `json:"repeated"`  // messages that came again, recognised and not counted as delivered
	Reordered uint64 `json:"reordered"` // messages that came after a later one
	Corrupt   uint64 `json:"corrupt"`   // messages whose checksum, number or content was wrong
}

// place is a row of a book at one moment.
type place struct{ source, first, next uint64 }

// tally is an account at one moment.
type tally struct {
	gaps, repeated, reordered, corrupt uint64
	rows                               []place
	hist                               []int64
}

// page is a book at one moment.
type page struct {
	lives, pid    uint64
	waits, waited uint64
	output        place
	net           netCounts
	accounts      [accounts]tally
}

func (r row) read() place { return place{r.source(), r.Load64(rowFirst), r.next()} }

// read copies the book. Its process may be writing: counts of one message may be half in.
func (b *book) read() page {
	p := page{lives: b.Load64(bookLives), pid: b.Load64(bookPID), waits: b.Load64(bookWaits), waited: b.Load64(bookWaited),
		output: row{b.At(bookOutput)}.read(), net: b.network()}
	for i := range p.accounts {
		a := b.account(i)
		t := &p.accounts[i]
		for k := range maxRows {
			if r := a.row(k).read(); r.next != 0 {
				t.rows = append(t.rows, r)
			}
		}
		t.gaps, t.repeated = a.Load64(countGaps), a.Load64(countRepeated)
		t.reordered, t.corrupt = a.Load64(countReordered), a.Load64(countCorrupt)
		t.hist = loadCounts(a.At(accountHist))
	}
	return p
}

func (t *tally) row(source uint64) (place, bool) {
	for _, r := range t.rows {
		if r.source == source {
			return r, true
		}
	}
	return place{}, false
}

// since is what came between two readings of an account.
func (t *tally) since(base *tally) Counts {
	c := Counts{Gaps: t.gaps - base.gaps, Repeated: t.repeated - base.repeated, Reordered: t.reordered - base.reordered,
		Corrupt: t.corrupt - base.corrupt}
	passed := uint64(0)
	for _, r := range t.rows {
		from := r.first
		if before, ok := base.row(r.source); ok {
			from = before.next
		}
		passed += r.next - from
	}
	c.Delivered = passed - min(passed, c.Gaps)
	c.Sent = passed
	return c
}

// against completes the counts with what the sender says: whatever of its ring the account has not passed is missing.
func (t *tally) against(base *tally, out, outBase place) Counts {
	c := t.since(base)
	here, known := t.row(out.source)
	before, had := base.row(out.source)
	from := out.first
	switch {
	case had:
		from = before.next
	case outBase.source == out.source:
		from = outBase.next
	}
	switch {
	case !known:
		c.Sent += out.next - from
		c.Gaps += out.next - from
	default:
		if !had && here.first > from { // it began after the sender did
			c.Sent += here.first - from
			c.Gaps += here.first - from
		}
		if out.next > here.next {
			c.Sent += out.next - here.next
			c.Gaps += out.next - here.next
		}
	}
	return c
}

// latency is the distribution of what was timed between two readings; nil when nothing was.
func (t *tally) latency(base *tally) *bench.Latency {
	return bench.LatencyOf(histogramOf(t.hist, base.hist))
}
