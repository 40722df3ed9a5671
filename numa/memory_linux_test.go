package numa

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/alphapulse/transport/internal/sys"
)

// withoutCapability runs fn on a thread that lacks a capability; the thread ends with it.
func withoutCapability(t *testing.T, bit uint, fn func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var caps [2]unix.CapUserData
		err := unix.Capget(&hdr, &caps[0])
		if err == nil {
			caps[bit/32].Effective &^= 1 << (bit % 32)
			err = unix.Capset(&hdr, &caps[0])
		}
		if err == nil {
			fn()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestLockNamesTheLimit(t *testing.T) {
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &before); err != nil {
		t.Fatal(err)
	}
	low := before
	low.Cur = uint64(4 * os.Getpagesize())
	if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &low); err != nil {
		t.Fatal(err)
	}
	defer unix.Setrlimit(unix.RLIMIT_MEMLOCK, &before)
	mem := mapped(t, 16)
	withoutCapability(t, unix.CAP_IPC_LOCK, func() {
		err := Lock(mem)
		if !errors.Is(err, ErrLimit) || !errors.Is(err, syscall.ENOMEM) || !strings.Contains(err.Error(), "LimitMEMLOCK") {
			t.Errorf("%v, want ErrLimit with the remedy", err)
		}
	})
}

func TestFIFOWithoutRightsNamesTheRemedy(t *testing.T) {
	withoutCapability(t, unix.CAP_SYS_NICE, func() {
		var limit unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_RTPRIO, &limit); err != nil || limit.Cur > 0 {
			return // this user may do it anyway
		}
		mask, _ := sys.Affinity()
		l := Loop{CPUs: mask[:1], FIFO: 50}
		err := l.Run(deadline(t), do(func() (int, error) { return 0, errors.New("the loop ran") }))
		if !errors.Is(err, os.ErrPermission) || !strings.Contains(err.Error(), "CAP_SYS_NICE") {
			t.Errorf("%v, want the missing right", err)
		}
		after, _ := sys.Affinity()
		equal(t, "mask after the refusal", after, mask)
	})
}

func TestParkedLoopUsesNoCPUTime(t *testing.T) {
	usage := func() time.Duration {
		var u unix.Rusage
		if err := unix.Getrusage(unix.RUSAGE_THREAD, &u); err != nil {
			t.Fatal(err)
		}
		return time.Duration(unix.TimevalToNsec(u.Utime) + unix.TimevalToNsec(u.Stime))
	}
	looks := 0
	b := newBox(0)
	b.took = func(int64) error {
		if looks++; looks == 10 {
			return errDone
		}
		return nil
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	used, began := usage(), time.Now()
	l := Loop{Idle: Idle{Spins: -1, Yields: -1, Nap: 10 * time.Millisecond}}
	if err := l.Run(deadline(t), b, newBox(0)); !errors.Is(err, errDone) {
		t.Fatal(err)
	}
	used, passed := usage()-used, time.Since(began)
	if used > passed/4 {
		t.Errorf("%v of CPU time in %v asleep", used, passed)
	}
}
