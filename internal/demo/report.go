package demo

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/alphapulse/transport/bench"
)

// Hop is one way of the messages: what was sent, what came, and how long it took from the instant it was meant to leave.
type Hop struct {
	Name string `json:"name"`
	Counts
	*bench.Latency
}

// Process is one of the three.
type Process struct {
	Name     string `json:"name"`
	PID      int    `json:"pid"`
	Restarts int    `json:"restarts"` // times it was killed and started again
	Waits    uint64 `json:"waits"`    // times its ring was full
	WaitedNS uint64 `json:"waited_ns"`
}

// Report is everything a demo found out. Its JSON form is a contract: keys are added, never changed.
type Report struct {
	Counts                   // summed over Hops
	Hops      []Hop          `json:"hops"`
	EndToEnd  Hop            `json:"end_to_end"`          // trades whose signals arrived
	Lateness  *bench.Latency `json:"feed_late,omitempty"` // how long after its instant a trade was sent; part of the first hop
	Processes []Process      `json:"processes"`
	UDP       *UDP           `json:"udp,omitempty"` // of a demo over UDP
	Verified  bool           `json:"verified"`
	Faults    []string       `json:"faults,omitempty"`
	Pace      string         `json:"pace"`
	Rate      float64        `json:"rate,omitempty"` // messages per second asked for
	Seed      uint64         `json:"seed"`
	Host      bench.Host     `json:"host"`
	Commit    string         `json:"commit"`
	Started   time.Time      `json:"started"`
	Seconds   float64        `json:"seconds"`

	total []*hdrhistogram.Histogram // by series
	log   [][]bench.Interval
}

// series are the distributions of a report, and where they are counted.
var series = []struct {
	name          string
	book, account int
}{
	{"feed-strategy", 1, 0}, {"strategy-sink", 2, 0}, {"end-to-end", 2, 1}, {"feed-late", 0, 0},
}

func newReport(o RunOptions) *Report {
	return &Report{
		Hops:     []Hop{{Name: FeedName + "→" + StrategyName}, {Name: StrategyName + "→" + SinkName}},
		EndToEnd: Hop{Name: FeedName + "→" + SinkName},
		Pace:     o.Pace.String(), Rate: o.Pace.Rate, Seed: o.Seed, Host: bench.ReadHost(), Commit: bench.BuiltFrom(),
		total: make([]*hdrhistogram.Histogram, len(series)), log: make([][]bench.Interval, len(series)),
	}
}

// sum adds the hops up.
func (r *Report) sum() {
	r.Counts = Counts{}
	for _, h := range r.Hops {
		r.Sent += h.Sent
		r.Delivered += h.Delivered
		r.Gaps += h.Gaps
		r.Repeated += h.Repeated
		r.Reordered += h.Reordered
		r.Corrupt += h.Corrupt
	}
}

// judge says whether the counts hold. Repeats are allowed where a kill explains them: a batch per restart of the receiver.
func (r *Report) judge() {
	r.Faults = nil
	fault := func(format string, args ...any) { r.Faults = append(r.Faults, fmt.Sprintf(format, args...)) }
	receivers := []int{1, 2, 2}
	for i, h := range append(append([]Hop(nil), r.Hops...), r.EndToEnd) {
		allowed := uint64(r.Processes[receivers[i]].Restarts * pollBatch)
		switch {
		case h.Gaps > 0:
			fault("%s: %d of %d messages are missing", h.Name, h.Gaps, h.Sent)
		case h.Sent != h.Delivered:
			fault("%s: %d sent, %d delivered", h.Name, h.Sent, h.Delivered)
		}
		if h.Repeated > allowed {
			fault("%s: %d messages came again, at most %d are explained by restarts", h.Name, h.Repeated, allowed)
		}
		if h.Reordered > 0 {
			fault("%s: %d messages out of order", h.Name, h.Reordered)
		}
		if h.Corrupt > 0 {
			fault("%s: %d corrupt messages", h.Name, h.Corrupt)
		}
	}
	r.Verified = len(r.Faults) == 0
}

// WriteJSON writes the report as one JSON object on one line.
func (r *Report) WriteJSON(w io.Writer) error { return json.NewEncoder(w).Encode(r) }
