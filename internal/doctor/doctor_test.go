package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestFixtures holds every check on four hosts and for three profiles to testdata/expected.txt.
func TestFixtures(t *testing.T) {
	roots := map[string]string{}
	for _, f := range fixtures {
		roots[f.name] = expand(t, f.name)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%-22s", "check")
	reports := [][]Report{}
	for _, f := range fixtures {
		var of []Report
		for _, p := range Profiles() {
			of = append(of, look(t, roots[f.name], p, f.use))
		}
		reports = append(reports, of)
		fmt.Fprintf(&b, "%-16s", f.name)
	}
	fmt.Fprintf(&b, "\n%-22s%s\n", "", strings.TrimRight(strings.Repeat("hft  bal  cloud ", len(fixtures)), " "))
	for i, c := range table() {
		line := fmt.Sprintf("%-22s", c.id)
		for _, of := range reports {
			for _, r := range of {
				line += fmt.Sprintf("%-5s", r.Checks[i].Status)
			}
			line += " "
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	line := fmt.Sprintf("%-22s", "verdict")
	for _, of := range reports {
		for _, r := range of {
			line += fmt.Sprintf("%-5s", map[string]string{Fit: "fit", FitWithWarnings: "warn", Unfit: "not"}[r.Verdict])
		}
		line += " "
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
	expect(t, "expected.txt", b.Bytes())
}

func TestEverySkipHasAReasonAndEveryFaultARemedy(t *testing.T) {
	for _, f := range fixtures {
		root := expand(t, f.name)
		for _, p := range Profiles() {
			explained(t, f.name, look(t, root, p, f.use))
		}
	}
}

// explained holds each check of a report to saying what a reader needs.
func explained(t *testing.T, where string, r Report) {
	t.Helper()
	for _, c := range r.Checks {
		switch {
		case c.Why == "":
			t.Errorf("%s %s: %s is %s without a why", where, r.Profile, c.ID, c.Status)
		case c.Status == Skip && (c.Fix != "" || c.Reboot):
			t.Errorf("%s %s: %s is skipped and mended", where, r.Profile, c.ID)
		case (c.Status == Warn || c.Status == Fail) && (c.Fix == "" || c.Wanted == "" || c.Current == ""):
			t.Errorf("%s %s: %s is %s: current %q, wanted %q, fix %q", where, r.Profile, c.ID, c.Status, c.Current, c.Wanted, c.Fix)
		case c.Status == Pass && (c.Fix != "" || c.Current == ""):
			t.Errorf("%s %s: %s passes: current %q, fix %q", where, r.Profile, c.ID, c.Current, c.Fix)
		}
	}
}

// TestThisHost looks at the machine that runs the test. Nothing is known of it but that each skip says why.
func TestThisHost(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there is no /proc")
	}
	for _, p := range Profiles() {
		r, err := Check(t.Context(), Options{Profile: p, Quick: p != HFT, Use: Use{Cores: []int{0}, Interfaces: []Interface{{"lo", 0}}}})
		if err != nil {
			t.Fatal(err)
		}
		explained(t, "this host", r)
		for _, c := range r.Checks {
			t.Logf("%s %s %s: %s [%s] %s", p, c.Status, c.ID, c.Current, c.Wanted, c.Why)
		}
	}
}

func TestReportsInJSON(t *testing.T) {
	var b bytes.Buffer
	r := look(t, expand(t, "vm"), Cloud, fixtures[2].use)
	if err := r.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	expect(t, "vm-cloud.json", b.Bytes())
	var top map[string]json.RawMessage
	var checks []map[string]any
	if err := errors.Join(json.Unmarshal(b.Bytes(), &top), json.Unmarshal(top["checks"], &checks)); err != nil {
		t.Fatal(err)
	}
	if len(top) != 3 || len(checks) != len(table()) {
		t.Errorf("%d fields, %d checks", len(top), len(checks))
	}
	for _, c := range checks {
		for _, name := range []string{"id", "status", "current", "wanted", "why", "fix", "reboot"} {
			if _, ok := c[name]; !ok || len(c) != 7 {
				t.Fatalf("fields are %v", c)
			}
		}
	}
}

func TestReportsInText(t *testing.T) {
	root := expand(t, "laptop")
	var b bytes.Buffer
	if err := look(t, root, HFT, fixtures[1].use).WriteText(&b, false); err != nil {
		t.Fatal(err)
	}
	expect(t, "laptop-hft.out", b.Bytes())
	b.Reset()
	if err := look(t, root, HFT, fixtures[1].use).WriteText(&b, true); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(b.String(), "\n      reads "); n != len(table()) {
		t.Errorf("%d of %d checks say what they read", n, len(table()))
	}
}

func TestScriptsAreShell(t *testing.T) {
	var b bytes.Buffer
	if err := look(t, expand(t, "laptop"), HFT, fixtures[1].use).WriteScript(&b); err != nil {
		t.Fatal(err)
	}
	expect(t, "laptop-hft.sh", b.Bytes())
	for line := range strings.Lines(b.String()) {
		if !regexp.MustCompile(`^(#.*|set -u|(sysctl -w|systemctl|ethtool|ip link|mount|echo) .*|for f in /\S+; do echo \S+ > "\$f"; done)?\n$`).MatchString(line) {
			t.Errorf("not a comment and no command that was meant: %q", line)
		}
	}
}

// TestWhatAVirtualMachineCannotHaveIsSkipped: what a virtual machine cannot have is asked of a machine that can.
func TestWhatAVirtualMachineCannotHaveIsSkipped(t *testing.T) {
	root := expand(t, "vm")
	r := look(t, root, HFT, fixtures[2].use)
	for _, id := range []string{"tickless-cores", "rcu-callbacks", "cpu-governor", "turbo", "c-states", "firmware-stalls"} {
		if c := resultOf(r, id); c.Status != Skip || !strings.Contains(c.Why, "QEMU") && !strings.Contains(c.Why, "hypervisor") {
			t.Errorf("%s is %s: %s", id, c.Status, c.Why)
		}
	}
	set(t, root, "sys/devices/system/cpu/nohz_full", "(null)\n")
	if c := resultOf(look(t, root, HFT, fixtures[2].use), "tickless-cores"); c.Status != Fail || !c.Reboot || c.Fix != "kernel command line: nohz_full=2-3" {
		t.Errorf("a kernel that could and does not: %+v", c)
	}
}

func resultOf(r Report, id string) Result {
	i := slices.IndexFunc(r.Checks, func(c Result) bool { return c.ID == id })
	if i < 0 {
		return Result{}
	}
	return r.Checks[i]
}

// TestOneFaultChangesOneCheck breaks the tuned host in one place at a time.
func TestOneFaultChangesOneCheck(t *testing.T) {
	root := expand(t, "tuned")
	good := look(t, root, HFT, fixtures[0].use)
	if good.Verdict != Fit {
		t.Fatalf("the tuned host is %s: %v", good.Verdict, good.Failed())
	}
	for _, fault := range []struct{ path, text, id string }{
		{"sys/devices/system/cpu/isolated", "3\n", "isolated-cores cpu-quota"}, // what is not isolated must be in the mask,
		{"sys/devices/virtual/workqueue/cpumask", "7\n", "workqueue-cpus"},
		{"proc/irq/34/effective_affinity_list", "3\n", "irq-affinity"},
		{"sys/devices/system/cpu/cpu3/cpufreq/scaling_governor", "schedutil\n", "cpu-governor"},
		{"sys/devices/system/cpu/cpu2/cpuidle/state1/latency", "40\n", "c-states"},
		{"sys/class/net/eth0/device/numa_node", "0\n", "numa-locality"},
		{"proc/sys/kernel/numa_balancing", "1\n", "numa-balancing"},
		{"sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never\n", "transparent-hugepages"},
		{"proc/sys/vm/swappiness", "60\n", ""}, // there is no swap
		{"proc/sys/net/core/rmem_max", "212992\n", "socket-buffers"},
		{"proc/sys/net/ipv4/conf/all/rp_filter", "1\n", ""}, // the looser one of both holds
		{"proc/sys/net/ipv4/igmp_max_memberships", "1\n", "multicast"},
		{"sys/class/net/eth0/mtu", "1500\n", "mtu"},
		{"sys/class/net/eth0/queues/rx-0/rps_cpus", "3\n", "nic-offloads"},
		{"sys/fs/cgroup/system.slice/cpu.max", "100000 100000\n", "cpu-quota"},
		{"proc/sys/kernel/osrelease", "4.4.0\n", "kernel-features af-xdp"},
		{"sys/devices/system/clocksource/clocksource0/current_clocksource", "acpi_pm\n", "clocksource"},
		{"proc/900/stat", strings.Replace(stat900, " S ", " R ", 1), "noisy-neighbours"},
		{"sys/class/net/eth0/statistics/rx_missed_errors", "4\n", "network-drops"},
		{"proc/net/softnet_stat", "00000001 00000009 00000000\n", "network-drops"},
	} {
		at := filepath.Join(root, filepath.FromSlash(fault.path))
		before, err := os.ReadFile(at)
		set(t, root, fault.path, fault.text)
		r := look(t, root, HFT, fixtures[0].use)
		var changed []string
		for i, c := range r.Checks {
			if c.Status != good.Checks[i].Status {
				changed = append(changed, c.ID)
			}
		}
		if got := strings.Join(changed, " "); got != fault.id {
			t.Errorf("%s: %q changes %q, want %q", fault.path, fault.text, got, fault.id)
		}
		if err != nil {
			err = os.Remove(at)
		} else {
			err = os.WriteFile(at, before, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// stat900 is sshd of the tuned host, on a hot core.
const stat900 = "900 (sshd) S 1 900 900 0 -1 4194624 0 0 0 0 10 0 0 0 20 0 1 0 100 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 3 0 0 0 0\n"

func TestOptionsAreRefusedTogether(t *testing.T) {
	_, err := Check(t.Context(), Options{Profile: "fast", Use: Use{Cores: []int{-1}, Interfaces: []Interface{{"../../etc", 0}, {"eth0; reboot", 0}}}})
	if !errors.Is(err, ErrOptions) || strings.Count(err.Error(), "\n") != 3 {
		t.Errorf("%v", err)
	}
	if _, err := Check(t.Context(), Options{Root: t.TempDir()}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("an empty directory: %v", err)
	}
	if _, err := Check(t.Context(), Options{Root: "/no/such/place"}); !errors.Is(err, ErrOptions) {
		t.Errorf("no directory: %v", err)
	}
}

func TestLinksDoNotLeadOutOfTheRoot(t *testing.T) {
	root, outside := expand(t, "vm"), t.TempDir()
	set(t, outside, "cmdline", "secret=1\n")
	at := filepath.Join(root, "proc", "sys", "vm", "swappiness")
	if err := errors.Join(os.Remove(at), os.Symlink(filepath.Join(outside, "cmdline"), at)); err != nil {
		t.Fatal(err)
	}
	set(t, root, "proc/swaps", "Filename\n/swapfile file 1 1 1\n")
	if c := resultOf(look(t, root, HFT, Use{}), "swap"); c.Status != Skip {
		t.Errorf("%+v", c)
	}
}

func TestWhatOthersWroteIsFitForATerminal(t *testing.T) {
	root := expand(t, "vm")
	set(t, root, "proc/sys/vm/swappiness", "60\x1b[2J\n")
	set(t, root, "proc/swaps", "Filename\n/swapfile file 1 1 1\n")
	if c := resultOf(look(t, root, HFT, Use{}), "swap"); c.Status != Fail || strings.ContainsRune(c.Current, 0x1b) {
		t.Errorf("%+v", c)
	}
}

func TestLooksEndWithTheirContext(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there is no /proc")
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	began := time.Now()
	if _, err := Check(ctx, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if took := time.Since(began); took > window {
		t.Errorf("took %v", took)
	}
}

func TestWhereEveryCoreIsHotSomeAreToBeLeft(t *testing.T) {
	r := look(t, expand(t, "vm"), HFT, Use{Cores: []int{0, 1, 2, 3}})
	for _, id := range []string{"workqueue-cpus", "irq-affinity"} {
		if c := resultOf(r, id); c.Status == Pass || c.Fix != "leave a core that is not hot to the rest of the host" {
			t.Errorf("%+v", c)
		}
	}
}

// TestCountersThatMove gives a host two readings, as a running system would.
func TestCountersThatMove(t *testing.T) {
	irq := func(n uint64) []interrupt {
		return []interrupt{{number: 40, counts: map[int]uint64{2: n}, what: "PCI-MSI ahci"}}
	}
	h := &host{profile: HFT, hot: []int{2}, live: true,
		before: &reading{time: 1000, stolen: 10, snmp: map[string]uint64{"Udp.RcvbufErrors": 5}, interrupts: irq(3), tasks: map[string]task{"proc/7/task/7": {"idler", 2, 40, true}, "proc/8/task/8": {"worker", 2, 40, false}}},
		after:  &reading{time: 2000, stolen: 10, snmp: map[string]uint64{"Udp.RcvbufErrors": 5}, interrupts: irq(9), tasks: map[string]task{"proc/7/task/7": {"idler", 2, 40, true}, "proc/8/task/8": {"worker", 2, 41, false}}},
	}
	h.root = os.DirFS(t.TempDir())
	if f := h.drops(); f.grade != good || !strings.Contains(f.current, "since boot: Udp.RcvbufErrors 5") {
		t.Errorf("old drops: %+v", f)
	}
	h.after.snmp["Udp.RcvbufErrors"] = 7
	if f := h.drops(); f.grade != bad || f.current != "within a second: Udp.RcvbufErrors 2" {
		t.Errorf("new drops: %+v", f)
	}
	if f := h.neighbours(); f.grade != bad || f.current != "worker on 2" {
		t.Errorf("who ran: %+v", f)
	}
	if f := h.hypervisor(); f.grade != good {
		t.Errorf("nothing stolen now: %+v", f)
	}
	h.after.stolen = 60
	if f := h.hypervisor(); f.grade != poor || !strings.Contains(f.current, "5.0 % stolen now") {
		t.Errorf("50 of 1000 ticks: %+v", f)
	}
	if n := h.arrived(); n != 6 {
		t.Errorf("%d interrupts arrived", n)
	}
}

func TestOwnSettings(t *testing.T) {
	h := &host{profile: HFT, use: Use{Cores: []int{2, 3}}}
	for _, c := range []struct {
		own  own
		want grade
	}{
		{own{version: "go1.26", maxProcs: 4}, good},
		{own{version: "go1.26", maxProcs: 2}, poor},
		{own{version: "go1.26", maxProcs: 4, race: true}, bad},
		{own{version: "go1.26", maxProcs: 4, debug: "gctrace=1,asyncpreemptoff=1"}, bad},
	} {
		if f := h.judgeOwn(c.own); f.grade != c.want {
			t.Errorf("%+v is %d: %s", c.own, f.grade, f.current)
		}
	}
}

func TestTheTableIsSound(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "doctor.md"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, c := range table() {
		if !regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`).MatchString(c.id) || seen[c.id] {
			t.Errorf("%q is no id of its own", c.id)
		}
		seen[c.id] = true
		if c.title == "" || c.reads == "" || c.why == "" || c.asks == (asks{}) || c.judge == nil && len(c.settings) == 0 {
			t.Errorf("%s is not whole", c.id)
		}
		if !strings.Contains(string(page), "| `"+c.id+"` |") {
			t.Errorf("docs/doctor.md has no row for %s", c.id)
		}
		for _, s := range c.settings {
			if s.kind == file && strings.HasPrefix(s.name, "/") {
				t.Errorf("%s: %s is not below the root", c.id, s.name)
			}
		}
	}
}

// TestTunedHostFile: what hosts are configured with is what they are asked for.
func TestTunedHostFile(t *testing.T) {
	var b bytes.Buffer
	if err := TunedHost().WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	is, err := os.ReadFile(filepath.Join("..", "..", "nix", "tuned-host.json"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(is, b.Bytes()) {
		t.Error("nix/tuned-host.json is not the table's: go run ./internal/cmd/tunedhost > nix/tuned-host.json (make tidy does)")
	}
}

// TestATunedHostPasses applies what TunedHost says to the laptop and looks again.
func TestATunedHostPasses(t *testing.T) {
	root := expand(t, "laptop")
	p := TunedHost().Profiles[HFT]
	for name, value := range p.Sysctl {
		value = strings.ReplaceAll(value, onHugePages, "32")
		set(t, root, "proc/sys/"+strings.ReplaceAll(name, ".", "/"), value+"\n")
	}
	for _, f := range p.Files {
		paths, err := filepath.Glob(root + f.Path)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			if err := os.WriteFile(path, []byte(strings.ReplaceAll(f.Value, onOthersMask, "5")+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	r := look(t, root, HFT, fixtures[1].use)
	for _, id := range []string{"workqueue-cpus", "cpu-governor", "numa-balancing", "transparent-hugepages", "ksm", "swap", "watchdog", "timer-migration", "socket-buffers", "softirq-budget"} {
		if c := resultOf(r, id); c.Status != Pass {
			t.Errorf("%s is %s after what sets it: %s, wanted %s", id, c.Status, c.Current, c.Wanted)
		}
	}
}

func ExampleCheck() {
	r, err := Check(context.Background(), Options{Profile: Cloud, Quick: true})
	if errors.Is(err, errors.ErrUnsupported) {
		fmt.Println("not Linux")
		return
	}
	s := r.Summary()
	fmt.Println(s.Passed+s.Warned+s.Skipped+len(s.Failed) == len(r.Checks))
	// Output: true
}
