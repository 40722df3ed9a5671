package doctor

import (
	"context"
	"encoding/binary"
	"os"
	"strconv"
	"strings"
	"time"
)

// window is how long counters are watched.
const window = time.Second

// reading is what the counters of a host said at one time.
type reading struct {
	stolen, time uint64 // ticks of all CPUs
	snmp         map[string]uint64
	softnet      softnet
	softnetKnown bool
	missed       map[string]uint64 // packets that cards had no room for, by interface
	interrupts   []interrupt
	tasks        map[string]task // by path below proc
	smi          map[int]uint64  // management interrupts, by hot core
}

// task is a thread that is not the kernel's.
type task struct {
	name    string
	cpu     int
	ticks   uint64 // it has run
	running bool
}

// watch reads the counters, and on a running system a second time after a while.
func (h *host) watch() error {
	h.before = h.read()
	if !h.live || h.quick {
		return nil
	}
	t := time.NewTimer(window)
	defer t.Stop()
	select {
	case <-t.C:
	case <-h.ctx.Done():
		return context.Cause(h.ctx)
	}
	h.after = h.read()
	return nil
}

// last is the newest reading.
func (h *host) last() *reading {
	if h.after != nil {
		return h.after
	}
	return h.before
}

func (h *host) read() *reading {
	r := &reading{missed: map[string]uint64{}}
	r.stolen, r.time = h.stolen()
	if text, ok := h.text("proc/net/snmp"); ok {
		r.snmp, _ = parseSNMP(text) // what does not parse is unknown
	}
	if text, ok := h.text("proc/net/softnet_stat"); ok {
		var err error
		r.softnet, err = parseSoftnet(text)
		r.softnetKnown = err == nil
	}
	for _, i := range h.use.Interfaces {
		for _, counter := range []string{"rx_missed_errors", "rx_fifo_errors"} {
			if n, ok := h.number("sys/class/net/" + i.Name + "/statistics/" + counter); ok && n > 0 {
				r.missed[i.Name+" "+counter] = uint64(n)
			}
		}
	}
	if text, ok := h.text("proc/interrupts"); ok {
		r.interrupts, _ = parseInterrupts(text) // likewise
	}
	if len(h.hot) > 0 {
		r.tasks = h.tasks()
		r.smi = h.managementInterrupts()
	}
	return r
}

// stolen reads the time a hypervisor gave to others, and all time there was.
func (h *host) stolen() (stolen, all uint64) {
	text, _ := h.text("proc/stat")
	line, _, _ := strings.Cut(text, "\n")
	f := strings.Fields(line)
	if len(f) < 9 || f[0] != "cpu" {
		return 0, 0
	}
	for i, field := range f[1:9] { // user nice system idle iowait irq softirq steal
		n, err := strconv.ParseUint(field, 10, 64)
		if err != nil {
			return 0, 0
		}
		all += n
		if i == 7 {
			stolen = n
		}
	}
	return stolen, all
}

// tasks reads the threads that were last on a hot core, all of them where there is time for that, else each process's first.
func (h *host) tasks() map[string]task {
	all := map[string]task{}
	own := strconv.Itoa(os.Getpid())
	note := func(dir string) {
		text, ok := h.text(dir + "/stat")
		if !ok {
			return // it has ended
		}
		if t, ok := parseTask(text); ok {
			all[dir] = t
		}
	}
	for _, name := range h.names("proc") {
		if _, err := strconv.Atoi(name); err != nil || h.live && name == own {
			continue
		}
		dir := "proc/" + name
		if !h.live || h.quick {
			note(dir)
			continue
		}
		for _, thread := range h.names(dir + "/task") {
			note(dir + "/task/" + thread)
		}
	}
	return all
}

// parseTask reads a stat file. The second field is a name in brackets and may hold anything, so it counts from the last bracket.
func parseTask(text string) (t task, ok bool) {
	const kernelThread = 0x00200000 // PF_KTHREAD
	open, end := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return t, false
	}
	f := strings.Fields(text[end+1:])
	if len(f) < 37 {
		return t, false
	}
	flags, err1 := strconv.ParseUint(f[6], 10, 64)
	user, err2 := strconv.ParseUint(f[11], 10, 64)
	system, err3 := strconv.ParseUint(f[12], 10, 64)
	cpu, err4 := strconv.Atoi(f[36])
	if err1 != nil || err2 != nil || err3 != nil || err4 != nil || flags&kernelThread != 0 {
		return t, false
	}
	return task{name: text[open+1 : end], cpu: cpu, ticks: user + system, running: f[0] == "R"}, true
}

// managementInterrupts reads how often the firmware took each hot core (MSR_SMI_COUNT of Intel's). Empty where it cannot be read.
func (h *host) managementInterrupts() map[int]uint64 {
	const count = 0x34
	vendor, _ := h.field("proc/cpuinfo", "vendor_id")
	if !h.live || vendor != "GenuineIntel" {
		return nil
	}
	all := map[int]uint64{}
	for _, cpu := range h.hot {
		f, err := os.Open("/dev/cpu/" + strconv.Itoa(cpu) + "/msr")
		if err != nil {
			continue
		}
		var b [8]byte
		if _, err := f.ReadAt(b[:], count); err == nil {
			all[cpu] = binary.LittleEndian.Uint64(b[:])
		}
		_ = f.Close() // it was only read
	}
	return all
}
