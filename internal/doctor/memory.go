package doctor

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alphapulse/transport/numa"
)

const (
	usualRings = 256 << 20 // asked for where no topology says how much
	heap       = 64 << 20  // beside the rings
)

var swapSettings = []setting{{kind: sysctl, name: "vm.swappiness", want: by{"1", "10", "10"}, how: atMost}}

// memoryChecks ask whether memory is near, there, and stays.
func memoryChecks() []check {
	return []check{
		{
			id: "numa-locality", title: "cores and interfaces are on one memory node",
			reads: "/sys/devices/system/node, /sys/class/net/*/device/numa_node",
			why:   "memory and devices of another node are 60 to 100 ns further away, for each cache line",
			asks:  asks{hft: Fail, balanced: Warn, cloud: Warn}, wanted: each("one node"),
			advice: "pin to cores of the interface's node, see numa: and cpus: of placements",
			judge:  (*host).locality,
		},
		{
			id: "numa-balancing", title: "pages stay where they were put",
			reads:    "/proc/sys/kernel/numa_balancing",
			why:      "the kernel unmaps pages now and then to see who uses them, and each look is a page fault",
			asks:     asks{hft: Fail, balanced: Warn, cloud: Warn},
			settings: []setting{{kind: sysctl, name: "kernel.numa_balancing", want: each("0")}},
		},
		{
			id: "transparent-hugepages", title: "huge pages only where they are asked for",
			reads: "/sys/kernel/mm/transparent_hugepage",
			why:   "where every mapping gets huge pages, a page fault may stop for the compaction of memory",
			asks:  asks{hft: Fail, balanced: Warn, cloud: Warn},
			settings: []setting{
				{kind: file, name: "sys/kernel/mm/transparent_hugepage/enabled", want: each("madvise"), also: []string{"never"}},
				{kind: file, name: "sys/kernel/mm/transparent_hugepage/defrag", want: by{"never", "madvise", "madvise"}, also: []string{"never"}},
				{kind: file, name: "sys/kernel/mm/transparent_hugepage/khugepaged/defrag", want: by{hft: "0"}},
			},
		},
		{
			id: "hugepages", title: "huge pages for the rings that ask for them",
			reads: "/proc/meminfo",
			why:   "a ring on huge pages takes 512 times fewer entries of the page tables' cache, and without free ones its open fails",
			asks:  asks{Fail, Fail, Fail}, wanted: each(onHugePages + " free pages of 2 MiB"),
			settings: []setting{{kind: sysctl, name: "vm.nr_hugepages", want: each(onHugePages), how: atLeast}},
			judge:    (*host).hugePagesFree,
		},
		{
			id: "hugepage-sizes", title: "huge pages are of 2 MiB",
			reads: "/sys/kernel/mm/hugepages, /proc/meminfo",
			why:   "rings take pages of 2 MiB: what is reserved in other sizes is lost to them and to everybody else",
			asks:  asks{Fail, Warn, Warn}, wanted: each("2 MiB"),
			advice: "take default_hugepagesz= and hugepagesz= other than 2M off the kernel command line",
			judge:  (*host).hugePageSizes,
		},
		{
			id: "ksm", title: "equal pages are not merged",
			reads:    "/sys/kernel/mm/ksm/run",
			why:      "a merged page is copied again at the next write, and that write is a page fault",
			asks:     asks{hft: Fail, balanced: Warn, cloud: Warn},
			settings: []setting{{kind: file, name: "sys/kernel/mm/ksm/run", want: each("0"), also: []string{"2"}}},
		},
		{
			id: "swap", title: "nothing is swapped out",
			reads:    "/proc/swaps, /proc/sys/vm/swappiness",
			why:      "a page that was swapped out takes milliseconds to come back",
			asks:     asks{hft: Fail, balanced: Warn, cloud: Warn},
			settings: swapSettings,
			judge:    (*host).swap,
		},
		{
			id: "memlock", title: "rings may be locked into memory",
			reads:    "/proc/self/limits, /proc/self/status",
			why:      "memory that may not be locked can be taken away, and an AF_XDP socket does not open",
			asks:     asks{hft: Fail, balanced: Warn, cloud: Warn},
			settings: []setting{{kind: rlimit, name: "LimitMEMLOCK", want: each("infinity")}},
			advice:   "LimitMEMLOCK=infinity in the unit, ulimit -l in the shell, or CAP_IPC_LOCK",
			judge:    (*host).memlock,
		},
	}
}

// ringBytes is what rings take, as the topology says, or a usual size.
func (h *host) ringBytes() uint64 {
	if h.use.planned {
		return h.use.RingBytes
	}
	return usualRings
}

func (h *host) locality() finding {
	if h.machine == nil {
		return skip(noCPUs)
	}
	if len(h.machine.Nodes) == 1 {
		return found(good, "the host has one node")
	}
	nodes := h.nodesOf(h.hot)
	var parts []string
	if len(h.hot) > 0 {
		parts = append(parts, fmt.Sprintf("cores %s on %s", cpusText(h.hot), cpusText(nodes)))
	}
	for _, i := range h.use.Interfaces {
		n := h.machine.NICNode(i.Name)
		if n == numa.AnyNode {
			parts = append(parts, i.Name+" on an unknown node")
			continue
		}
		parts = append(parts, fmt.Sprintf("%s on %d", i.Name, n))
		if !slices.Contains(nodes, n) {
			nodes = append(nodes, n)
		}
	}
	switch {
	case len(parts) == 0:
		return skip("neither hot cores nor interfaces are named")
	case len(nodes) > 1:
		return found(bad, "%s", strings.Join(parts, ", "))
	}
	return found(good, "%s", strings.Join(parts, ", "))
}

func (h *host) hugePagesFree() finding {
	need := h.hugePages()
	if need == 0 {
		return skip("no ring asks for huge pages")
	}
	size, ok := h.meminfo("Hugepagesize")
	if !ok {
		return skip("/proc/meminfo has no huge pages: %s", h.whyAbsent())
	}
	if size != hugePage {
		return found(bad, "the default size is %s", bytesText(size)).tell("take default_hugepagesz= off the kernel command line, or say 2M")
	}
	total, _ := h.meminfo("HugePages_Total")
	free, _ := h.meminfo("HugePages_Free")
	text := fmt.Sprintf("%d free of %d", free, total)
	switch {
	case free >= need:
		return found(good, "%s", text)
	case total >= need:
		return found(poor, "%s", text).tell("a node that runs already has its share of them: fine if it is this one")
	}
	return found(bad, "%s", text)
}

func (h *host) hugePageSizes() finding {
	const dir = "sys/kernel/mm/hugepages"
	var sizes, lost []string
	two := false
	for _, name := range h.names(dir) {
		text, _ := strings.CutPrefix(name, "hugepages-")
		var kb uint64
		if _, err := fmt.Sscanf(text, "%dkB", &kb); err != nil {
			continue
		}
		n, _ := h.number(dir + "/" + name + "/nr_hugepages")
		sizes = append(sizes, fmt.Sprintf("%d of %s", n, bytesText(kb<<10)))
		two = two || kb<<10 == hugePage
		if kb<<10 != hugePage && n > 0 {
			lost = append(lost, fmt.Sprintf("%d of %s", n, bytesText(kb<<10)))
		}
	}
	switch {
	case len(sizes) == 0:
		return skip("there is no /%s: %s", dir, h.whyAbsent())
	case !two && h.use.HugeBytes > 0:
		return found(bad, "%s", strings.Join(sizes, ", "))
	case len(lost) > 0:
		return found(poor, "reserved: %s", strings.Join(sizes, ", "))
	}
	return found(good, "reserved: %s", strings.Join(sizes, ", "))
}

func (h *host) swap() finding {
	text, ok := h.text("proc/swaps")
	if ok && strings.Count(text, "\n") == 0 { // the heading alone
		return found(good, "no swap")
	}
	f := h.compare(swapSettings)
	if ok && f.grade != unknown {
		f.current += ", swap is on"
	}
	return f
}

func (h *host) memlock() finding {
	l, ok := h.limit("Max locked memory")
	if !ok {
		return skip("/proc/self/limits is not seen: %s", h.whyAbsent())
	}
	need := h.ringBytes() + heap
	f := found(good, "%s", bytesText(l.soft)).want("%s, or CAP_IPC_LOCK", bytesText(need))
	switch {
	case h.right(capIPCLock):
		f.current += " and CAP_IPC_LOCK"
	case l.soft < need:
		f.grade = bad
	}
	return f
}
