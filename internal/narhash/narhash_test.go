package narhash

import (
	"bytes"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
)

// plant writes a tree with one of everything an archive can hold.
func plant(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for _, f := range []struct {
		path, text string
		mode       os.FileMode
	}{
		{"f", "hello", 0o644},
		{"run", "#!/bin/sh\n", 0o755},
		{"eight", "12345678", 0o600},
		{"B/é", "x", 0o644},
	} {
		p := filepath.Join(root, f.path)
		if err := errors.Join(
			os.MkdirAll(filepath.Dir(p), 0o755),
			os.WriteFile(p, []byte(f.text), f.mode),
			os.Chmod(p, f.mode),
		); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Mkdir(filepath.Join(root, "empty"), 0o755), os.Symlink("f", filepath.Join(root, "link"))); err != nil {
		t.Fatal(err)
	}
	return root
}

// The expected values are what "nix hash path" prints for the same trees.
func TestSumIsTheHashNixGives(t *testing.T) {
	root := plant(t)
	for path, want := range map[string]string{
		root:                     "sha256-1bMLAhYEAIBtq51t+byYv7sIWDuuF54QE4HE1MHRq5w=",
		filepath.Join(root, "f"): "sha256-CkMIecJm+LV/QJKg+TXPP6zUi7zN5XYNR0jKQFFx6Wk=",
	} {
		got, err := Sum(path)
		if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
}

func TestOnlyNamesContentsAndTheExecutableBitCount(t *testing.T) {
	root := plant(t)
	sum := func() string {
		t.Helper()
		s, err := Sum(root)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	before := sum()
	if err := os.Chmod(filepath.Join(root, "f"), 0o600); err != nil {
		t.Fatal(err)
	}
	if sum() != before {
		t.Error("a read permission changed the hash")
	}
	if err := os.Chmod(filepath.Join(root, "f"), 0o700); err != nil {
		t.Fatal(err)
	}
	if sum() == before {
		t.Error("the executable bit did not change the hash")
	}
}

func TestArchiveOfOneFileByteForByte(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("abc"), 0o644); err != nil {
		t.Fatal(err)
	}
	var got, want bytes.Buffer
	if err := Archive(&got, path); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{
		"\x0d\x00\x00\x00\x00\x00\x00\x00nix-archive-1\x00\x00\x00",
		"\x01\x00\x00\x00\x00\x00\x00\x00(\x00\x00\x00\x00\x00\x00\x00",
		"\x04\x00\x00\x00\x00\x00\x00\x00type\x00\x00\x00\x00",
		"\x07\x00\x00\x00\x00\x00\x00\x00regular\x00",
		"\x08\x00\x00\x00\x00\x00\x00\x00contents",
		"\x03\x00\x00\x00\x00\x00\x00\x00abc\x00\x00\x00\x00\x00",
		"\x01\x00\x00\x00\x00\x00\x00\x00)\x00\x00\x00\x00\x00\x00\x00",
	} {
		want.WriteString(s)
	}
	if !bytes.Equal(got.Bytes(), want.Bytes()) {
		t.Errorf("got  %q\nwant %q", got.Bytes(), want.Bytes())
	}
}

func TestSumRefusesWhatAnArchiveCannotHold(t *testing.T) {
	dir := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := Sum(dir); !errors.Is(err, ErrKind) {
		t.Errorf("a socket: got %v, want ErrKind", err)
	}
	if _, err := Sum(filepath.Join(dir, "gone")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing path: got %v, want os.ErrNotExist", err)
	}
}
