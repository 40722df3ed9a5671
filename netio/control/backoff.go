package control

import "time"

// Waits between attempts.
const (
	firstWait = 50 * time.Millisecond
	mostWait  = 5 * time.Second
)

// backoff spreads attempts: each wait is drawn between the first one and three times the last ("decorrelated jitter"), so that peers that
// lost the same node do not come back together. The zero backoff is at its start.
type backoff struct{ last time.Duration }

// next draws a wait; below draws a number from 0 up to, and without, n.
func (b *backoff) next(below func(n int64) int64) time.Duration {
	span := max(3*b.last-firstWait, 1)
	b.last = min(firstWait+time.Duration(below(int64(span))), mostWait)
	return b.last
}
