//go:build !linux

package sys

import "errors"

// Mount is not known to this system.
func Mount(fstype, target string) error { return errors.ErrUnsupported }

// PowerOff is not known to this system.
func PowerOff() error { return errors.ErrUnsupported }

// LoadModule is not known to this system.
func LoadModule(path string) error { return errors.ErrUnsupported }
