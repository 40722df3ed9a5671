//go:build !linux

package sys

import "errors"

// Arena answers errors.ErrUnsupported.
func Arena(int) (*Mapping, error) { return nil, errors.ErrUnsupported }
