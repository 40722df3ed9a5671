// Command guestinit is the first process of an emulated machine that runs one test program and switches itself off.
//
// The life of one boot: the kernel unpacks its initial file system and starts /init, which is this program. It mounts the kernel's
// file systems, runs /t.test with the arguments in /args, one a line, and PULSE_GUEST=1 in its environment, prints
// GUEST-EXIT=<code> on the console and powers off. The emulator's own exit code says nothing, so whoever started it looks for that
// line.
//
// Limits: a test that runs longer than 90 seconds ends the machine with code 124. The program refuses to run as anything but
// process 1, because it would switch off the machine it is started on.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/alphapulse/transport/internal/sys"
)

const (
	patience    = 90 * time.Second
	codeBroken  = 125 // the test program could not be started
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
	{"cgroup2", "/sys/fs/cgroup"},
}

// run mounts, starts the test program and returns its exit code.
func run() (int, error) {
	for _, m := range mounts {
		if err := os.MkdirAll(m.target, 0o755); err != nil {
			return codeBroken, err
		}
		if err := sys.Mount(m.fstype, m.target); err != nil {
			return codeBroken, fmt.Errorf("mount %s: %w", m.target, err)
		}
	}
	args, err := os.ReadFile("/args")
	if err != nil {
		return codeBroken, err
	}
	test := exec.Command("/t.test", strings.Split(strings.TrimSpace(string(args)), "\n")...)
	test.Env = []string{"PULSE_GUEST=1", "HOME=/tmp", "TMPDIR=/tmp", "PATH=/"}
	test.Dir = "/tmp"
	test.Stdout, test.Stderr = os.Stdout, os.Stdout
	err = test.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	if err != nil {
		return codeBroken, err
	}
	return 0, nil
}

// end prints the line that is looked for and switches the machine off.
func end(code int) {
	fmt.Printf("\nGUEST-EXIT=%d\n", code)
	if err := sys.PowerOff(); err != nil {
		fmt.Println("guestinit: power off:", err)
	}
	select {}
}
