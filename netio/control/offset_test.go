package control

import (
	"math/rand/v2"
	"testing"
	"time"
)

// exchange is two clocks that send each other beats over a network of a test's making, on one time line.
type exchange struct {
	now    time.Time
	random *rand.Rand
	ends   [2]offsets
	clock  [2]func() int64
}

// turn has an end say a beat and the other hear it after a delay.
func (x *exchange) turn(from int, delay time.Duration) {
	b := x.ends[from].say(x.clock[from](), x.now)
	x.now = x.now.Add(delay)
	x.ends[1-from].hear(b, x.clock[1-from](), x.now)
}

// TestOffsetIsNeverFurtherOffThanItSays over networks of random and lopsided delays, with clocks that gain on each other.
func TestOffsetIsNeverFurtherOffThanItSays(t *testing.T) {
	for seed := range uint64(50) {
		x := &exchange{now: time.Unix(1000, 0), random: rand.New(rand.NewPCG(seed, 1))}
		start := x.now
		apart := time.Duration(x.random.Int64N(int64(time.Hour))) - 30*time.Minute
		gain := x.random.Float64()*0.001 - 0.0005
		x.clock[0] = func() int64 { return x.now.UnixNano() }
		x.clock[1] = func() int64 {
			return x.now.Add(apart).UnixNano() + int64(float64(x.now.Sub(start))*gain)
		}
		least := time.Duration(1 + x.random.Int64N(int64(10*time.Millisecond)))
		lopsided := time.Duration(x.random.Int64N(int64(20 * time.Millisecond)))
		known := 0
		for range 500 {
			for from := range 2 {
				delay := least + time.Duration(x.random.ExpFloat64()*float64(time.Millisecond))
				if from == 1 {
					delay += lopsided
				}
				x.turn(from, delay)
				x.now = x.now.Add(time.Duration(x.random.Int64N(int64(50 * time.Millisecond))))
				for end := range 2 {
					got, ok := x.ends[end].best(x.now)
					if !ok {
						continue
					}
					known++
					truth := time.Duration(x.clock[1-end]() - x.clock[end]())
					if off := (got.Ahead - truth).Abs(); off > got.Error+time.Microsecond {
						t.Fatalf("seed %d: %v off, and it says at most %v (RTT %v)", seed, off, got.Error, got.RTT)
					}
				}
			}
		}
		got, _ := x.ends[0].best(x.now)
		if known < 900 || got.Error > least+lopsided/2+5*time.Millisecond {
			t.Errorf("seed %d: known %d times, error at most %v with delays from %v and %v more one way", seed, known, got.Error, least, lopsided)
		}
	}
}

// TestAClockThatIsSetIsNoticed by the first exchange that contradicts the former ones.
func TestAClockThatIsSetIsNoticed(t *testing.T) {
	x := &exchange{now: time.Unix(1000, 0)}
	apart := time.Duration(0)
	x.clock[0] = func() int64 { return x.now.UnixNano() }
	x.clock[1] = func() int64 { return x.now.Add(apart).UnixNano() }
	for range 10 {
		x.turn(0, time.Millisecond)
		x.turn(1, time.Millisecond)
	}
	apart = -time.Hour
	const slower = 5 * time.Millisecond // so that the former exchanges would count for more
	x.turn(0, slower)
	x.turn(1, slower)
	for end, want := range []time.Duration{-time.Hour, time.Hour} {
		x.turn(end, slower)
		if got, _ := x.ends[end].best(x.now); (got.Ahead-want).Abs() > got.Error || got.Error > 2*slower {
			t.Errorf("end %d: %+v, want %v", end, got, want)
		}
	}
}

// TestBeatsThatLieTellNothing: echoes of what was not sent, and beats held longer than they were away.
func TestBeatsThatLieTellNothing(t *testing.T) {
	var o offsets
	now := time.Unix(1000, 0)
	mine := o.say(7, now)
	for _, b := range []beat{{sent: 1, echo: 0}, {sent: 1, echo: 8}, {sent: 1, echo: mine.sent, held: int64(time.Hour)}, {sent: 1 << 62, echo: -1 << 63}} {
		o.hear(b, 9, now.Add(time.Second))
		if got, ok := o.best(now); ok {
			t.Errorf("%+v tells %+v", b, got)
		}
	}
	for range 3 * sentLog { // an echo of what is forgotten
		o.say(8, now)
	}
	o.hear(beat{sent: 1, echo: mine.sent}, 9, now)
	if _, ok := o.best(now); ok {
		t.Error("a beat that is forgotten counts")
	}
}
