package bench

import (
	"encoding/json"
	"io"
	"strings"
	"time"
)

// Figures are what one lane measured over all its slices.
type Figures struct {
	*Latency
	PerSec   float64 `json:"per_sec,omitempty"` // median over slices: round trips, or messages seen by each reader
	PerSecLo float64 `json:"per_sec_lo,omitempty"`
	PerSecHi float64 `json:"per_sec_hi,omitempty"`
	Slices   int     `json:"slices"`
	Messages uint64  `json:"messages"` // sent, seen and checked, the warm-up's too
	Lost     float64 `json:"lost"`     // share of them that never came; 0 but over UDP
	Allocs   float64 `json:"allocs_per_op"`
}

// Variant is the subject measured another way in the same rounds.
type Variant struct {
	Subject Figures          `json:"subject"`
	Ratio   map[string]Ratio `json:"ratio"`
}

// Verdict is what an examination of the host came to before the run: which checks of a profile it does not pass.
type Verdict struct {
	Profile string   `json:"profile"`
	Verdict string   `json:"verdict"`
	Failed  []string `json:"failed,omitempty"`
}

// String is the verdict in one line.
func (v *Verdict) String() string {
	if v == nil {
		return "not examined"
	}
	text := v.Profile + ": " + v.Verdict
	if len(v.Failed) > 0 {
		text += ", failed: " + strings.Join(v.Failed, ", ")
	}
	return text
}

// Report is everything one run found out. Its JSON form is a contract: keys are added, never changed.
type Report struct {
	Workload  string             `json:"workload"`
	Lane      string             `json:"lane,omitempty"` // the subject's name in the .hlog
	Subject   Figures            `json:"subject"`
	Baselines map[string]Figures `json:"baselines"`
	Ratio     map[string]Ratio   `json:"ratio"`              // subject / baseline
	Variants  map[string]Variant `json:"variants,omitempty"` // the subject measured another way
	Allocs    float64            `json:"allocs_per_op"`      // the subject's
	Host      Host               `json:"host"`
	Doctor    *Verdict           `json:"doctor,omitempty"` // nil when nobody asked
	Commit    string             `json:"commit"`
	Seed      uint64             `json:"seed"`

	Processes int                `json:"processes"` // 2, or 1 when the far side was a thread
	Rounds    int                `json:"rounds"`
	SliceNS   int64              `json:"slice_ns"`
	Rate      float64            `json:"rate,omitempty"`  // open loop, messages per second
	Quantiles map[string]float64 `json:"ratio_quantiles"` // what lo and hi of a ratio are
	Stall     map[string]Figures `json:"stall"`           // gaps between readings of the clock, per processor, in quiet slices
	GC        GC                 `json:"gc"`
	Notes     []string           `json:"notes,omitempty"` // what could not be measured, and why
	Started   time.Time          `json:"started"`
	Seconds   float64            `json:"seconds"`

	order []string          // lane names as opened
	lanes map[string]*track // full histograms, for the files
	from  string            // the file it was read from
}

// WriteJSON writes the report as one JSON object on one line.
func (r *Report) WriteJSON(w io.Writer) error { return json.NewEncoder(w).Encode(r) }
