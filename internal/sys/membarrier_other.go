//go:build !linux

package sys

import "errors"

// RegisterMembarrier is not known to this system.
func RegisterMembarrier() error { return errors.ErrUnsupported }

// Membarrier is not known to this system.
func Membarrier() error { return errors.ErrUnsupported }
