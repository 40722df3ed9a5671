package sys

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Arena maps n zeroed bytes, at most 1 GiB, that belong to this process and lie outside the Go heap: the collector neither scans nor
// moves them, and the kernel may hold addresses of them. Every page is touched, from the calling thread's node; transparent huge
// pages are used where the system allows. Give it back with Unmap.
func Arena(n int) (*Mapping, error) {
	if n <= 0 || n > maxBytes {
		return nil, fmt.Errorf("arena of %d bytes: %w", n, unix.EINVAL)
	}
	p, err := unix.MmapPtr(-1, 0, nil, uintptr(n), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, fmt.Errorf("arena of %d bytes: %w", n, err)
	}
	m := &Mapping{Mem{p}, uintptr(p), n}
	if n >= HugePage {
		_ = unix.Madvise(m.All(), unix.MADV_HUGEPAGE) // a wish: small pages hold as much
	}
	if Populate(m.All()) != nil { // before Linux 5.14, or out of memory: then the first touch says so
		touch(m.All())
	}
	return m, nil
}

// HugeArena is an Arena on pages of 2 MiB from the system's pool, n rounded up to whole ones. ENOMEM says that the pool has too few. They
// are reserved, not touched: Populate brings them in, from where their policy says.
func HugeArena(n int) (*Mapping, error) {
	n = (n + HugePage - 1) &^ (HugePage - 1)
	if n <= 0 || n > maxBytes {
		return nil, fmt.Errorf("huge arena of %d bytes: %w", n, unix.EINVAL)
	}
	const flags = unix.MAP_PRIVATE | unix.MAP_ANON | unix.MAP_HUGETLB | unix.MAP_HUGE_2MB
	p, err := unix.MmapPtr(-1, 0, nil, uintptr(n), unix.PROT_READ|unix.PROT_WRITE, flags)
	if err != nil {
		return nil, fmt.Errorf("huge arena of %d bytes: %w", n, err)
	}
	return &Mapping{Mem{p}, uintptr(p), n}, nil
}

// touch writes to every page.
func touch(mem []byte) {
	for i := 0; i < len(mem); i += unix.Getpagesize() {
		mem[i] = 0
	}
}

// carve cuts an arena into slices of layouts, one after the other, each on a cache line.
type carve struct {
	m   *Mapping
	off uint64
}

// slots returns the next n values of T. T holds no Go pointers: the collector does not look here.
func slots[T any](c *carve, n int) []T {
	at := unsafe.Add(c.m.p, c.off)
	c.off += uint64(slotBytes[T](n))
	return unsafe.Slice((*T)(at), n)
}

// slotBytes is the room that slots takes: whole cache lines.
func slotBytes[T any](n int) int {
	var t T
	return (n*int(unsafe.Sizeof(t)) + 63) &^ 63
}
