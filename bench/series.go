package bench

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// What follows lends the parts of a report to measurements that are no comparison of lanes.

// ReadHost collects the facts of this machine. Pins, clock and load are a run's own and stay zero.
func ReadHost() Host { return readHost() }

// BuiltFrom names the source this program was built from: Commit, or what the go command stamped, or "unknown".
func BuiltFrom() string { return commitOf() }

// LatencyOf reads the quoted percentiles out of h, or nil when h is empty.
func LatencyOf(h *hdrhistogram.Histogram) *Latency { return latencyOf(h) }

// Interval is what was measured between two instants.
type Interval struct {
	From, To time.Time
	Hist     *hdrhistogram.Histogram
}

// Duration writes nanoseconds with three digits or so and a unit.
func Duration(ns int64) string { return duration(ns) }
