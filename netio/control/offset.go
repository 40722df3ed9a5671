package control

import "time"

// Offset is how far a peer's clock is ahead of this node's.
type Offset struct {
	Ahead time.Duration // the peer's clock less this node's, at the same instant
	Error time.Duration // Ahead is at most so wrong, as long as neither clock gains more than 500 µs a second on true time
	RTT   time.Duration // of the exchange this comes from, without the time the peer held it
}

const (
	samples = 64   // exchanges that are kept
	drift   = 1000 // what two clocks gain on each other at most, as a part of a second: 1/drift. 500 ppm each is what time daemons slew by
	sentLog = 64   // own beats that may be answered
)

// offsets estimates the offset from beats, on a goroutine's own thread. An exchange tells the offset as well as half its round trip, for
// the way there may have taken all of it or none; the shortest one counts (RFC 5905 §10), and the less the older it is.
type offsets struct {
	sent   [sentLog]sample // own beats: clock and at
	sends  int
	taken  [samples]sample
	takes  int
	heard  int64     // the peer's last beat
	when   time.Time // and when it came
	answer bool      // there was one
}

// sample is an exchange, or a beat of which only clock and at count.
type sample struct {
	clock int64     // ns of the own clock
	at    time.Time // the monotonic instant
	ahead time.Duration
	rtt   time.Duration
}

// say makes the next beat.
func (o *offsets) say(clock int64, now time.Time) beat {
	o.sent[o.sends%sentLog] = sample{clock: clock, at: now}
	o.sends++
	b := beat{sent: clock}
	if o.answer {
		b.echo, b.held = o.heard, int64(now.Sub(o.when))
	}
	return b
}

// hear takes a beat of the peer.
func (o *offsets) hear(b beat, clock int64, now time.Time) {
	o.heard, o.when, o.answer = b.sent, now, true
	if b.echo == 0 {
		return
	}
	for n := max(o.sends-sentLog, 0); n < o.sends; n++ {
		s := &o.sent[n%sentLog]
		if s.clock != b.echo {
			continue
		}
		if rtt := now.Sub(s.at) - time.Duration(b.held); rtt >= 0 { // otherwise the peer says it held it before it had it
			o.take(sample{clock: clock, at: now, ahead: time.Duration(b.sent-clock) + rtt/2, rtt: rtt})
		}
		return
	}
}

// take keeps a sample. One that contradicts the best of the former says that a clock was set: they are forgotten.
func (o *offsets) take(s sample) {
	if best, ok := o.best(s.at); ok {
		if apart := (s.ahead - best.Ahead).Abs(); apart > best.Error+s.rtt/2 {
			o.takes = 0
		}
	}
	o.taken[o.takes%samples] = s
	o.takes++
}

// best is the estimate at now.
func (o *offsets) best(now time.Time) (best Offset, ok bool) {
	for n := max(o.takes-samples, 0); n < o.takes; n++ {
		s := &o.taken[n%samples]
		if e := s.rtt/2 + now.Sub(s.at)/drift; !ok || e <= best.Error {
			best, ok = Offset{s.ahead, e, s.rtt}, true
		}
	}
	return best, ok
}
