package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// benchCommand runs "pulse bench" with args and returns what it printed and its exit code. Errors before the verb starts are usage errors.
func benchCommand(args ...string) (out string, code int, err error) {
	root := newRoot()
	var text bytes.Buffer
	root.SetOut(&text)
	root.SetErr(&bytes.Buffer{})
	root.SetArgs(append([]string{"bench"}, args...))
	ran = false
	err = root.Execute()
	var coded *exitError
	switch {
	case err == nil:
	case errors.As(err, &coded):
		code = coded.code
	case ran:
		code = exitRuntime
	default:
		code = exitUsage
	}
	return text.String(), code, err
}

func TestBenchRefusesBadUsage(t *testing.T) {
	for _, args := range [][]string{
		{}, {"ring/nothing"}, {"ring/pingpong", "ring/oneway"}, {"--list", "ring/oneway"}, {"ring/pingpong", "--size", "3"},
		{"ring/oneway", "--rate", "-4"}, {"ring/pingpong", "--cpus", "1"}, {"ring/pingpong", "--for", "soon"}, {"ring/throughput", "--size", "48"},
		{"ring/pingpong", "--rate", "5"}, {"ring/throughput", "--rate", "5"}, {"ring/fanout", "--rate", "5"},
	} {
		if _, code, err := benchCommand(args...); code != exitUsage {
			t.Errorf("%v: exit code %d, %v", args, code, err)
		}
	}
}

func TestBenchListsWorkloadsLineByLine(t *testing.T) {
	out, code, err := benchCommand("--list")
	if code != 0 || out != "ring/pingpong\nring/throughput\nring/fanout\nring/oneway\nudp/pingpong\nudp/throughput\nudp/sealed\nudp/fanout\ntcp/pingpong\ntcp/throughput\ntcp/sealed\ntcp/publish\ntcp/fanout\nquic/pingpong\nquic/throughput\nquic/publish\nxdp/pingpong\nxdp/throughput\nmq/journal\nmq/redis\nmq/kafka\nmq/rabbitmq\nobserve\ncompare\n" {
		t.Errorf("%d %v %q", code, err, out)
	}
}

func TestBenchPrintsOneJSONObjectAndWritesFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	out, code, err := benchCommand("ring/oneway", "--json", "--in-process", "--for", "1ms", "--rate", "50000", "--seed", "9", "--out", dir)
	if code != 0 {
		t.Fatal(err)
	}
	var report struct {
		Workload string
		Seed     uint64
		Rate     float64
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil || strings.Count(out, "\n") != 1 {
		t.Fatal(err, out)
	}
	if report.Workload != "ring/oneway" || report.Seed != 9 || report.Rate != 50000 {
		t.Errorf("%+v", report)
	}
	for _, name := range []string{"ring-oneway.json", "ring-oneway.html", "ring-oneway.hlog", "ring-oneway-ring.hgrm"} {
		if st, err := os.Stat(filepath.Join(dir, name)); err != nil || st.Size() == 0 {
			t.Error(name, err)
		}
	}
}
