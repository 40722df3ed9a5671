package route

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/alphapulse/transport/route/topo"
)

var errDown = errors.New("down")

func newBreaker(t testing.TB, o BreakerOptions) *Breaker {
	t.Helper()
	b, err := NewBreaker(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// call asks, and reports err took later.
func call(t testing.TB, b *Breaker, now, took time.Duration, err error) {
	t.Helper()
	ticket, refused := b.Allow(now)
	if refused != nil {
		t.Fatalf("at %s: %v", now, refused)
	}
	b.Done(ticket, now+took, err)
}

func wantState(t testing.TB, b *Breaker, now time.Duration, want BreakerState) {
	t.Helper()
	if got := b.Stats(now).State; got != want {
		t.Fatalf("at %s the breaker is %s, not %s; history %v", now, got, want, b.History())
	}
}

func TestZeroBreakerOpensAndCloses(t *testing.T) {
	var b Breaker
	now := time.Second
	for range 4 {
		call(t, &b, now, 0, errDown)
		wantState(t, &b, now, BreakerClosed)
	}
	call(t, &b, now, 0, errDown)
	wantState(t, &b, now, BreakerOpen)
	if _, err := b.Allow(now); !errors.Is(err, ErrOpen) {
		t.Fatalf("an open breaker answers %v", err)
	}
	now = b.Stats(now).Retry
	for range 3 {
		call(t, &b, now, 0, nil)
	}
	wantState(t, &b, now, BreakerClosed)
	if s := b.Stats(now); s.Opened != 1 || s.Refused != 1 || s.Total != (BreakerTally{Calls: 8, Failures: 5}) || s.Window != (BreakerTally{}) {
		t.Errorf("%+v", s)
	}
}

func TestBreakerJudgesRatesOfTheWindow(t *testing.T) {
	for _, c := range []struct {
		name            string
		o               BreakerOptions
		good, bad, slow int
		apart           time.Duration // between calls
		want            BreakerState
	}{
		{"too few to judge", BreakerOptions{MinCalls: 10}, 0, 9, 0, 0, BreakerClosed},
		{"enough", BreakerOptions{MinCalls: 10}, 0, 10, 0, 0, BreakerOpen},
		{"below the rate", BreakerOptions{}, 51, 49, 0, 0, BreakerClosed},
		{"at the rate", BreakerOptions{}, 50, 50, 0, 0, BreakerOpen},
		{"by their number", BreakerOptions{Failures: 9}, 91, 9, 0, 0, BreakerOpen},
		{"below their number", BreakerOptions{Failures: 10}, 91, 9, 0, 0, BreakerClosed},
		{"never by failures", BreakerOptions{FailureRate: 2}, 0, 100, 0, 0, BreakerClosed},
		{"slow are not judged unless asked", BreakerOptions{}, 0, 0, 100, 0, BreakerClosed},
		{"slow", BreakerOptions{SlowAfter: time.Millisecond}, 50, 0, 50, 0, BreakerOpen},
		{"slow below its rate", BreakerOptions{SlowAfter: time.Millisecond, SlowRate: 0.9}, 20, 0, 80, 0, BreakerClosed},
		{"out of the window", BreakerOptions{}, 0, 100, 0, 2 * time.Second, BreakerClosed},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, now := newBreaker(t, c.o), time.Duration(0)
			for i, n := range []int{c.good, c.slow, c.bad} {
				for range n {
					ticket, err := b.Allow(now)
					if err != nil {
						break
					}
					now += time.Duration(i%2) * time.Millisecond
					b.Done(ticket, now, [...]error{nil, nil, errDown}[i])
					now += c.apart
				}
			}
			wantState(t, b, now, c.want)
		})
	}
}

func TestBreakerOpenTimeGrowsToItsBound(t *testing.T) {
	b := newBreaker(t, BreakerOptions{Open: time.Second, MostOpen: 5 * time.Second, Jitter: -1})
	now := time.Duration(0)
	b.Trip(now)
	for i, want := range []time.Duration{1, 2, 4, 5, 5} {
		if got := b.Stats(now).Retry - now; got != want*time.Second {
			t.Fatalf("opening %d lasts %s, not %d s", i, got, want)
		}
		now = b.Stats(now).Retry
		call(t, b, now, 0, errDown)
	}
	for now = b.Stats(now).Retry; b.Stats(now).State != BreakerClosed; {
		call(t, b, now, 0, nil)
	}
	now += 5 * time.Second // well for a window: it starts over
	b.Trip(now)
	if got := b.Stats(now).Retry - now; got != time.Second {
		t.Fatalf("after a good window an opening lasts %s", got)
	}
}

func TestBreakerJitterSpreadsAndOnlyLengthens(t *testing.T) {
	seen := map[time.Duration]bool{}
	for seed := range uint64(100) {
		b := newBreaker(t, BreakerOptions{Open: time.Second, Jitter: 0.5, Seed: seed + 1})
		b.Trip(0)
		d := b.Stats(0).Retry
		if d < time.Second || d >= 1500*time.Millisecond {
			t.Fatalf("seed %d: %s", seed, d)
		}
		seen[d.Truncate(50*time.Millisecond)] = true
	}
	if len(seen) != 10 {
		t.Errorf("100 breakers use %d of 10 tenths of the jitter", len(seen))
	}
}

func TestBreakerHalfOpenLetsFewThrough(t *testing.T) {
	b := newBreaker(t, BreakerOptions{Successes: 2})
	b.Trip(0)
	now := b.Stats(0).Retry
	one, err1 := b.Allow(now)
	two, err2 := b.Allow(now)
	_, err3 := b.Allow(now)
	if err1 != nil || err2 != nil || !errors.Is(err3, ErrOpen) {
		t.Fatalf("probes answered %v, %v, %v", err1, err2, err3)
	}
	b.Done(one, now, nil)
	if _, err := b.Allow(now); !errors.Is(err, ErrOpen) {
		t.Fatalf("a third probe answered %v", err)
	}
	wantState(t, b, now, BreakerHalfOpen)
	b.Done(two, now, nil)
	wantState(t, b, now, BreakerClosed)
}

func TestBreakerDoesNotWaitForLostProbes(t *testing.T) {
	b := newBreaker(t, BreakerOptions{ProbeTime: time.Second})
	b.Trip(0)
	now := b.Stats(0).Retry + time.Hour // nobody asks for long: that is no lost probe
	wantState(t, b, now, BreakerHalfOpen)
	lost, err := b.Allow(now)
	if err != nil {
		t.Fatal(err)
	}
	wantState(t, b, now+time.Second-1, BreakerHalfOpen)
	wantState(t, b, now+time.Second, BreakerOpen)
	b.Done(lost, now+time.Second, nil)
	if s := b.Stats(now + time.Second); s.Late != (BreakerTally{Calls: 1}) || s.State != BreakerOpen {
		t.Errorf("%+v", s)
	}
}

func TestBreakerCountsLateResultsAndIgnoresThem(t *testing.T) {
	b := newBreaker(t, BreakerOptions{SlowAfter: time.Minute})
	var early []Ticket
	for range 10 {
		ticket, err := b.Allow(0)
		if err != nil {
			t.Fatal(err)
		}
		early = append(early, ticket)
	}
	b.Trip(0)
	now := b.Stats(0).Retry
	for range 3 {
		call(t, b, now, 0, nil)
	}
	for _, ticket := range early {
		b.Done(ticket, now+time.Minute, errDown)
	}
	wantState(t, b, now, BreakerClosed)
	if s := b.Stats(now); s.Late != (BreakerTally{10, 10, 10}) || s.Window != (BreakerTally{}) {
		t.Errorf("%+v", s)
	}
}

func TestBreakerOpensOnceInAWindowWhileALinkFlaps(t *testing.T) {
	b := newBreaker(t, BreakerOptions{})
	var opened []time.Duration
	for now := time.Duration(0); now < time.Minute; now += 10 * time.Millisecond {
		ticket, err := b.Allow(now)
		if err != nil {
			continue
		}
		if now/(100*time.Millisecond)%2 == 0 {
			err = errDown
		}
		b.Done(ticket, now, err)
		if b.Stats(now).State == BreakerOpen {
			opened = append(opened, now)
		}
	}
	for i := 1; i < len(opened); i++ {
		if gap := opened[i] - opened[i-1]; gap < 5*time.Second {
			t.Errorf("it opened %s after an opening", gap)
		}
	}
	if len(opened) < 2 {
		t.Errorf("it opened %d times", len(opened))
	}
}

func TestBreakerForgetsTheWindowOnceItHasClosed(t *testing.T) {
	b := newBreaker(t, BreakerOptions{Window: time.Hour, Open: time.Second})
	for range 5 {
		call(t, b, 0, 0, errDown)
	}
	now := b.Stats(0).Retry
	for range 3 {
		call(t, b, now, 0, nil)
	}
	call(t, b, now, 0, errDown) // the fifth of the window that ended would open it
	wantState(t, b, now, BreakerClosed)
}

func TestBreakerHistoryIsBounded(t *testing.T) {
	b, now := newBreaker(t, BreakerOptions{}), time.Duration(0)
	for range 40 {
		b.Trip(now)
		now = b.Stats(now).Retry
		b.Stats(now)
	}
	h := b.History()
	if len(h) != breakerHistory || h[0].At > h[1].At || h[15].To != BreakerHalfOpen || h[14].Why != "tripped" {
		t.Errorf("%d changes: %+v", len(h), h)
	}
}

func TestBreakerDoesNotAllocate(t *testing.T) {
	var b Breaker
	now := time.Duration(0)
	if n := testing.AllocsPerRun(1000, func() {
		now += 7 * time.Millisecond
		ticket, err := b.Allow(now)
		if err == nil {
			b.Done(ticket, now, errDown)
		}
		b.Stats(now)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestBreakerOfATopologyCountsFailures(t *testing.T) {
	b := newBreaker(t, BreakerOf(topo.Breaker{Failures: 3, Successes: 2, Window: time.Second, Open: time.Minute, Probes: 1}, 1))
	for range 2 {
		call(t, b, 0, 0, errDown)
	}
	wantState(t, b, 0, BreakerClosed)
	for range 100 {
		call(t, b, 0, 0, nil)
	}
	call(t, b, 0, 0, errDown)
	wantState(t, b, 0, BreakerOpen)
	now := b.Stats(0).Retry
	if now < time.Minute || now > 72*time.Second {
		t.Errorf("open for %s", now)
	}
	call(t, b, now, 0, nil)
	wantState(t, b, now, BreakerHalfOpen)
	call(t, b, now, 0, nil)
	wantState(t, b, now, BreakerClosed)
}

func TestBreakerRefusesAllBadOptionsAtOnce(t *testing.T) {
	_, err := NewBreaker(BreakerOptions{Window: -1, FailureRate: -1, Jitter: 2, Probes: 65})
	if err == nil || len(err.(interface{ Unwrap() []error }).Unwrap()) != 4 {
		t.Errorf("%v", err)
	}
}

// slowBreaker keeps every result with its time and counts again at each question.
type slowBreaker struct {
	o       BreakerOptions
	state   BreakerState
	since   time.Duration
	retry   time.Duration
	probing int
	heard   time.Duration
	results []struct {
		at           time.Duration
		failed, slow bool
	}
}

func (s *slowBreaker) enter(to BreakerState, now time.Duration) {
	s.state, s.since, s.results, s.probing = to, now, nil, 0
}

func (s *slowBreaker) advance(now, retry time.Duration) {
	if s.state == BreakerHalfOpen && s.probing > 0 && now >= s.heard+s.o.ProbeTime {
		s.retry = retry
		s.enter(BreakerOpen, now)
	}
	if s.state == BreakerOpen && now >= s.retry {
		s.enter(BreakerHalfOpen, now)
	}
}

func (s *slowBreaker) done(now time.Duration, failed, slow bool) {
	s.results = append(s.results, struct {
		at           time.Duration
		failed, slow bool
	}{now, failed, slow})
	s.probing, s.heard = s.probing-1, now
	width := s.o.Window / breakerBuckets
	var calls, failures, slows int
	for _, r := range s.results {
		if s.state == BreakerHalfOpen || r.at/width > now/width-breakerBuckets {
			calls++
			if r.failed {
				failures++
			}
			if r.slow {
				slows++
			}
		}
	}
	switch {
	case s.state == BreakerHalfOpen && failures+slows > 0:
		s.enter(BreakerOpen, now)
	case s.state == BreakerHalfOpen && calls == s.o.Successes:
		s.enter(BreakerClosed, now)
	case s.state == BreakerClosed && calls >= s.o.MinCalls &&
		(float64(failures) >= s.o.FailureRate*float64(calls) || float64(slows) >= s.o.SlowRate*float64(calls)):
		s.enter(BreakerOpen, now)
	}
}

// TestBreakerAgreesWithASlowTwin over random histories; the open time alone, which is drawn, is taken from the breaker.
func TestBreakerAgreesWithASlowTwin(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		o, err := BreakerOptions{
			Window: 100 * time.Millisecond, Open: time.Duration(rapid.IntRange(5, 100).Draw(rt, "open")) * time.Millisecond,
			MinCalls: rapid.IntRange(1, 8).Draw(rt, "calls"), SlowAfter: 20 * time.Millisecond, Successes: rapid.IntRange(1, 4).Draw(rt, "successes"),
			Probes: rapid.IntRange(0, 3).Draw(rt, "probes"), Seed: 1,
		}.checked()
		if err != nil {
			rt.Fatal(err)
		}
		b, err := NewBreaker(o)
		if err != nil {
			rt.Fatal(err)
		}
		twin := slowBreaker{o: o}
		type flight struct {
			Ticket
			stale bool
		}
		var flights []flight
		now := time.Duration(0)
		step := func() {
			now += time.Duration(rapid.SampledFrom([]int{0, 0, 1, 5, 20, 50, 100}).Draw(rt, "ms")) * time.Millisecond
			was := twin.state
			twin.advance(now, b.Stats(now).Retry)
			if was != twin.state {
				for i := range flights {
					flights[i].stale = true
				}
			}
		}
		check := func() {
			if got := b.Stats(now).State; got != twin.state {
				rt.Fatalf("at %s: %s, the twin is %s; %v", now, got, twin.state, b.History())
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"ask": func(*rapid.T) {
				step()
				ticket, err := b.Allow(now)
				may := twin.state == BreakerClosed || twin.state == BreakerHalfOpen && twin.probing < o.Probes && twin.probing+len(twin.results) < o.Successes
				if may != (err == nil) {
					rt.Fatalf("%s breaker answers %v", twin.state, err)
				}
				if may {
					if twin.state == BreakerHalfOpen && twin.probing == 0 {
						twin.heard = now
					}
					if twin.probing++; twin.state == BreakerClosed {
						twin.probing = 0
					}
					flights = append(flights, flight{Ticket: ticket})
				}
			},
			"done": func(*rapid.T) {
				if len(flights) == 0 {
					return
				}
				step()
				i := len(flights) - 1 - rapid.IntRange(0, min(3, len(flights)-1)).Draw(rt, "flight")
				f := flights[i]
				flights = slices.Delete(flights, i, i+1)
				failed := rapid.IntRange(0, 2).Draw(rt, "failed") == 0
				var err error
				if failed {
					err = errDown
				}
				b.Done(f.Ticket, now, err)
				if f.stale {
					return
				}
				was := twin.state
				twin.done(now, failed, now-f.began >= o.SlowAfter)
				if was != twin.state {
					twin.retry = b.Stats(now).Retry
					for i := range flights {
						flights[i].stale = true
					}
				}
			},
			"": func(*rapid.T) { check() },
		})
	})
}

func ExampleBreaker() {
	var b Breaker // closed, default options
	now := time.Duration(0)
	for range 6 {
		now += time.Second / 10
		ticket, err := b.Allow(now)
		if err != nil {
			fmt.Println(err)
			break
		}
		b.Done(ticket, now, errors.New("refused"))
	}
	fmt.Println(b.Stats(now).State, "after", b.History()[0].Why)
	// Output:
	// route: the breaker is open
	// open after failure rate
}
