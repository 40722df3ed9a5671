//go:build !linux

package sys

import (
	"errors"
	"syscall"
)

// OwnGroup has a program start as others do.
func OwnGroup() *syscall.SysProcAttr { return nil }

// SignalGroup signals every process of a group, on Linux.
func SignalGroup(int, syscall.Signal) error { return errors.ErrUnsupported }

// KeepFiles does nothing where there is no close_range.
func KeepFiles() error { return nil }
