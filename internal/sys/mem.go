package sys

import (
	"sync/atomic"
	"unsafe"
)

// Mem is the start of a piece of memory addressed by byte offset: mapped, or on the Go heap. It carries no length:
// whoever holds a Mem has checked the offset. The zero Mem is not valid.
//
// Loads acquire and stores release: what was written before a store is seen by whoever loads the stored value.
type Mem struct {
	p unsafe.Pointer
}

// Load64 loads the 8-aligned word at off with acquire order.
func (m Mem) Load64(off uint64) uint64 {
	return atomic.LoadUint64((*uint64)(unsafe.Add(m.p, off)))
}

// Load32 loads the 4-aligned word at off with acquire order.
func (m Mem) Load32(off uint64) uint32 {
	return atomic.LoadUint32((*uint32)(unsafe.Add(m.p, off)))
}

// Or32 sets bits of the word at off and returns the word as it is afterwards. It is a full fence.
func (m Mem) Or32(off uint64, bits uint32) uint32 {
	return atomic.OrUint32((*uint32)(unsafe.Add(m.p, off)), bits) | bits
}

// Add32 adds d to the word at off and returns the sum. It is a full fence.
func (m Mem) Add32(off uint64, d uint32) uint32 {
	return atomic.AddUint32((*uint32)(unsafe.Add(m.p, off)), d)
}

// Or64 sets bits of the word at off. It is a full fence.
func (m Mem) Or64(off uint64, bits uint64) {
	atomic.OrUint64((*uint64)(unsafe.Add(m.p, off)), bits)
}

// AndNot64 clears bits of the word at off. It is a full fence.
func (m Mem) AndNot64(off uint64, bits uint64) {
	atomic.AndUint64((*uint64)(unsafe.Add(m.p, off)), ^bits)
}

// Swap64 stores v at off. Unlike Store64 it is a full fence: later loads do not pass it.
func (m Mem) Swap64(off uint64, v uint64) uint64 {
	return atomic.SwapUint64((*uint64)(unsafe.Add(m.p, off)), v)
}

// Word32 returns the word at off for FutexWait and FutexWake. It is valid as long as the memory is.
func (m Mem) Word32(off uint64) *uint32 {
	return (*uint32)(unsafe.Add(m.p, off))
}

// maxBytes bounds what Bytes lends: a constant lets the compiler check a length with one comparison.
const maxBytes = 1 << 30

// Bytes lends the n bytes at off, n at most 1 GiB. They are valid as long as the memory is.
func (m Mem) Bytes(off, n uint64) []byte {
	return (*[maxBytes]byte)(unsafe.Add(m.p, off))[:n:n]
}

// CopyTo copies len(dst) bytes at off that another thread may be overwriting. The caller finds out afterwards whether
// the copy is whole. The race detector does not watch the source.
//
//go:norace
func (m Mem) CopyTo(dst []byte, off uint64) {
	copy(dst, (*[maxBytes]byte)(unsafe.Add(m.p, off))[:len(dst):len(dst)])
}

// At returns the memory n bytes further on.
func (m Mem) At(n uint64) Mem {
	return Mem{unsafe.Add(m.p, n)}
}

// Heap returns n bytes of zeroed, 64-byte aligned Go heap. They live as long as the Mem does.
func Heap(n int) Mem {
	words := make([]uint64, (n+7)/8+8)
	at := uintptr(unsafe.Pointer(&words[0]))
	return Mem{unsafe.Add(unsafe.Pointer(&words[0]), (64-at%64)%64)}
}
