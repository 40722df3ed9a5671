//go:build !linux

package sys

import "errors"

// Mlock is not known to this system.
func Mlock([]byte) error { return errors.ErrUnsupported }

// MemlockLimit is not known to this system.
func MemlockLimit() (uint64, error) { return 0, errors.ErrUnsupported }

// Populate is not known to this system.
func Populate([]byte) error { return errors.ErrUnsupported }
