package bench

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// fetches is anything in a page that would make a browser ask for something else, or run something.
var fetches = regexp.MustCompile(`(?i)(src|href|on[a-z]+)\s*=\s*["']|url\(|@import|<script|https?://`)

func pageOf(t *testing.T, m Matrix) string {
	t.Helper()
	var b bytes.Buffer
	if err := m.WriteHTML(&b); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	if found := fetches.FindString(text); found != "" {
		t.Errorf("the page fetches: %s", found)
	}
	if strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
		t.Error("the page holds numbers that are none")
	}
	return text
}

func TestMatrixShowsEveryRunOfEveryWorkload(t *testing.T) {
	_, log := writtenLog(t, 25)
	whole := someReport("udp/y", 7)
	whole.Lane, whole.Subject.Samples = "48B", 15000
	if err := whole.readLog(bytes.NewReader(log)); err != nil {
		t.Fatal(err)
	}
	whole.Doctor = &Verdict{"hft", "fail", []string{"isolcpus"}}
	whole.Subject.Lost, whole.Notes = 0.25, []string{"no sockperf here"}
	runs := someRuns("ring/x", 0, 3, nil)
	runs[1].Commit = "5e6f7a8"
	text := pageOf(t, Matrix{"all of it", append(runs, whole)})
	for _, part := range []string{"<title>all of it</title>", "ring/x, run 3", "udp/y, run 1", "5e6f7a8", "hft: fail, failed: isolcpus", "not examined", someHost().fingerprint(),
		"spectre_v1 spectre_v2", "performance", "6.1", "16384 MiB", "The subject in each run", "The subject over time", "subject / line", "p50 1.52 [1.42 … 1.62]",
		"25 % of the messages", "no sockperf here", "variant 64B"} {
		if !strings.Contains(text, part) {
			t.Errorf("the page lacks %q", part)
		}
	}
	for what, want := range map[string]int{
		`aria-label="latency by percentile"`: 5, // a curve each, and the three runs together
		`aria-label="latency over time"`:     1, // where a log is there
		`aria-label="ratios to baselines"`:   4,
		"<details":                           4,
	} {
		if got := strings.Count(text, what); got != want {
			t.Errorf("%d times %s, not %d", got, what, want)
		}
	}
	if strings.Count(text, "<rect") < 20 {
		t.Error("the strip over time is empty")
	}
}

// TestMatrixEscapesWhatReportsSay: a report comes from anywhere.
func TestMatrixEscapesWhatReportsSay(t *testing.T) {
	const foul = `"><script src="http://x">alert(1)</script><b>`
	r := someReport("ring/"+foul, 1)
	r.Commit, r.Lane, r.Host.Name, r.Host.CPU, r.Host.Fingerprint, r.Notes = foul, foul, foul, foul, foul, []string{foul}
	r.Doctor = &Verdict{foul, foul, []string{foul}}
	r.Baselines[foul], r.Variants[foul], r.Ratio[foul], r.Stall[foul] = r.Baselines["line"], r.Variants["64B"], r.Ratio["line"], r.Baselines["line"]
	total := newHistogram()
	record(total, 100)
	r.order, r.lanes = []string{foul}, map[string]*track{foul: {total: total, log: []Interval{{r.Started, r.Started, total}}}}
	var b bytes.Buffer
	if err := (Matrix{foul, []*Report{r, r}}).WriteHTML(&b); err != nil {
		t.Fatal(err)
	}
	if i := strings.Index(b.String(), "<script"); i >= 0 || strings.Contains(b.String(), "<b>") {
		t.Errorf("foreign markup: %.80s", b.String()[max(i, 0):])
	}
}

// TestNamesBesideCurvesDoNotLieUponEachOther: lanes that end at the same height can still be told apart.
func TestNamesBesideCurvesDoNotLieUponEachOther(t *testing.T) {
	var all []trace
	for _, name := range []string{"a", "b", "c"} {
		all = append(all, someReport("ring/x", 1).Subject.trace(name))
	}
	last := -1.0
	for _, found := range regexp.MustCompile(`y="([0-9.]+)" fill="#[0-9a-f]+">[abc]<`).FindAllStringSubmatch(string(curve(all)), -1) {
		y, err := strconv.ParseFloat(found[1], 64)
		if err != nil || last >= 0 && y-last < labelHeight-0.2 { // written with one digit
			t.Errorf("a name at %s after one at %g: %v", found[1], last, err)
		}
		last = y
	}
	if last < 0 {
		t.Error("no names")
	}
}

// TestStripMergesNeighboursOfALongLog: a day of lines is drawn as six hundred columns, and no message is left out.
func TestStripMergesNeighboursOfALongLog(t *testing.T) {
	log := make([]Interval, 10*mostColumns+3)
	for i := range log {
		log[i].Hist = newHistogram()
		if i != 7 {
			record(log[i].Hist, uint64(100+i))
		}
	}
	columns, all := columnsOf(log), int64(0)
	for _, c := range columns {
		all += c.Hist.TotalCount()
	}
	if len(columns) > mostColumns || len(columns) < mostColumns/2 || all != int64(len(log)-1) {
		t.Errorf("%d columns with %d messages", len(columns), all)
	}
	if heat("x", log[7:8]) != "" || heat("x", nil) != "" {
		t.Error("a strip of nothing")
	}
}
