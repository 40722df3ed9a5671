package sys

import "golang.org/x/sys/unix"

// Mount mounts a kernel file system, such as proc or tmpfs, at a directory that exists.
func Mount(fstype, target string) error { return unix.Mount(fstype, target, fstype, 0, "") }

// PowerOff switches the machine off at once, without syncing disks. It returns only an error.
func PowerOff() error { return unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF) }
