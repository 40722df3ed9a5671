//go:build !linux

package sys

import (
	"errors"
	"time"
)

// Tap puts frames on an interface and takes them. This system has none.
type Tap struct{}

// OpenTap answers errors.ErrUnsupported.
func OpenTap(string) (*Tap, error) { return nil, errors.ErrUnsupported }

// Close is never reached: no Tap exists.
func (t *Tap) Close() error { return errors.ErrUnsupported }

// Send is never reached: no Tap exists.
func (t *Tap) Send([]byte) error { return errors.ErrUnsupported }

// Recv is never reached: no Tap exists.
func (t *Tap) Recv([]byte, time.Duration) (int, error) { return 0, errors.ErrUnsupported }
