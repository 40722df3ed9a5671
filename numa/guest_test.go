package numa

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/alphapulse/transport/internal/sys"
)

// The tests in this file need two nodes of two CPUs, the last CPU isolated. scripts/numa-guest.sh emulates such a machine and runs
// them inside.

func guest(t *testing.T) *Machine {
	t.Helper()
	if os.Getenv("PULSE_GUEST") == "" {
		t.Skip("needs the two-node machine of scripts/numa-guest.sh")
	}
	m, err := Local()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// mapTwice maps a new file of so many bytes in two places; it is removed afterwards.
func mapTwice(t *testing.T, dir string, size int) (a, b []byte) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, t.Name()))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	t.Cleanup(func() { os.Remove(f.Name()) })
	if err := f.Truncate(int64(size)); err != nil {
		t.Fatal(err)
	}
	var places [2][]byte
	for i := range places {
		m, err := sys.Map(f, 0, size, true)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { m.Unmap() })
		places[i] = m.All()
	}
	return places[0], places[1]
}

// set writes a kernel setting and puts the old one back afterwards.
func set(t *testing.T, path, value, old string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(value), 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.WriteFile(path, []byte(old), 0) })
}

// touchOn writes to every page of mem from a loop pinned to cpu.
func touchOn(t *testing.T, cpu int, mem []byte) {
	t.Helper()
	l := Loop{Name: "touch", CPUs: []int{cpu}}
	err := l.Run(deadline(t), do(func() (int, error) {
		for at := 0; at < len(mem); at += os.Getpagesize() {
			mem[at] = 1
		}
		return 0, errDone
	}))
	if !errors.Is(err, errDone) {
		t.Fatal(err)
	}
}

const guestPages = 1024

func TestGuestShowsItsNodes(t *testing.T) {
	m := guest(t)
	equal(t, "nodes", len(m.Nodes), 2)
	equal(t, "CPUs of node 0", m.CPUs(0), []int{0, 1})
	equal(t, "CPUs of node 1, the isolated one too", m.CPUs(1), []int{2, 3})
	equal(t, "distance", []int{m.Distance(0, 0), m.Distance(0, 1), m.Distance(1, 0)}, []int{10, 21, 21})
	last := m.Processors[3]
	equal(t, "isolated and tickless", []bool{last.Isolated, last.Tickless}, []bool{true, true})
	equal(t, "packages", []int{m.Processors[0].Package, last.Package}, []int{0, 1})
	cpus, err := m.Spread(2, 1)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "isolated first", cpus, []int{3, 2})
	for _, n := range m.Nodes {
		if n.Memory < 256<<20 || n.Free == 0 || n.Free > n.Memory {
			t.Errorf("node %d has %d bytes, %d free", n.ID, n.Memory, n.Free)
		}
	}
}

func TestGuestFirstTouchFollowsThePinnedLoop(t *testing.T) {
	m := guest(t)
	for _, node := range []int{0, 1} {
		for _, cpu := range m.CPUs(node) {
			mem := mapped(t, guestPages)
			touchOn(t, cpu, mem)
			equal(t, fmt.Sprintf("touched from CPU %d", cpu), placement(t, mem), map[int]int{node: guestPages})
		}
	}
}

func TestGuestBindOverrulesFirstTouch(t *testing.T) {
	m := guest(t)
	for _, node := range []int{0, 1} {
		far := m.CPUs(1 - node)[0]
		mem := mapped(t, guestPages)
		supported(t, Bind(mem, node))
		touchOn(t, far, mem)
		equal(t, fmt.Sprintf("bound to node %d, touched from CPU %d", node, far), placement(t, mem), map[int]int{node: guestPages})
	}
}

func TestGuestBindMovesWhatIsPresent(t *testing.T) {
	m := guest(t)
	mem := mapped(t, guestPages)
	touchOn(t, m.CPUs(0)[0], mem)
	equal(t, "before", placement(t, mem), map[int]int{0: guestPages})
	supported(t, Bind(mem, 1))
	equal(t, "after", placement(t, mem), map[int]int{1: guestPages})
	equal(t, "content", mem[os.Getpagesize()], 1)
}

// Transparent huge pages are what makes careless placement land on one node: 2 MiB come from one place at once.
func TestGuestPartsOfOneMappingLieApart(t *testing.T) {
	guest(t)
	set(t, "/sys/kernel/mm/transparent_hugepage/shmem_enabled", "force", "never")
	page := os.Getpagesize()
	mem := mapped(t, 8<<20/page)
	cut := 3<<20 + page // inside a huge page
	supported(t, Bind(mem[:cut], 0))
	supported(t, Bind(mem[cut:], 1))
	supported(t, Prefault(mem))
	equal(t, "first part", placement(t, mem[:cut]), map[int]int{0: cut / page})
	equal(t, "second part", placement(t, mem[cut:]), map[int]int{1: (8<<20 - cut) / page})
	if huge, err := (tree{os.DirFS("/")}).meminfo("proc/meminfo", "ShmemHugePages:"); err != nil || huge == 0 {
		t.Errorf("%d bytes in huge pages, %v: the test shows nothing", huge, err)
	}
}

func TestGuestBindingOfSharedMemoryHoldsForEveryMapping(t *testing.T) {
	m := guest(t)
	a, b := mapTwice(t, "/dev/shm", guestPages*os.Getpagesize())
	supported(t, Bind(a, 1))
	touchOn(t, m.CPUs(0)[0], b)
	equal(t, "touched through the second mapping", placement(t, b), map[int]int{1: guestPages})
	supported(t, Prefault(a))
	if err := Bind(a, 0); !errors.Is(err, ErrMisplaced) {
		t.Errorf("pages held by two mappings: %v, want ErrMisplaced", err)
	}
	equal(t, "and they stay", placement(t, a), map[int]int{1: guestPages})
}

func TestGuestHugePagesComeFromTheBoundNode(t *testing.T) {
	guest(t)
	set(t, "/sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages", "4", "0")
	mem, _ := mapTwice(t, "/dev/hugepages", 4<<21)
	supported(t, Bind(mem, 1))
	supported(t, Prefault(mem))
	equal(t, "placement", placement(t, mem), map[int]int{1: 4 << 21 / os.Getpagesize()})
	m, err := Local()
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "pool", m.Nodes[1].Huge[0], HugePages{Size: 2 << 20, Total: 4})
}

func TestGuestBindRefusesAThirdNode(t *testing.T) {
	guest(t)
	mem := mapped(t, 1)
	if err := Bind(mem, 2); !errors.Is(err, ErrNoNode) {
		t.Errorf("node 2 of two: %v", err)
	}
}
