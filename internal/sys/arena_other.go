//go:build !linux

package sys

import "errors"

// Arena answers errors.ErrUnsupported.
func Arena(int) (*Mapping, error) { return nil, errors.ErrUnsupported }

// HugeArena answers errors.ErrUnsupported.
func HugeArena(int) (*Mapping, error) { return nil, errors.ErrUnsupported }
