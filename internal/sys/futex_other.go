//go:build !linux

package sys

import (
	"runtime"
	"sync/atomic"
	"time"
)

const futexStep = 50 * time.Microsecond

// FutexWait sleeps while *word == value, at most timeout, by looking every 50 µs.
func FutexWait(word *uint32, value uint32, timeout time.Duration) error {
	return FutexWaitv([]*uint32{word}, []uint32{value}, timeout)
}

// FutexWaitv sleeps while every *words[i] == values[i], at most timeout, by looking every 50 µs.
func FutexWaitv(words []*uint32, values []uint32, timeout time.Duration) error {
	for end := time.Now().Add(timeout); time.Now().Before(end); time.Sleep(futexStep) {
		for i, w := range words {
			if atomic.LoadUint32(w) != values[i] {
				return nil
			}
		}
	}
	return nil
}

// FutexWake has nobody to wake: sleepers look by themselves.
func FutexWake(*uint32, int) (int, error) { return 0, nil }

// Yield gives the CPU to another goroutine.
func Yield() { runtime.Gosched() }
