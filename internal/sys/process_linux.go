package sys

import (
	"errors"
	"math"
	"syscall"

	"golang.org/x/sys/unix"
)

// OwnGroup has a program start as the leader of a session and a process group of its own: signals of our terminal pass it by.
func OwnGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// SignalGroup signals every process of the group that pid leads.
func SignalGroup(pid int, s syscall.Signal) error { return unix.Kill(-pid, s) }

// KeepFiles has programs that we start from now on inherit none of our open files but the first three: not those that we inherited either,
// whose locks a program would go on holding. Before Linux 5.11 it does nothing.
func KeepFiles() error {
	err := unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL) {
		return nil
	}
	return err
}
