package demo

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBookHasOneOwnerAndOutlivesIt(t *testing.T) {
	dir := t.TempDir()
	b, err := openBook(dir, "x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openBook(dir, "x"); !errors.Is(err, ErrBusy) {
		t.Errorf("a second owner: %v", err)
	}
	b.begin()
	b.output(9, 4, 1)
	b.output(9, 6, 1)
	if err := b.close(); err != nil {
		t.Fatal(err)
	}
	if b, err = openBook(dir, "x"); err != nil {
		t.Fatal(err)
	}
	if p := b.read(); p.lives != 1 || p.output != (place{9, 4, 6}) || p.pid != uint64(os.Getpid()) {
		t.Errorf("%+v", p)
	}
	if err := b.yield(); err != nil {
		t.Fatal(err)
	}
	other, err := openBook(dir, "x")
	if err != nil {
		t.Fatal("yielded, and still owned:", err)
	}
	if err := errors.Join(other.close(), b.close()); err != nil {
		t.Error(err)
	}
}

func TestBookRefusesWhatIsNone(t *testing.T) {
	whole := make([]byte, bookSize)
	for name, make := range map[string]func(path string) error{
		"short":     func(p string) error { return os.WriteFile(p, []byte("hi"), 0o600) },
		"zeroed":    func(p string) error { return os.WriteFile(p, whole, 0o600) },
		"public":    func(p string) error { return errors.Join(os.WriteFile(p, whole, 0o600), os.Chmod(p, 0o644)) },
		"directory": func(p string) error { return os.Mkdir(p, 0o700) },
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "x"+bookSuffix)
		if err := make(path); err != nil {
			t.Fatal(err)
		}
		_, err := openBook(dir, "x")
		if err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
		if name != "directory" && (!errors.Is(err, ErrBook) || !strings.Contains(err.Error(), "remove it")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
