package sys

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// HugePage is the page size of memory and files asked for with huge pages.
const HugePage = 2 << 20

const hugetlbfsMagic = 0x958458f6

// Memfd creates an anonymous file of size zeroed bytes, on huge pages when asked; its size is sealed.
func Memfd(name string, size int64, huge bool) (*os.File, error) {
	flags := unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	if huge {
		flags |= unix.MFD_HUGETLB | unix.MFD_HUGE_2MB
	}
	fd, err := unix.MemfdCreate(name, flags)
	if err != nil {
		return nil, fmt.Errorf("memfd %s: %w", name, err)
	}
	f := os.NewFile(uintptr(fd), "memfd:"+name)
	if err := allocate(f, size); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL); err != nil {
		return nil, errors.Join(fmt.Errorf("seal %s: %w", f.Name(), err), f.Close())
	}
	return f, nil
}

func allocate(f *os.File, size int64) error {
	if err := unix.Fallocate(int(f.Fd()), 0, 0, size); err != nil {
		return fmt.Errorf("allocate %d bytes for %s: %w", size, f.Name(), err)
	}
	return nil
}

// Unlinked creates a file of size zeroed bytes in dir that has no name yet (O_TMPFILE): a process that dies before
// Link leaves nothing behind. Its blocks are allocated, so a full file system shows now and not at first touch.
func Unlinked(dir string, size int64, mode fs.FileMode, gid int) (*os.File, error) {
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, uint32(mode.Perm()))
	if err != nil {
		return nil, &fs.PathError{Op: "create in", Path: dir, Err: err}
	}
	f := os.NewFile(uintptr(fd), filepath.Join(dir, "(unnamed)"))
	if err := errors.Join(allocate(f, size), f.Chmod(mode)); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if gid >= 0 {
		if err := f.Chown(-1, gid); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return f, nil
}

// Link gives an Unlinked file its name. It fails with fs.ErrExist when the name is taken.
func Link(f *os.File, path string) error {
	old := "/proc/self/fd/" + strconv.Itoa(int(f.Fd()))
	if err := unix.Linkat(unix.AT_FDCWD, old, unix.AT_FDCWD, path, unix.AT_SYMLINK_FOLLOW); err != nil {
		return &fs.PathError{Op: "link", Path: path, Err: err}
	}
	return nil
}

// OpenShared opens an existing file that is no symbolic link.
func OpenShared(path string, writable bool) (*os.File, error) {
	flags := unix.O_RDONLY
	if writable {
		flags = unix.O_RDWR
	}
	fd, err := unix.Open(path, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

// FileFacts is what a process checks before it trusts a file that another process made.
type FileFacts struct {
	Regular   bool
	Size      int64
	UID, GID  int
	Mode      fs.FileMode // permission bits
	Sticky    bool        // of a directory: only owners remove what is in it
	Links     int
	Inode     uint64
	Device    uint64
	HugePages bool // the file lies on hugetlbfs
}

// DiskSpace is how many bytes the file system of path has left for who is not root, and how many it has.
func DiskSpace(path string) (free, size uint64, err error) {
	var sfs unix.Statfs_t
	if err := unix.Statfs(path, &sfs); err != nil {
		return 0, 0, &fs.PathError{Op: "statfs", Path: path, Err: err}
	}
	return sfs.Bavail * uint64(sfs.Bsize), sfs.Blocks * uint64(sfs.Bsize), nil
}

// Facts reads what the kernel knows of f.
func Facts(f *os.File) (FileFacts, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return FileFacts{}, fmt.Errorf("stat %s: %w", f.Name(), err)
	}
	var sfs unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &sfs); err != nil {
		return FileFacts{}, fmt.Errorf("statfs %s: %w", f.Name(), err)
	}
	return FileFacts{
		Regular: st.Mode&unix.S_IFMT == unix.S_IFREG, Size: st.Size, UID: int(st.Uid), GID: int(st.Gid),
		Mode: fs.FileMode(st.Mode & 0o777), Links: int(st.Nlink), Inode: st.Ino, Device: uint64(st.Dev),
		Sticky: st.Mode&unix.S_ISVTX != 0, HugePages: int64(sfs.Type) == hugetlbfsMagic,
	}, nil
}

// LockDir takes the lock that creators of files in dir hold, and waits for it. Closing the file gives it back, and so
// does the death of the process.
func LockDir(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
		if err != unix.EINTR {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", dir, err), f.Close())
	}
	return f, nil
}

// LockByte takes the byte at off for this open file (F_OFD_SETLK, since Linux 3.15). It reports false when another open
// file holds it. The kernel gives it back when the last descriptor of this open file closes, however the process ends.
func LockByte(f *os.File, off int64) (bool, error) {
	lk := unix.Flock_t{Type: unix.F_WRLCK, Start: off, Len: 1}
	err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &lk)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return false, nil
	}
	return err == nil, err
}

// UnlockByte gives the byte at off back.
func UnlockByte(f *os.File, off int64) error {
	lk := unix.Flock_t{Type: unix.F_UNLCK, Start: off, Len: 1}
	return unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &lk)
}

// ByteHeld reports whether another open file holds the byte at off.
func ByteHeld(f *os.File, off int64) (bool, error) {
	lk := unix.Flock_t{Type: unix.F_WRLCK, Start: off, Len: 1}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &lk); err != nil {
		return false, err
	}
	return lk.Type != unix.F_UNLCK, nil
}

// AnyHeld reports whether another open file holds any byte of f, or one beyond its end.
func AnyHeld(f *os.File) (bool, error) {
	lk := unix.Flock_t{Type: unix.F_WRLCK} // of length 0: to the end of all numbers
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &lk); err != nil {
		return false, err
	}
	return lk.Type != unix.F_UNLCK, nil
}

// Reopen opens the file behind f anew for reading and writing, also when its name is gone.
func Reopen(f *os.File) (*os.File, error) {
	fd, err := unix.Open("/proc/self/fd/"+strconv.Itoa(int(f.Fd())), unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open for writing", Path: f.Name(), Err: err}
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// SyncData writes what f holds to its device, and of its attributes what is needed to read it again (fdatasync).
func SyncData(f *os.File) error {
	if err := unix.Fdatasync(int(f.Fd())); err != nil {
		return &fs.PathError{Op: "sync", Path: f.Name(), Err: err}
	}
	return nil
}
