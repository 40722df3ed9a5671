//go:build !linux

package sys

import (
	"errors"
	"time"
)

// Card is of Linux; here it says nothing.
type Card struct {
	Ring, RingMax int
	Coalesces     bool
	WaitMicros    int
	Adaptive      bool
}

// CardOf answers errors.ErrUnsupported.
func CardOf(string) (Card, error) { return Card{}, errors.ErrUnsupported }

// LargeReceive answers errors.ErrUnsupported.
func LargeReceive(string) (bool, error) { return false, errors.ErrUnsupported }

// ClockDiscipline answers errors.ErrUnsupported.
func ClockDiscipline() (bool, time.Duration, error) { return false, 0, errors.ErrUnsupported }

// FreeBytes answers errors.ErrUnsupported.
func FreeBytes(string) (uint64, error) { return 0, errors.ErrUnsupported }
