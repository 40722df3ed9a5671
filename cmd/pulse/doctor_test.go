package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alphapulse/transport/bench"
	"github.com/alphapulse/transport/internal/doctor"
)

// fakeRoot is the smallest tree that counts as a host, with the files given.
func fakeRoot(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	files["proc/sys/kernel/osrelease"] = "6.12.0\n"
	for name, text := range files {
		at := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestDoctorExitCodes(t *testing.T) {
	fit := fakeRoot(t, map[string]string{})
	slow := fakeRoot(t, map[string]string{"sys/devices/system/clocksource/clocksource0/current_clocksource": "hpet\n"})
	topology := filepath.Join("..", "..", "examples", "performance_tuned.yaml")
	pipe := filepath.Join(t.TempDir(), "pipe") // nobody writes into it: who opens it waits
	if err := exec.Command("mkfifo", pipe).Run(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"--root", fit}, 0, "profile balanced: fit"},
		{[]string{"--root", slow}, exitCheck, "clocksource"},
		{[]string{"--root", slow, "--profile", "cloud"}, 0, "fit with warnings"},
		{[]string{"--root", slow, "--fix-script"}, 0, "#!/bin/sh"},
		{[]string{"--root", slow, "-v"}, exitCheck, "reads  /proc/cmdline"},
		{[]string{"--root", fit, "--profile", "quick"}, exitUsage, "is not hft, balanced or cloud"},
		{[]string{"--root", fit, "--interface", "../x"}, exitUsage, "no name of an interface"},
		{[]string{"--root", fit, "--cores", "3-2"}, exitUsage, "backwards"},
		{[]string{"--root", filepath.Join(fit, "proc")}, exitRuntime, "not the root of a Linux host"},
		{[]string{"--root", pipe}, exitUsage, "no directory"},
		{[]string{"--root", fit, "--node", "trade"}, exitUsage, "name its FILE"},
		{[]string{topology}, exitUsage, "--node says which"},
		{[]string{topology, "--node", "nowhere"}, exitUsage, "no node"},
		{[]string{"-o", "sarif"}, exitUsage, "not text or json"},
	} {
		if out, said, code := runVerb(t, append([]string{"doctor"}, c.args...)...); code != c.code || !strings.Contains(out+said, c.says) {
			t.Errorf("%v: exit code %d, want %d and %q:\n%s%s", c.args, code, c.code, c.says, out, said)
		}
	}
}

// TestDoctorTakesTheNodeFromTheTopology: hot cores, interface and memory come from FILE.
func TestDoctorTakesTheNodeFromTheTopology(t *testing.T) {
	root := fakeRoot(t, map[string]string{
		"sys/devices/system/cpu/online": "0-15\n", "sys/devices/system/cpu/isolated": "9\n",
		"sys/class/net/eth0/mtu": "1500\n", "proc/meminfo": "HugePages_Total: 1\nHugePages_Free: 1\nHugepagesize: 2048 kB\n",
	})
	out, said, code := runVerb(t, "doctor", filepath.Join("..", "..", "examples", "performance_tuned.yaml"), "--node", "trade", "--root", root, "--profile", "hft", "-o", "json")
	if code != exitCheck {
		t.Fatalf("exit code %d: %s", code, said)
	}
	var r doctor.Report
	if err := json.NewDecoder(strings.NewReader(out)).Decode(&r); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"isolated-cores": "9, missing 10", "mtu": "eth0 1500", "hugepages": "1 free of 1"}
	for _, c := range r.Checks {
		if w, ok := want[c.ID]; ok && (c.Current != w || c.Status != doctor.Fail) {
			t.Errorf("%s is %s: %s", c.ID, c.Status, c.Current)
		}
	}
	if r.Verdict != doctor.Unfit {
		t.Errorf("verdict %q", r.Verdict)
	}
}

func TestJitterPrintsARowForEachCore(t *testing.T) {
	run := func(args ...string) (out, said string, code int) { // a process of its own: a benchmark within this one may have left its first thread pinned
		p := start(t, append([]string{"jitter"}, args...)...)
		code = p.end()
		return p.out.String(), p.words(), code
	}
	out, said, code := run("--for", "30ms", "-o", "json")
	var r bench.JitterReport
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != 0 || len(r.Cores) == 0 {
		t.Fatalf("exit code %d, %v: %s%s", code, err, out, said)
	}
	if out, said, code := run("--for", "10ms", "--cpus", "0"); code != 0 || strings.Count(out, "\n") != 2 {
		t.Errorf("exit code %d: %s%s", code, out, said)
	}
	for _, args := range [][]string{{"--cpus", "8191"}, {"--cpus", "x"}, {"--for", "-1s"}, {"-o", "html"}} {
		if _, said, code := run(args...); code != exitUsage {
			t.Errorf("%v: exit code %d: %s", args, code, said)
		}
	}
}
