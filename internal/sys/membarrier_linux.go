package sys

import "golang.org/x/sys/unix"

// Commands of membarrier(2), since Linux 4.16.
const (
	membarrierGlobalExpedited         = 1 << 1
	membarrierRegisterGlobalExpedited = 1 << 2
)

// RegisterMembarrier asks the kernel to include this process in every later Membarrier call of any process. A process
// registers before it relies on plain stores being ordered by the other side.
func RegisterMembarrier() error {
	return membarrier(membarrierRegisterGlobalExpedited)
}

// Membarrier makes every running thread of every registered process pass a full fence before it returns
// (MEMBARRIER_CMD_GLOBAL_EXPEDITED). It costs a few microseconds and is called only by whoever is about to sleep.
func Membarrier() error {
	return membarrier(membarrierGlobalExpedited)
}

func membarrier(cmd uintptr) error {
	if _, _, e := unix.Syscall(unix.SYS_MEMBARRIER, cmd, 0, 0); e != 0 {
		return e
	}
	return nil
}
