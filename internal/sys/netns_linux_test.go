package sys

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// ownNetns moves the test into a network namespace of its own, where only loopback is, and up. The test's thread ends with it.
func ownNetns(t *testing.T) {
	t.Helper()
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); errors.Is(err, unix.EPERM) {
		t.Skip("needs CAP_SYS_ADMIN for a network namespace")
	} else if err != nil {
		t.Fatal(err)
	}
	setInterface(t, "lo", unix.SIOCSIFFLAGS, func(r *unix.Ifreq) error { r.SetUint16(unix.IFF_UP | unix.IFF_LOOPBACK); return nil })
}

// setInterface makes one ioctl on an interface, with the argument that fill fills in.
func setInterface(t *testing.T, ifname string, request uint, fill func(*unix.Ifreq) error) {
	t.Helper()
	ifr, err := unix.NewIfreq(ifname)
	if err != nil {
		t.Fatal(err)
	}
	if err := fill(ifr); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(unix.IoctlIfreq(fd, request, ifr), unix.Close(fd)); err != nil {
		t.Fatalf("interface %s, request %#x: %v", ifname, request, err)
	}
}

// namedNetns makes a network namespace as ip-netns(8) does and returns its name.
func namedNetns(t *testing.T) string {
	t.Helper()
	name := fmt.Sprintf("pulse-test-%d", os.Getpid())
	path := filepath.Join(netnsDir, name)
	made := make(chan error)
	go func() {
		runtime.LockOSThread() // ends here: its namespace lives on in the mount
		made <- func() error {
			if err := errors.Join(unix.Unshare(unix.CLONE_NEWNET), os.MkdirAll(netnsDir, 0o755)); err != nil {
				return err
			}
			if err := os.WriteFile(path, nil, 0o444); err != nil {
				return err
			}
			return unix.Mount("/proc/thread-self/ns/net", path, "", unix.MS_BIND, "")
		}()
	}()
	err := <-made
	t.Cleanup(func() { _ = os.Remove(path) })
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		t.Skipf("needs CAP_SYS_ADMIN for a network namespace: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(path, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return name
}

// netnsOf is the identity of the calling thread's network namespace.
func netnsOf(t *testing.T) string {
	s, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		t.Error(err)
	}
	return s
}

func TestSocketsOpenedInANamespaceStayThere(t *testing.T) {
	name := namedNetns(t)
	home := netnsOf(t)
	var inside *UDP
	err := InNetns(name, func() (err error) {
		if here := netnsOf(t); here == home {
			t.Errorf("still in %s", here)
		}
		inside, err = OpenUDP(UDPOptions{Bind: loop4})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer inside.Close()
	if here := netnsOf(t); here != home {
		t.Errorf("in %s, was in %s", here, home)
	}
	outside := openUDP(t, UDPOptions{Bind: loop4})
	if err := outside.SendOneTo([]byte("x"), addr(t, outside.Local())); err != nil {
		t.Error(err)
	}
	if err := inside.SendOneTo([]byte("x"), addr(t, outside.Local())); !errors.Is(err, unix.ENETUNREACH) {
		t.Errorf("loopback is down in there, but %v", err)
	}
}

func TestNamespaceFunctionReportsHowItEnded(t *testing.T) {
	name := namedNetns(t)
	home := netnsOf(t)
	fault := errors.New("fault")
	if err := InNetns(name, func() error { return fault }); !errors.Is(err, fault) {
		t.Error(err)
	}
	if err := InNetns(name, func() error { runtime.Goexit(); return nil }); !errors.Is(err, errNoReturn) {
		t.Error(err)
	}
	for range 100 { // no thread that was inside is handed on
		here := make(chan string)
		go func() { here <- netnsOf(t) }()
		if got := <-here; got != home {
			t.Fatalf("in %s, want %s", got, home)
		}
	}
}

func TestNamespaceThatIsNoneIsRefused(t *testing.T) {
	for _, name := range []string{"", ".", "..", "a/b", "../self", "no-such-namespace"} {
		if err := InNetns(name, func() error { return nil }); err == nil {
			t.Errorf("%q: entered", name)
		}
	}
}
