package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/alphapulse/transport/seal"
)

// runKeygen runs the verb and returns its exit code.
func runKeygen(t *testing.T, args ...string) int {
	t.Helper()
	c := newKeygen()
	c.SetArgs(args)
	c.SetOut(io.Discard)
	c.SilenceErrors, c.SilenceUsage = true, true
	var coded *exitError
	err := c.Execute()
	switch {
	case err == nil:
		return 0
	case errors.As(err, &coded):
		return coded.code
	}
	return exitUsage
}

func TestKeygenWritesASecretForItsOwnerOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	if code := runKeygen(t, path); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o600 || !regexp.MustCompile(`^[0-9a-f]{64}\n$`).Match(text) {
		t.Errorf("mode %v, %d bytes", info.Mode(), len(text))
	}
	if _, err := seal.LoadSecret(path); err != nil {
		t.Error(err)
	}
}

func TestKeygenOverwritesNothing(t *testing.T) {
	dir := t.TempDir()
	taken, dangling := filepath.Join(dir, "taken"), filepath.Join(dir, "dangling")
	if err := os.WriteFile(taken, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(dir, "elsewhere"), dangling); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{
		taken:                                 exitUsage,
		dangling:                              exitUsage,
		filepath.Join(dir, "no", "such", "x"): exitRuntime,
	} {
		if code := runKeygen(t, path); code != want {
			t.Errorf("%s: exit code %d, want %d", path, code, want)
		}
	}
	if code := runKeygen(t); code != exitUsage {
		t.Errorf("without a file: exit code %d", code)
	}
	if text, err := os.ReadFile(taken); err != nil || string(text) != "precious" {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "elsewhere")); err == nil {
		t.Error("wrote through a symbolic link")
	}
}
