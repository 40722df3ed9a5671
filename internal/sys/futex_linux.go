package sys

import (
	"errors"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	futexWait   = 0 // without FUTEX_PRIVATE_FLAG: the word may be shared with another process
	futexWake   = 1
	sysFutexWV  = 449 // futex_waitv, since Linux 5.16, the same number on amd64 and arm64
	futexWVSize = 2   // FUTEX2_SIZE_U32
	maxFutexWV  = 128 // FUTEX_WAITV_MAX
	wvFallback  = time.Millisecond
	clockMono   = unix.CLOCK_MONOTONIC
)

// FutexWait sleeps while *word == value, at most timeout. It returns nil when it was woken, when the word has another
// value, when a signal came, or when the time is over: the caller looks again in each case.
func FutexWait(word *uint32, value uint32, timeout time.Duration) error {
	ts := unix.NsecToTimespec(int64(timeout))
	_, _, e := unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWait, uintptr(value), uintptr(unsafe.Pointer(&ts)), 0, 0)
	return futexError(e)
}

func futexError(e unix.Errno) error {
	switch e {
	case 0, unix.EAGAIN, unix.EINTR, unix.ETIMEDOUT:
		return nil
	}
	return e
}

type futexWaiter struct {
	value uint64
	addr  uint64
	flags uint32
	_     uint32
}

// FutexWaitv sleeps while every *words[i] == values[i], at most timeout, and returns nil as FutexWait does. It takes at
// most 128 words. Where futex_waitv is missing (before Linux 5.16) it sleeps on the first word, at most 1 ms.
func FutexWaitv(words []*uint32, values []uint32, timeout time.Duration) error {
	switch {
	case len(words) == 0:
		return errors.New("futex: no word to wait on")
	case len(words) == 1:
		return FutexWait(words[0], values[0], timeout)
	case len(words) > maxFutexWV:
		return FutexWait(words[0], values[0], min(timeout, wvFallback))
	}
	var ws [maxFutexWV]futexWaiter
	for i, w := range words {
		ws[i] = futexWaiter{value: uint64(values[i]), addr: uint64(uintptr(unsafe.Pointer(w))), flags: futexWVSize}
	}
	var now unix.Timespec
	if err := unix.ClockGettime(clockMono, &now); err != nil {
		return err
	}
	end := unix.NsecToTimespec(now.Nano() + int64(timeout))
	_, _, e := unix.Syscall6(sysFutexWV, uintptr(unsafe.Pointer(&ws)), uintptr(len(words)), 0, uintptr(unsafe.Pointer(&end)), clockMono, 0)
	runtime.KeepAlive(words)
	if e == unix.ENOSYS || e == unix.EPERM {
		return FutexWait(words[0], values[0], min(timeout, wvFallback))
	}
	return futexError(e)
}

// FutexWake wakes at most n sleepers on word, in whatever process they are, and returns how many it woke.
func FutexWake(word *uint32, n int) (int, error) {
	woken, _, e := unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWake, uintptr(n), 0, 0, 0)
	if e != 0 {
		return 0, e
	}
	return int(woken), nil
}

// Yield gives the CPU to another thread that is ready to run (sched_yield).
func Yield() { unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0) }
