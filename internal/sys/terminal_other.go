//go:build !linux

package sys

import (
	"errors"
	"os"
	"syscall"
)

// Resized is the signal of a terminal whose size has changed; nil where there is none.
var Resized os.Signal

// TerminalSize answers errors.ErrUnsupported: nothing is taken for a terminal.
func TerminalSize(*os.File) (width, height int, err error) { return 0, 0, errors.ErrUnsupported }

// RawTerminal answers errors.ErrUnsupported.
func RawTerminal(*os.File) (restore func() error, err error) { return nil, errors.ErrUnsupported }

// TerminalModes answers errors.ErrUnsupported.
func TerminalModes(*os.File) (string, error) { return "", errors.ErrUnsupported }

// NewTerminal answers errors.ErrUnsupported.
func NewTerminal(int, int) (far, terminal *os.File, err error) {
	return nil, nil, errors.ErrUnsupported
}

// ResizeTerminal answers errors.ErrUnsupported.
func ResizeTerminal(*os.File, int, int) error { return errors.ErrUnsupported }

// InTerminal has a program start as others do.
func InTerminal() *syscall.SysProcAttr { return nil }
