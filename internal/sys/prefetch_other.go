//go:build !amd64 && !arm64

package sys

// PrefetchLen is how many bytes PrefetchWrite covers.
const PrefetchLen = 512

// PrefetchWrite does nothing on this CPU.
func (m Mem) PrefetchWrite(uint64) {}
