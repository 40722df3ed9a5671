#!/bin/sh
# What pulse doctor would change on this host for the profile hft. Read it, keep what you agree with, run it as root.
# Until the next boot only: what shall stay belongs into /etc/sysctl.d, tmpfiles.d and the kernel command line.
set -u

# FAIL isolated-cores: the scheduler puts any thread on a core that is not isolated, and a spinning loop then waits for that thread's slice
# kernel command line: isolcpus=managed_irq,domain,1,3

# FAIL tickless-cores: the tick takes 1 to 5 µs of a core 250 to 1000 times a second
# kernel command line: nohz_full=1,3

# FAIL rcu-callbacks: callbacks of the kernel's read-copy-update run on the core that queued them unless threads elsewhere take them
# kernel command line: rcu_nocbs=1,3

# WARN workqueue-cpus: work that the kernel may run anywhere runs on hot cores, too, unless their bits are taken out of the mask
echo 5 > /sys/devices/virtual/workqueue/cpumask

# FAIL irq-affinity: an interrupt stalls the loop of its core for microseconds and empties its caches
echo 0,2 > /proc/irq/16/smp_affinity_list
echo 0,2 > /proc/irq/131/smp_affinity_list
echo 0,2 > /proc/irq/140/smp_affinity_list

# FAIL irqbalance: irqbalance spreads interrupts over all cores that are not isolated, also those that were moved by hand
systemctl disable --now irqbalance

# FAIL smt-siblings: two threads of a core share its caches and execution units, so the neighbour's work shows as jitter
# switch the siblings off (echo 0 > /sys/devices/system/cpu/cpuN/online), or isolate them and pin nothing there

# FAIL cpu-governor: a governor that follows the load begins each burst at a low frequency
for f in /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor; do echo performance > "$f"; done

# WARN turbo: with turbo the frequency follows heat and how many cores work: faster on average, less even
# measure both ways with pulse jitter and pulse bench, then keep one: echo 1 > /sys/devices/system/cpu/intel_pstate/no_turbo, or echo 0 > /sys/devices/system/cpu/cpufreq/boost

# FAIL c-states: a core that sleeps deeply takes 10 to 200 µs to wake up
# or hold /dev/cpu_dma_latency open with 0 written to it while the node runs
# kernel command line: intel_idle.max_cstate=1
# kernel command line: processor.max_cstate=1

# FAIL numa-balancing: the kernel unmaps pages now and then to see who uses them, and each look is a page fault
sysctl -w kernel.numa_balancing=0

# FAIL transparent-hugepages: where every mapping gets huge pages, a page fault may stop for the compaction of memory
echo madvise > /sys/kernel/mm/transparent_hugepage/enabled
echo never > /sys/kernel/mm/transparent_hugepage/defrag
echo 0 > /sys/kernel/mm/transparent_hugepage/khugepaged/defrag

# FAIL hugepages: a ring on huge pages takes 512 times fewer entries of the page tables' cache, and without free ones its open fails
sysctl -w vm.nr_hugepages=32

# FAIL ksm: a merged page is copied again at the next write, and that write is a page fault
echo 0 > /sys/kernel/mm/ksm/run

# FAIL swap: a page that was swapped out takes milliseconds to come back
sysctl -w vm.swappiness=1

# FAIL memlock: memory that may not be locked can be taken away, and an AF_XDP socket does not open
# LimitMEMLOCK=infinity in the unit, ulimit -l in the shell, or CAP_IPC_LOCK

# WARN realtime-throttling: the kernel takes real-time threads off a core for the rest of each second's share, and refuses a priority without the right to it
# sysctl -w kernel.sched_rt_runtime_us=950000; LimitRTPRIO=99 or CAP_SYS_NICE; loops that spin need no priority but a core of their own

# WARN watchdog: the lock-up detectors interrupt each core at regular times, one of them with an interrupt that nothing can mask
sysctl -w kernel.nmi_watchdog=0
sysctl -w kernel.watchdog=0

# WARN timer-migration: timers of idle cores move to busy ones, and a spinning core always is the busiest
sysctl -w kernel.timer_migration=0

# FAIL clocksource: the processor's counter is read in 20 to 70 ns without the kernel, other clocks take a microsecond and a system call
# find in dmesg why the kernel gave tsc up; try echo tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource
# kernel command line: tsc=reliable

# WARN mitigations: mitigations cost each system call; without them one process may read another's memory, so it should be a choice
# update kernel and microcode, or say mitigations=off on the kernel command line of a host that runs nothing foreign

# WARN kernel-features: older kernels lack segment offload of UDP (4.18), sleep on several words (5.16) or filling of mappings ahead (5.14), and workers fall back
# install a newer kernel

# FAIL socket-buffers: what arrives in a burst while the receiver is away is dropped once the socket's buffer is full; QUIC asks for 7 MiB
sysctl -w net.core.rmem_max=8388608
sysctl -w net.core.wmem_max=8388608
sysctl -w net.core.rmem_default=1048576
sysctl -w net.core.wmem_default=1048576

# FAIL softirq-budget: what exceeds the backlog is dropped before any socket sees it, and a small budget leaves packets in the card
sysctl -w net.core.netdev_max_backlog=10000
sysctl -w net.core.netdev_budget=600

# WARN network-drops: drops are evidence where settings are theory
# enlarge socket buffers and the backlog, give receivers a core of their own; see which counter grows with nstat -az

# FAIL mtu: an envelope that is larger than the path allows is cut into pieces or lost, and one lost piece loses it whole
ip link set dev wlan0 mtu 9000

# FAIL multicast: a strict reverse path filter, too few memberships or a bridge without a querier lose multicast without any counter of ours
sysctl -w net.ipv4.igmp_max_memberships=30
sysctl -w net.ipv4.conf.wlan0.rp_filter=2

# FAIL clock-sync: latency from one machine to another means nothing when their clocks disagree by more than it
# run chrony, with a PTP hardware clock where there is one

# FAIL nic-offloads: LRO holds packets back and glues them for good, and receive packet steering sends each to another core
echo 0 > /sys/class/net/wlan0/queues/rx-0/rps_cpus

# FAIL af-xdp: AF_XDP takes a kernel, rights and locked memory; without them channels fall back to sockets
# AmbientCapabilities=CAP_NET_RAW CAP_NET_ADMIN CAP_BPF CAP_IPC_LOCK in the unit; pulse xdp probe INTERFACE says more

# FAIL process-limits: each ring, reader and link takes files, and a node that runs out of them cannot reconnect
# LimitNOFILE= and LimitNPROC= in the unit, ulimit -n and -u in the shell

# FAIL noisy-neighbours: each switch to a neighbour's thread and back costs microseconds and the caches
# isolate the hot cores, or confine the neighbours to others (AllowedCPUs= of their slice)

# FAIL journal-disk: what a journal confirmed must be there after a power failure, and a full disk confirms nothing
# name a directory on ext4, xfs, btrfs or zfs in queues: { journal: { directory: } }

# All of the kernel command line, for the boot loader; then reboot:
#   isolcpus=managed_irq,domain,1,3 nohz_full=1,3 rcu_nocbs=1,3 intel_idle.max_cstate=1 processor.max_cstate=1 tsc=reliable
