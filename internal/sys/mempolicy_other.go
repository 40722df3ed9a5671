//go:build !linux

package sys

import "errors"

// BindNode is not known to this system.
func BindNode([]byte, int) error { return errors.ErrUnsupported }

// PageNodes is not known to this system.
func PageNodes([]byte, func(node int)) error { return errors.ErrUnsupported }
