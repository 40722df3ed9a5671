package doctor

import (
	"fmt"
	"path"
	"strconv"
	"strings"
)

// limitChecks ask what the process is held to.
func limitChecks() []check {
	return []check{
		{
			id: "process-limits", title: "files and threads enough",
			reads:    "/proc/self/limits",
			why:      "each ring, reader and link takes files, and a node that runs out of them cannot reconnect",
			asks:     asks{hft: Fail, balanced: Warn, cloud: Warn},
			wanted:   by{"65536 open files, 1024 processes", "16384 open files, 1024 processes", "4096 open files, 1024 processes"},
			settings: []setting{{kind: rlimit, name: "LimitNOFILE", want: by{"65536", "16384", "4096"}}},
			advice:   "LimitNOFILE= and LimitNPROC= in the unit, ulimit -n and -u in the shell",
			judge:    (*host).processLimits,
		},
		{
			id: "shared-memory", title: "the rings' directory is memory, and large enough",
			reads: "/proc/self/mounts (/dev/shm), the cgroup's memory.max",
			why:   "rings live in /dev/shm: docker gives 64 MiB of it, and what does not fit is refused at open",
			asks:  asks{Fail, Fail, Fail},
			judge: (*host).sharedMemory,
		},
		{
			id: "cpu-quota", title: "no quota on processor time, and the hot cores allowed",
			reads: "/sys/fs/cgroup/.../cpu.max (cpu.cfs_quota_us), /proc/self/status",
			why:   "who has used up a quota stands still for the rest of each 100 ms",
			asks:  asks{Fail, Fail, Warn}, wanted: each("no quota, hot cores in the cpuset"),
			advice: "CPUQuota= empty in the unit; docker run without --cpus and with --cpuset-cpus",
			judge:  (*host).quota,
		},
	}
}

func (h *host) processLimits() finding {
	files, ok := h.limit("Max open files")
	if !ok {
		return skip("/proc/self/limits is not seen: %s", h.whyAbsent())
	}
	processes, _ := h.limit("Max processes")
	core, _ := h.limit("Max core file size")
	text := fmt.Sprintf("%s open files, %s processes, core files %s", count(files.hard), count(processes.soft), bytesText(core.soft))
	need := map[Profile]uint64{HFT: 65536, Balanced: 16384, Cloud: 4096}[h.profile]
	if files.hard < need || processes.soft < 1024 { // programs of Go raise the soft limit of files to the hard one
		return found(bad, "%s", text)
	}
	return found(good, "%s", text)
}

func count(n uint64) string {
	if n == unlimited {
		return "unlimited"
	}
	return strconv.FormatUint(n, 10)
}

func (h *host) sharedMemory() finding {
	need := h.ringBytes()
	var at *mount
	mounts := h.mounts()
	for i := range mounts {
		if mounts[i].at == "/dev/shm" {
			at = &mounts[i]
		}
	}
	wants := bytesText(need) + " of tmpfs at /dev/shm"
	switch {
	case len(mounts) == 0:
		return skip("the mounts are not seen: %s", h.whyAbsent())
	case at == nil:
		return found(bad, "nothing is mounted at /dev/shm").want("%s", wants).mend("mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs /dev/shm")
	case at.kind != "tmpfs":
		return found(bad, "/dev/shm is %s", at.kind).want("%s", wants).tell("mount a tmpfs there")
	}
	size, stated := sizeOption(*at)
	if !stated {
		total, _ := h.meminfo("MemTotal")
		size = total / 2 // a tmpfs without a size
	}
	f := found(good, "%s", bytesText(size)).want("%s", wants)
	if size < need {
		f.grade = bad
		f = f.mend(fmt.Sprintf("mount -o remount,size=%d /dev/shm", need))
		if h.container != "" {
			f = f.tell("docker run --shm-size=%d, in Kubernetes an emptyDir with medium: Memory", need)
		}
	}
	if most, ok := h.memoryMax(); ok {
		f.current += ", the cgroup has " + bytesText(most)
		if most < need+heap {
			f.grade = bad
			f = f.tell("the cgroup's memory limit must hold the rings, too: %s", bytesText(need+heap))
		}
	}
	return f
}

// sizeOption is the size that a tmpfs was mounted with.
func sizeOption(m mount) (uint64, bool) {
	text, ok := m.option("size")
	if !ok {
		return 0, false
	}
	shift := 0
	for suffix, by := range map[string]int{"k": 10, "m": 20, "g": 30} {
		if cut, is := strings.CutSuffix(strings.ToLower(text), suffix); is {
			text, shift = cut, by
		}
	}
	n, err := strconv.ParseUint(text, 10, 64-shift)
	return n << shift, err == nil
}

// groups are the directories of the process's cgroup and its ancestors, for a controller of the first hierarchy or for the second.
func (h *host) groups(controller string) (dirs []string) {
	text, _ := h.text("proc/self/cgroup")
	for line := range strings.Lines(text) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		base := "sys/fs/cgroup"
		if parts[1] != "" {
			if !strings.Contains(","+parts[1]+",", ","+controller+",") {
				continue
			}
			base += "/" + controller
		}
		for at := path.Clean("/" + parts[2]); ; at = path.Dir(at) {
			dirs = append(dirs, strings.TrimSuffix(base+at, "/"))
			if at == "/" {
				break
			}
		}
	}
	return dirs
}

// memoryMax is the smallest limit of memory among the process's cgroups.
func (h *host) memoryMax() (least uint64, ok bool) {
	const none = 1 << 60 // the first hierarchy prints a number near 2^63 for no limit
	for _, dir := range h.groups("memory") {
		for _, file := range []string{"/memory.max", "/memory.limit_in_bytes"} {
			if n, is := h.number(dir + file); is && n >= 0 && n < none && (!ok || uint64(n) < least) {
				least, ok = uint64(n), true
			}
		}
	}
	return least, ok
}

func (h *host) quota() finding {
	if !h.has("proc/self/cgroup") {
		return skip("/proc/self/cgroup is not seen: %s", h.whyAbsent())
	}
	for _, dir := range h.groups("cpu") {
		if text, ok := h.text(dir + "/cpu.max"); ok && !strings.HasPrefix(text, "max") {
			return found(bad, "%s µs (/%s/cpu.max)", strings.Join(strings.Fields(text), " of "), dir)
		}
		if us, ok := h.number(dir + "/cpu.cfs_quota_us"); ok && us >= 0 {
			return found(bad, "%d µs each period (/%s/cpu.cfs_quota_us)", us, dir)
		}
	}
	if h.machine != nil {
		var denied []int
		for _, cpu := range h.use.Cores {
			if c, ok := h.processor(cpu); !ok || !c.Online || !c.Allowed {
				denied = append(denied, cpu)
			}
		}
		if len(denied) > 0 {
			return found(bad, "hot cores %s are not allowed, or not there", cpusText(denied))
		}
	}
	return found(good, "no quota")
}
