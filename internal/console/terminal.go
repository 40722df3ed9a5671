package console

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/internal/view"
)

const (
	enter = "\x1b[?1049h\x1b[?25l\x1b[?7l" // the other screen, no cursor, no line goes on in the next one
	leave = "\x1b[?7h\x1b[?25h\x1b[?1049l"

	escapeAfter = 50 * time.Millisecond // a sequence has come by then, or the key was escape
)

// Terminal is where a Screen is shown.
type Terminal struct {
	In, Out  *os.File // of which Out is a terminal; where In is none there are no keys
	Interval time.Duration
	Look     func(time.Time) *view.State
	Screen   Screen
}

// Run shows the screen until it is closed or ctx ends, and leaves the terminal as it found it.
func (t *Terminal) Run(ctx context.Context) (err error) {
	keys := make(chan []byte)
	if _, _, failed := sys.TerminalSize(t.In); failed == nil {
		restore, err := sys.RawTerminal(t.In)
		if err != nil {
			return fmt.Errorf("console: %w", err)
		}
		defer func() { _ = restore() }() // also where something panics; a terminal that is gone needs none
		go read(ctx, t.In, keys)
	}
	resized := make(chan os.Signal, 1)
	if sys.Resized != nil {
		signal.Notify(resized, sys.Resized)
		defer signal.Stop(resized)
	}
	if _, err := t.Out.WriteString(enter); err != nil {
		return fmt.Errorf("console: %w", err)
	}
	defer func() {
		_, last := t.Out.WriteString(leave)
		err = errors.Join(err, last)
	}()
	return t.show(ctx, keys, resized)
}

// read hands on what is typed. A read of a terminal cannot be called off: it ends with the terminal or the process.
func read(ctx context.Context, from *os.File, keys chan<- []byte) {
	for {
		b := make([]byte, 256)
		n, err := from.Read(b)
		if err != nil {
			b = nil
		}
		select {
		case keys <- b[:min(n, len(b))]:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

func (t *Terminal) show(ctx context.Context, keys <-chan []byte, resized <-chan os.Signal) error {
	tick := time.NewTicker(t.Interval)
	defer tick.Stop()
	escape := time.NewTimer(0)
	defer escape.Stop()
	now := t.Look(time.Now())
	var rest []byte
	for ctx.Err() == nil && !t.Screen.Closed() {
		if err := t.draw(now); err != nil {
			return err
		}
		var pressed []string
		select {
		case <-ctx.Done():
		case <-resized:
		case at := <-tick.C:
			if !t.Screen.Paused() {
				now = t.Look(at)
			}
		case b := <-keys:
			if len(b) == 0 {
				return nil // the terminal is gone
			}
			if pressed, rest = Keys(append(rest, b...)); len(rest) > 0 {
				escape.Reset(escapeAfter)
			}
		case <-escape.C:
			if len(rest) > 0 && rest[0] == 0x1b {
				pressed = []string{"esc"}
			}
			rest = nil
		}
		for _, key := range pressed {
			t.Screen = t.Screen.Press(key, now)
		}
	}
	return nil
}

// draw writes a frame at once, over the one before: nothing is blank in between.
func (t *Terminal) draw(now *view.State) error {
	width, height, err := sys.TerminalSize(t.Out)
	if err != nil {
		return fmt.Errorf("console: %w", err)
	}
	var b bytes.Buffer
	b.WriteString("\x1b[H")
	for i, l := range t.Screen.Lines(now, width-1, height) { // in the last cell, what is erased behind the line would be its end
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(l + "\x1b[K")
	}
	b.WriteString("\x1b[J")
	_, err = t.Out.Write(b.Bytes())
	return err
}
