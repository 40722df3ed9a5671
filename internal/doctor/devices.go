package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/xdp"
)

// deviceChecks ask what the network cards do.
func deviceChecks() []check {
	return []check{
		{
			id: "nic-rings", title: "the card has room and does not wait",
			reads: "the driver (ethtool -g, -c)",
			why:   "a short ring of the card drops bursts, and coalescing holds packets back to spare interrupts",
			asks:  asks{hft: Fail, balanced: Warn}, wanted: by{hft: "receive ring at its maximum, rx-usecs 0, adaptive off", balanced: "receive ring of at least 1024, or its maximum"},
			judge: (*host).nicRings,
		},
		{
			id: "nic-offloads", title: "the card and the kernel do not collect or move packets",
			reads: "the driver (ethtool -k), /sys/class/net/*/queues/rx-*/rps_cpus",
			why:   "LRO holds packets back and glues them for good, and receive packet steering sends each to another core",
			asks:  asks{hft: Fail, balanced: Warn}, wanted: by{hft: "LRO off, rps_cpus 0", balanced: "LRO off"},
			judge: (*host).nicOffloads,
		},
		{
			id: "af-xdp", title: "datagrams can go past the kernel's sockets",
			reads: "/proc/sys/kernel/osrelease, /proc/self/status, /proc/self/limits, the driver (pulse xdp probe)",
			why:   "AF_XDP takes a kernel, rights and locked memory; without them channels fall back to sockets",
			asks:  asks{Fail, Fail, Fail}, wanted: each("Linux 5.4, CAP_NET_RAW, CAP_NET_ADMIN, CAP_BPF, memory that may be locked"),
			settings: []setting{{kind: rlimit, name: "AmbientCapabilities", want: by{hft: "CAP_NET_RAW CAP_NET_ADMIN CAP_BPF CAP_IPC_LOCK"}}},
			advice:   "AmbientCapabilities=CAP_NET_RAW CAP_NET_ADMIN CAP_BPF CAP_IPC_LOCK in the unit; pulse xdp probe INTERFACE says more",
			judge:    (*host).afXDP,
		},
	}
}

func (h *host) nicRings() finding {
	switch {
	case len(h.use.Interfaces) == 0:
		return skip(noInterface)
	case !h.live:
		return skip(notLive)
	}
	f := found(good, "")
	var is, silent []string
	for _, i := range h.use.Interfaces {
		r, err := sys.CardOf(i.Name)
		if err != nil {
			silent = append(silent, err.Error())
			continue
		}
		is = append(is, h.judgeRing(&f, i.Name, r)...)
	}
	if len(is) == 0 {
		return skip("the driver does not say: %s", strings.Join(silent, "; "))
	}
	f.current = strings.Join(is, ", ")
	return f
}

// judgeRing weighs one card's answers.
func (h *host) judgeRing(f *finding, name string, r sys.Card) (is []string) {
	if r.RingMax > 0 {
		is = append(is, fmt.Sprintf("%s ring %d of %d", name, r.Ring, r.RingMax))
		if r.Ring < r.RingMax && (h.profile == HFT || r.Ring < 1024) {
			f.grade = bad
			*f = f.mend(fmt.Sprintf("ethtool -G %s rx %d", name, r.RingMax))
		}
	}
	if r.Coalesces {
		is = append(is, fmt.Sprintf("%s rx-usecs %d", name, r.WaitMicros))
		if r.Adaptive {
			is[len(is)-1] += " adaptive"
		}
		if h.profile == HFT && (r.WaitMicros > 0 || r.Adaptive) {
			f.grade = bad
			*f = f.mend(fmt.Sprintf("ethtool -C %s adaptive-rx off rx-usecs 0", name))
		}
	}
	return is
}

func (h *host) nicOffloads() finding {
	if len(h.use.Interfaces) == 0 {
		return skip(noInterface)
	}
	f := found(good, "")
	var is []string
	for _, i := range h.use.Interfaces {
		masks, _ := fs.Glob(h.root, "sys/class/net/"+i.Name+"/queues/rx-*/rps_cpus") // a valid pattern: names were checked
		for _, m := range masks {
			text, _ := h.text(m)
			cpus, err := parseMask(text)
			if err != nil || len(cpus) == 0 {
				continue
			}
			queue := path.Base(path.Dir(m))
			is = append(is, fmt.Sprintf("%s %s steered to %s", i.Name, queue, cpusText(cpus)))
			if h.profile == HFT {
				f.grade = bad
				f = f.mend("echo 0 > /" + m)
			}
		}
		if !h.live {
			continue
		}
		switch on, err := sys.LargeReceive(i.Name); {
		case err != nil:
			is = append(is, "LRO of "+i.Name+" unknown")
		case on:
			is = append(is, i.Name+" LRO on")
			f.grade = bad
			f = f.mend("ethtool -K " + i.Name + " lro off")
		default:
			is = append(is, i.Name+" LRO off")
		}
	}
	if len(is) == 0 {
		is = append(is, "nothing is steered")
	}
	f.current = strings.Join(is, ", ")
	return f
}

func (h *host) afXDP() finding {
	if !h.use.XDP && h.profile != HFT {
		return skip("no channel goes past the kernel's sockets")
	}
	release, _ := h.text("proc/sys/kernel/osrelease")
	major, minor, ok := parseVersion(release)
	if !ok {
		return skip("the release %q is no version", release)
	}
	var lacks []string
	if major < 5 || major == 5 && minor < 4 {
		lacks = append(lacks, "Linux 5.4 (it is "+release+")")
	}
	if !h.right(capNetRaw) {
		lacks = append(lacks, "CAP_NET_RAW")
	}
	if !h.right(capNetAdmin) && !h.right(capSysAdmin) {
		lacks = append(lacks, "CAP_NET_ADMIN")
	}
	if !h.right(capBPF) && !h.right(capSysAdmin) {
		lacks = append(lacks, "CAP_BPF")
	}
	const chunks = 16 << 20 // a socket's memory
	if l, ok := h.limit("Max locked memory"); ok && l.soft < chunks && !h.right(capIPCLock) {
		lacks = append(lacks, fmt.Sprintf("%s of locked memory (limit %s)", bytesText(chunks), bytesText(l.soft)))
	}
	if len(lacks) > 0 {
		f := found(bad, "missing: %s", strings.Join(lacks, ", "))
		if !h.use.XDP {
			f.grade = poor
		}
		return f
	}
	is := []string{"Linux " + release + ", rights and memory are there"}
	if h.live {
		for _, i := range h.use.Interfaces {
			a, err := xdp.Probe(i.Name)
			switch {
			case err != nil:
				is = append(is, err.Error())
			case a.ZeroCopy:
				is = append(is, i.Name+" zero-copy")
			case a.Native:
				is = append(is, i.Name+" native, copying")
			case a.Generic:
				is = append(is, i.Name+" generic")
			default:
				is = append(is, i.Name+" not")
			}
		}
	}
	return found(good, "%s", strings.Join(is, ", "))
}

func (h *host) clockSync() finding {
	clocks := len(h.names("sys/class/ptp"))
	by := h.running("chronyd", "ptp4l", "phc2sys", "ntpd", "ntpd-rs", "systemd-timesyn", "systemd-timesyncd")
	text := fmt.Sprintf("%d PTP clocks", clocks)
	if by != "" {
		text = by + " runs, " + text
	}
	if h.live {
		ok, worst, err := sys.ClockDiscipline()
		switch {
		case errors.Is(err, errors.ErrUnsupported):
			return skip("%v", err)
		case err != nil:
			return skip("the kernel's clock does not answer: %v", err)
		case !ok:
			return found(bad, "not synchronised, %s", text)
		case worst > 100*time.Millisecond:
			return found(poor, "synchronised within %v, %s", worst.Round(time.Millisecond), text)
		}
		return found(good, "synchronised within %v, %s", worst.Round(time.Microsecond), text)
	}
	switch {
	case by != "":
		return found(good, "%s", text)
	case h.container != "" || len(h.processes()) == 0:
		return skip(seesNoOthers)
	}
	return found(bad, "nothing disciplines it, %s", text)
}
