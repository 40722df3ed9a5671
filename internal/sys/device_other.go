//go:build !linux

package sys

import "errors"

// DeviceOf answers errors.ErrUnsupported.
func DeviceOf(string) (Device, error) { return Device{}, errors.ErrUnsupported }

// FeaturesOf answers errors.ErrUnsupported.
func FeaturesOf(int) (DeviceFeatures, error) { return DeviceFeatures{}, errors.ErrUnsupported }
