package sys

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Mlock brings mem's pages in and keeps them in memory until they are unmapped. It returns ENOMEM, EPERM or EAGAIN when
// RLIMIT_MEMLOCK does not allow it.
func Mlock(mem []byte) error {
	if len(mem) == 0 {
		return nil
	}
	return unix.Mlock(mem)
}

// MemlockLimit returns the bytes this process may lock without CAP_IPC_LOCK.
func MemlockLimit() (uint64, error) {
	var limit unix.Rlimit
	err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit)
	return limit.Cur, err
}

// Populate brings in every page of mem, for writing where the mapping allows it, and changes no byte. It needs Linux 5.14 and
// returns errors.ErrUnsupported before. mem starts on a page. EFAULT means the file behind mem is too short, ENOMEM or EHWPOISON
// that memory is out or bad.
func Populate(mem []byte) error {
	if len(mem) == 0 {
		return nil
	}
	err := unix.Madvise(mem, unix.MADV_POPULATE_WRITE)
	if errors.Is(err, unix.EINVAL) { // a read-only mapping, or an old kernel
		err = unix.Madvise(mem, unix.MADV_POPULATE_READ)
	}
	if errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("populate pages: %w (needs Linux 5.14 and whole pages)", errors.ErrUnsupported)
	}
	return err
}
