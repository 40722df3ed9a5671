package demo

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/alphapulse/transport/internal/sys"
)

// A demo that was not told a directory makes one of its own and removes it at the end. One that was killed leaves its own
// behind, and the next demo sweeps it. What may be swept is said by the book named ownerName in it: its lock is held as long
// as its demo lives, and its bookOwn word is 1 only where the directory is a demo's own. That word is stored by whoever
// holds the lock; a sweep takes the lock only where it is 1, so it never comes between the making of a book and its locking.

// ownerName is the book whose lock says that a demo lives.
const ownerName = "demo"

// dirPrefix and a process number name a demo's own directory.
const dirPrefix = "pulse-demo-"

var ownDirName = regexp.MustCompile("^" + dirPrefix + "[0-9]+$")

// holdDir takes a directory that the demo was told, and that is kept.
func holdDir(dir string) (release func() error, err error) {
	owner, err := openBook(dir, ownerName)
	if err != nil {
		return nil, err
	}
	owner.Store64(bookOwn, 0) // it may once have been some demo's own
	return owner.close, nil
}

// ownDir makes a directory in memory, and removes those of demos that were killed.
func ownDir() (dir string, remove func() error, err error) {
	root := os.TempDir()
	if st, err := os.Stat("/dev/shm"); err == nil && st.IsDir() {
		root = "/dev/shm"
	}
	sweep(root)
	return makeDir(filepath.Join(root, dirPrefix+strconv.Itoa(os.Getpid())))
}

// makeDir makes dir, which must not exist, as a demo's own.
func makeDir(dir string) (_ string, remove func() error, err error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", nil, fmt.Errorf("demo: %w: remove it, or choose another with --dir", err)
	}
	owner, err := openBook(dir, ownerName)
	if err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	owner.Store64(bookOwn, 1)
	return dir, func() error { return errors.Join(os.RemoveAll(dir), owner.close()) }, nil
}

// sweep removes the directories in root that were the own ones of this user's demos and have lost their demo.
func sweep(root string) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return
	}
	for _, e := range entries {
		dir := filepath.Join(root, e.Name())
		if e.IsDir() && ownDirName.MatchString(e.Name()) && ours(dir) {
			sweepDir(dir)
		}
	}
}

// sweepDir removes dir if its book can be had. What cannot be removed stays for the next sweep.
func sweepDir(dir string) {
	b, err := mapBook(filepath.Join(dir, ownerName+bookSuffix), true)
	if err != nil {
		return // no demo made it, or it is not there yet
	}
	defer func() { _ = b.close() }() // it was read, and its file is gone or as it was
	if b.Load64(bookOwn) != 1 {
		return
	}
	if mine, err := sys.LockByte(b.file, bookLock); err != nil || !mine || b.Load64(bookOwn) != 1 {
		return // its demo lives, or somebody has chosen to keep it
	}
	_ = os.RemoveAll(dir)
}

// ours: dir is no symbolic link and belongs to this user.
func ours(dir string) bool {
	f, err := sys.OpenShared(dir, false)
	if err != nil {
		return false
	}
	facts, err := sys.Facts(f)
	return f.Close() == nil && err == nil && facts.UID == os.Geteuid()
}
