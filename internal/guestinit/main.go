// Command guestinit is the first process of an emulated machine that runs test programs and switches itself off.
//
// The life of one boot: the kernel unpacks its initial file system and starts /init, which is this program. It prints the kernel's
// version, mounts the kernel's file systems, loads the modules that lie in / and runs what /tests says: on each line a program in /
// and its arguments, with PULSE_GUEST=1 in its environment. It prints GUEST-EXIT=<code>, the first that is not 0, on the console and
// powers off. The emulator's own exit code says nothing, so whoever started it looks for that line.
//
// Limits: tests that run longer than 90 seconds end the machine with code 124. Arguments have no spaces. Modules are loaded in the
// order of their names. The program refuses to run as anything but process 1, because it would switch off the machine it is started
// on.
package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/alphapulse/transport/internal/sys"
)

const (
	patience    = 90 * time.Second
	codeBroken  = 125 // a test program could not be started, or was killed
	codeTooLong = 124
)

func main() {
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "guestinit: runs only as process 1 of an emulated machine")
		os.Exit(2)
	}
	time.AfterFunc(patience, func() { end(codeTooLong) })
	code, err := run()
	if err != nil {
		fmt.Println("guestinit:", err)
	}
	end(code)
}

// mounts are made in order: a later one may lie inside an earlier one.
var mounts = []struct{ fstype, target string }{
	{"proc", "/proc"},
	{"sysfs", "/sys"},
	{"devtmpfs", "/dev"},
	{"tmpfs", "/dev/shm"},
	{"hugetlbfs", "/dev/hugepages"},
	{"tmpfs", "/tmp"},
	{"tmpfs", "/run"},
	{"cgroup2", "/sys/fs/cgroup"},
}

// run prepares the machine, runs all tests and returns the first exit code that is not 0.
func run() (code int, err error) {
	if err := prepare(); err != nil {
		return codeBroken, err
	}
	tests, err := os.ReadFile("/tests")
	if err != nil {
		return codeBroken, err
	}
	for line := range strings.Lines(strings.TrimSpace(string(tests))) {
		words := strings.Fields(line)
		one, err := test("/"+words[0], words[1:])
		if err != nil {
			return codeBroken, err
		}
		code = cmp.Or(code, one)
	}
	return code, nil
}

// prepare mounts, and loads modules.
func prepare() error {
	for _, m := range mounts {
		if err := os.MkdirAll(m.target, 0o755); err != nil {
			return err
		}
		if err := sys.Mount(m.fstype, m.target); err != nil {
			return fmt.Errorf("mount %s: %w", m.target, err)
		}
	}
	version, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return err
	}
	fmt.Printf("guest: Linux %s", version)
	// ip-netns(8) knows the directory by its old name.
	if err := errors.Join(os.MkdirAll("/var", 0o755), os.Symlink("/run", "/var/run")); err != nil {
		return err
	}
	modules, err := filepath.Glob("/*.ko*")
	if err != nil {
		return err
	}
	for _, m := range modules {
		if err := sys.LoadModule(m); err != nil {
			return fmt.Errorf("module %s: %w", m, err)
		}
	}
	return nil
}

// test runs a program and returns its exit code.
func test(program string, args []string) (int, error) {
	c := exec.Command(program, args...)
	c.Env = []string{"PULSE_GUEST=1", "PULSE_SCALE=20", "HOME=/tmp", "TMPDIR=/tmp", "PATH=/"}
	c.Dir = "/tmp"
	c.Stdout, c.Stderr = os.Stdout, os.Stdout
	err := c.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Exited() {
		return exit.ExitCode(), nil
	}
	return 0, err
}

// end prints the line that is looked for and switches the machine off.
func end(code int) {
	fmt.Printf("\nGUEST-EXIT=%d\n", code)
	if err := sys.PowerOff(); err != nil {
		fmt.Println("guestinit: power off:", err)
	}
	select {}
}
