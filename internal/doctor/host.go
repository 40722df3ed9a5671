package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/alphapulse/transport/numa"
)

const hugePage = 2 << 20 // of rings that ask for huge pages

// host is what is looked at.
type host struct {
	ctx       context.Context // of one look
	root      fs.FS
	close     func()
	live      bool // the root is "/": drivers may be asked, counters move
	quick     bool
	profile   Profile
	use       Use
	machine   *numa.Machine // nil: it does not say which CPUs it has
	hot       []int         // the cores that are used, or the isolated ones
	virtual   string        // what shows that a hypervisor is below; empty: nothing does
	container string        // what shows that this is a container; empty: nothing does

	before, after *reading // after is nil unless counters were watched
}

// open reads what several checks need.
func open(ctx context.Context, o Options) (*host, error) {
	h := &host{ctx: ctx, profile: o.Profile, use: o.Use, quick: o.Quick, live: o.Root == "/", close: func() {}}
	if h.live {
		h.root = os.DirFS("/")
	} else {
		if i, err := os.Stat(o.Root); err != nil || !i.IsDir() { // a pipe would be waited for
			return nil, errors.Join(fmt.Errorf("%w: root: %s is no directory", ErrOptions, o.Root), err)
		}
		r, err := os.OpenRoot(o.Root) // links must not lead out of it
		if err != nil {
			return nil, fmt.Errorf("%w: root: %w", ErrOptions, err)
		}
		h.root, h.close = r.FS(), func() { _ = r.Close() } // it was only read
	}
	if !h.has("proc/sys/kernel/osrelease") {
		h.close()
		return nil, fmt.Errorf("doctor: %s has no proc/sys/kernel/osrelease: it is not the root of a Linux host: %w", o.Root, errors.ErrUnsupported)
	}
	m, err := numa.Read(h.root)
	switch {
	case err == nil:
		h.machine = m
	case !errors.Is(err, errors.ErrUnsupported):
		h.close()
		return nil, fmt.Errorf("doctor: %w", err)
	}
	h.virtual, h.container = h.findVirtual(), h.findContainer()
	h.hot = o.Use.Cores
	if len(h.hot) == 0 {
		h.hot = h.isolated()
	}
	if err := h.watch(); err != nil {
		h.close()
		return nil, err
	}
	return h, nil
}

// text is a file without the white space around it; false where there is none or it is forbidden.
func (h *host) text(path string) (string, bool) {
	b, err := fs.ReadFile(h.root, path)
	if err != nil {
		return "", false
	}
	return strings.TrimSpace(string(b)), true
}

func (h *host) has(path string) bool {
	_, err := fs.Stat(h.root, path)
	return err == nil
}

// number is a file of one whole number.
func (h *host) number(path string) (int64, bool) {
	text, ok := h.text(path)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil
}

// cpus is a file with a list of CPUs; an unset one is none.
func (h *host) cpus(path string) ([]int, bool) {
	text, ok := h.text(path)
	if !ok {
		return nil, false
	}
	if text == "(null)" {
		return nil, true
	}
	list, err := numa.ParseCPUs(text)
	return list, err == nil
}

// names lists a directory.
func (h *host) names(dir string) (names []string) {
	entries, err := fs.ReadDir(h.root, dir)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// field is the value behind "key:" in a file of such lines.
func (h *host) field(path, key string) (string, bool) {
	text, ok := h.text(path)
	if !ok {
		return "", false
	}
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == key {
			return strings.TrimSpace(v), true
		}
	}
	return "", false
}

// meminfo is a line of /proc/meminfo, in bytes or pages as it says.
func (h *host) meminfo(key string) (uint64, bool) {
	value, ok := h.field("proc/meminfo", key)
	if !ok {
		return 0, false
	}
	digits, kilo := strings.CutSuffix(value, " kB")
	n, err := strconv.ParseUint(strings.TrimSpace(digits), 10, 54)
	if kilo {
		n <<= 10
	}
	return n, err == nil
}

// parameter is the last value that the kernel's command line gives a name.
func (h *host) parameter(name string) (value string, found bool) {
	text, _ := h.text("proc/cmdline")
	for _, p := range parseCmdline(text) {
		if p.name == name {
			value, found = p.value, true
		}
	}
	return value, found
}

// parameterCPUs are the CPUs that a parameter of the command line lists.
func (h *host) parameterCPUs(name string) []int {
	value, found := h.parameter(name)
	if !found || h.machine == nil || len(h.machine.Processors) == 0 {
		return nil
	}
	cpus, err := parseParamCPUs(value, h.machine.Processors[len(h.machine.Processors)-1].ID)
	if err != nil {
		return nil
	}
	return cpus
}

// isolated are the CPUs that the scheduler keeps off, by the command line or by a cpuset.
func (h *host) isolated() []int {
	all, _ := h.cpus("sys/devices/system/cpu/isolated")
	parts, _ := h.cpus("sys/fs/cgroup/cpuset.cpus.isolated") // since Linux 6.7
	all = append(all, parts...)
	slices.Sort(all)
	return slices.Compact(all)
}

// right reports whether the process has a capability.
func (h *host) right(bit int) bool {
	hex, _ := h.field("proc/self/status", "CapEff")
	set, err := strconv.ParseUint(hex, 16, 64)
	return err == nil && set>>bit&1 == 1
}

// Numbers of capabilities (linux/capability.h).
const (
	capNetAdmin = 12
	capNetRaw   = 13
	capIPCLock  = 14
	capSysAdmin = 21
	capSysNice  = 23
	capBPF      = 39
)

// limit is a limit of the process.
func (h *host) limit(name string) (limit, bool) {
	text, _ := h.text("proc/self/limits")
	l, ok := parseLimits(text)[name]
	return l, ok
}

// mounts are what is mounted, for the process.
func (h *host) mounts() []mount {
	text, ok := h.text("proc/self/mounts")
	if !ok {
		text, _ = h.text("proc/mounts")
	}
	return parseMounts(text)
}

// process is one that runs.
type process struct {
	pid  int
	name string
}

// processes lists those that are seen.
func (h *host) processes() (all []process) {
	for _, name := range h.names("proc") {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if comm, ok := h.text("proc/" + name + "/comm"); ok {
			all = append(all, process{pid, comm})
		}
	}
	return all
}

// running reports whether a process of one of these names is seen.
func (h *host) running(names ...string) string {
	for _, p := range h.processes() {
		if slices.Contains(names, p.name) {
			return p.name
		}
	}
	return ""
}

// flag reports whether the first processor announces a feature.
func (h *host) flag(name string) bool {
	flags, _ := h.field("proc/cpuinfo", "flags")
	return slices.Contains(strings.Fields(flags), name)
}

// findVirtual looks for a hypervisor.
func (h *host) findVirtual() string {
	vendor, _ := h.text("sys/class/dmi/id/sys_vendor")
	if kind, ok := h.text("sys/hypervisor/type"); ok {
		return kind
	}
	if h.flag("hypervisor") {
		return cmp.Or(vendor, "hypervisor")
	}
	if slices.Contains([]string{"QEMU", "VMware, Inc.", "innotek GmbH", "Xen", "Amazon EC2", "Google"}, vendor) && !h.has("sys/devices/system/cpu/cpu0/cpufreq") {
		return vendor
	}
	return ""
}

// findContainer looks for a container. Where the kernel's own threads are seen, it is none: a marker file alone may be left over from an image.
func (h *host) findContainer() string {
	if name, _ := h.text("proc/2/comm"); name == "kthreadd" {
		return ""
	}
	if kind, ok := h.text("run/systemd/container"); ok {
		return cmp.Or(kind, "container")
	}
	for marker, kind := range map[string]string{".dockerenv": "docker", "run/.containerenv": "podman"} {
		if h.has(marker) {
			return kind
		}
	}
	groups, _ := h.text("proc/self/cgroup")
	for _, kind := range []string{"kubepods", "docker", "containerd", "lxc"} {
		if strings.Contains(groups, kind) {
			return kind
		}
	}
	return ""
}

// whyAbsent says why something that hosts have is not there.
func (h *host) whyAbsent() string {
	switch {
	case h.virtual != "":
		return "this is a virtual machine (" + h.virtual + "), what it has is the hypervisor's business"
	case h.container != "":
		return "this is a container (" + h.container + "), it sees a part of its host"
	}
	return "this kernel does not have it"
}

const (
	noHot        = "no hot cores are named and none is isolated: name them with --cores, or a topology whose placements have cpus"
	noInterface  = "no interface is named: name one with --interface, or a topology whose nodes have interfaces"
	notLive      = "only a running system tells, and this is a directory"
	noCPUs       = "the host does not say which CPUs it has"
	seesNoOthers = "processes of the host are not seen from here"
)
