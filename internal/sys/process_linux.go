package sys

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// OwnGroup has a program start as the leader of a session and a process group of its own: signals of our terminal pass it by.
func OwnGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// SignalGroup signals every process of the group that pid leads.
func SignalGroup(pid int, s syscall.Signal) error { return unix.Kill(-pid, s) }
