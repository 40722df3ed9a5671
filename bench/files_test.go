package bench

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	if tags["48B"] != r.Subject.Samples || tags["line"] != r.Baselines["line"].Samples {
		t.Errorf(".hlog counts %v, the report %d and %d", tags, r.Subject.Samples, r.Baselines["line"].Samples)
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

// readLog reads a histogram log, format 1.3, and returns how many samples each tag has.
func readLog(text []byte) (map[string]int64, error) {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	version, start, legend := -1, -1, -1
	counts := make(map[string]int64)
	for i, l := range lines {
		switch {
		case l == "#[Histogram log format version 1.3]":
			version = i
		case strings.HasPrefix(l, "#[StartTime: "):
			start = i
		case strings.HasPrefix(l, `"StartTimestamp"`):
			legend = i
		case strings.HasPrefix(l, "#"):
		default:
			tag, rest, _ := strings.Cut(strings.TrimPrefix(l, "Tag="), ",")
			f := strings.Split(rest, ",")
			if len(f) != 4 {
				return nil, fmt.Errorf("line %d has %d fields", i, len(f))
			}
			from, err1 := strconv.ParseFloat(f[0], 64)
			length, err2 := strconv.ParseFloat(f[1], 64)
			n, err3 := countSamples(f[3])
			if err := errors.Join(err1, err2, err3); err != nil {
				return nil, err
			}
			if from < 0 || from > 3600 || length < 0 {
				return nil, fmt.Errorf("line %d: from %g for %g s", i, from, length)
			}
			counts[tag] += n
		}
	}
	if version != 0 || start <= version || legend <= start || len(counts) == 0 {
		return nil, fmt.Errorf("version in line %d, start in %d, legend in %d", version, start, legend)
	}
	return counts, nil
}

// countSamples adds up the counts of one histogram in the compressed V2 encoding: zlib around a head of 40 bytes and ZigZag LEB128
// counts, of which a negative one stands for that many empty buckets.
func countSamples(coded string) (total int64, err error) {
	raw, err := base64.StdEncoding.DecodeString(coded)
	if err != nil || len(raw) < 8 || binary.BigEndian.Uint32(raw)&^0xf0 != 0x1c849304 {
		return 0, fmt.Errorf("not a compressed histogram: %w", err)
	}
	z, err := zlib.NewReader(bytes.NewReader(raw[8:]))
	if err != nil {
		return 0, err
	}
	body, err := io.ReadAll(z)
	if err != nil || len(body) < 40 || binary.BigEndian.Uint32(body)&^0xf0 != 0x1c849303 {
		return 0, fmt.Errorf("not a histogram: %w", err)
	}
	for counts := body[40:]; len(counts) > 0; {
		v, n := binary.Varint(counts)
		if n <= 0 {
			return 0, errors.New("a count that does not end")
		}
		counts = counts[n:]
		total += max(v, 0)
	}
	return total, nil
}
