package numa

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/alphapulse/transport/internal/sys"
)

// mapped returns shared memory of so many pages, untouched.
func mapped(t *testing.T, pages int) []byte {
	t.Helper()
	dir := t.TempDir()
	if shm, err := os.MkdirTemp("/dev/shm", "numa"); err == nil {
		t.Cleanup(func() { os.RemoveAll(shm) })
		dir = shm
	}
	f, err := os.Create(filepath.Join(dir, "memory"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	size := pages * os.Getpagesize()
	if err := f.Truncate(int64(size)); err != nil {
		t.Fatal(err)
	}
	m, err := sys.Map(f, 0, size, true)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("no mappings on this system")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Unmap() })
	return m.All()
}

// supported skips when the kernel lacks the call, or a container forbids it.
func supported(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, os.ErrPermission) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func placement(t *testing.T, mem []byte) map[int]int {
	t.Helper()
	pages, err := Placement(mem)
	supported(t, err)
	return pages
}

func TestPlacementTouchesNothing(t *testing.T) {
	mem := mapped(t, 1100) // more than two batches
	for range 2 {
		equal(t, "pages", placement(t, mem), map[int]int{Untouched: 1100})
	}
}

func TestBoundAndPrefaultedPagesLieOnTheirNode(t *testing.T) {
	m, err := Local()
	supported(t, err)
	node := m.Nodes[0].ID
	mem := mapped(t, 600)
	supported(t, Bind(mem, node))
	mem[5] = 7
	supported(t, Prefault(mem))
	equal(t, "byte before prefault", mem[5], 7)
	equal(t, "pages", placement(t, mem), map[int]int{node: 600})
	equal(t, "pages of a part", placement(t, mem[100:os.Getpagesize()+101]), map[int]int{node: 2})
}

func TestBindRefusesWhatIsNotThere(t *testing.T) {
	mem := mapped(t, 2)
	supported(t, Bind(mem, 0))
	for _, node := range []int{-1, 63, 64, 1000, maxCPUs, 1 << 40} {
		if err := Bind(mem, node); !errors.Is(err, ErrNoNode) {
			t.Errorf("node %d: %v", node, err)
		}
	}
	if err := Bind(mem[1:], 0); !errors.Is(err, ErrNoNode) {
		t.Errorf("memory that does not start on a page: %v", err)
	}
	supported(t, Bind(nil, 0))
}

func TestLockBringsPagesIn(t *testing.T) {
	mem := mapped(t, 16)
	supported(t, Lock(mem))
	if absent := placement(t, mem)[Untouched]; absent != 0 {
		t.Errorf("%d pages of locked memory are absent", absent)
	}
	supported(t, Lock(nil))
	supported(t, Prefault(nil))
}

func TestPrefaultReportsAShortFile(t *testing.T) {
	mem := mapped(t, 4)
	supported(t, Prefault(mem))
	path := filepath.Join(t.TempDir(), "short")
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := sys.Map(f, 0, 4*os.Getpagesize(), true)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Unmap()
	if err := Prefault(m.All()); err == nil {
		t.Error("three pages behind the end of the file were prefaulted")
	}
}
