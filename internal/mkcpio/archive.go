package main

import (
	"fmt"
	"io"
	"math"
)

// File types and permissions as stat(2) has them.
const (
	modeDir    = 0o040755
	modeFile   = 0o100755
	modeDevice = 0o020600
)

// trailer is the name of the entry that ends an archive.
const trailer = "TRAILER!!!"

// archive writes entries of the form described in the kernel's Documentation/driver-api/early-userspace/buffer-format.rst:
//
//	"070701" ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check  (each 8 hex digits)
//	name NUL, zeros to a multiple of 4; content, zeros to a multiple of 4
type archive struct {
	w     io.Writer
	inode uint32 // of the last entry
}

func (a *archive) dir(name string) error { return a.entry(name, modeDir, 0, 0, nil) }

func (a *archive) file(name string, content []byte) error {
	return a.entry(name, modeFile, 0, 0, content)
}

func (a *archive) device(name string, major, minor uint32) error {
	return a.entry(name, modeDevice, major, minor, nil)
}

func (a *archive) end() error { return a.entry(trailer, 0, 0, 0, nil) }

func (a *archive) entry(name string, mode, major, minor uint32, content []byte) error {
	if uint64(len(content)) > math.MaxUint32 {
		return fmt.Errorf("%s: %d bytes do not fit an archive", name, len(content))
	}
	a.inode++
	head := "070701"
	for _, field := range []uint32{a.inode, mode, 0, 0, 1, 0, uint32(len(content)), 0, 0, major, minor, uint32(len(name) + 1), 0} {
		head += fmt.Sprintf("%08X", field)
	}
	if err := a.padded([]byte(head + name + "\x00")); err != nil {
		return err
	}
	return a.padded(content)
}

// padded writes b and zeros to a multiple of four bytes.
func (a *archive) padded(b []byte) error {
	if _, err := a.w.Write(b); err != nil {
		return err
	}
	_, err := a.w.Write(make([]byte, -len(b)&3))
	return err
}
