package demo

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/alphapulse/transport/bench"
)

// sample is a report of a run in which everything held.
func sample() *Report {
	r := newReport(RunOptions{Pace: Pace{Rate: 20_000}, Seed: 3})
	counts := make([]int64, histLen)
	counts[bucket(5000)], counts[bucket(90_000)] = 90, 10
	for i := range series {
		r.total[i] = histogramOf(counts, nil)
		r.log[i] = []bench.Interval{{From: r.Started, To: r.Started.Add(time.Second), Hist: histogramOf(counts, nil)}}
	}
	same := Counts{Sent: 100, Delivered: 100}
	for i := range r.Hops {
		r.Hops[i].Counts, r.Hops[i].Latency = same, bench.LatencyOf(r.total[i])
	}
	r.EndToEnd.Counts, r.EndToEnd.Latency = same, bench.LatencyOf(r.total[2])
	r.Lateness = bench.LatencyOf(r.total[3])
	r.Processes = []Process{{Name: FeedName}, {Name: StrategyName}, {Name: SinkName}}
	r.sum()
	return r
}

func TestJudgeNamesEveryCountThatDoesNotHold(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Report)
		faults int
	}{
		"holds":                  {func(*Report) {}, 0},
		"gaps":                   {func(r *Report) { r.Hops[0].Gaps, r.Hops[0].Delivered = 2, 98 }, 1},
		"less delivered":         {func(r *Report) { r.EndToEnd.Delivered-- }, 1},
		"repeats without a kill": {func(r *Report) { r.Hops[1].Repeated = 1 }, 1},
		"repeats of another's":   {func(r *Report) { r.Hops[1].Repeated, r.Processes[1].Restarts = 1, 1 }, 1},
		"repeats after a kill":   {func(r *Report) { r.Hops[1].Repeated, r.Processes[2].Restarts = pollBatch, 1 }, 0},
		"too many repeats":       {func(r *Report) { r.Hops[1].Repeated, r.Processes[2].Restarts = pollBatch+1, 1 }, 1},
		"order and checksums":    {func(r *Report) { r.Hops[0].Reordered, r.Hops[1].Corrupt = 1, 1 }, 2},
	} {
		r := sample()
		c.change(r)
		if r.judge(); len(r.Faults) != c.faults || r.Verified != (c.faults == 0) {
			t.Errorf("%s: %v, %q", name, r.Verified, r.Faults)
		}
	}
}

func TestReportHasTheKeysOthersRead(t *testing.T) {
	r := sample()
	r.judge()
	var b bytes.Buffer
	if err := r.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := json.Unmarshal(b.Bytes(), &all); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"sent", "delivered", "gaps", "repeated", "reordered", "corrupt", "hops", "end_to_end", "host", "commit", "seed", "verified"} {
		if _, ok := all[key]; !ok {
			t.Errorf("no %s", key)
		}
	}
	if all["sent"] != 200.0 || all["delivered"] != 200.0 {
		t.Errorf("sums %v %v", all["sent"], all["delivered"])
	}
	for _, h := range all["hops"].([]any) {
		hop := h.(map[string]any)
		for _, key := range []string{"name", "sent", "delivered", "gaps", "p50_ns", "p90_ns", "p99_ns", "p999_ns", "max_ns"} {
			if _, ok := hop[key]; !ok {
				t.Errorf("no %s in %v", key, hop["name"])
			}
		}
	}
}

func TestFilesAreWholeAndFetchNothing(t *testing.T) {
	r := sample()
	r.Started = time.Unix(1_700_000_000, 0)
	r.judge()
	dir := filepath.Join(t.TempDir(), "out")
	paths, err := r.WriteFiles(dir)
	if err != nil || len(paths) != 3+len(series) {
		t.Fatal(err, paths)
	}
	page, err := os.ReadFile(filepath.Join(dir, "demo.html"))
	if err != nil {
		t.Fatal(err)
	}
	if found := regexp.MustCompile(`(?i)(src|href)\s*=|url\(|@import|<script|https?://`).FindString(string(page)); found != "" {
		t.Errorf("the page fetches: %s", found)
	}
	for _, want := range []string{"feed→strategy", "<svg", "every message accounted for", "end-to-end"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

func TestTableAndLinesShowEveryWay(t *testing.T) {
	r := sample()
	r.judge()
	var b bytes.Buffer
	if err := r.WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	live := strings.Join(r.Lines(), "\n")
	for _, way := range []string{"feed→strategy", "strategy→sink", "feed→sink"} {
		if !strings.Contains(b.String(), way) || !strings.Contains(live, way) {
			t.Errorf("%s is missing:\n%s\n%s", way, b.String(), live)
		}
	}
	if !strings.Contains(live, "█   ▅") {
		t.Errorf("no histogram: %s", live)
	}
	t.Logf("\n%s\n%s", live, b.String())
	before := newReport(RunOptions{})
	if lines := before.Lines(); len(lines) != 3 {
		t.Errorf("before the first look: %q", lines)
	}
}
