package numa

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
)

// plant turns lines "path = text" into a file tree. A path given twice gets a second line; cpu{0-3} stands for cpu0 to cpu3.
func plant(t testing.TB, text string) fstest.MapFS {
	t.Helper()
	root := fstest.MapFS{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		path, value, ok := strings.Cut(line, " =")
		if !ok {
			t.Fatalf("fixture line %q has no =", line)
		}
		paths := []string{path}
		if before, rest, braced := strings.Cut(path, "{"); braced {
			list, after, _ := strings.Cut(rest, "}")
			ids, err := ParseCPUs(list)
			if err != nil {
				t.Fatal(err)
			}
			paths = nil
			for _, id := range ids {
				paths = append(paths, before+FormatCPUs([]int{id})+after)
			}
		}
		for _, p := range paths {
			if root[p] == nil {
				root[p] = &fstest.MapFile{}
			}
			root[p].Data = append(root[p].Data, strings.TrimPrefix(value, " ")+"\n"...)
		}
	}
	return root
}

func fixture(t testing.TB, name string) fstest.MapFS {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	return plant(t, string(text))
}

func readFixture(t testing.TB, name string) *Machine {
	t.Helper()
	m, err := Read(fixture(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func equal[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func TestVMWithoutTopologyIsOneNode(t *testing.T) {
	m := readFixture(t, "vm")
	equal(t, "cpus", m.CPUs(0), []int{0, 1})
	equal(t, "memory", m.Nodes[0].Memory, 8038868<<10)
	equal(t, "distance", m.Distance(0, 0), 10)
	equal(t, "card", m.NICNode("eth0"), AnyNode)
	equal(t, "cpus of the card's unknown node", m.CPUs(m.NICNode("eth0")), []int{0, 1})
	equal(t, "siblings", m.Siblings(1), []int{1})
	equal(t, "package", m.Processors[0].Package, -1)
	equal(t, "tickless", m.Processors[0].Tickless, false)
}

func TestLaptopShowsCachesAndSiblings(t *testing.T) {
	m := readFixture(t, "laptop")
	equal(t, "siblings", m.Siblings(6), []int{2, 6})
	c, ok := m.CPU(0)
	equal(t, "CPU 0 is present", ok, true)
	equal(t, "caches", c.Caches, []Cache{
		{Level: 1, Type: "Data", Size: 48 << 10, Line: 64, CPUs: []int{0, 4}},
		{Level: 3, Type: "Unified", Size: 12 << 20, Line: 64, CPUs: []int{0, 1, 2, 3, 4, 5, 6, 7}},
	})
	equal(t, "free", m.Nodes[0].Free, 9000000<<10)
	equal(t, "kind", c.Kind.String(), "uniform")
	_, ok = m.CPU(8)
	equal(t, "CPU 8 is present", ok, false)
	equal(t, "siblings of CPU 8", m.Siblings(8), nil)
}

func TestServerKeepsLoopsOnTheCardsNode(t *testing.T) {
	m := readFixture(t, "server")
	equal(t, "distance", m.Distance(0, 1), 21)
	equal(t, "distance to no node", m.Distance(0, 7), 0)
	equal(t, "card", m.NICNode("eth1"), 1)
	equal(t, "software card", m.NICNode("lo"), AnyNode)
	equal(t, "no such card", m.NICNode("eth9"), AnyNode)
	equal(t, "package", m.Processors[24].Package, 1)
	equal(t, "huge pages", m.Nodes[1].Huge, []HugePages{{Size: 2 << 20, Total: 512, Free: 500}, {Size: 1 << 30}})
	cpus, err := m.Spread(4, m.NICNode("eth1"))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "isolated cores first, no two threads of one core", cpus, []int{10, 11, 8, 9})
	cpus, _ = m.Spread(8, 0)
	equal(t, "the core of CPU 0 last", cpus, []int{1, 2, 3, 4, 5, 6, 7, 0})
}

func TestSpreadRefusesToShareCores(t *testing.T) {
	m := readFixture(t, "server")
	if _, err := m.Spread(9, 1); !errors.Is(err, ErrTooFewCores) {
		t.Errorf("9 loops on 8 cores: %v", err)
	}
	if _, err := m.Spread(1, 5); !errors.Is(err, ErrTooFewCores) {
		t.Errorf("a loop on a node that is not there: %v", err)
	}
	all, err := m.Spread(16, AnyNode)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for _, id := range all {
		for _, s := range m.Siblings(id) {
			if seen[s] {
				t.Errorf("CPU %d shares a core in %v", id, all)
			}
			seen[s] = true
		}
	}
	for n := range all {
		some, _ := m.Spread(n, AnyNode)
		equal(t, "a shorter spread", some, all[:n])
	}
}

func TestOfflineCPUsAreShownButNotUsed(t *testing.T) {
	m := readFixture(t, "offline")
	equal(t, "present", len(m.Processors), 8)
	equal(t, "usable", m.CPUs(AnyNode), []int{0, 1, 4, 5})
	equal(t, "node of an offline CPU", m.Processors[2].Node, AnyNode)
	equal(t, "nodes with a hole", m.Distance(0, 2), 32)
	equal(t, "distance to the node that is off", m.Distance(0, 1), 0)
}

func TestHybridCoresAreToldApart(t *testing.T) {
	m := readFixture(t, "hybrid")
	equal(t, "fast", m.Processors[3].Kind.String(), "performance")
	equal(t, "slow", m.Processors[4].Kind.String(), "efficiency")
	cpus, _ := m.Spread(3, 0)
	equal(t, "fast cores first", cpus, []int{2, 0, 4})

	m = readFixture(t, "biglittle")
	equal(t, "slow by capacity", m.Processors[0].Kind, Efficiency)
	equal(t, "one speed bin below the fastest", m.Processors[4].Kind, Performance)
	cpus, _ = m.Spread(5, AnyNode)
	equal(t, "fast cores first", cpus, []int{4, 5, 6, 7, 1})
}

func TestContainerSeesOnlyItsCpuset(t *testing.T) {
	for _, name := range []string{"container", "container-v1"} {
		m := readFixture(t, name)
		equal(t, name+": usable, with the isolated CPU of its own set", m.CPUs(AnyNode), []int{4, 5, 6, 7})
		equal(t, name+": node 0", m.CPUs(0), nil)
		equal(t, name+": memory", []bool{m.Nodes[0].Allowed, m.Nodes[1].Allowed}, []bool{false, true})
		cpus, _ := m.Spread(1, AnyNode)
		equal(t, name+": isolated first", cpus, []int{6})
	}
}

func TestMalformedTreesNameTheFile(t *testing.T) {
	for path, text := range map[string]string{
		"sys/devices/system/cpu/online":                                         "0-",
		"sys/devices/system/cpu/present":                                        "0-99999999999",
		"sys/devices/system/cpu/isolated":                                       "x",
		"sys/devices/system/cpu/nohz_full":                                      "3-1",
		"sys/devices/system/cpu/cpu8/topology/core_cpus_list":                   "8;9",
		"sys/devices/system/cpu/cpu8/topology/physical_package_id":              "",
		"sys/devices/system/cpu/cpu8/cpu_capacity":                              "fast",
		"sys/devices/system/cpu/cpu8/cache/index0/size":                         "32 KB",
		"sys/devices/system/cpu/cpu8/cache/index0/level":                        "L1",
		"sys/devices/system/cpu/cpu8/cache/index0/coherency_line_size":          "64B",
		"sys/devices/system/cpu/cpu8/cache/index0/shared_cpu_list":              "-1",
		"sys/devices/system/node/online":                                        "0,,1",
		"sys/devices/system/node/node1/cpulist":                                 "all",
		"sys/devices/system/node/node1/distance":                                "10",
		"sys/devices/system/node/node0/distance":                                "10 -21",
		"sys/devices/system/node/node0/meminfo":                                 "Node 0 MemTotal: lots kB",
		"sys/devices/system/node/node1/meminfo":                                 "Node 1 MemTotal: 12",
		"sys/devices/system/node/node1/hugepages/hugepages-big/nr_hugepages":    "1",
		"sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages": "1.5",
		"sys/devices/cpu_core/cpus":                                             "P",
		"sys/devices/cpu_atom/cpus":                                             "E",
		"sys/class/net/eth0/device/numa_node":                                   "none",
		"sys/fs/cgroup/cpuset.cpus.effective":                                   "0-8191-",
		"proc/self/status":                                                      "Cpus_allowed_list:\tevery\n",
	} {
		root := fixture(t, "server")
		root["proc/self/cgroup"] = &fstest.MapFile{Data: []byte("0::/\n")}
		root[path] = &fstest.MapFile{Data: []byte(text)}
		m, err := Read(root)
		if err == nil || m != nil {
			t.Errorf("%s = %q was accepted", path, text)
			continue
		}
		name := path
		if strings.Contains(path, "hugepages-big") {
			name = filepath.Dir(path)
		}
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%s = %q: %q does not name the file", path, text, err)
		}
	}
}

func TestTreeWithoutCPUsIsUnsupported(t *testing.T) {
	if _, err := Read(fstest.MapFS{}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("an empty tree: %v", err)
	}
}

// denied is a tree of which a container's mask shows names but not contents.
type denied struct{ fs.FS }

func (d denied) Open(name string) (fs.File, error) {
	if strings.Contains(name, "/node/") || strings.Contains(name, "/class/") {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return d.FS.Open(name)
}

func TestForbiddenFilesAreUnknown(t *testing.T) {
	m, err := Read(denied{fixture(t, "server")})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "nodes", len(m.Nodes), 1)
	equal(t, "usable", len(m.CPUs(0)), 32)
}

func TestCPUListsKeepTheKernelsForm(t *testing.T) {
	for text, want := range map[string][]int{
		"":            nil,
		"\n":          nil,
		"0":           {0},
		"0-3,8,10-11": {0, 1, 2, 3, 8, 10, 11},
		"3,1-2,2":     {1, 2, 3},
		"8191":        {8191},
		" 5-5 \n":     {5},
	} {
		got, err := ParseCPUs(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
		}
		equal(t, text, got, want)
	}
	for _, text := range []string{",", "1,", "-", "-1", "1-", "2-1", "8192", "+1", "1 2", "0x1", "4294967296", "1-2-3", "٣"} {
		if got, err := ParseCPUs(text); err == nil {
			t.Errorf("%q was read as %v", text, got)
		}
	}
}

func FuzzCPUList(f *testing.F) {
	for _, seed := range []string{"", "0", "0-3,8,10-11", "3,1-2", "8191", "0-8191", "1-", ",,", "9-1", "(null)"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		cpus, err := ParseCPUs(text)
		if err != nil {
			return
		}
		for i, cpu := range cpus {
			if cpu < 0 || cpu >= maxCPUs || i > 0 && cpu <= cpus[i-1] {
				t.Fatalf("%q: %v does not ascend inside 0..%d", text, cpus, maxCPUs-1)
			}
		}
		again, err := ParseCPUs(FormatCPUs(cpus))
		if err != nil || !reflect.DeepEqual(again, cpus) {
			t.Fatalf("%q: %v came back as %v, %v", text, cpus, again, err)
		}
	})
}

func FuzzRead(f *testing.F) {
	for _, name := range []string{"vm", "hybrid", "container"} {
		text, err := os.ReadFile(filepath.Join("testdata", name+".txt"))
		if err != nil {
			f.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if path, value, ok := strings.Cut(line, " = "); ok && !strings.Contains(path, "{") {
				f.Add(path, value)
			}
		}
	}
	base := fixture(f, "server")
	f.Fuzz(func(t *testing.T, path, text string) {
		root := fstest.MapFS{}
		for name, file := range base {
			root[name] = file
		}
		root[path] = &fstest.MapFile{Data: []byte(text)}
		m, err := Read(root)
		if err != nil {
			return
		}
		if len(m.Nodes) == 0 || len(m.Processors) == 0 {
			t.Fatalf("%s = %q: a machine without nodes or CPUs", path, text)
		}
		if cpus, err := m.Spread(1, AnyNode); err == nil && len(m.Siblings(cpus[0])) == 0 {
			t.Fatalf("%s = %q: CPU %d is not its own sibling", path, text, cpus[0])
		}
	})
}

func TestLocalMachineIsReadable(t *testing.T) {
	m, err := Local()
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("this system shows no sysfs:", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(m.CPUs(AnyNode)) == 0 {
		t.Error("no CPU is usable, yet this test runs")
	}
}
