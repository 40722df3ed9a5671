package doctor

import (
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// powerChecks ask whether cores keep their pace.
func powerChecks() []check {
	return []check{
		{
			id: "cpu-governor", title: "cores stay at their frequency",
			reads:    "/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor",
			why:      "a governor that follows the load begins each burst at a low frequency",
			asks:     asks{hft: Fail, balanced: Warn, cloud: Warn},
			settings: []setting{{kind: file, name: "sys/devices/system/cpu/cpu*/cpufreq/scaling_governor", want: each("performance")}},
		},
		{
			id: "turbo", title: "turbo is a choice",
			reads: "/sys/devices/system/cpu/intel_pstate/no_turbo, /sys/devices/system/cpu/cpufreq/boost",
			why:   "with turbo the frequency follows heat and how many cores work: faster on average, less even",
			asks:  asks{hft: Warn}, wanted: by{hft: "off, or on by choice"},
			advice: "measure both ways with pulse jitter and pulse bench, then keep one: echo 1 > /sys/devices/system/cpu/intel_pstate/no_turbo, or echo 0 > /sys/devices/system/cpu/cpufreq/boost",
			judge:  (*host).turbo,
		},
		{
			id: "c-states", title: "cores do not sleep deeply",
			reads: "/sys/devices/system/cpu/cpu*/cpuidle/state*, /sys/devices/system/cpu/cpuidle/current_driver, /dev/cpu_dma_latency",
			why:   "a core that sleeps deeply takes 10 to 200 µs to wake up",
			asks:  asks{hft: Fail, balanced: Warn}, wanted: by{hft: "no state that takes over 2 µs to leave", balanced: "no state that takes over 200 µs to leave"}, reboot: true,
			settings: []setting{{kind: kernelParam, name: "intel_idle.max_cstate", want: by{hft: "1"}}, {kind: kernelParam, name: "processor.max_cstate", want: by{hft: "1"}}},
			advice:   "or hold /dev/cpu_dma_latency open with 0 written to it while the node runs",
			judge:    (*host).sleepStates,
		},
	}
}

func (h *host) turbo() finding {
	if off, ok := h.number("sys/devices/system/cpu/intel_pstate/no_turbo"); ok {
		return turboIs(off == 0)
	}
	if on, ok := h.number("sys/devices/system/cpu/cpufreq/boost"); ok {
		return turboIs(on != 0)
	}
	return skip("there is no intel_pstate/no_turbo and no cpufreq/boost: %s", h.whyAbsent())
}

func turboIs(on bool) finding {
	if on {
		return found(poor, "on")
	}
	return found(good, "off")
}

func (h *host) sleepStates() finding {
	const dir = "sys/devices/system/cpu/"
	if driver, _ := h.text(dir + "cpuidle/current_driver"); driver == "haltpoll" {
		return skip("the driver is haltpoll: the hypervisor decides how deep a core sleeps")
	}
	bound := uint64(200)
	if h.profile == HFT {
		bound = 2
	}
	if held, ok := h.latencyHeld(); ok && uint64(held) <= bound {
		return found(good, "a process holds /dev/cpu_dma_latency at %d µs", held)
	}
	cpus := h.hot
	if len(cpus) == 0 {
		cpus = h.online()
	}
	known := false
	var deep []string
	for _, cpu := range cpus {
		states := fmt.Sprintf("%scpu%d/cpuidle/", dir, cpu)
		for _, state := range h.names(states[:len(states)-1]) {
			text, ok := h.text(states + state + "/latency")
			latency, err := strconv.ParseUint(text, 10, 32)
			if !ok || err != nil {
				continue
			}
			known = true
			if off, _ := h.number(states + state + "/disable"); off != 0 || latency <= bound {
				continue
			}
			name, _ := h.text(states + state + "/name")
			if text := fmt.Sprintf("%s (%d µs)", name, latency); !slices.Contains(deep, text) {
				deep = append(deep, text)
			}
		}
	}
	switch {
	case !known:
		return skip("there is no cpuidle: %s", h.whyAbsent())
	case len(deep) > 0:
		return found(bad, "%s", strings.Join(deep, ", "))
	}
	return found(good, "no deep state is open")
}

// latencyHeld is the wake-up latency that some process allows at most.
func (h *host) latencyHeld() (us int32, ok bool) {
	if !h.live {
		return 0, false
	}
	f, err := os.Open("/dev/cpu_dma_latency")
	if err != nil {
		return 0, false
	}
	defer f.Close() // opened for reading it holds nothing
	var b [4]byte
	if _, err := f.ReadAt(b[:], 0); err != nil {
		return 0, false
	}
	return int32(binary.NativeEndian.Uint32(b[:])), true
}
