package sys

import "golang.org/x/sys/unix"

// Scheduling is a thread's scheduling class and its parameters. The zero Scheduling is the class of ordinary threads, nice 0.
type Scheduling struct{ attr unix.SchedAttr }

// FIFO is the real-time class SCHED_FIFO at a priority from 1 to 99.
func FIFO(priority int) Scheduling {
	return Scheduling{unix.SchedAttr{Policy: unix.SCHED_FIFO, Priority: uint32(priority)}}
}

// ThreadScheduling returns how the calling thread is scheduled.
func ThreadScheduling() (Scheduling, error) {
	attr, err := unix.SchedGetAttr(0, 0)
	if err != nil {
		return Scheduling{}, err
	}
	return Scheduling{*attr}, nil
}

// Apply schedules the calling thread so; lock the goroutine to its thread first. Raising a class or priority is EPERM without
// CAP_SYS_NICE or room in RLIMIT_RTPRIO.
func (s Scheduling) Apply() error {
	s.attr.Size = unix.SizeofSchedAttr
	return unix.SchedSetAttr(0, &s.attr, 0)
}

// Realtime reports whether the class is SCHED_FIFO, SCHED_RR or SCHED_DEADLINE.
func (s Scheduling) Realtime() bool {
	switch s.attr.Policy {
	case unix.SCHED_FIFO, unix.SCHED_RR, unix.SCHED_DEADLINE:
		return true
	}
	return false
}
