package watch

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// State is how something does.
type State string

// States, from good to bad.
const (
	OK       State = "ok"
	Degraded State = "degraded" // messages flow, and somebody should look
	Failing  State = "failing"  // something does not flow, or soon will not
)

func (s State) rank() int { return slices.Index([]State{OK, Degraded, Failing}, s) }

// Fault is one thing that is not as it should be.
type Fault struct {
	State State  `json:"state"`
	What  string `json:"what"` // the process, channel, way or place that it is about
	Why   string `json:"why"`
}

// Health is the worst of what a node's processes say.
type Health struct {
	State  State   `json:"state"`
	Faults []Fault `json:"faults"` // the worst first
}

const (
	quietAfter = 3 * time.Second // a process that said nothing for so long has stopped
	lagMost    = 0.9             // share of a ring from which on a reader is about to hold its writer up
	diskLeast  = 0.05            // share of a file system that should be free
)

// HealthOf judges snapshots of one node by their breakers, lags, liveness and disks.
func HealthOf(now time.Time, all ...*Snapshot) Health {
	h := Health{State: OK, Faults: []Fault{}}
	for _, s := range all {
		h.judge(now, s)
	}
	slices.SortStableFunc(h.Faults, func(a, b Fault) int { return cmp.Compare(b.State.rank(), a.State.rank()) })
	for _, f := range h.Faults {
		if f.State.rank() > h.State.rank() {
			h.State = f.State
		}
	}
	return h
}

func (h *Health) add(state State, what, why string, args ...any) {
	h.Faults = append(h.Faults, Fault{state, what, fmt.Sprintf(why, args...)})
}

func (h *Health) judge(now time.Time, s *Snapshot) {
	switch process := "process " + s.Process; {
	case !s.Alive && s.Process == NodeProcess:
		h.add(Failing, process, "it is gone: nothing goes to other nodes")
		return
	case !s.Alive:
		return // actors come and go; what their absence does shows in readers' lags
	case now.Sub(s.At) > quietAfter:
		h.add(Failing, process, "it lives and has said nothing for %v: it is stopped or starved", now.Sub(s.At).Round(100*time.Millisecond))
		return
	}
	for _, c := range s.Where(CarriageStranded) {
		if c.Value > 0 {
			h.add(Failing, "channel "+c.Get(ofChannel)+to(c), "no way is alive: what is published waits in its rings")
		}
	}
	for _, w := range s.Where(WayAlive) {
		if w.Value == 0 {
			h.add(Degraded, way(w), "the other side is not heard")
		}
	}
	for _, b := range s.Where(WayBreaker) {
		if b.Value > 0 {
			h.add(Degraded, way(b), "its breaker is %s", breakers[min(int(b.Value), 2)])
		}
	}
	h.lags(s)
	h.disks(s)
}

var breakers = [3]string{"closed", "half-open", "open"}

// BreakerState is the word for a value of pulse_way_breaker_state.
func BreakerState(x float64) string { return breakers[min(max(int(x), 0), 2)] }

// lags finds gating readers that are about to hold writers up.
func (h *Health) lags(s *Snapshot) {
	type key struct{ channel, ring, reader string }
	gates, room := map[key]bool{}, map[key]float64{}
	for _, g := range s.Where(ReaderGating) {
		gates[key{g.Get(ofChannel), g.Get(ofRing), g.Get(ofReader)}] = g.Value > 0
	}
	for _, c := range s.Where(RingCapacity) {
		room[key{c.Get(ofChannel), c.Get(ofRing), ""}] = c.Value
	}
	for _, l := range s.Where(ReaderLag) {
		k := key{l.Get(ofChannel), l.Get(ofRing), l.Get(ofReader)}
		if all := room[key{k.channel, k.ring, ""}]; gates[k] && all > 0 && l.Value >= lagMost*all {
			h.add(Failing, "reader "+k.reader+" of "+k.channel+"/"+k.ring, "it holds the publisher up: %.0f %% of the ring is not released", 100*l.Value/all)
		}
	}
}

func (h *Health) disks(s *Snapshot) {
	for _, d := range s.Where(DiskFree) {
		for _, all := range s.Where(DiskSize) {
			if all.Get(ofPlace) == d.Get(ofPlace) && all.Value > 0 && d.Value < diskLeast*all.Value {
				h.add(Degraded, "disk of "+d.Get(ofPlace), "%.1f %% is left", 100*d.Value/all.Value)
			}
		}
	}
}

// way names the way that a sample is about.
func way(s *Sample) string { return "channel " + s.Get(ofChannel) + to(s) + " by " + s.Get(ofMedium) }

func to(s *Sample) string {
	if n := s.Get(ofNode); n != "" {
		return " to " + n
	}
	return ""
}
