package netlab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/alphapulse/transport/internal/sys"
)

const (
	netnsDir = "/run/netns"        // where ip-netns(8) keeps names
	claimDir = "/run/pulse-netlab" // a file for each lab, locked by the process that has it
)

// claim is a lab's name, which a lock keeps. The kernel gives the lock back however the process ends, and to nobody who gets its
// process number next.
type claim struct {
	name string // pulse-PID, or pulse-PID.N for further labs of the process
	n    int
	file *os.File
}

// labOf takes the lab's name and process number from the name of a namespace or of a claim's file.
var labOf = regexp.MustCompile(`^(pulse-([0-9]+)(?:\.[0-9]+)?)(?:-.*)?$`)

// claimLab removes what is left of dead labs and takes a name. Whoever makes or removes files here holds the directory's lock.
func claimLab() (*claim, error) {
	if err := os.MkdirAll(claimDir, 0o755); err != nil {
		return nil, err
	}
	dir, err := sys.LockDir(claimDir)
	if err != nil {
		return nil, err
	}
	sweep() // first: a dead process may have had this one's number
	c, err := takeName()
	if err := errors.Join(err, dir.Close()); err != nil {
		return nil, err
	}
	return c, nil
}

// takeName finds the first number that no lab of this process has; there is one among as many as networks.
func takeName() (*claim, error) {
	for n := range 256 {
		name := fmt.Sprintf("pulse-%d", os.Getpid())
		if n > 0 {
			name += "." + strconv.Itoa(n)
		}
		file, free, err := tryLock(name, os.O_CREATE)
		if err != nil {
			return nil, err
		}
		if free {
			return &claim{name, n, file}, nil
		}
	}
	return nil, errors.New("256 labs in one process")
}

// tryLock locks a claim's file, or says that somebody living has it.
func tryLock(name string, flag int) (file *os.File, free bool, err error) {
	file, err = os.OpenFile(filepath.Join(claimDir, name), os.O_RDWR|flag, 0o600)
	if err != nil {
		return nil, false, err
	}
	if free, err = sys.LockByte(file, 0); err != nil || !free {
		return nil, false, errors.Join(err, file.Close())
	}
	return file, true, nil
}

// net is the lab's number within its process, part of its addresses.
func (c *claim) net() byte { return byte(c.n) }

// release gives the name back.
func (c *claim) release() error {
	dir, err := sys.LockDir(claimDir)
	if err != nil {
		return errors.Join(err, c.file.Close())
	}
	return errors.Join(c.remove(), dir.Close())
}

func (c *claim) remove() error { return errors.Join(os.Remove(c.file.Name()), c.file.Close()) }

// sweep removes namespaces and claims of labs whose process is gone. It leaves alone what is not named as this package names. What
// cannot be removed now is left to the next sweep: it is in nobody's way.
func sweep() {
	dead := map[string]bool{} // by lab
	for _, ns := range list(netnsDir) {
		m := labOf.FindStringSubmatch(ns)
		if m == nil || m[1] == ns {
			continue
		}
		if _, known := dead[m[1]]; !known {
			dead[m[1]] = gone(m[1], m[2])
		}
		if dead[m[1]] {
			_ = ip("netns", "del", ns)
		}
	}
	for _, name := range list(claimDir) {
		if m := labOf.FindStringSubmatch(name); m != nil && m[1] == name && gone(name, m[2]) {
			_ = os.Remove(filepath.Join(claimDir, name))
		}
	}
}

// gone reports whether nobody holds the lab's claim. If there is no such file, or it does not say, a living process of that number has
// the benefit of the doubt.
func gone(lab, pid string) bool {
	file, free, err := tryLock(lab, 0)
	if err != nil {
		_, err := os.Stat(filepath.Join("/proc", pid))
		return errors.Is(err, fs.ErrNotExist)
	}
	if free {
		_ = file.Close() // which gives the lock back
	}
	return free
}

// list is the names in a directory; one that is not there is empty.
func list(dir string) (names []string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
