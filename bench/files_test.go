package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// measured runs a short ping-pong once for the tests that look at what it leaves behind.
func measured(t *testing.T) *Report {
	t.Helper()
	r, err := PingPong{brief()}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestFilesSayWhatTheReportSays(t *testing.T) {
	r := measured(t)
	dir := filepath.Join(t.TempDir(), "out")
	paths, err := r.WriteFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) []byte {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	if len(paths) != 3+8 { // json html hlog; unix slots 48B line 64B slots-64B and both processors' stalls
		t.Errorf("wrote %v", paths)
	}
	var back Report
	if err := json.Unmarshal(read("ring-pingpong.json"), &back); err != nil || back.Subject.P99 != r.Subject.P99 {
		t.Errorf("%v %+v", err, back.Subject)
	}
	curve, err := readPercentiles(read("ring-pingpong-48B.hgrm"))
	if err != nil {
		t.Fatal(err)
	}
	if got := curve.at(0.5) * 1000; math.Abs(got-float64(r.Subject.P50)) > 0.01*got {
		t.Errorf(".hgrm has a median of %g ns, the report %d", got, r.Subject.P50)
	}
	if curve.count != r.Subject.Samples {
		t.Errorf(".hgrm counts %d, the report %d", curve.count, r.Subject.Samples)
	}
	tags, err := readLog(read("ring-pingpong.hlog"))
	if err != nil {
		t.Fatal(err)
	}
	if h := tags["48B"]; h.total != r.Subject.Samples || !h.says(50, r.Subject.P50) || !h.says(99, r.Subject.P99) || h.max() != r.Subject.Max {
		t.Errorf(".hlog counts %d, %d at the median, %d, and %d at most, the report has %+v", h.total, h.at(50), h.at(99), h.max(), r.Subject.Latency)
	}
	if h := tags["line"]; h.total != r.Baselines["line"].Samples || r.Lane != "48B" {
		t.Errorf(".hlog counts %d of the line, the report %d; the subject is %q", h.total, r.Baselines["line"].Samples, r.Lane)
	}
}

func TestPageCarriesEverythingItShows(t *testing.T) {
	r := measured(t)
	r.Host.Name = `<b>"host"</b>`
	var b bytes.Buffer
	if err := r.WriteHTML(&b); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	if found := regexp.MustCompile(`(?i)(src|href)\s*=|url\(|@import|<script|https?://`).FindString(text); found != "" {
		t.Errorf("the page fetches: %s", found)
	}
	for _, part := range []string{"<svg", "<path", "stroke-dasharray", r.Commit, fmt.Sprint(r.Seed), "99.9 %", "pauses", "48B", "subject / line", "clock step"} {
		if !strings.Contains(text, part) {
			t.Errorf("the page lacks %q", part)
		}
	}
	if strings.Contains(text, "<b>") || strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
		t.Error("the page holds foreign markup or numbers that are none")
	}
}

func TestTableShowsEveryLaneAndItsMaximum(t *testing.T) {
	r := measured(t)
	var b bytes.Buffer
	if err := r.WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"subject", "variant 64B", "line", "unix", "stalls cpu", duration(r.Subject.Max), "subject / line", "gc:", "seed 7"} {
		if !strings.Contains(b.String(), part) {
			t.Errorf("the table lacks %q:\n%s", part, b.String())
		}
	}
	r.Subject.P9999 = 0
	if cells := latencyCells(r.Subject.Latency); strings.Count(cells, "–") != 1 {
		t.Errorf("a percentile without enough samples is shown as %q", cells)
	}
}

func TestUnwritableDirectoryIsAnError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := (&Report{Workload: "ring/x"}).WriteFiles(filepath.Join(file, "dir")); err == nil {
		t.Error("wrote into a file")
	}
}

// percentiles is a .hgrm as read here: microseconds by fraction.
type percentiles struct {
	value, fraction []float64
	count           int64
}

func (p percentiles) at(fraction float64) float64 {
	for i, f := range p.fraction {
		if f >= fraction {
			return p.value[i]
		}
	}
	return math.NaN()
}

// readPercentiles reads a percentile distribution and refuses one whose columns ever fall.
func readPercentiles(text []byte) (p percentiles, err error) {
	lines := strings.Split(string(text), "\n")
	if strings.Join(strings.Fields(lines[0]), " ") != "Value Percentile TotalCount 1/(1-Percentile)" || lines[1] != "" {
		return p, fmt.Errorf("head %q", lines[:2])
	}
	var lastValue, lastFraction float64
	for _, l := range lines[2:] {
		f := strings.Fields(l)
		if len(f) < 3 || strings.HasPrefix(l, "#") {
			continue
		}
		v, err1 := strconv.ParseFloat(f[0], 64)
		q, err2 := strconv.ParseFloat(f[1], 64)
		n, err3 := strconv.ParseInt(f[2], 10, 64)
		if err := errors.Join(err1, err2, err3); err != nil {
			return p, err
		}
		if v < lastValue || q < lastFraction || n < p.count {
			return p, fmt.Errorf("%q goes back", l)
		}
		lastValue, lastFraction, p.count = v, q, n
		p.value, p.fraction = append(p.value, v), append(p.fraction, q)
	}
	if lastFraction != 1 || !strings.Contains(string(text), "#[Max ") {
		return p, fmt.Errorf("ends at %g without a maximum", lastFraction)
	}
	return p, nil
}
