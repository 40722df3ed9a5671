package numa

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
)

// Local reads the machine this process runs on. Call it at start, before loops are pinned: the CPUs it may use are read from the
// process's first thread. Elsewhere than on Linux it returns errors.ErrUnsupported.
func Local() (*Machine, error) { return Read(os.DirFS("/")) }

// Read reads a machine from a file tree laid out like Linux's root directory: sys/devices/system/{cpu,node}, sys/class/net and
// proc/self/status. What is missing counts as unknown, as virtual machines and containers hide much; only the list of CPUs must be
// there, else the error is errors.ErrUnsupported. What is malformed is an error that names the file.
func Read(root fs.FS) (*Machine, error) {
	t := tree{root}
	m := new(Machine)
	steps := []func(tree) error{m.readCPUs, m.readNodes, m.readAllowed, m.readKinds, m.readNICs}
	for _, step := range steps {
		if err := step(t); err != nil {
			return nil, fmt.Errorf("numa: %w", err)
		}
	}
	return m, nil
}

const (
	cpuDir  = "sys/devices/system/cpu"
	nodeDir = "sys/devices/system/node"
)

// readCPUs fills Processors, all but their nodes and permissions.
func (m *Machine) readCPUs(t tree) error {
	online, known, err := t.list(cpuDir + "/online")
	if err != nil {
		return err
	}
	present, presentKnown, err := t.list(cpuDir + "/present")
	if err != nil {
		return err
	}
	if !known {
		online = present
	}
	if !known && !presentKnown {
		return fmt.Errorf("%s/online: no such file: %w", cpuDir, errors.ErrUnsupported)
	}
	isolated, _, err := t.list(cpuDir + "/isolated")
	if err != nil {
		return err
	}
	tickless, _, err := t.list(cpuDir + "/nohz_full")
	if err != nil {
		return err
	}
	all := slices.Compact(slices.Sorted(slices.Values(slices.Concat(online, present))))
	for _, id := range all {
		c := CPU{ID: id, Node: AnyNode, Package: -1, Siblings: []int{id}}
		c.Online = slices.Contains(online, id)
		c.Isolated = slices.Contains(isolated, id)
		c.Tickless = slices.Contains(tickless, id)
		if c.Online {
			if err := c.read(t); err != nil {
				return err
			}
		}
		m.Processors = append(m.Processors, c)
	}
	return nil
}

// read fills what the CPU's own directory says.
func (c *CPU) read(t tree) error {
	dir := fmt.Sprintf("%s/cpu%d", cpuDir, c.ID)
	siblings, known, err := t.list(dir + "/topology/core_cpus_list") // since Linux 5.3
	if err == nil && !known {
		siblings, _, err = t.list(dir + "/topology/thread_siblings_list")
	}
	if err != nil {
		return err
	}
	if slices.Contains(siblings, c.ID) {
		c.Siblings = siblings
	}
	if c.Package, err = t.number(dir+"/topology/physical_package_id", -1); err != nil {
		return err
	}
	if c.Capacity, err = t.number(dir+"/cpu_capacity", 0); err != nil {
		return err
	}
	indexes, err := t.numbered(dir+"/cache", "index")
	if err != nil {
		return err
	}
	for _, i := range indexes {
		cache, err := readCache(t, fmt.Sprintf("%s/cache/index%d", dir, i))
		if err != nil {
			return err
		}
		c.Caches = append(c.Caches, cache)
	}
	slices.SortStableFunc(c.Caches, func(a, b Cache) int { return a.Level - b.Level })
	return nil
}

func readCache(t tree, dir string) (Cache, error) {
	var c Cache
	var err error
	if c.Level, err = t.number(dir+"/level", 0); err != nil {
		return c, err
	}
	if c.Type, _, err = t.text(dir + "/type"); err != nil {
		return c, err
	}
	if c.Size, err = t.size(dir + "/size"); err != nil {
		return c, err
	}
	if c.Line, err = t.number(dir+"/coherency_line_size", 0); err != nil {
		return c, err
	}
	c.CPUs, _, err = t.list(dir + "/shared_cpu_list")
	return c, err
}

// readKinds tells fast cores from slow ones: by Intel's two performance monitors, else by capacity, where a core below nine tenths
// of the fastest is slow.
func (m *Machine) readKinds(t tree) error {
	fast, _, err := t.list("sys/devices/cpu_core/cpus")
	if err != nil {
		return err
	}
	slow, _, err := t.list("sys/devices/cpu_atom/cpus")
	if err != nil {
		return err
	}
	top, low := 0, 0
	for _, c := range m.Processors {
		if c.Capacity > 0 {
			top = max(top, c.Capacity)
			low = min(cmp.Or(low, c.Capacity), c.Capacity)
		}
	}
	monitors := len(fast) > 0 && len(slow) > 0
	capacities := low*10 < top*9
	for i := range m.Processors {
		c := &m.Processors[i]
		switch {
		case monitors && slices.Contains(fast, c.ID), !monitors && capacities && c.Capacity*10 >= top*9:
			c.Kind = Performance
		case monitors && slices.Contains(slow, c.ID), !monitors && capacities && c.Capacity > 0:
			c.Kind = Efficiency
		}
	}
	return nil
}

// readNICs fills NICs.
func (m *Machine) readNICs(t tree) error {
	const dir = "sys/class/net"
	names, err := t.names(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		node, err := t.number(dir+"/"+name+"/device/numa_node", AnyNode)
		if err != nil {
			return err
		}
		m.NICs = append(m.NICs, NIC{Name: name, Node: max(node, AnyNode)})
	}
	return nil
}
