package journal

import "github.com/alphapulse/transport/mqadapt"

// outcomes are the verdicts on what was taken, in order, as runs of the same.
type outcomes struct {
	runs    [64]run
	first   int // the oldest run
	n       int // runs
	total   int // envelopes
	waiting int // of them: for a sync
}

type run struct {
	n    int
	done bool // accepted; else it waits for a sync, or why says why not
	why  error
}

func (o *outcomes) full() bool { return o.total >= window || o.n == len(o.runs) }

// add takes k envelopes that are accepted, or will be with the next sync.
func (o *outcomes) add(k int, done bool) {
	if !done {
		o.waiting += k
	}
	o.put(k, done, nil)
}

func (o *outcomes) put(k int, done bool, why error) {
	o.total += k
	if o.n > 0 {
		if last := &o.runs[(o.first+o.n-1)%len(o.runs)]; last.done == done && last.why == why {
			last.n += k
			return
		}
	}
	o.runs[(o.first+o.n)%len(o.runs)] = run{k, done, why}
	o.n++
}

// synced accepts what waits.
func (o *outcomes) synced() {
	for i := range o.n {
		if r := &o.runs[(o.first+i)%len(o.runs)]; r.why == nil {
			r.done = true
		}
	}
	o.waiting = 0
}

// take writes the oldest outcomes that are known.
func (o *outcomes) take(out []mqadapt.Outcome) (n int) {
	for n < len(out) && o.n > 0 {
		r := &o.runs[o.first]
		one := mqadapt.Outcome{Verdict: mqadapt.Accepted}
		if !r.done {
			if r.why == nil {
				break
			}
			one = mqadapt.Outcome{Verdict: mqadapt.Rejected, Why: r.why}
		}
		k := min(r.n, len(out)-n)
		for range k {
			out[n] = one
			n++
		}
		o.total -= k
		if r.n -= k; r.n == 0 {
			r.why = nil
			o.first, o.n = (o.first+1)%len(o.runs), o.n-1
		}
	}
	return n
}
