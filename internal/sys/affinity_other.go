//go:build !linux

package sys

import "errors"

// Affinity is not known to this system.
func Affinity() ([]int, error) { return nil, errors.ErrUnsupported }

// SetAffinity is not known to this system.
func SetAffinity([]int) error { return errors.ErrUnsupported }
