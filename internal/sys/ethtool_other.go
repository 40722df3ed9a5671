//go:build !linux

package sys

import "errors"

// SetQueues answers errors.ErrUnsupported.
func SetQueues(string, int) error { return errors.ErrUnsupported }

// SetChecksums answers errors.ErrUnsupported.
func SetChecksums(string, bool) error { return errors.ErrUnsupported }
