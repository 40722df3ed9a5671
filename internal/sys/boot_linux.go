package sys

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Mount mounts a kernel file system, such as proc or tmpfs, at a directory that exists.
func Mount(fstype, target string) error { return unix.Mount(fstype, target, fstype, 0, "") }

// PowerOff switches the machine off at once, without syncing disks. It returns only an error.
func PowerOff() error { return unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF) }

// LoadModule loads a kernel module from a file, which may be compressed (since Linux 5.17, by the suffix of its name).
func LoadModule(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	flags := 0
	if !strings.HasSuffix(path, ".ko") {
		flags = unix.MODULE_INIT_COMPRESSED_FILE
	}
	return errors.Join(unix.FinitModule(int(f.Fd()), "", flags), f.Close())
}
