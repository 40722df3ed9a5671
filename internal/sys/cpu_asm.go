//go:build amd64 || arm64

package sys

// Pause tells the CPU that the caller spins: PAUSE on amd64 (about 25–30 ns on recent cores), YIELD on arm64.
//
//go:noescape
func Pause()

// Ticks reads the CPU's own counter: RDTSC on amd64, CNTVCT on arm64. Its rate is constant on machines whose flags say
// constant_tsc and nonstop_tsc; compare it with the monotonic clock to learn the rate.
//
//go:noescape
func Ticks() uint64

// StoreFence is a full fence: MFENCE on amd64, DMB ISH on arm64.
//
//go:noescape
func StoreFence()
