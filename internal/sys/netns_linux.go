package sys

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

var errNoReturn = errors.New("function in network namespace ended its goroutine")

const netnsDir = "/run/netns" // where ip-netns(8) keeps them

// EnterNetns moves the calling thread into the network namespace that ip-netns(8) calls name; lock the goroutine to its thread first,
// and do not unlock it. Sockets opened on the thread belong to the namespace wherever they are used. It needs CAP_SYS_ADMIN.
func EnterNetns(name string) error {
	if name == "" || name != filepath.Base(name) {
		return fmt.Errorf("network namespace %q: not a name", name)
	}
	if err := setNetns(filepath.Join(netnsDir, name)); err != nil {
		return fmt.Errorf("network namespace %s: %w", name, err)
	}
	return nil
}

func setNetns(path string) error {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return errors.Join(unix.Setns(fd, unix.CLONE_NEWNET), unix.Close(fd))
}

// InNetns runs fn on a thread inside the network namespace that ip-netns(8) calls name, waits for it and returns its error. What fn
// starts in goroutines of its own runs outside. A thread that cannot return from the namespace ends with fn.
func InNetns(name string, fn func() error) error {
	done := make(chan error, 1)
	go func() {
		var err error
		defer func() { done <- err }()
		runtime.LockOSThread()
		home, openErr := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if openErr != nil {
			err = fmt.Errorf("network namespace of this thread: %w", openErr)
			return
		}
		defer func() {
			if unix.Setns(home, unix.CLONE_NEWNET) == nil {
				runtime.UnlockOSThread()
			}
			err = errors.Join(err, unix.Close(home))
		}()
		if err = EnterNetns(name); err != nil {
			return
		}
		err = errNoReturn // what stays when fn ends its goroutine, as a failing test does
		err = fn()
	}()
	return <-done
}
