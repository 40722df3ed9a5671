package link

import "time"

// rateEvery is over how long a rate is taken.
const rateEvery = 20 * time.Millisecond

// rate is how much a connection carried lately.
type rate struct {
	bytes int64 // a second; 0: not known
	at    time.Duration
	had   uint64
}

// meet is told how many bytes have left in all.
func (r *rate) meet(now time.Duration, out uint64) {
	passed := now - r.at
	if passed < rateEvery {
		return
	}
	if out > r.had && r.at > 0 { // an idle connection is no slow one
		r.bytes = int64(float64(out-r.had) / passed.Seconds())
	}
	r.at, r.had = now, out
}
