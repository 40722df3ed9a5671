package sys

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Mapping is memory of a file shared with whoever maps it too.
type Mapping struct {
	Mem
	addr   uintptr
	length int
}

// Map maps length bytes of f from offset, both multiples of the page size; writable when asked. It prefaults nothing.
func Map(f *os.File, offset int64, length int, writable bool) (*Mapping, error) {
	p, err := unix.MmapPtr(int(f.Fd()), offset, nil, uintptr(length), prot(writable), unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", f.Name(), err)
	}
	return &Mapping{Mem{p}, uintptr(p), length}, nil
}

// MapDouble maps length bytes of f from offset twice, back to back, so that what runs over the end of the first goes
// on at its start. offset and length are multiples of page, the file's page size.
func MapDouble(f *os.File, offset int64, length int, writable bool, page int) (*Mapping, error) {
	whole := uintptr(2*length + page)
	base, err := unix.MmapPtr(-1, 0, nil, whole, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("reserve %d bytes for %s: %w", whole, f.Name(), err)
	}
	lead := (uintptr(page) - uintptr(base)%uintptr(page)) % uintptr(page)
	at := unsafe.Add(base, lead)
	for i := range 2 {
		half := unsafe.Add(at, i*length)
		if _, err = unix.MmapPtr(int(f.Fd()), offset, half, uintptr(length), prot(writable), unix.MAP_SHARED|unix.MAP_FIXED); err != nil {
			return nil, errors.Join(fmt.Errorf("map %s: %w", f.Name(), err), unix.MunmapPtr(base, whole))
		}
	}
	trim(base, lead, at, 2*length, whole)
	return &Mapping{Mem{at}, uintptr(at), 2 * length}, nil
}

// trim gives back what alignment left over on both sides of the double mapping.
func trim(base unsafe.Pointer, lead uintptr, at unsafe.Pointer, length int, whole uintptr) {
	if lead > 0 {
		_ = unix.MunmapPtr(base, lead) // only address space: nothing is lost when it stays
	}
	if tail := whole - lead - uintptr(length); tail > 0 {
		_ = unix.MunmapPtr(unsafe.Add(at, length), tail)
	}
}

func prot(writable bool) int {
	if writable {
		return unix.PROT_READ | unix.PROT_WRITE
	}
	return unix.PROT_READ
}

// OnFault names the error that Guard returns when the file loses the bytes behind this mapping.
func (m *Mapping) OnFault(err error) { watchFault(m.addr, m.addr+uintptr(m.length), err) }

// All lends the whole mapping, at most 1 GiB of it.
func (m *Mapping) All() []byte { return unsafe.Slice((*byte)(m.p), m.length) }

// Len returns the length of the mapping in bytes.
func (m *Mapping) Len() int { return m.length }

// Prefault touches every page for reading, so that no page fault comes later.
func (m *Mapping) Prefault() error {
	const populateRead = 22 // MADV_POPULATE_READ, since Linux 5.14
	err := unix.Madvise(m.All(), populateRead)
	if errors.Is(err, unix.EINVAL) {
		return nil // an older kernel: pages come at first touch
	}
	return err
}

// Populate makes n bytes from off, whole pages of a writable mapping, ready to be written, so that no page fault comes later. Where the kernel
// does not know how (before 5.14) they come at first touch; where the file has no room for them, that is its answer.
func (m *Mapping) Populate(off, n int) error {
	const populateWrite = 23 // MADV_POPULATE_WRITE
	err := unix.Madvise(unsafe.Slice((*byte)(unsafe.Add(m.p, off)), n), populateWrite)
	if errors.Is(err, unix.EINVAL) {
		return nil
	}
	return err
}

// Unmap gives the memory back. Nobody may use it afterwards.
func (m *Mapping) Unmap() error {
	unwatchFault(m.addr)
	return unix.MunmapPtr(m.p, uintptr(m.length))
}
