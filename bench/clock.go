package bench

import (
	"maps"
	"math/bits"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/alphapulse/transport/internal/sys"
)

const (
	clockTSC       = "tsc"
	clockMonotonic = "monotonic"
	calibrateFor   = 50 * time.Millisecond
	stepReadings   = 20_000
)

// clock turns readings of the CPU's counter into nanoseconds. Where the counter does not run at one rate it reads the monotonic
// clock instead, which costs a few tens of nanoseconds more per reading and does so for every lane alike.
type clock struct {
	now   func() uint64
	scale uint64 // nanoseconds per tick, 32 fractional bits
	facts clockFacts
}

// clockFacts is what the far side needs to read the same clock as the near side.
type clockFacts struct {
	Kind string  `json:"kind"`
	Hz   float64 `json:"hz"`
	Step float64 `json:"step_ns"`
	Base int64   `json:"base"` // wall clock in ns at the monotonic clock's zero
}

// newClock chooses and calibrates a clock. It takes some 50 ms.
func newClock() *clock {
	f := clockFacts{Kind: clockMonotonic, Hz: 1e9, Step: 1, Base: time.Now().UnixNano()}
	if constantTicks() {
		f.Kind, f.Hz = clockTSC, tickRate(calibrateFor)
		f.Step = tickStep() * 1e9 / f.Hz
	}
	return clockFrom(f)
}

// clockFrom makes the clock another side has calibrated.
func clockFrom(f clockFacts) *clock {
	c := &clock{now: sys.Ticks, facts: f, scale: 1 << 32}
	if f.Kind == clockTSC {
		c.scale = uint64(1e9 / f.Hz * (1 << 32))
		return c
	}
	base := time.Now()
	base = base.Add(time.Duration(f.Base - base.UnixNano()))
	c.now = func() uint64 { return uint64(time.Since(base)) }
	return c
}

// ns converts a difference of readings.
func (c *clock) ns(ticks uint64) uint64 {
	hi, lo := bits.Mul64(ticks, c.scale)
	return hi<<32 | lo>>32
}

// ticks converts a duration.
func (c *clock) ticks(d time.Duration) uint64 { return uint64(d.Seconds() * c.facts.Hz) }

// constantTicks reports whether sys.Ticks runs at one rate on every processor.
func constantTicks() bool {
	switch runtime.GOARCH {
	case "arm64": // the generic timer is constant by architecture (Arm ARM, D12)
		return true
	case "amd64":
		_, flags := cpuInfo()
		return strings.Contains(flags, " constant_tsc ") && strings.Contains(flags, " nonstop_tsc ")
	}
	return false
}

// tickRate compares sys.Ticks with the monotonic clock over d. Each end takes the closest of a few pairs of readings, so that an
// interruption between the two clocks does not count.
func tickRate(d time.Duration) float64 {
	t0, c0 := closestPair()
	time.Sleep(d)
	t1, c1 := closestPair()
	return float64(c1-c0) / t1.Sub(t0).Seconds()
}

func closestPair() (time.Time, uint64) {
	best := ^uint64(0)
	var at time.Time
	var ticks uint64
	for range 16 {
		before := sys.Ticks()
		now := time.Now()
		after := sys.Ticks()
		if after-before < best {
			best, at, ticks = after-before, now, before+(after-before)/2
		}
	}
	return at, ticks
}

// tickStep returns by how many ticks sys.Ticks moves at a time. Some processors count in steps of tens: then nearly every difference
// of two readings is a multiple of that step, however much work lies between them.
func tickStep() float64 {
	count := make(map[uint64]int)
	diffs := make([]uint64, 0, stepReadings)
	last, sink := sys.Ticks(), uint64(1)
	for i := range stepReadings {
		for range i % 13 {
			sink = sink*6364136223846793005 + 1
		}
		now := sys.Ticks()
		if d := now - last; d > 0 && d < 1000 {
			diffs = append(diffs, d)
			count[d]++
		}
		last = now
	}
	runtime.KeepAlive(sink)
	step := commonGap(count, stepReadings/100)
	fit := 0
	for _, d := range diffs {
		if r := d % step; r <= 1 || r == step-1 {
			fit++
		}
	}
	if fit*10 < len(diffs)*9 {
		return 1
	}
	return float64(step)
}

// commonGap returns the smallest gap of more than two between values seen at least often times, zero counting as one of them; 1 if none.
func commonGap(count map[uint64]int, often int) uint64 {
	step, last := uint64(0), uint64(0)
	for _, v := range slices.Sorted(maps.Keys(count)) {
		if count[v] < often {
			continue
		}
		if gap := v - last; gap > 2 && (step == 0 || gap < step) {
			step = gap
		}
		last = v
	}
	return max(step, 1)
}
