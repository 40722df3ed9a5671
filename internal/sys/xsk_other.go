//go:build !linux

package sys

import (
	"errors"
	"time"
)

// XSK is a socket of Linux; here there is none.
type XSK struct{}

// OpenXSK answers errors.ErrUnsupported.
func OpenXSK() (*XSK, error) { return nil, errors.ErrUnsupported }

// Register answers errors.ErrUnsupported.
func (*XSK) Register(*Mapping, int, bool) error { return errors.ErrUnsupported }

// MakeRings answers errors.ErrUnsupported.
func (*XSK) MakeRings(XSKSizes) error { return errors.ErrUnsupported }

// Rings are none.
func (*XSK) Rings() XSKRings { return XSKRings{} }

// Bind answers errors.ErrUnsupported.
func (*XSK) Bind(XSKBind) error { return errors.ErrUnsupported }

// ZeroCopy answers errors.ErrUnsupported.
func (*XSK) ZeroCopy() (bool, error) { return false, errors.ErrUnsupported }

// SendBudget answers errors.ErrUnsupported.
func (*XSK) SendBudget(int) error { return errors.ErrUnsupported }

// BusyPoll answers errors.ErrUnsupported.
func (*XSK) BusyPoll(time.Duration, int) error { return errors.ErrUnsupported }

// Statistics answers errors.ErrUnsupported.
func (*XSK) Statistics() (XSKStatistics, error) { return XSKStatistics{}, errors.ErrUnsupported }

// Kick answers errors.ErrUnsupported.
func (*XSK) Kick() error { return errors.ErrUnsupported }

// Poke answers errors.ErrUnsupported.
func (*XSK) Poke() error { return errors.ErrUnsupported }

// Wait answers errors.ErrUnsupported.
func (*XSK) Wait(time.Duration, bool) error { return errors.ErrUnsupported }

// FD is none.
func (*XSK) FD() int { return -1 }

// Close has nothing to close.
func (*XSK) Close() error { return nil }
