//go:build !linux

package sys

import (
	"errors"
	"io/fs"
	"os"
)

// HugePage is the page size of memory and files asked for with huge pages.
const HugePage = 2 << 20

// Mapping is memory of a file shared with whoever maps it too. This system has none that Pulse uses.
type Mapping struct{ Mem }

// Map answers errors.ErrUnsupported.
func Map(*os.File, int64, int, bool) (*Mapping, error) { return nil, errors.ErrUnsupported }

// MapDouble answers errors.ErrUnsupported.
func MapDouble(*os.File, int64, int, bool, int) (*Mapping, error) { return nil, errors.ErrUnsupported }

// OnFault is never reached: no Mapping exists.
func (m *Mapping) OnFault(err error) { watchFault(0, 0, err) }

// All is never reached: no Mapping exists.
func (m *Mapping) All() []byte { return nil }

// Len is never reached: no Mapping exists.
func (m *Mapping) Len() int { return 0 }

// Prefault is never reached: no Mapping exists.
func (m *Mapping) Prefault() error { return errors.ErrUnsupported }

// Populate is never reached: no Mapping exists.
func (m *Mapping) Populate(int, int) error { return errors.ErrUnsupported }

// Unmap is never reached: no Mapping exists.
func (m *Mapping) Unmap() error { unwatchFault(0); return errors.ErrUnsupported }

// Memfd answers errors.ErrUnsupported.
func Memfd(string, int64, bool) (*os.File, error) { return nil, errors.ErrUnsupported }

// Unlinked answers errors.ErrUnsupported.
func Unlinked(string, int64, fs.FileMode, int) (*os.File, error) { return nil, errors.ErrUnsupported }

// Link answers errors.ErrUnsupported.
func Link(*os.File, string) error { return errors.ErrUnsupported }

// OpenShared answers errors.ErrUnsupported.
func OpenShared(string, bool) (*os.File, error) { return nil, errors.ErrUnsupported }

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
	HugePages bool // the file lies on huge pages
}

// DiskSpace answers errors.ErrUnsupported.
func DiskSpace(string) (free, size uint64, err error) { return 0, 0, errors.ErrUnsupported }

// Facts answers errors.ErrUnsupported.
func Facts(*os.File) (FileFacts, error) { return FileFacts{}, errors.ErrUnsupported }

// LockDir answers errors.ErrUnsupported.
func LockDir(string) (*os.File, error) { return nil, errors.ErrUnsupported }

// LockByte answers errors.ErrUnsupported.
func LockByte(*os.File, int64) (bool, error) { return false, errors.ErrUnsupported }

// UnlockByte answers errors.ErrUnsupported.
func UnlockByte(*os.File, int64) error { return errors.ErrUnsupported }

// ByteHeld answers errors.ErrUnsupported.
func ByteHeld(*os.File, int64) (bool, error) { return false, errors.ErrUnsupported }

// AnyHeld answers errors.ErrUnsupported.
func AnyHeld(*os.File) (bool, error) { return false, errors.ErrUnsupported }

// Reopen answers errors.ErrUnsupported.
func Reopen(*os.File) (*os.File, error) { return nil, errors.ErrUnsupported }

// SyncData answers errors.ErrUnsupported.
func SyncData(*os.File) error { return errors.ErrUnsupported }
