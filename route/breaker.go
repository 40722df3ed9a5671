package route

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/alphapulse/transport/route/topo"
)

// ErrOpen is what an open breaker answers: try somebody else, or again after Retry.
var ErrOpen = errors.New("route: the breaker is open")

const (
	breakerBuckets = 10
	breakerHistory = 16
	mostProbes     = 64
	neverByRate    = 2 // no share of calls is that large
)

// BreakerOptions say when a breaker opens and how it closes again. Zero means the default.
type BreakerOptions struct {
	Window      time.Duration // how far back results count; 0 is 5 s
	MinCalls    int           // results in the window before rates are judged; 0 is 5
	Failures    int           // failures in the window that open it whatever the rates; 0 is none
	FailureRate float64       // share of failures that opens it; 0 is 0.5, above 1 never
	SlowAfter   time.Duration // a call that takes this long is slow; 0 calls none slow
	SlowRate    float64       // share of slow calls that opens it; 0 is 0.5

	// Open is how long it stays open the first time; 0 is Window. Each opening soon after the last one doubles it, up to MostOpen;
	// 0 is 12 times Open. With Open at least Window it opens at most once in a window.
	Open, MostOpen time.Duration

	// Jitter lengthens each open time by up to this share of it, so that many breakers do not try again together; 0 is 0.2,
	// negative none.
	Jitter float64

	Successes int           // probes that must succeed, none failing, before a half-open breaker closes; 0 is 3, at most 64
	Probes    int           // of them at a time; 0 is Successes
	ProbeTime time.Duration // how long it waits for the next result before it opens again; 0 is Open
	Seed      uint64        // what the jitter is drawn from; 0 is drawn itself
}

// BreakerOf is what a topology says of a breaker: so many failures open it, whatever their rate. Seed is its own.
func BreakerOf(b topo.Breaker, seed uint64) BreakerOptions {
	o := BreakerOptions{Window: b.Window, Failures: b.Failures, SlowAfter: b.SlowCall, SlowRate: b.SlowRate, Open: b.Open, Successes: b.Successes, Probes: b.Probes,
		Seed: seed}
	if b.Failures > 0 {
		o.FailureRate = neverByRate
	}
	return o
}

func (o BreakerOptions) checked() (BreakerOptions, error) {
	var faults []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf("route: breaker: "+format, args...))
		}
	}
	fault(o.Window < 0 || o.SlowAfter < 0 || o.Open < 0 || o.MostOpen < 0 || o.ProbeTime < 0, "a time is negative")
	fault(o.Window > 0 && o.Window < breakerBuckets, "a window of %s does not divide into %d parts", o.Window, breakerBuckets)
	fault(o.MinCalls < 0 || o.Failures < 0, "%d calls, %d failures: want none below 0", o.MinCalls, o.Failures)
	fault(!(o.FailureRate >= 0) || !(o.SlowRate >= 0), "rates of %g and %g: want shares from 0 to 1", o.FailureRate, o.SlowRate)
	fault(!(o.Jitter <= 1), "a jitter of %g: want a share from 0 to 1", o.Jitter)
	fault(o.Successes < 0 || o.Successes > mostProbes || o.Probes < 0 || o.Probes > mostProbes, "%d probes, %d at a time: want 1 to %d",
		o.Successes, o.Probes, mostProbes)
	o.Window = orDefault(o.Window, 5*time.Second)
	o.MinCalls = orDefault(o.MinCalls, 5)
	o.FailureRate = orDefault(o.FailureRate, 0.5)
	o.SlowRate = orDefault(o.SlowRate, 0.5)
	o.Open = orDefault(o.Open, o.Window)
	o.MostOpen = orDefault(o.MostOpen, 12*o.Open)
	o.Jitter = max(0, orDefault(o.Jitter, 0.2))
	o.Successes = orDefault(o.Successes, 3)
	o.Probes = min(orDefault(o.Probes, o.Successes), o.Successes)
	o.ProbeTime = orDefault(o.ProbeTime, o.Open)
	if o.Seed == 0 {
		o.Seed = rand.Uint64()
	}
	fault(len(faults) == 0 && o.MostOpen < o.Open, "it stays open for %s at most and %s at least", o.MostOpen, o.Open)
	return o, errors.Join(faults...)
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

// BreakerState is closed, open or half-open.
type BreakerState uint8

// The states of a breaker.
const (
	BreakerClosed   BreakerState = iota // everybody passes, results are counted
	BreakerOpen                         // nobody passes
	BreakerHalfOpen                     // a few pass, and their results decide
)

// String is "closed", "open" or "half-open".
func (s BreakerState) String() string {
	return [...]string{"closed", "open", "half-open"}[min(s, BreakerHalfOpen)]
}

// BreakerChange is one change of state and what led to it.
type BreakerChange struct {
	At    time.Duration
	To    BreakerState
	Why   string       // a constant text
	Tally BreakerTally // of the window, or of the probes, at that moment
	Open  time.Duration
}

// BreakerTally counts results.
type BreakerTally struct {
	Calls, Failures, Slow uint64
}

func (t *BreakerTally) add(failed, slow bool) {
	t.Calls++
	if failed {
		t.Failures++
	}
	if slow {
		t.Slow++
	}
}

func (t *BreakerTally) join(o BreakerTally) {
	t.Calls += o.Calls
	t.Failures += o.Failures
	t.Slow += o.Slow
}

// BreakerStats is what a breaker looks like and what it has seen since it was made.
type BreakerStats struct {
	State   BreakerState
	Retry   time.Duration // when an open breaker lets somebody try again
	Window  BreakerTally  // what the state rests on: the window's results, or the probes'
	Total   BreakerTally  // all results that counted
	Late    BreakerTally  // results of calls that began in an earlier state: counted here, heeded nowhere
	Refused uint64        // calls that ErrOpen turned away
	Opened  uint64        // how often it opened
}

// Ticket is the right to one call. It goes back with the call's result, once.
type Ticket struct {
	generation uint64
	began      time.Duration
}

// Breaker remembers how calls to one place ended and keeps callers from a place that fails. It is asked before an attempt, not
// before a frame: dialling, publishing a batch, a link's Do. The zero Breaker is closed and has the default options.
// It is safe for several goroutines, because results come from others than those who asked.
//
// Time is any clock that does not run backwards, as the distance from one origin; an earlier instant counts as the latest seen.
//
//	closed ── rate too high, or Trip ──► open ── its time is over ──► half-open ── all probes succeed ──► closed
//	                                      ▲                              │
//	                                      └── a probe fails or is lost ──┘
type Breaker struct {
	mu         sync.Mutex
	o          BreakerOptions
	ready      bool
	now        time.Duration // the latest instant seen
	state      BreakerState
	generation uint64        // of the state; a Ticket of another one is late
	since      time.Duration // when the state began
	retry      time.Duration // open: until when
	streak     int           // openings that followed each other soon: doublings of the open time
	probing    int           // half-open: calls under way
	heard      time.Duration // half-open: since when it waits for a result
	probed     BreakerTally  // half-open
	buckets    [breakerBuckets]BreakerTally
	at         int64 // number of the newest bucket: instant / width
	draw       uint64
	stats      BreakerStats
	history    [breakerHistory]BreakerChange
	changes    uint64
}

// NewBreaker is a closed breaker with options of its own.
func NewBreaker(o BreakerOptions) (*Breaker, error) {
	o, err := o.checked()
	if err != nil {
		return nil, err
	}
	return &Breaker{o: o, ready: true, draw: o.Seed}, nil
}

// Allow asks for one call. Who gets a Ticket hands it to Done with the result; who gets ErrOpen does not call.
func (b *Breaker) Allow(now time.Duration) (Ticket, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.advance(now)
	switch b.state {
	case BreakerOpen:
		b.stats.Refused++
		return Ticket{}, ErrOpen
	case BreakerHalfOpen:
		if b.probing == b.o.Probes || b.probing+int(b.probed.Calls) == b.o.Successes {
			b.stats.Refused++
			return Ticket{}, ErrOpen
		}
		if b.probing == 0 {
			b.heard = b.now
		}
		b.probing++
	}
	return Ticket{b.generation, b.now}, nil
}

// Done reports how the call of a Ticket ended; nil is success. What took SlowAfter or longer was slow, whatever its end.
func (b *Breaker) Done(t Ticket, now time.Duration, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.advance(now)
	failed, slow := err != nil, b.o.SlowAfter > 0 && b.now-t.began >= b.o.SlowAfter
	if t.generation != b.generation {
		b.stats.Late.add(failed, slow)
		return
	}
	b.stats.Total.add(failed, slow)
	if b.state == BreakerHalfOpen {
		b.probed.add(failed, slow)
		b.probing, b.heard = max(b.probing-1, 0), b.now
		b.judgeProbes()
		return
	}
	b.buckets[b.at%breakerBuckets].add(failed, slow)
	b.judgeWindow()
}

// Trip opens the breaker at once: the link itself says that it is dead, and no rate need prove it. An open one stays as it is.
func (b *Breaker) Trip(now time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.advance(now)
	if b.state != BreakerOpen {
		b.open("tripped")
	}
}

// Stats is the breaker's state and counts as of now.
func (b *Breaker) Stats(now time.Duration) BreakerStats {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.advance(now)
	s := b.stats
	s.State, s.Window = b.state, b.tally()
	if b.state == BreakerOpen {
		s.Retry = b.retry
	}
	return s
}

// History is the latest changes of state, at most 16, oldest first.
func (b *Breaker) History() []BreakerChange {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []BreakerChange
	for i := b.changes - min(b.changes, breakerHistory); i < b.changes; i++ {
		all = append(all, b.history[i%breakerHistory])
	}
	return all
}

// advance does what time alone brings: buckets expire, an open time ends, probes are overdue.
func (b *Breaker) advance(now time.Duration) {
	if !b.ready {
		b.o, _ = BreakerOptions{}.checked()
		b.draw, b.ready = b.o.Seed, true
	}
	b.now = max(b.now, now)
	at := int64(b.now / (b.o.Window / breakerBuckets))
	for n := min(at-b.at, breakerBuckets); n > 0; n-- { // at most every bucket once
		b.buckets[(at-n+1)%breakerBuckets] = BreakerTally{}
	}
	b.at = at
	if b.state == BreakerHalfOpen && b.probing > 0 && b.now-b.heard >= b.o.ProbeTime {
		b.open("probes without a result")
	}
	if b.state == BreakerOpen && b.now >= b.retry {
		b.enter(BreakerHalfOpen, "the open time is over", 0)
	}
}

// tally is what the present state rests on.
func (b *Breaker) tally() (t BreakerTally) {
	if b.state == BreakerHalfOpen {
		return b.probed
	}
	for i := range b.buckets {
		t.join(b.buckets[i])
	}
	return t
}

func (b *Breaker) judgeWindow() {
	t := b.tally()
	switch {
	case b.o.Failures > 0 && t.Failures >= uint64(b.o.Failures):
		b.open("failures")
	case t.Calls < uint64(b.o.MinCalls):
	case float64(t.Failures) >= b.o.FailureRate*float64(t.Calls):
		b.open("failure rate")
	case b.o.SlowAfter > 0 && float64(t.Slow) >= b.o.SlowRate*float64(t.Calls):
		b.open("slow-call rate")
	}
}

func (b *Breaker) judgeProbes() {
	switch {
	case b.probed.Failures > 0:
		b.open("a probe failed")
	case b.probed.Slow > 0:
		b.open("a probe was slow")
	case b.probed.Calls >= uint64(b.o.Successes):
		b.enter(BreakerClosed, "all probes succeeded", 0)
	}
}

// open doubles the open time while openings follow each other: a breaker that was closed for a whole window starts over.
func (b *Breaker) open(why string) {
	if b.state == BreakerClosed && b.now-b.since >= b.o.Window {
		b.streak = 0
	}
	d := b.o.Open
	for i := 0; i < b.streak && d < b.o.MostOpen; i++ { // at most 63: d doubles
		d = min(2*d, b.o.MostOpen)
	}
	b.streak = min(b.streak+1, 62)
	d += time.Duration(b.o.Jitter * b.uniform() * float64(d))
	b.retry = b.now + d
	b.stats.Opened++
	b.enter(BreakerOpen, why, d)
}

// enter changes the state. Whatever was under way belongs to the past from here on.
func (b *Breaker) enter(to BreakerState, why string, open time.Duration) {
	b.history[b.changes%breakerHistory] = BreakerChange{b.now, to, why, b.tally(), open}
	b.changes++
	b.state, b.since, b.probing, b.probed = to, b.now, 0, BreakerTally{}
	b.generation++
	b.buckets = [breakerBuckets]BreakerTally{}
}

// uniform draws from [0, 1) by splitmix64, which needs no memory of its own.
func (b *Breaker) uniform() float64 {
	b.draw += 0x9e3779b97f4a7c15
	return float64(mix(b.draw)>>11) / (1 << 53)
}

// mix spreads the bits of x over all of the result.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
