package demo

import (
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// cat starts a child that ends with its standard input, and returns once it runs.
func cat(t *testing.T, name string) *child {
	t.Helper()
	started := make(chan struct{}, 1)
	c := launch(name, func() *exec.Cmd { return exec.Command("cat") }, func(string, ...any) { started <- struct{}{} })
	select {
	case <-started:
	case <-c.done:
		t.Fatal(c.err)
	}
	return c
}

func TestChildThatIsStoppedIsKilledInTime(t *testing.T) {
	c := cat(t, "strategy")
	if err := c.process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	err := c.end(50 * time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), "strategy did not end within 50ms") {
		t.Error(err)
	}
	if _, restarts := c.facts(); restarts != 0 {
		t.Errorf("started again %d times", restarts)
	}
}

func TestChildEndsWhenAsked(t *testing.T) {
	if err := cat(t, "sink").end(time.Minute); err != nil {
		t.Error(err)
	}
}
