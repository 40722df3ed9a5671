//go:build !linux

package sys

import "errors"

// Queues are of Linux; here there are none.
type Queues struct{}

// OpenQueues answers errors.ErrUnsupported.
func OpenQueues(string) (*Queues, error) { return nil, errors.ErrUnsupported }

// Count is 0.
func (*Queues) Count() int { return 0 }

// Close has nothing to close.
func (*Queues) Close() error { return nil }

// SetQueues answers errors.ErrUnsupported.
func SetQueues(string, int, int) error { return errors.ErrUnsupported }

// SetChecksums answers errors.ErrUnsupported.
func SetChecksums(string, bool) error { return errors.ErrUnsupported }
