//go:build !linux

package sys

import "errors"

// EnterNetns answers errors.ErrUnsupported.
func EnterNetns(string) error { return errors.ErrUnsupported }

// InNetns answers errors.ErrUnsupported.
func InNetns(string, func() error) error { return errors.ErrUnsupported }
