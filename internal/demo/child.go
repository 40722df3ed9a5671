package demo

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// maxRestarts bounds how often a process that was killed is started again.
const maxRestarts = 1000

// child is one of the three processes, through all its lives. Its standard input is held open as long as it shall run: it
// ends with whoever started it, however that ends.
type child struct {
	name   string
	start  func() *exec.Cmd
	notice func(format string, args ...any)
	done   chan struct{} // closed when it ended for good
	err    error         // why, once done

	mu       sync.Mutex
	process  *os.Process // of the present life
	input    io.Closer
	ending   bool
	late     error // it did not end in time, and is killed
	restarts int
}

// launch starts the child and keeps it running until end.
func launch(name string, start func() *exec.Cmd, notice func(string, ...any)) *child {
	c := &child{name: name, start: start, notice: notice, done: make(chan struct{})}
	go func() {
		defer close(c.done)
		c.err = c.live()
	}()
	return c
}

// live runs one life after the other: a killed process is started again, one that ended by itself is not.
func (c *child) live() error {
	for {
		words, err := c.once()
		var exit *exec.ExitError
		switch {
		case err == nil && c.isEnding():
			return nil
		case err == nil:
			return fmt.Errorf("demo: %s ended unasked: %s", c.name, words)
		case !errors.As(err, &exit):
			return fmt.Errorf("demo: %s: %w", c.name, err)
		}
		if late := c.isLate(); late != nil {
			return late
		}
		status, ok := exit.Sys().(syscall.WaitStatus)
		if !ok || !status.Signaled() {
			return fmt.Errorf("demo: %s: %w: %s", c.name, err, words)
		}
		c.mu.Lock()
		c.restarts++
		n := c.restarts
		c.mu.Unlock()
		if n > maxRestarts {
			return fmt.Errorf("demo: %s was killed %d times: %w: %s", c.name, n, err, words)
		}
		c.notice("%s: %s; starting it again", c.name, err)
	}
}

// once runs one life and returns what it said on standard error.
func (c *child) once() (words string, err error) {
	said := &hearing{notice: func(line string) { c.notice("%s: %s", c.name, line) }}
	cmd := c.start()
	cmd.Stderr = said
	in, err := cmd.StdinPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	c.mu.Lock()
	c.process, c.input = cmd.Process, in
	ending, late := c.ending, c.late
	c.mu.Unlock()
	c.notice("%s: process %d", c.name, cmd.Process.Pid)
	if ending {
		_ = in.Close() // it may have been closed by the end of the process
	}
	if late != nil {
		_ = cmd.Process.Kill() // it may have ended
	}
	err = cmd.Wait()
	return strings.TrimSpace(said.said.String() + string(said.line)), err
}

// NotePrefix begins a line on standard error that is for people and no fault.
const NotePrefix = "note: "

// hearing keeps what a process says on standard error, but for notes, which are handed on.
type hearing struct {
	said   bytes.Buffer
	notice func(line string)
	line   []byte // that has no end yet
}

func (h *hearing) Write(p []byte) (int, error) {
	h.line = append(h.line, p...)
	for {
		line, rest, whole := bytes.Cut(h.line, []byte{'\n'})
		if !whole {
			return len(p), nil
		}
		if note, is := bytes.CutPrefix(line, []byte(NotePrefix)); is {
			h.notice(string(note))
		} else {
			h.said.Write(append(line, '\n'))
		}
		h.line = rest
	}
}

func (c *child) isEnding() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ending
}

func (c *child) isLate() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.late
}

// end asks the child to take what is there and end, and waits for it. One that takes longer than limit, because it is
// stopped for instance, is killed and that is the error.
func (c *child) end(limit time.Duration) error {
	c.mu.Lock()
	c.ending = true
	if c.input != nil {
		_ = c.input.Close() // it may have been closed by the end of the process
	}
	c.mu.Unlock()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-c.done:
	case <-timer.C:
		c.kill(fmt.Errorf("demo: %s did not end within %s and was killed", c.name, limit))
		<-c.done
	}
	return c.err
}

// kill ends the present life, and a life that is about to begin, for good.
func (c *child) kill(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.late = why
	if c.process != nil {
		_ = c.process.Kill() // it may have ended
	}
}

// facts are the child's present pid and how often it was started again.
func (c *child) facts() (pid, restarts int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.process != nil {
		pid = c.process.Pid
	}
	return pid, c.restarts
}
