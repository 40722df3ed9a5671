package sys

import (
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	policyNodes = 8192 // bits of a node mask; more than any kernel has
	pagesBatch  = 512  // pages of one move_pages call
)

// BindNode makes mem's pages come from one node and moves the pages there that are present (mbind with MPOL_BIND, MPOL_MF_MOVE and
// MPOL_MF_STRICT). mem starts on a page. It returns EINVAL for a node that is not there or not allowed, EIO when a present page
// could not be moved.
func BindNode(mem []byte, node int) error {
	if len(mem) == 0 {
		return nil
	}
	if node < 0 || node >= policyNodes-1 || uintptr(unsafe.Pointer(&mem[0]))%uintptr(os.Getpagesize()) != 0 {
		return unix.EINVAL
	}
	var mask [policyNodes / 64]uint64
	mask[node/64] = 1 << (node % 64)
	// The kernel reads one bit less than it is told.
	_, _, e := unix.Syscall6(unix.SYS_MBIND, uintptr(unsafe.Pointer(&mem[0])), uintptr(len(mem)), unix.MPOL_BIND,
		uintptr(unsafe.Pointer(&mask)), uintptr(node+2), unix.MPOL_MF_MOVE|unix.MPOL_MF_STRICT)
	runtime.KeepAlive(mem)
	if e != 0 {
		return e
	}
	return nil
}

// PageNodes calls tell with the node of each page of mem in order, or with a negative errno for a page that is not present
// (move_pages without targets). It touches no page.
func PageNodes(mem []byte, tell func(node int)) error {
	if len(mem) == 0 {
		return nil
	}
	page := uintptr(os.Getpagesize())
	start := uintptr(unsafe.Pointer(&mem[0])) &^ (page - 1)
	end := uintptr(unsafe.Pointer(&mem[0])) + uintptr(len(mem))
	var addrs [pagesBatch]uintptr
	var status [pagesBatch]int32
	for start < end {
		n := 0
		for ; n < pagesBatch && start < end; n++ {
			addrs[n] = start
			start += page
		}
		_, _, e := unix.Syscall6(unix.SYS_MOVE_PAGES, 0, uintptr(n), uintptr(unsafe.Pointer(&addrs)), 0, uintptr(unsafe.Pointer(&status)), 0)
		if e != 0 {
			return e
		}
		for _, s := range status[:n] {
			tell(int(s))
		}
	}
	runtime.KeepAlive(mem)
	return nil
}
