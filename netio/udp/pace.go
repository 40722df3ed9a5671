package udp

import "time"

// pace bounds the bytes a second that leave. The zero pace bounds nothing.
type pace struct {
	rate   int64
	tokens int64
	at     time.Duration
}

// refill adds what the time since the last refill is worth, at most 10 ms of it.
func (p *pace) refill(now time.Duration) {
	if p.rate == 0 {
		return
	}
	p.tokens, p.at = topped(p.tokens, p.rate, p.at, now, p.rate/100+1)
}

// topped is tokens and what the time from at to now is worth at a rate, at most most, and up to when that is paid: parts of a byte are
// left for the next time, or who asks often would never get one.
func topped(tokens, rate int64, at, now time.Duration, most int64) (int64, time.Duration) {
	gain := max(float64(rate)*(now-at).Seconds(), 0)
	if gain >= float64(most)-float64(tokens) {
		return most, now
	}
	whole := int64(gain)
	return tokens + whole, at + time.Duration(float64(whole)/float64(rate)*float64(time.Second))
}

func (p *pace) allows() bool { return p.rate == 0 || p.tokens > 0 }

func (p *pace) spend(n int) {
	if p.rate != 0 {
		p.tokens -= int64(n)
	}
}

// rate is how many bytes a second were carried lately.
type rate struct {
	bytes int64
	sum   uint64
	at    time.Duration
}

const rateOver = 10 * time.Millisecond

func (r *rate) measure(now time.Duration, sum uint64) {
	if d := now - r.at; d >= rateOver {
		r.bytes = int64(float64(sum-r.sum) / d.Seconds())
		r.sum, r.at = sum, now
	}
}
