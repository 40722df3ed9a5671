//go:build !linux

package sys

import "errors"

// DeviceOf answers errors.ErrUnsupported.
func DeviceOf(string) (Device, error) { return Device{}, errors.ErrUnsupported }
