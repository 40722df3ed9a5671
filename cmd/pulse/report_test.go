package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/alphapulse/transport/bench"
)

// benchReports writes n runs of a workload whose median is about p50 to a file.
func benchReports(t *testing.T, name, workload string, n int, p50 int64) string {
	t.Helper()
	var b bytes.Buffer
	for i := range n {
		r := bench.Report{
			Workload: workload, Commit: "1a2b3c4", Seed: uint64(i), Started: time.Unix(1_700_000_000+p50*1000+int64(i), 0), Host: bench.Host{Fingerprint: "0123456789ab", Kernel: "6.1"},
			Subject: bench.Figures{Latency: &bench.Latency{P50: p50 + int64(i), P90: 2000, P99: 3000, P999: 4000, Max: 5000, Samples: 1000}, Slices: 9},
		}
		if err := r.WriteJSON(&b); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestReportCompareEndsWithItsCodes(t *testing.T) {
	old, same := benchReports(t, "old.json", "ring/x", 5, 100), benchReports(t, "same.json", "ring/x", 5, 101)
	slow, other := benchReports(t, "slow.json", "ring/x", 5, 115), benchReports(t, "other.json", "ring/y", 5, 100)
	table := filepath.Join(t.TempDir(), "table.json")
	if err := os.WriteFile(table, []byte("ring/x  10.0 s\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(t.TempDir(), "empty.json")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		out  string
		said string
	}{
		{[]string{old, same}, 0, "~", ""},
		{[]string{old, old}, 0, "~", ""},
		{[]string{old, slow}, exitCheck, "+14.7 %", "worse by more than 5 %: ring/x p50"},
		{[]string{slow, old}, 0, "-12.8 %", ""},
		{[]string{old, same, slow}, exitCheck, slow, "ring/x p50"},
		{[]string{old, slow, "--threshold", "20%"}, 0, "+14.7 %", ""},
		{[]string{old, slow, "--threshold", "14"}, exitCheck, "REGRESSED", "14 %"},
		{[]string{old + "," + other, same + "," + other}, 0, "ring/y", ""},
		{[]string{filepath.Dir(old), slow}, exitCheck, "+14.7 %", "p50"},
		{[]string{old}, exitUsage, "", "arg"},
		{[]string{old, other}, exitUsage, "", "ring/x is in " + old + " and not in " + other},
		{[]string{old, table}, exitUsage, "", table + ": report 1"},
		{[]string{old, empty}, exitUsage, "", empty + ": it is empty"},
		{[]string{old, t.TempDir()}, exitUsage, "", "no .json file"},
		{[]string{old, old + ".absent"}, exitUsage, "", "no such file"},
		{[]string{old, same + "," + same}, exitUsage, "", "twice"},
		{[]string{old, same, "--threshold", "some"}, exitUsage, "", `"some" is not a percentage`},
		{[]string{old, same, "--threshold=-1"}, exitUsage, "", "from zero up"},
		{[]string{old, same, "-o", "xml"}, exitUsage, "", "text or json"},
	} {
		out, said, code := runVerb(t, append([]string{"report", "compare"}, c.args...)...)
		if code != c.code || !strings.Contains(out, c.out) || !strings.Contains(said, c.said) || c.out == "" && out != "" {
			t.Errorf("%v: code %d, not %d\n%s\n%s", c.args, code, c.code, out, said)
		}
	}
	if _, said, code := runVerb(t, "report"); code != exitUsage || !strings.Contains(said, "compare or html") {
		t.Errorf("code %d: %s", code, said)
	}
}

func TestReportCompareSpeaksJSON(t *testing.T) {
	out, _, code := runVerb(t, "report", "compare", "-o", "json", benchReports(t, "a.json", "ring/x", 5, 100), benchReports(t, "b.json", "ring/x", 5, 115))
	var all []bench.Comparison
	if err := json.Unmarshal([]byte(out), &all); err != nil || code != exitCheck || len(all) != 1 {
		t.Fatal(code, err, out)
	}
	ch := all[0].Changes[0]
	if ch.Figure != "p50" || !ch.Regressed || ch.Verdict != bench.Worse || *ch.P > bench.Significance || ch.By != bench.ByRanks || ch.New.Median != 117 {
		t.Errorf("%+v", ch)
	}
}

func TestReportHTMLEndsWithItsCodes(t *testing.T) {
	in := benchReports(t, "in.json", "ring/x", 2, 100)
	out := filepath.Join(t.TempDir(), "out.html")
	if _, said, code := runVerb(t, "report", "html", out, in, "--title", "two & two"); code != 0 || !strings.Contains(said, "wrote "+out) {
		t.Fatalf("code %d: %s", code, said)
	}
	page, err := os.ReadFile(out)
	if err != nil || !strings.Contains(string(page), "<h1>two &amp; two</h1>") || !strings.Contains(string(page), "run 2") {
		t.Errorf("%v: %s", err, page)
	}
	before, err := os.ReadFile(in)
	if err != nil {
		t.Fatal(err)
	}
	broken := benchReports(t, "broken.json", "ring/x", 1, 100)
	if err := os.WriteFile(strings.TrimSuffix(broken, ".json")+".hlog", []byte("nothing\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		said string
	}{
		{[]string{in, in}, exitUsage, "ends in .html"},
		{[]string{out}, exitUsage, "arg"},
		{[]string{out, out}, exitUsage, "report 1"},
		{[]string{out, broken}, exitUsage, "broken.hlog"},
		{[]string{filepath.Join(out, "x.html"), in}, exitRuntime, "not a directory"},
	} {
		if _, said, code := runVerb(t, append([]string{"report", "html"}, c.args...)...); code != c.code || !strings.Contains(said, c.said) {
			t.Errorf("%v: code %d, not %d: %s", c.args, code, c.code, said)
		}
	}
	if after, err := os.ReadFile(in); err != nil || !bytes.Equal(before, after) {
		t.Errorf("an input was written over: %v", err)
	}
}

// TestCommandsOfReportPageRun: every block of docs/report.md runs as it stands there, but that measurements are as short as they can be.
// What those compare to is chance, so compare may end with 0 or 1.
func TestCommandsOfReportPageRun(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "report.md"))
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	program := fmt.Sprintf("#!/bin/sh\nexport %s=1\ncase $1 in bench) set -- \"$@\" --for 1ms --in-process ;; esac\n"+
		"%s \"$@\"\nstatus=$?\n[ \"$1 $2 $status\" != 'report compare 1' ] || exit 0\nexit $status\n", asProgram, exe)
	for _, name := range []string{"pulse", "old/pulse", "new/pulse"} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(program), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllSubmatch(text, -1)
	if len(blocks) != 2 {
		t.Fatalf("%d blocks", len(blocks))
	}
	for _, b := range blocks {
		cmd := exec.CommandContext(t.Context(), "/bin/sh", "-e", "-c", string(b[1]))
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s%v: %s", b[1], err, out)
		}
	}
	page, err := os.ReadFile(filepath.Join(dir, "matrix.html"))
	if err != nil || !strings.Contains(string(page), "latency over time") || !strings.Contains(string(page), "ring/oneway, run 1") {
		t.Errorf("the page: %v", err)
	}
}
