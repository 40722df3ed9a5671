package doctor

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

var (
	bufferSettings = []setting{
		{kind: sysctl, name: "net.core.rmem_max", want: each("8388608"), how: atLeast},
		{kind: sysctl, name: "net.core.wmem_max", want: each("8388608"), how: atLeast},
		{kind: sysctl, name: "net.core.rmem_default", want: by{hft: "1048576"}, how: atLeast},
		{kind: sysctl, name: "net.core.wmem_default", want: by{hft: "1048576"}, how: atLeast},
	}
	pollSettings = []setting{
		{kind: sysctl, name: "net.core.busy_poll", want: by{hft: "50"}, how: atLeast},
		{kind: sysctl, name: "net.core.busy_read", want: by{hft: "50"}, how: atLeast},
	}
)

// networkChecks ask whether the kernel's network has room and loses nothing.
func networkChecks() []check {
	return []check{
		{
			id: "socket-buffers", title: "sockets may have large buffers",
			reads:    "/proc/sys/net/core/{r,w}mem_{max,default}",
			why:      "what arrives in a burst while the receiver is away is dropped once the socket's buffer is full; QUIC asks for 7 MiB",
			asks:     asks{hft: Fail, balanced: Warn, cloud: Warn},
			settings: bufferSettings,
			judge:    (*host).buffers,
		},
		{
			id: "softirq-budget", title: "the kernel takes enough packets at a time",
			reads: "/proc/sys/net/core/netdev_{max_backlog,budget}",
			why:   "what exceeds the backlog is dropped before any socket sees it, and a small budget leaves packets in the card",
			asks:  asks{hft: Fail, balanced: Warn},
			settings: []setting{
				{kind: sysctl, name: "net.core.netdev_max_backlog", want: by{hft: "10000", balanced: "10000"}, how: atLeast},
				{kind: sysctl, name: "net.core.netdev_budget", want: by{hft: "600", balanced: "600"}, how: atLeast},
			},
		},
		{
			id: "busy-poll", title: "sockets poll the card",
			reads:    "/proc/sys/net/core/busy_{poll,read}, /sys/class/net/*/{napi_defer_hard_irqs,gro_flush_timeout}",
			why:      "a receiver that polls the card itself is spared the interrupt and its wake-up",
			asks:     asks{hft: Warn},
			settings: pollSettings,
			judge:    (*host).busyPoll,
		},
		{
			id: "network-drops", title: "nothing is dropped on the way to sockets",
			reads: "/proc/net/snmp, /proc/net/softnet_stat, /sys/class/net/*/statistics/rx_{missed,fifo}_errors",
			why:   "drops are evidence where settings are theory",
			asks:  asks{hft: Fail, balanced: Warn, cloud: Warn}, wanted: each("none"),
			advice: "enlarge socket buffers and the backlog, give receivers a core of their own; see which counter grows with nstat -az",
			judge:  (*host).drops,
		},
		{
			id: "mtu", title: "packets are as large as planned, and not cut",
			reads: "/sys/class/net/*/mtu, /proc/sys/net/ipv4/ip_no_pmtu_disc",
			why:   "an envelope that is larger than the path allows is cut into pieces or lost, and one lost piece loses it whole",
			asks:  asks{hft: Fail, balanced: Warn, cloud: Warn}, wanted: each("as the topology says, at least 1500"),
			judge: (*host).mtu,
		},
		{
			id: "multicast", title: "multicast comes through",
			reads: "/proc/sys/net/ipv4/{igmp_max_memberships,conf/*/rp_filter,conf/*/force_igmp_version}, /sys/class/net/*/{flags,bridge/multicast_snooping}",
			why:   "a strict reverse path filter, too few memberships or a bridge without a querier lose multicast without any counter of ours",
			asks:  asks{hft: Fail, balanced: Fail, cloud: Warn}, wanted: each("no strict rp_filter, enough memberships, no snooping bridge"),
			judge: (*host).multicast,
		},
		{
			id: "clock-sync", title: "the wall clock is disciplined",
			reads: "the kernel's clock (adjtimex), /sys/class/ptp, /proc/*/comm",
			why:   "latency from one machine to another means nothing when their clocks disagree by more than it",
			asks:  asks{hft: Fail, balanced: Warn, cloud: Warn}, wanted: each("synchronised by chrony, ptp4l or ntpd"),
			advice: "run chrony, with a PTP hardware clock where there is one",
			judge:  (*host).clockSync,
		},
	}
}

func (h *host) buffers() finding {
	f := h.compare(bufferSettings)
	if f.grade == bad && h.right(capNetAdmin) {
		f.grade = poor
		f.current += "; CAP_NET_ADMIN may exceed the maxima"
	}
	return f
}

func (h *host) busyPoll() finding {
	if h.use.XDP {
		return found(good, "not needed: datagrams go past the kernel's sockets")
	}
	f := h.compare(pollSettings)
	for _, i := range h.use.Interfaces {
		deferred, ok1 := h.number("sys/class/net/" + i.Name + "/napi_defer_hard_irqs")
		flush, ok2 := h.number("sys/class/net/" + i.Name + "/gro_flush_timeout")
		if ok1 && ok2 && f.grade != unknown {
			f.current += fmt.Sprintf("; %s defers %d interrupts for %d ns", i.Name, deferred, flush)
		}
	}
	return f
}

// lossCounters of UDP are read from /proc/net/snmp.
var lossCounters = []string{"Udp.RcvbufErrors", "Udp.SndbufErrors", "Udp.InCsumErrors", "Udp.MemErrors"}

func (h *host) drops() finding {
	r := h.last()
	if r.snmp == nil && !r.softnetKnown {
		return skip("neither /proc/net/snmp nor /proc/net/softnet_stat is seen: %s", h.whyAbsent())
	}
	var total, now []string
	count := func(name string, last, before uint64) {
		if last > 0 {
			total = append(total, fmt.Sprintf("%s %d", name, last))
		}
		if h.after != nil && last > before {
			now = append(now, fmt.Sprintf("%s %d", name, last-before))
		}
	}
	for _, name := range lossCounters {
		count(name, r.snmp[name], h.before.snmp[name])
	}
	count("softnet dropped", r.softnet.dropped, h.before.softnet.dropped)
	for _, name := range slices.Sorted(maps.Keys(r.missed)) {
		count(name, r.missed[name], h.before.missed[name])
	}
	switch {
	case len(now) > 0:
		return found(bad, "within a second: %s", strings.Join(now, ", "))
	case len(total) > 0 && h.after != nil:
		return found(good, "none within a second; since boot: %s", strings.Join(total, ", "))
	case len(total) > 0:
		return found(poor, "since boot: %s", strings.Join(total, ", "))
	}
	return found(good, "none since boot")
}

func (h *host) mtu() finding {
	if len(h.use.Interfaces) == 0 {
		return skip(noInterface)
	}
	f := found(good, "")
	var is []string
	for _, i := range h.use.Interfaces {
		n, ok := h.number("sys/class/net/" + i.Name + "/mtu")
		switch {
		case !ok:
			is = append(is, "no "+i.Name)
			f.grade = bad
			f = f.tell("this host has no interface %s: is the topology for another one?", i.Name)
			continue
		case i.MTU > 0 && n < int64(i.MTU):
			f.grade = bad
			f = f.mend(fmt.Sprintf("ip link set dev %s mtu %d", i.Name, i.MTU))
		case n < 1500:
			f.grade = max(f.grade, poor)
			f = f.tell("find out what made the MTU of %s so small", i.Name)
		}
		is = append(is, fmt.Sprintf("%s %d", i.Name, n))
	}
	if off, _ := h.number("proc/sys/net/ipv4/ip_no_pmtu_disc"); off != 0 {
		f.grade = max(f.grade, poor)
		f = f.mend("sysctl -w net.ipv4.ip_no_pmtu_disc=0")
		is = append(is, "path MTU discovery off")
	}
	f.current = strings.Join(is, ", ")
	return f
}

func (h *host) multicast() finding {
	if h.use.Multicast == 0 {
		return skip("no channel is multicast")
	}
	f := found(good, "")
	var is []string
	fault := func(g grade, command, format string, args ...any) {
		f.grade = max(f.grade, g)
		is = append(is, fmt.Sprintf(format, args...))
		f = f.mend(command)
	}
	const conf = "proc/sys/net/ipv4/"
	all, _ := h.number(conf + "conf/all/rp_filter")
	if most, ok := h.number(conf + "igmp_max_memberships"); ok && most < int64(h.use.Multicast) {
		fault(bad, fmt.Sprintf("sysctl -w net.ipv4.igmp_max_memberships=%d", h.use.Multicast), "%d memberships for %d groups", most, h.use.Multicast)
	}
	for _, i := range h.use.Interfaces {
		dir := "sys/class/net/" + i.Name
		if flags, ok := h.text(dir + "/flags"); ok {
			const multicast = 0x1000 // IFF_MULTICAST
			if n, err := strconv.ParseUint(flags, 0, 32); err == nil && n&multicast == 0 {
				fault(bad, "ip link set dev "+i.Name+" multicast on", "%s has multicast off", i.Name)
			}
		}
		own, _ := h.number(conf + "conf/" + i.Name + "/rp_filter")
		if max(all, own) == 1 { // the kernel takes the larger of both; 2 is loose
			fault(poor, fmt.Sprintf("sysctl -w net.ipv4.conf.%s.rp_filter=2", strings.ReplaceAll(i.Name, ".", "/")), "strict rp_filter on %s", i.Name)
		}
		if version, _ := h.number(conf + "conf/" + i.Name + "/force_igmp_version"); version != 0 {
			is = append(is, fmt.Sprintf("IGMPv%d on %s", version, i.Name))
		}
		if snoops, _ := h.number(dir + "/bridge/multicast_snooping"); snoops != 0 {
			fault(poor, "ip link set dev "+i.Name+" type bridge mcast_snooping 0", "%s is a bridge that snoops", i.Name)
		}
	}
	if len(is) == 0 {
		is = append(is, "nothing in the way")
	}
	f.current = strings.Join(is, ", ")
	return f
}
