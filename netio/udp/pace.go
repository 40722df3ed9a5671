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
	p.tokens = min(p.tokens+int64(float64(p.rate)*(now-p.at).Seconds()), p.rate/100+1)
	p.at = now
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
