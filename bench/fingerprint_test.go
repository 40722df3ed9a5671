package bench

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func someHost() Host {
	return Host{Name: "a", CPU: "C 9000", Processors: 4, Kernel: "6.1", MemoryKB: 16 << 20, ClockSource: "tsc", Mitigations: "spectre_v1 spectre_v2",
		Governor: "performance", Hypervisor: "unnamed", Foreign: 0.1, Go: "go1", Pins: []int{0, 1}}
}

func TestFingerprintIsThatOfTheMachineAndNotOfTheRun(t *testing.T) {
	a := someHost()
	same := a
	same.Name, same.Foreign, same.Go, same.Pins, same.MemoryKB = "b", 0.7, "go2", nil, a.MemoryKB-4000
	if a.fingerprint() != same.fingerprint() || len(a.unlike(same)) > 0 {
		t.Errorf("%s and %s: %v", a.fingerprint(), same.fingerprint(), a.unlike(same))
	}
	seen := map[string]string{a.fingerprint(): "itself"}
	for name, change := range map[string]func(*Host){
		"processor": func(h *Host) { h.CPU = "D" }, "processors": func(h *Host) { h.Processors = 5 }, "kernel": func(h *Host) { h.Kernel = "6.2" },
		"memory": func(h *Host) { h.MemoryKB *= 2 }, "clock source": func(h *Host) { h.ClockSource = "hpet" },
		"mitigations": func(h *Host) { h.Mitigations = "none" }, "governor": func(h *Host) { h.Governor = "powersave" },
		"hypervisor": func(h *Host) { h.Hypervisor = "xen" },
	} {
		b := someHost()
		change(&b)
		if other := seen[b.fingerprint()]; other != "" {
			t.Errorf("another %s gives the fingerprint of %s", name, other)
		}
		seen[b.fingerprint()] = name
		if d := a.unlike(b); len(d) != 1 || !strings.HasPrefix(d[0], name+" ") {
			t.Errorf("another %s is told as %q", name, d)
		}
	}
	if d := a.unlike(Host{}); len(d) > 0 {
		t.Errorf("what a report does not tell differs: %q", d)
	}
}

func TestHostTellsWhatTheKernelWorksAround(t *testing.T) {
	dir := t.TempDir()
	if got := mitigations(dir); got != "" {
		t.Errorf("without files %q", got)
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("mds", "Not affected")
	if got := mitigations(dir); got != "none" {
		t.Errorf("without any %q", got)
	}
	write("spectre_v2", "Mitigation: Retpolines")
	write("meltdown", "Mitigation: PTI")
	write("retbleed", "Vulnerable")
	if got := mitigations(dir); got != "meltdown spectre_v2" {
		t.Errorf("%q", got)
	}
	h := ReadHost()
	if len(h.Fingerprint) != 12 || h.Fingerprint != ReadHost().Fingerprint {
		t.Errorf("fingerprints %q and %q of one machine", h.Fingerprint, ReadHost().Fingerprint)
	}
}
