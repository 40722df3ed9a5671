package numa

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

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

// anonymous returns private memory, untouched.
func anonymous(t *testing.T, size, flags int) []byte {
	t.Helper()
	mem, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|flags)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Munmap(mem) })
	return mem
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
			mem := anonymous(t, guestPages*os.Getpagesize(), 0)
			touchOn(t, cpu, mem)
			equal(t, fmt.Sprintf("touched from CPU %d", cpu), placement(t, mem), map[int]int{node: guestPages})
		}
	}
}

func TestGuestBindOverrulesFirstTouch(t *testing.T) {
	m := guest(t)
	for _, node := range []int{0, 1} {
		far := m.CPUs(1 - node)[0]
		mem := anonymous(t, guestPages*os.Getpagesize(), 0)
		supported(t, Bind(mem, node))
		touchOn(t, far, mem)
		equal(t, fmt.Sprintf("bound to node %d, touched from CPU %d", node, far), placement(t, mem), map[int]int{node: guestPages})
	}
}

func TestGuestBindMovesWhatIsPresent(t *testing.T) {
	m := guest(t)
	mem := anonymous(t, guestPages*os.Getpagesize(), 0)
	touchOn(t, m.CPUs(0)[0], mem)
	equal(t, "before", placement(t, mem), map[int]int{0: guestPages})
	supported(t, Bind(mem, 1))
	equal(t, "after", placement(t, mem), map[int]int{1: guestPages})
	equal(t, "content", mem[os.Getpagesize()], 1)
}

// Transparent huge pages are what makes careless placement land on one node: 2 MiB come from one place at once.
func TestGuestPartsOfOneMappingLieApart(t *testing.T) {
	guest(t)
	page := os.Getpagesize()
	mem := anonymous(t, 8<<20, 0)
	cut := 3<<20 + page // inside a huge page
	supported(t, Bind(mem[:cut], 0))
	supported(t, Bind(mem[cut:], 1))
	supported(t, Prefault(mem))
	equal(t, "first part", placement(t, mem[:cut]), map[int]int{0: cut / page})
	equal(t, "second part", placement(t, mem[cut:]), map[int]int{1: (8<<20 - cut) / page})
}

func TestGuestBindingOfSharedMemoryHoldsForEveryMapping(t *testing.T) {
	m := guest(t)
	f, err := os.Create(filepath.Join("/dev/shm", t.Name()))
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	size := guestPages * os.Getpagesize()
	if err := f.Truncate(int64(size)); err != nil {
		t.Fatal(err)
	}
	var maps [2][]byte
	for i := range maps {
		mapping, err := sys.Map(f, 0, size, true)
		if err != nil {
			t.Fatal(err)
		}
		defer mapping.Unmap()
		maps[i] = mapping.All()
	}
	supported(t, Bind(maps[0], 1))
	touchOn(t, m.CPUs(0)[0], maps[1])
	equal(t, "touched through the second mapping", placement(t, maps[1]), map[int]int{1: guestPages})
	supported(t, Prefault(maps[0]))
	if err := Bind(maps[0], 0); !errors.Is(err, ErrMisplaced) {
		t.Errorf("pages held by two mappings: %v, want ErrMisplaced", err)
	}
	equal(t, "and they stay", placement(t, maps[0]), map[int]int{1: guestPages})
}

func TestGuestHugePagesComeFromTheBoundNode(t *testing.T) {
	guest(t)
	const pool = "/sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages"
	if err := os.WriteFile(pool, []byte("4"), 0); err != nil {
		t.Fatal(err)
	}
	defer os.WriteFile(pool, []byte("0"), 0)
	mem := anonymous(t, 4<<21, unix.MAP_HUGETLB)
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
	mem := anonymous(t, os.Getpagesize(), 0)
	if err := Bind(mem, 2); !errors.Is(err, ErrNoNode) {
		t.Errorf("node 2 of two: %v", err)
	}
}
