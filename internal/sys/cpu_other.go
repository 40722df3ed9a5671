//go:build !amd64 && !arm64

package sys

import (
	"runtime"
	"sync/atomic"
	"time"
)

var (
	started   = time.Now()
	fenceWord atomic.Uint32
)

// Pause tells the CPU that the caller spins.
func Pause() { runtime.Gosched() }

// Ticks returns nanoseconds of the monotonic clock.
func Ticks() uint64 { return uint64(time.Since(started)) }

// StoreFence is a full fence.
func StoreFence() { fenceWord.Add(1) }

// LoadFence keeps loads before it before loads after it.
func LoadFence() { fenceWord.Load() }
