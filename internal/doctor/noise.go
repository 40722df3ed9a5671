package doctor

import (
	"fmt"
	"slices"
	"strings"
)

// noiseChecks ask who else is on the hot cores.
func noiseChecks() []check {
	return []check{
		{
			id: "noisy-neighbours", title: "nobody else runs on the hot cores",
			reads: "/proc/*/task/*/stat",
			why:   "each switch to a neighbour's thread and back costs microseconds and the caches",
			asks:  asks{hft: Fail, balanced: Warn}, wanted: by{hft: "nobody", balanced: "nobody"},
			advice: "isolate the hot cores, or confine the neighbours to others (AllowedCPUs= of their slice)",
			judge:  (*host).neighbours,
		},
		{
			id: "firmware-stalls", title: "the firmware does not take the processor",
			reads: "MSR 0x34 of Intel's processors (/dev/cpu/*/msr), /sys/class/dmi/id",
			why:   "a management interrupt stops all cores for up to milliseconds, and the kernel sees nothing of it",
			asks:  asks{hft: Warn}, wanted: by{hft: "none within a second"},
			advice: "look for power capping, memory scrubbing and USB emulation in the firmware's set-up",
			judge:  (*host).firmware,
		},
	}
}

func (h *host) neighbours() finding {
	switch {
	case len(h.hot) == 0:
		return skip(noHot)
	case h.container != "":
		return skip(seesNoOthers)
	case len(h.last().tasks) == 0:
		return skip("/proc/*/stat is not seen: %s", h.whyAbsent())
	}
	var on []string
	for path, t := range h.last().tasks {
		if !slices.Contains(h.hot, t.cpu) {
			continue
		}
		ran := t.running
		if h.after != nil {
			before, known := h.before.tasks[path]
			ran = known && t.ticks > before.ticks || !known && t.ticks > 0
		}
		if text := fmt.Sprintf("%s on %d", t.name, t.cpu); ran && !slices.Contains(on, text) {
			on = append(on, text)
		}
	}
	if len(on) == 0 {
		return found(good, "nobody on %s", cpusText(h.hot))
	}
	slices.Sort(on)
	return found(bad, "%s", some(on))
}

func (h *host) firmware() finding {
	var board []string
	for _, name := range []string{"sys_vendor", "product_name", "bios_version"} {
		if text, ok := h.text("sys/class/dmi/id/" + name); ok && text != "" {
			board = append(board, text)
		}
	}
	switch {
	case h.virtual != "":
		return skip("this is a virtual machine (%s): its firmware is the hypervisor", h.virtual)
	case !h.live:
		return skip(notLive)
	case len(h.hot) == 0:
		return skip(noHot)
	case h.after == nil:
		return skip("a quick look does not wait for counters to move")
	case len(h.after.smi) == 0:
		return skip("the counter cannot be read: it is of Intel's processors, takes modprobe msr and CAP_SYS_RAWIO")
	}
	var more []string
	for cpu, n := range h.after.smi {
		if before, known := h.before.smi[cpu]; known && n > before {
			more = append(more, fmt.Sprintf("%d on %d", n-before, cpu))
		}
	}
	slices.Sort(more)
	if len(more) > 0 {
		return found(bad, "%s (%s)", some(more), strings.Join(board, " "))
	}
	return found(good, "none within a second (%s)", strings.Join(board, " "))
}
