package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What others called their files does nothing to the terminal of who lists them.
func TestNamesOfFilesDoNothingToATerminal(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pulse-\x1b]0;x\x07\u009bA")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"ls", dir}, {"clean", dir}} {
		out, _, _ := runVerb(t, args...)
		if !strings.Contains(out, "pulse-?]0;x??A") || strings.ContainsAny(out, "\x1b\x07\u009b") {
			t.Errorf("%v: %q", args, out)
		}
	}
	if said := inPrint("a\tb\n\x1bé"); said != "a\tb\n?é" {
		t.Errorf("%q", said)
	}
}
