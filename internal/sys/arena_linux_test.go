package sys

import (
	"errors"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

func TestArenaIsZeroedAndItsOwn(t *testing.T) {
	for _, n := range []int{1, 4096, 4097, HugePage + 1} {
		m, err := Arena(n)
		if err != nil {
			t.Fatal(err)
		}
		if m.Len() != n || len(m.All()) != n {
			t.Errorf("%d bytes, want %d", m.Len(), n)
		}
		for i, b := range m.All() {
			if b != 0 {
				t.Fatalf("byte %d of %d is %d", i, n, b)
			}
			m.All()[i] = 1
		}
		if err := m.Unmap(); err != nil {
			t.Error(err)
		}
	}
	for _, n := range []int{0, -1, maxBytes + 1} {
		if _, err := Arena(n); !errors.Is(err, unix.EINVAL) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestTouchLeavesNoPageOut(t *testing.T) {
	page := unix.Getpagesize()
	m, err := Arena(3*page + 1)
	if err != nil {
		t.Fatal(err)
	}
	for i := range m.All() {
		m.All()[i] = 1
	}
	touch(m.All())
	for i, b := range m.All() {
		if (b == 0) != (i%page == 0) {
			t.Fatalf("byte %d is %d", i, b)
		}
	}
	if err := m.Unmap(); err != nil {
		t.Error(err)
	}
}

func TestCarvedSlotsLieOnCacheLinesAndApart(t *testing.T) {
	m, err := Arena(slotBytes[byte](65) + slotBytes[iovec](3) + slotBytes[mmsghdr](2))
	if err != nil {
		t.Fatal(err)
	}
	c := carve{m: m}
	a, b, d := slots[byte](&c, 65), slots[iovec](&c, 3), slots[mmsghdr](&c, 2)
	at := func(p unsafe.Pointer) uintptr { return uintptr(p) - m.addr }
	if at(unsafe.Pointer(&a[0])) != 0 || at(unsafe.Pointer(&b[0])) != 128 || at(unsafe.Pointer(&d[0])) != 192 || int(c.off) != m.Len() {
		t.Error(at(unsafe.Pointer(&b[0])), at(unsafe.Pointer(&d[0])), c.off, m.Len())
	}
	if err := m.Unmap(); err != nil {
		t.Error(err)
	}
}
