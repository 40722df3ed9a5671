package bench

import (
	"bufio"
	"bytes"
	"cmp"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
)

// Commit names the source the program was built from when the build itself cannot know it:
//
//	go build -ldflags "-X github.com/alphapulse/transport/bench.Commit=$(git rev-parse HEAD)"
var Commit string

// commitOf returns Commit, or what the go command stamped into the build, or "unknown". A changed tree ends in "+dirty".
func commitOf() string {
	if Commit != "" {
		return Commit
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	revision, dirty := "unknown", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+dirty"
		}
	}
	return revision + dirty
}

// Host says where a report was taken. A fact the system does not tell is empty or zero.
type Host struct {
	Name       string  `json:"name"`
	OS         string  `json:"os"`
	Arch       string  `json:"arch"`
	Kernel     string  `json:"kernel,omitempty"`
	CPU        string  `json:"cpu,omitempty"`
	Processors int     `json:"processors"`
	Pins       []int   `json:"pins"`
	Pinned     bool    `json:"pinned"`
	Virtual    bool    `json:"virtual"` // a hypervisor is announced; distances between processors may change under way
	MemoryKB   uint64  `json:"memory_kb,omitempty"`
	Go         string  `json:"go"`
	MaxProcs   int     `json:"gomaxprocs"`
	Clock      string  `json:"clock"` // "tsc" or "monotonic"
	ClockHz    float64 `json:"clock_hz"`
	ClockStep  float64 `json:"clock_step_ns"` // the smallest step two readings were seen to differ by
	Foreign    float64 `json:"foreign_cpu"`   // share of all processors that other processes used during the run, 0 to 1
	Stolen     float64 `json:"stolen_cpu"`    // share the hypervisor gave to others, 0 to 1

	ClockSource string `json:"clock_source,omitempty"` // the kernel's
	Mitigations string `json:"mitigations,omitempty"`  // the faults of processors that the kernel works around; "none"
	Governor    string `json:"governor,omitempty"`     // of processor 0's frequency
	Hypervisor  string `json:"hypervisor,omitempty"`
	Fingerprint string `json:"fingerprint,omitempty"` // of the facts that speed hangs on; equal where they are
}

// readHost collects the facts that do not change during a run.
func readHost() Host {
	name, err := os.Hostname()
	if err != nil {
		name = "unknown"
	}
	h := Host{
		Name: name, OS: runtime.GOOS, Arch: runtime.GOARCH, Processors: runtime.NumCPU(),
		Go: runtime.Version(), Kernel: firstLine("/proc/sys/kernel/osrelease"),
	}
	flags := ""
	h.CPU, flags = cpuInfo()
	h.Virtual = strings.Contains(flags, " hypervisor")
	if f := strings.Fields(field("/proc/meminfo", "MemTotal")); len(f) > 0 {
		h.MemoryKB, _ = strconv.ParseUint(f[0], 10, 64) // an unreadable size stays zero: unknown
	}
	h.ClockSource = firstLine("/sys/devices/system/clocksource/clocksource0/current_clocksource")
	h.Governor = firstLine("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
	h.Mitigations = mitigations("/sys/devices/system/cpu/vulnerabilities")
	if h.Virtual {
		h.Hypervisor = cmp.Or(firstLine("/sys/hypervisor/type"), firstLine("/sys/class/dmi/id/sys_vendor"), "unnamed")
	}
	h.Fingerprint = h.fingerprint()
	return h
}

// cpuInfo returns the first processor's model and flags as /proc/cpuinfo tells them.
func cpuInfo() (model, flags string) {
	return field("/proc/cpuinfo", "model name"), " " + field("/proc/cpuinfo", "flags") + " "
}

// mitigations lists the files of dir that begin with "Mitigation", "none" when no file does, "" without files.
func mitigations(dir string) string {
	files, err := filepath.Glob(filepath.Join(dir, "*")) // in order
	if err != nil || len(files) == 0 {
		return ""
	}
	var all []string
	for _, f := range files {
		if strings.HasPrefix(firstLine(f), "Mitigation") {
			all = append(all, filepath.Base(f))
		}
	}
	return cmp.Or(strings.Join(all, " "), "none")
}

// field returns the value of the first "key : value" line of a file, or "".
func field(path, key string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); {
		if k, v, ok := strings.Cut(s.Text(), ":"); ok && strings.TrimSpace(k) == key {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// firstLine returns the first line of a file, or "".
func firstLine(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return line
}

// load is processor time in ticks of the kernel: everybody's, the part taken by the hypervisor, all there was.
type load struct{ busy, stolen, all uint64 }

// readLoad reads the machine's processor time; zero where /proc/stat is absent.
func readLoad() load {
	f := strings.Fields(firstLine("/proc/stat"))
	if len(f) < 9 || f[0] != "cpu" {
		return load{}
	}
	var n [8]uint64 // user nice system idle iowait irq softirq steal
	for i := range n {
		v, err := strconv.ParseUint(f[i+1], 10, 64)
		if err != nil {
			return load{}
		}
		n[i] = v
	}
	l := load{stolen: n[7]}
	for _, v := range n {
		l.all += v
	}
	l.busy = l.all - n[3] - n[4] - n[7]
	return l
}

// ownTicks returns the processor time of process pid in ticks of the kernel, or zero.
func ownTicks(pid int) uint64 {
	line := firstLine("/proc/" + strconv.Itoa(pid) + "/stat")
	// The second field is the program's name in brackets and may hold anything, so count from its last bracket.
	_, rest, ok := strings.Cut(line[strings.LastIndexByte(line, ')')+1:], " ")
	f := strings.Fields(rest)
	if !ok || len(f) < 13 {
		return 0
	}
	user, err1 := strconv.ParseUint(f[11], 10, 64)
	system, err2 := strconv.ParseUint(f[12], 10, 64)
	if err1 != nil || err2 != nil {
		return 0
	}
	return user + system
}

// foreign returns the shares of the processors that others and the hypervisor took between two readings, of which own ticks were ours.
func foreign(before, after load, own uint64) (others, stolen float64) {
	all := float64(after.all - before.all)
	if all <= 0 {
		return 0, 0
	}
	busy := float64(after.busy-before.busy) - float64(own)
	return max(0, busy/all), float64(after.stolen-before.stolen) / all
}
