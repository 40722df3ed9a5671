package doctor

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/alphapulse/transport/numa"
)

// coreChecks ask whether the hot cores are left alone.
func coreChecks() []check {
	return []check{
		{
			id: "isolated-cores", title: "the scheduler keeps off the hot cores",
			reads: "/sys/devices/system/cpu/isolated, /sys/fs/cgroup/cpuset.cpus.isolated",
			why:   "the scheduler puts any thread on a core that is not isolated, and a spinning loop then waits for that thread's slice",
			asks:  asks{hft: Fail}, wanted: by{hft: "all of " + onCPUs}, reboot: true,
			settings: []setting{{kind: kernelParam, name: "isolcpus", want: by{hft: "managed_irq,domain," + onCPUs}}},
			judge:    (*host).isolatedCores,
		},
		{
			id: "tickless-cores", title: "no timer tick on the hot cores",
			reads: "/sys/devices/system/cpu/nohz_full",
			why:   "the tick takes 1 to 5 µs of a core 250 to 1000 times a second",
			asks:  asks{hft: Fail}, wanted: by{hft: "all of " + onCPUs}, reboot: true,
			settings: []setting{{kind: kernelParam, name: "nohz_full", want: by{hft: onCPUs}}},
			judge:    (*host).ticklessCores,
		},
		{
			id: "rcu-callbacks", title: "RCU callbacks run elsewhere",
			reads: "/proc/cmdline",
			why:   "callbacks of the kernel's read-copy-update run on the core that queued them unless threads elsewhere take them",
			asks:  asks{hft: Fail}, wanted: by{hft: "all of " + onCPUs}, reboot: true,
			settings: []setting{{kind: kernelParam, name: "rcu_nocbs", want: by{hft: onCPUs}}},
			judge:    (*host).callbackCores,
		},
		{
			id: "workqueue-cpus", title: "unbound work of the kernel runs elsewhere",
			reads: "/sys/devices/virtual/workqueue/cpumask",
			why:   "work that the kernel may run anywhere runs on hot cores, too, unless their bits are taken out of the mask",
			asks:  asks{hft: Warn}, wanted: by{hft: "none of " + onCPUs},
			settings: []setting{{kind: file, name: "sys/devices/virtual/workqueue/cpumask", want: by{hft: onOthersMask}}},
			judge:    (*host).workqueues,
		},
		{
			id: "irq-affinity", title: "devices interrupt other cores",
			reads: "/proc/interrupts, /proc/irq/*/effective_affinity_list, /proc/irq/*/smp_affinity_list",
			why:   "an interrupt stalls the loop of its core for microseconds and empties its caches",
			asks:  asks{hft: Fail, balanced: Warn}, wanted: by{hft: "none on " + onCPUs + " but of named interfaces", balanced: "none on " + onCPUs + " but of named interfaces"},
			settings: []setting{{kind: kernelParam, name: "irqaffinity", want: by{hft: onOthers}}},
			judge:    (*host).interruptCores,
		},
		{
			id: "irqbalance", title: "nobody moves interrupts back",
			reads: "/proc/*/comm",
			why:   "irqbalance spreads interrupts over all cores that are not isolated, also those that were moved by hand",
			asks:  asks{hft: Fail}, wanted: by{hft: "not running, or hot cores isolated"},
			judge: (*host).balancer,
		},
		{
			id: "smt-siblings", title: "nobody works on the other thread of a hot core",
			reads: "/sys/devices/system/cpu/smt/active, /sys/devices/system/cpu/cpu*/topology",
			why:   "two threads of a core share its caches and execution units, so the neighbour's work shows as jitter",
			asks:  asks{hft: Fail, balanced: Warn}, wanted: by{hft: "siblings offline, or isolated and idle", balanced: "no two hot threads on one core"},
			advice: "switch the siblings off (echo 0 > /sys/devices/system/cpu/cpuN/online), or isolate them and pin nothing there",
			judge:  (*host).siblings,
		},
	}
}

func (h *host) isolatedCores() finding {
	if len(h.hot) == 0 {
		return skip(noHot)
	}
	if !h.has("sys/devices/system/cpu/isolated") {
		return skip("there is no /sys/devices/system/cpu/isolated: %s", h.whyAbsent())
	}
	is := h.isolated()
	return h.covers(is)
}

// covers says whether a list holds all hot cores.
func (h *host) covers(list []int) finding {
	if missing := without(h.hot, list); len(missing) > 0 {
		return found(bad, "%s, missing %s", cpusText(list), cpusText(missing))
	}
	return found(good, "%s", cpusText(list))
}

func (h *host) ticklessCores() finding {
	if len(h.hot) == 0 {
		return skip(noHot)
	}
	list, ok := h.cpus("sys/devices/system/cpu/nohz_full")
	if !ok {
		return skip("there is no /sys/devices/system/cpu/nohz_full: %s", h.whyAbsent())
	}
	return h.covers(list)
}

func (h *host) callbackCores() finding {
	switch {
	case len(h.hot) == 0:
		return skip(noHot)
	case h.machine == nil:
		return skip(noCPUs)
	case !h.has("proc/cmdline"):
		return skip("/proc/cmdline is not seen: %s", h.whyAbsent())
	}
	tickless, known := h.cpus("sys/devices/system/cpu/nohz_full") // these are without callbacks, too
	list := append(h.parameterCPUs("rcu_nocbs"), tickless...)
	f := h.covers(list)
	if f.grade == bad && !known && (h.virtual != "" || h.container != "") {
		return skip("the kernel is built without nohz_full: %s", h.whyAbsent())
	}
	return f
}

func (h *host) workqueues() finding {
	const path = "sys/devices/virtual/workqueue/cpumask"
	if len(h.hot) == 0 {
		return skip(noHot)
	}
	text, ok := h.text(path)
	if !ok {
		return skip("there is no /%s: %s", path, h.whyAbsent())
	}
	cpus, err := parseMask(text)
	if err != nil {
		return skip("/%s: %v", path, err)
	}
	if on := both(cpus, h.hot); len(on) > 0 {
		return found(bad, "on %s, %s of them hot", cpusText(cpus), cpusText(on))
	}
	return found(good, "on %s", cpusText(cpus))
}

func (h *host) interruptCores() finding {
	if len(h.hot) == 0 {
		return skip(noHot)
	}
	r := h.last()
	if len(r.interrupts) == 0 {
		return skip("/proc/interrupts names no device: %s", h.whyAbsent())
	}
	var on []string
	var f finding
	seen := false
	for _, irq := range r.interrupts {
		cpus, ok := h.affinity(irq.number)
		seen = seen || ok
		if !ok || len(both(cpus, h.hot)) == 0 || h.ours(irq) {
			continue
		}
		on = append(on, fmt.Sprintf("%d (%s)", irq.number, lastWord(irq.what)))
		if others := h.others(); len(others) > 0 {
			f = f.mend(fmt.Sprintf("echo %s > /proc/irq/%d/smp_affinity_list", cpusText(others), irq.number))
		}
	}
	switch {
	case !seen:
		return skip("/proc/irq is not seen: %s", h.whyAbsent())
	case len(on) == 0:
		return found(good, "%d device interrupts, none on %s", len(r.interrupts), cpusText(h.hot))
	}
	f.grade, f.current = bad, fmt.Sprintf("%d of %d on hot cores: %s", len(on), len(r.interrupts), some(on))
	if h.after != nil {
		f.current += fmt.Sprintf("; %d arrived there within a second", h.arrived())
	}
	return f
}

// arrived counts the interrupts of others that hot cores took while counters were watched.
func (h *host) arrived() (n uint64) {
	before := map[int]map[int]uint64{}
	for _, irq := range h.before.interrupts {
		before[irq.number] = irq.counts
	}
	for _, irq := range h.after.interrupts {
		if h.ours(irq) {
			continue
		}
		for _, cpu := range h.hot {
			if last := before[irq.number][cpu]; irq.counts[cpu] > last {
				n += irq.counts[cpu] - last
			}
		}
	}
	return n
}

// affinity are the CPUs that an interrupt arrives at.
func (h *host) affinity(irq int) ([]int, bool) {
	dir := "proc/irq/" + strconv.Itoa(irq)
	if cpus, ok := h.cpus(dir + "/effective_affinity_list"); ok && len(cpus) > 0 {
		return cpus, true
	}
	return h.cpus(dir + "/smp_affinity_list")
}

// ours reports whether an interrupt is a queue of a named interface, which may well be beside its loop: by its name, by the card's list, or by
// the name of the card.
func (h *host) ours(irq interrupt) bool {
	words := strings.FieldsFunc(irq.what, func(r rune) bool { return r == ' ' || r == ',' })
	for _, i := range h.use.Interfaces {
		dir := "sys/class/net/" + i.Name + "/device"
		if h.has(dir + "/msi_irqs/" + strconv.Itoa(irq.number)) {
			return true
		}
		names := []string{i.Name}
		if at, err := fs.ReadLink(h.root, dir); err == nil { // of a virtual card: .../virtio0
			names = append(names, path.Base(at))
		}
		for _, name := range names {
			if slices.ContainsFunc(words, func(w string) bool { return slices.Contains(strings.Split(w, "-"), name) }) {
				return true
			}
		}
	}
	return false
}

func (h *host) balancer() finding {
	if h.container != "" || len(h.processes()) == 0 {
		return skip(seesNoOthers)
	}
	if h.running("irqbalance") == "" {
		return found(good, "not running")
	}
	tickless, _ := h.cpus("sys/devices/system/cpu/nohz_full")
	alone := append(h.isolated(), tickless...)
	if len(h.hot) > 0 && len(without(h.hot, alone)) == 0 {
		return found(good, "running, it leaves %s alone", cpusText(h.hot))
	}
	return found(bad, "running").mend("systemctl disable --now irqbalance")
}

func (h *host) siblings() finding {
	if h.machine == nil {
		return skip(noCPUs)
	}
	if active, ok := h.number("sys/devices/system/cpu/smt/active"); ok && active == 0 {
		return found(good, "cores have one thread each")
	}
	if len(h.hot) == 0 {
		return skip(noHot)
	}
	isolated := h.isolated()
	var shared, busy []int
	known := false
	for _, cpu := range h.hot {
		for _, other := range h.machine.Siblings(cpu) {
			known = true
			c, _ := h.processor(other)
			switch {
			case other == cpu || !c.Online:
			case slices.Contains(h.hot, other):
				shared = append(shared, cpu)
			case !slices.Contains(isolated, other):
				busy = append(busy, other)
			}
		}
	}
	switch {
	case !known:
		return skip("the hot cores %s are not in this host", cpusText(h.hot))
	case len(shared) > 0:
		return found(bad, "%s share cores with each other", cpusText(shared))
	case len(busy) > 0 && h.profile == HFT:
		return found(bad, "siblings %s are open to anybody", cpusText(busy))
	case len(busy) > 0:
		return found(good, "no two hot threads on one core; siblings %s are open to anybody", cpusText(busy))
	}
	return found(good, "siblings are offline or isolated")
}

// some lists the first few of many.
func some(all []string) string {
	const most = 4
	if len(all) > most {
		return strings.Join(all[:most], ", ") + fmt.Sprintf(" and %d more", len(all)-most)
	}
	return strings.Join(all, ", ")
}

func lastWord(text string) string {
	f := strings.Fields(text)
	if len(f) == 0 {
		return "unnamed"
	}
	return f[len(f)-1]
}

// nodesOf are the memory nodes of CPUs.
func (h *host) nodesOf(cpus []int) (nodes []int) {
	for _, cpu := range cpus {
		if c, ok := h.processor(cpu); ok && c.Node != numa.AnyNode && !slices.Contains(nodes, c.Node) {
			nodes = append(nodes, c.Node)
		}
	}
	slices.Sort(nodes)
	return nodes
}
