package bench

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// someReport is the n-th run of a workload; every n gives slightly other figures.
func someReport(workload string, n int) *Report {
	p50 := int64(100 + n%3)
	ratio := 1.5 + float64(n%3)/100
	h := someHost()
	h.Fingerprint = h.fingerprint()
	return &Report{
		Workload: workload, Commit: "1a2b3c4", Seed: uint64(n), Started: time.Unix(1_700_000_000+int64(n), 0), SliceNS: 25e6, Processes: 2, Rounds: 90, Seconds: 10,
		Subject: Figures{Latency: &Latency{P50: p50, P90: p50 + 20, P99: 2 * p50, P999: 900, Max: 70_000, Samples: 400_000},
			PerSec: 1e6 + 100*float64(n%3), PerSecLo: 0.9e6, PerSecHi: 1.1e6, Slices: 90, Messages: 500_000},
		Baselines: map[string]Figures{"line": {Latency: &Latency{P50: 60, P90: 70, P99: 90, P999: 300, Max: 50_000, Samples: 600_000}, Slices: 90}},
		Ratio:     map[string]Ratio{"line": {P50: &Spread{Median: ratio, Lo: ratio - 0.1, Hi: ratio + 0.1, Pairs: 90}}},
		Variants: map[string]Variant{"64B": {Subject: Figures{PerSec: 2e6, PerSecLo: 2e6, PerSecHi: 2e6, Slices: 90},
			Ratio: map[string]Ratio{"line": {PerSec: &Spread{Median: 2, Lo: 1.9, Hi: 2.1, Pairs: 90}}}}},
		Stall: map[string]Figures{"cpu0": {Slices: 20}},
		Host:  h,
	}
}

// someRuns are n runs of a workload after the first-th, each changed.
func someRuns(workload string, first, n int, change func(*Report)) (all []*Report) {
	for i := range n {
		r := someReport(workload, first+i)
		if change != nil {
			change(r)
		}
		all = append(all, r)
	}
	return all
}

func jsonLines(t testing.TB, all ...*Report) string {
	t.Helper()
	var b bytes.Buffer
	for _, r := range all {
		if err := r.WriteJSON(&b); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

func TestReportsAreReadFromFilesAndDirectories(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "odd[1]*")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"a.json": jsonLines(t, someRuns("ring/x", 0, 3, nil)...), "b.json": jsonLines(t, someReport("ring/y", 5)), "c.hlog": "no report",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	all, err := ReadReports(dir, filepath.Join(dir, "b.json"))
	if err != nil || len(all) != 5 {
		t.Fatal(len(all), err)
	}
	if all[3].Workload != "ring/y" || all[3].Host.Fingerprint != someHost().fingerprint() || !all[2].Started.Equal(someReport("", 2).Started) {
		t.Errorf("%+v", all[3])
	}
}

func TestWhatIsNoReportIsNamed(t *testing.T) {
	dir := t.TempDir()
	good := jsonLines(t, someReport("ring/x", 1))
	changed := func(change func(*Report)) string {
		r := someReport("ring/x", 1)
		change(r)
		return jsonLines(t, r)
	}
	for name, c := range map[string]struct{ text, said string }{
		"empty":    {"", "it is empty"},
		"table":    {"ring/x  10.0 s, 90 rounds", "report 1: invalid character"},
		"other":    {`{"profile":"hft","verdict":"fail"}`, "report 1: not a report of pulse bench --json"},
		"array":    {"[" + good + "]", "report 1: json: cannot unmarshal array"},
		"cut":      {good + good[:len(good)/2], "report 2: unexpected EOF"},
		"noslices": {changed(func(r *Report) { r.Subject.Slices = 0 }), "report 1: not a report"},
		"falling":  {changed(func(r *Report) { r.Subject.P99 = 3 }), "report 1: subject: latencies are out of order"},
		"huge":     {changed(func(r *Report) { r.Subject.Max = 1 << 60 }), "report 1: subject: latencies are out of order"},
		"rate":     {changed(func(r *Report) { r.Subject.PerSec = -1 }), "report 1: subject: a rate"},
		"ratio":    {changed(func(r *Report) { r.Ratio["line"].P50.Lo = 7 }), "report 1: subject / line: ratio"},
	} {
		file := filepath.Join(dir, name+".json")
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadReports(file); !errors.Is(err, ErrReport) || !strings.Contains(err.Error(), file+": "+c.said) {
			t.Errorf("%s: %v", name, err)
		}
	}
	nothing := t.TempDir()
	for _, paths := range [][]string{nil, {nothing}, {filepath.Join(nothing, "absent.json")}} {
		if _, err := ReadReports(paths...); !errors.Is(err, ErrReport) {
			t.Errorf("%v: %v", paths, err)
		}
	}
	if _, err := ReadReports(dir); strings.Count(fmt.Sprint(err), "bad report") != 10 {
		t.Errorf("not all faults come together: %v", err)
	}
}

// FuzzReports: what is taken for a report can be compared and drawn, and brings no markup of its own.
func FuzzReports(f *testing.F) {
	f.Add([]byte(jsonLines(f, someRuns("ring/x", 0, 2, nil)...)))
	f.Add([]byte(`{"workload":"<script>","subject":{"slices":1,"per_sec":1e308,"per_sec_lo":0,"per_sec_hi":1e308},"ratio":{"a":{"p50":{"median":1e-300,"lo":1e-300,"hi":1e300}}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		all, err := decodeReports(bytes.NewReader(text))
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := (Matrix{"fuzz", all}).WriteHTML(&b); err != nil {
			t.Fatal(err)
		}
		if page := b.String(); strings.Contains(page, "<script") || strings.Contains(page, "NaN") && !bytes.Contains(text, []byte("NaN")) {
			t.Fatalf("the page holds foreign markup or numbers that are none: %q", page)
		}
		c, err := CompareGroups(Group{"a", all}, Group{"b", all}, 0.05)
		if err != nil {
			return // one run twice
		}
		if worse := c.Regressions(); len(worse) > 0 {
			t.Fatalf("worse than itself: %+v", worse)
		}
		if err := c.WriteText(io.Discard); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzLog: a histogram log from anywhere gives distributions or an error.
func FuzzLog(f *testing.F) {
	values, text := writtenLog(f, 24)
	f.Add(text)
	f.Add([]byte("Tag=\n0.1,1.0,3.0,HIST\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		r := someReport("ring/x", 1)
		r.Lane, r.Subject.Samples = "48B", int64(len(values["48B"]))
		if r.readLog(bytes.NewReader(text)) != nil {
			return
		}
		if err := r.WriteHTML(io.Discard); err != nil {
			t.Fatal(err)
		}
	})
}
