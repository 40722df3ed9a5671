package sys

import (
	"os"
	"testing"
)

func newTerminal(t *testing.T) (far, terminal *os.File) {
	far, terminal, err := NewTerminal(100, 30)
	if err != nil {
		t.Skip("no terminal can be made: ", err)
	}
	t.Cleanup(func() { _, _ = far.Close(), terminal.Close() })
	return far, terminal
}

func TestRawTerminalHandsOutKeysAndIsRestored(t *testing.T) {
	far, terminal := newTerminal(t)
	before, err := TerminalModes(terminal)
	if err != nil {
		t.Fatal(err)
	}
	restore, err := RawTerminal(terminal)
	if err != nil {
		t.Fatal(err)
	}
	if raw, err := TerminalModes(terminal); err != nil || raw == before {
		t.Fatal("raw mode changed nothing", err)
	}
	if _, err := far.Write([]byte("\x03")); err != nil { // no interrupt, no line
		t.Fatal(err)
	}
	key := make([]byte, 8)
	if n, err := terminal.Read(key); err != nil || string(key[:n]) != "\x03" {
		t.Fatalf("read %q, %v", key[:n], err)
	}
	if err := restore(); err != nil {
		t.Fatal(err)
	}
	if after, err := TerminalModes(terminal); err != nil || after != before {
		t.Fatalf("%v: %s, before %s", err, after, before)
	}
}

func TestTerminalSaysItsSize(t *testing.T) {
	far, terminal := newTerminal(t)
	if w, h, err := TerminalSize(terminal); w != 100 || h != 30 || err != nil {
		t.Fatal(w, h, err)
	}
	if err := ResizeTerminal(far, 61, 12); err != nil {
		t.Fatal(err)
	}
	if w, h, err := TerminalSize(terminal); w != 61 || h != 12 || err != nil {
		t.Fatal(w, h, err)
	}
	pipe, end, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = pipe.Close(), end.Close() }()
	if _, _, err := TerminalSize(pipe); err == nil {
		t.Fatal("a pipe is taken for a terminal")
	}
	if _, err := RawTerminal(pipe); err == nil {
		t.Fatal("a pipe has a raw mode")
	}
}
