//go:build !amd64 || race

package sys

import (
	"sync/atomic"
	"unsafe"
)

// Store64 stores v in the 8-aligned word at off with release order.
func (m Mem) Store64(off, v uint64) {
	atomic.StoreUint64((*uint64)(unsafe.Add(m.p, off)), v)
}

// Store32 stores v in the 4-aligned word at off with release order.
func (m Mem) Store32(off uint64, v uint32) {
	atomic.StoreUint32((*uint32)(unsafe.Add(m.p, off)), v)
}

// PlainStores says whether later loads may pass Store64 and Store32. Go's atomics are sequentially consistent among each
// other (STLR and LDAR on arm64, XCHG on amd64), so here they do not.
const PlainStores = false

// Touch does nothing here: a load with acquire order would hold up the loads behind it, and the race detector would
// take it for a use of what it finds.
func (m Mem) Touch(uint64) {}
