package console

import (
	"io"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/internal/view"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAPanicLeavesTheTerminalAsItWas(t *testing.T) {
	far, terminal, err := sys.NewTerminal(80, 24)
	if err != nil {
		t.Skip("no terminal can be made: ", err)
	}
	var told strings.Builder
	read := make(chan struct{})
	go func() {
		_, _ = io.Copy(&told, far) // until nobody has the terminal any more
		close(read)
	}()
	before, err := sys.TerminalModes(terminal)
	if err != nil {
		t.Fatal(err)
	}
	looks := 0
	look := func(now time.Time) *view.State {
		if looks++; looks == 2 {
			if modes, err := sys.TerminalModes(terminal); err != nil || modes == before {
				t.Errorf("%v: the terminal is not in raw mode while it is shown", err)
			}
			panic("looked")
		}
		return &view.State{At: now}
	}
	func() {
		defer func() {
			if p := recover(); p != "looked" {
				t.Errorf("recovered %v", p)
			}
		}()
		c := Terminal{In: terminal, Out: terminal, Interval: time.Millisecond, Look: look}
		err := c.Run(t.Context())
		t.Error("it ended by itself: ", err)
	}()
	if after, err := sys.TerminalModes(terminal); err != nil || after != before {
		t.Errorf("%v: the terminal is left as %s, it was %s", err, after, before)
	}
	if _, err := far.WriteString("x\r"); err != nil { // what is being read ends with a line now
		t.Error(err)
	}
	_ = terminal.Close()
	<-read
	_ = far.Close()
	if !strings.HasSuffix(told.String(), leave) && !strings.Contains(told.String(), leave+"x") {
		t.Errorf("the first screen is not back: %q", told.String())
	}
}
