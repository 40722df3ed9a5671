//go:build amd64 || arm64

package sys

import "unsafe"

// PrefetchLen is how many bytes PrefetchWrite covers.
const PrefetchLen = 512

// PrefetchWrite asks for the PrefetchLen bytes at off to be owned by this core's cache, since they will be written
// (PREFETCHW, PRFM PSTL1KEEP). It is a hint, touches nothing and cannot fault.
func (m Mem) PrefetchWrite(off uint64) { prefetchWrite(unsafe.Add(m.p, off)) }

//go:noescape
func prefetchWrite(p unsafe.Pointer)
