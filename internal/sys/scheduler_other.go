//go:build !linux

package sys

import "errors"

// Scheduling is a thread's scheduling class.
type Scheduling struct{}

// FIFO is the real-time class SCHED_FIFO.
func FIFO(int) Scheduling { return Scheduling{} }

// ThreadScheduling is not known to this system.
func ThreadScheduling() (Scheduling, error) { return Scheduling{}, errors.ErrUnsupported }

// Apply is not known to this system.
func (Scheduling) Apply() error { return errors.ErrUnsupported }

// Realtime reports whether the class is a real-time one.
func (Scheduling) Realtime() bool { return false }
