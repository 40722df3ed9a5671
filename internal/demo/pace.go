package demo

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/alphapulse/transport/internal/trades"
)

// ErrPace: a pace nobody can keep. The text says which.
var ErrPace = errors.New("demo: pace")

const maxRate = 1e9

// Pace says when a feed means to send. The zero Pace is flat out.
type Pace struct {
	Rate  float64 // messages per second at even distances; 0 is flat out
	Speed float64 // instead: as the trades were captured, so many times as fast
}

// ParsePace reads "recorded" or "xN", N a positive number.
func ParsePace(s string) (Pace, error) {
	if s == "recorded" {
		return Pace{Speed: 1}, nil
	}
	n, ok := strings.CutPrefix(s, "x")
	speed, err := strconv.ParseFloat(n, 64)
	if !ok || err != nil || !(speed > 0) || speed > maxRate {
		return Pace{}, fmt.Errorf("%w %q: it is \"recorded\" or \"xN\" with N above 0", ErrPace, s)
	}
	return Pace{Speed: speed}, nil
}

func (p Pace) check() error {
	bad := func(v float64) bool { return math.IsNaN(v) || v < 0 || v > maxRate }
	if bad(p.Rate) || bad(p.Speed) || p.Rate > 0 && p.Speed > 0 {
		return fmt.Errorf("%w: %g messages per second, %g times the recorded speed: one of them, from 0 to %g", ErrPace, p.Rate, p.Speed, maxRate)
	}
	return nil
}

// String names the pace the way ParsePace reads it, or as a rate.
func (p Pace) String() string {
	switch {
	case p.Speed == 1:
		return "recorded"
	case p.Speed > 0:
		return fmt.Sprintf("x%g", p.Speed)
	case p.Rate > 0:
		return fmt.Sprintf("%g/s", p.Rate)
	}
	return "flat out"
}

// schedule fixes beforehand when each message is meant to leave. One that leaves late keeps its instant, so the wait is
// in its latency.
type schedule struct {
	pace    Pace
	start   uint64
	sent    uint64    // messages since start
	first   int       // which trade the first one was
	offsets []float64 // ns from the first captured trade to each
	lap     float64   // ns from one replay of the capture to the next
}

// newSchedule begins at start with trade first.
func newSchedule(p Pace, all []trades.Trade, first int, start uint64) schedule {
	s := schedule{pace: p, start: start, first: first, offsets: make([]float64, len(all))}
	for i := range all {
		s.offsets[i] = float64(all[i].Captured.Sub(all[0].Captured))
		if i > 0 {
			s.offsets[i] = max(s.offsets[i], s.offsets[i-1])
		}
	}
	last := s.offsets[len(all)-1]
	s.lap = last + last/float64(max(len(all)-1, 1)) // the pause between two laps is an average one
	return s
}

// due is the instant of the next message; flat out it is now.
func (s *schedule) due(now uint64) uint64 {
	switch {
	case s.pace.Rate > 0:
		return s.start + uint64(float64(s.sent)*1e9/s.pace.Rate)
	case s.pace.Speed > 0:
		k := uint64(s.first) + s.sent
		n := uint64(len(s.offsets))
		at := float64(k/n)*s.lap + s.offsets[k%n] - s.offsets[s.first]
		return s.start + uint64(at/s.pace.Speed)
	}
	return now
}
