package sys

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Resized is the signal of a terminal whose size has changed; nil where there is none.
var Resized os.Signal = unix.SIGWINCH

// TerminalSize is how many cells a terminal has; an error says that f is none.
func TerminalSize(f *os.File) (width, height int, err error) {
	s, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0, 0, fmt.Errorf("%s is no terminal: %w", f.Name(), err)
	}
	return int(s.Col), int(s.Row), nil
}

// RawTerminal has a terminal hand out each key as it is pressed, and show none of them. restore makes it what it was.
func RawTerminal(f *os.File) (restore func() error, err error) {
	fd := int(f.Fd())
	was, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, fmt.Errorf("%s is no terminal: %w", f.Name(), err)
	}
	raw := *was // as cfmakeraw has it, but for what is written: a line feed may go on being one
	raw.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	raw.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	raw.Cflag = raw.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
	raw.Cc[unix.VMIN], raw.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &raw); err != nil {
		return nil, fmt.Errorf("raw mode of %s: %w", f.Name(), err)
	}
	return func() error { return unix.IoctlSetTermios(fd, unix.TCSETS, was) }, nil
}

// TerminalModes says how a terminal is set, so that two moments can be compared.
func TerminalModes(f *os.File) (string, error) {
	t, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		return "", fmt.Errorf("%s is no terminal: %w", f.Name(), err)
	}
	return fmt.Sprintf("%+v", *t), nil
}

// NewTerminal makes a terminal of a size: what is written to far is typed, what is read from it is what the screen is told. far ends waiting
// reads when it is closed.
func NewTerminal(width, height int) (far, terminal *os.File, err error) {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("/dev/ptmx: %w", err)
	}
	far = os.NewFile(uintptr(fd), "/dev/ptmx") // pollable, since it does not block
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Col: uint16(width), Row: uint16(height)})
	}
	if err == nil {
		terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("a new terminal: %w", err), far.Close())
	}
	return far, terminal, nil
}

// ResizeTerminal gives a terminal another size; whoever runs in it gets Resized.
func ResizeTerminal(f *os.File, width, height int) error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var set error
	err = c.Control(func(fd uintptr) {
		set = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Col: uint16(width), Row: uint16(height)})
	})
	return errors.Join(err, set)
}

// InTerminal has a program start in a session of its own whose terminal is its standard input.
func InTerminal() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true, Setctty: true} }
