package doctor

import (
	"cmp"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
)

var watchdogSettings = []setting{{kind: sysctl, name: "kernel.nmi_watchdog", want: by{hft: "0"}}, {kind: sysctl, name: "kernel.watchdog", want: by{hft: "0"}}}

// kernelChecks ask what else the kernel does on a core, and what it can do.
func kernelChecks() []check {
	return []check{
		{
			id: "realtime-throttling", title: "real-time threads have their rights",
			reads: "/proc/sys/kernel/sched_rt_runtime_us, /proc/self/limits, /proc/self/status",
			why:   "the kernel takes real-time threads off a core for the rest of each second's share, and refuses a priority without the right to it",
			asks:  asks{hft: Warn, balanced: Warn}, wanted: by{hft: "-1 or at least 950000, and the right to a priority", balanced: "-1 or at least 950000"},
			settings: []setting{{kind: rlimit, name: "LimitRTPRIO", want: by{hft: "99"}}},
			advice:   "sysctl -w kernel.sched_rt_runtime_us=950000; LimitRTPRIO=99 or CAP_SYS_NICE; loops that spin need no priority but a core of their own",
			judge:    (*host).realtime,
		},
		{
			id: "watchdog", title: "no watchdog on the hot cores",
			reads:    "/proc/sys/kernel/nmi_watchdog, /proc/sys/kernel/watchdog",
			why:      "the lock-up detectors interrupt each core at regular times, one of them with an interrupt that nothing can mask",
			asks:     asks{hft: Warn},
			settings: watchdogSettings,
			judge:    (*host).watchdog,
		},
		{
			id: "timer-migration", title: "timers stay where they were set",
			reads:    "/proc/sys/kernel/timer_migration",
			why:      "timers of idle cores move to busy ones, and a spinning core always is the busiest",
			asks:     asks{hft: Warn},
			settings: []setting{{kind: sysctl, name: "kernel.timer_migration", want: by{hft: "0"}}},
		},
		{
			id: "clocksource", title: "reading the clock is cheap",
			reads: "/sys/devices/system/clocksource/clocksource0/current_clocksource, /proc/cpuinfo",
			why:   "the processor's counter is read in 20 to 70 ns without the kernel, other clocks take a microsecond and a system call",
			asks:  asks{Fail, Fail, Warn}, wanted: each("tsc that is constant and never stops, or arch_sys_counter"), reboot: true,
			settings: []setting{{kind: kernelParam, name: "tsc", want: by{hft: "reliable"}}},
			advice:   "find in dmesg why the kernel gave tsc up; try echo tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource",
			judge:    (*host).clocksource,
		},
		{
			id: "mitigations", title: "processor faults are mitigated, or left by choice",
			reads: "/sys/devices/system/cpu/vulnerabilities/*, /proc/cmdline",
			why:   "mitigations cost each system call; without them one process may read another's memory, so it should be a choice",
			asks:  asks{Warn, Warn, Warn}, wanted: each("mitigated, or mitigations= on the command line"),
			advice: "update kernel and microcode, or say mitigations=off on the kernel command line of a host that runs nothing foreign",
			judge:  (*host).mitigations,
		},
		{
			id: "kernel-features", title: "the kernel has what workers use",
			reads: "/proc/sys/kernel/osrelease",
			why:   "older kernels lack segment offload of UDP (4.18), sleep on several words (5.16) or filling of mappings ahead (5.14), and workers fall back",
			asks:  asks{Fail, Fail, Fail}, wanted: each("Linux 5.16, at least 4.18"),
			advice: "install a newer kernel", reboot: true,
			judge: (*host).features,
		},
		{
			id: "hypervisor", title: "nobody takes the processors away",
			reads: "/proc/cpuinfo, /proc/stat, /proc/pressure/cpu",
			why:   "a hypervisor takes processors for milliseconds and the guest sees only that time is gone",
			asks:  asks{Warn, Warn, Warn}, wanted: by{"bare metal, nothing stolen", "at most 1 % stolen", "at most 5 % stolen"},
			advice: "a dedicated host, or a size of machine with processors of its own",
			judge:  (*host).hypervisor,
		},
		{
			id: "go-runtime", title: "this program's own settings",
			reads: "the build and the environment of this program",
			why:   "a race build is ten times slower, a spinner without a processor to spare stops the collector, and without preemption it stops the program",
			asks:  asks{Fail, Warn, Warn}, wanted: each("no race build, no asyncpreemptoff, GOMAXPROCS of at least 2"),
			advice: "go build without -race, unset GODEBUG, set GOMAXPROCS to the spinning loops and one more",
			judge:  (*host).goRuntime,
		},
	}
}

func (h *host) realtime() finding {
	us, ok := h.number("proc/sys/kernel/sched_rt_runtime_us")
	if !ok {
		return skip("there is no kernel.sched_rt_runtime_us: %s", h.whyAbsent())
	}
	l, _ := h.limit("Max realtime priority")
	may := "no right to a priority"
	switch {
	case h.right(capSysNice):
		may = "CAP_SYS_NICE"
	case l.soft > 0:
		may = fmt.Sprintf("priorities to %d", l.soft)
	}
	f := found(good, "%d, %s", us, may)
	if us >= 0 && us < 950000 || h.profile == HFT && l.soft == 0 && !h.right(capSysNice) {
		f.grade = bad
	}
	return f
}

func (h *host) watchdog() finding {
	f := h.compare(watchdogSettings)
	if f.grade != bad || len(h.hot) == 0 {
		return f
	}
	if cpus, ok := h.cpus("proc/sys/kernel/watchdog_cpumask"); ok && len(both(cpus, h.hot)) == 0 {
		f.grade = good
		f.current += ", on " + cpusText(cpus)
	}
	return f
}

func (h *host) clocksource() finding {
	const dir = "sys/devices/system/clocksource/clocksource0/"
	name, ok := h.text(dir + "current_clocksource")
	if !ok {
		return skip("there is no /%scurrent_clocksource: %s", dir, h.whyAbsent())
	}
	switch name {
	case "arch_sys_counter":
		return found(good, "%s", name)
	case "tsc":
		if h.flag("constant_tsc") && h.flag("nonstop_tsc") {
			return found(good, "tsc, constant and nonstop")
		}
		return found(poor, "tsc, not announced as constant and nonstop")
	case "kvm-clock", "hyperv_clocksource_tsc_page":
		return found(poor, "%s", name)
	}
	return found(bad, "%s", name)
}

func (h *host) mitigations() finding {
	const dir = "sys/devices/system/cpu/vulnerabilities"
	names := h.names(dir)
	if len(names) == 0 {
		return skip("there is no /%s: %s", dir, h.whyAbsent())
	}
	var open []string
	mitigated := 0
	for _, name := range names {
		text, _ := h.text(dir + "/" + name)
		switch {
		case strings.HasPrefix(text, "Vulnerable"):
			open = append(open, name)
		case strings.HasPrefix(text, "Mitigation"):
			mitigated++
		}
	}
	choice, chosen := h.parameter("mitigations")
	text := fmt.Sprintf("%d mitigated, %d open", mitigated, len(open))
	if chosen {
		text += ", mitigations=" + choice
	}
	if len(open) > 0 && !chosen {
		return found(bad, "%s: %s", text, some(open))
	}
	return found(good, "%s", text)
}

func (h *host) features() finding {
	release, _ := h.text("proc/sys/kernel/osrelease")
	major, minor, ok := parseVersion(release)
	if !ok {
		return skip("the release %q is no version", release)
	}
	at := func(a, b int) bool { return major > a || major == a && minor >= b }
	for _, more := range []string{"kernel.perf_event_paranoid", "net.core.bpf_jit_enable"} { // for who profiles, and for AF_XDP's program
		if v := h.values(setting{name: more}); v != nil {
			release += ", " + more + " " + v[0]
		}
	}
	switch {
	case !at(4, 18):
		return found(bad, "%s", release)
	case !at(5, 16):
		return found(poor, "%s", release)
	}
	return found(good, "%s", release)
}

func (h *host) hypervisor() finding {
	r := h.last()
	stolen, time, span := r.stolen, r.time, "since boot"
	if h.after != nil {
		stolen, time, span = stolen-h.before.stolen, time-h.before.time, "now"
	}
	if r.time == 0 {
		return skip("/proc/stat is not seen: %s", h.whyAbsent())
	}
	share := 0.0
	if time > 0 {
		share = 100 * float64(stolen) / float64(time)
	}
	bound := map[Profile]float64{HFT: 0.1, Balanced: 1, Cloud: 5}[h.profile]
	text := fmt.Sprintf("%.1f %% stolen %s", share, span)
	if h.virtual == "" {
		text = "bare metal, " + text
	} else {
		text = "virtual (" + h.virtual + "), " + text
	}
	if pressure, ok := h.text("proc/pressure/cpu"); ok {
		if _, after, ok := strings.Cut(pressure, "avg60="); ok {
			text += ", CPU pressure " + strings.Fields(after + " ")[0] + " %"
		}
	}
	if share > bound || h.profile == HFT && h.virtual != "" {
		return found(poor, "%s", text)
	}
	return found(good, "%s", text)
}

// own are the facts of this program.
type own struct {
	version    string
	maxProcs   int
	race       bool
	debug, gc  string // GODEBUG, GOGC
	memory     string // GOMEMLIMIT
	profileOpt bool   // built with a profile
}

// goRuntime is about the program that asks.
func (h *host) goRuntime() finding {
	if !h.live {
		return skip(notLive)
	}
	return h.judgeOwn(readOwn())
}

func (h *host) judgeOwn(o own) finding {
	text := fmt.Sprintf("%s, GOMAXPROCS %d", o.version, o.maxProcs)
	for _, set := range []struct{ name, value string }{{"GOGC", o.gc}, {"GOMEMLIMIT", o.memory}, {"GODEBUG", o.debug}} {
		if set.value != "" {
			text += ", " + set.name + "=" + set.value
		}
	}
	if o.race {
		text += ", race build"
	}
	if o.profileOpt {
		text += ", built with a profile"
	}
	need := 2
	if h.profile == HFT && len(h.use.Cores) > 0 {
		need = len(h.use.Cores) + 1
	}
	switch {
	case o.race, strings.Contains(o.debug, "asyncpreemptoff=1"):
		return found(bad, "%s", text)
	case o.maxProcs < need:
		return found(poor, "%s", text).want("GOMAXPROCS of at least %d", need)
	}
	return found(good, "%s", text)
}

// buildSetting is what the go command noted in the program.
func buildSetting(name string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	i := slices.IndexFunc(info.Settings, func(s debug.BuildSetting) bool { return s.Key == name })
	if i < 0 {
		return ""
	}
	return cmp.Or(info.Settings[i].Value, "")
}
