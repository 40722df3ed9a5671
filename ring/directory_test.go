package ring

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDirectoryThatOthersWriteIsForeign: whoever can rename what is in a directory can put another ring there.
func TestDirectoryThatOthersWriteIsForeign(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x")
	r, err := Create(Options{Path: path, Capacity: 4096})
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("no named rings without Linux")
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		mode  os.FileMode
		sound bool
	}{{0o777, false}, {0o770, false}, {0o702, false}, {0o777 | os.ModeSticky, true}, {0o755, true}, {0o700, true}} {
		if err := os.Chmod(dir, c.mode); err != nil {
			t.Fatal(err)
		}
		for what, open := range map[string]func() (*Ring, error){
			"attach": func() (*Ring, error) { return Attach(path, Options{}) },
			"create": func() (*Ring, error) { return Create(Options{Path: filepath.Join(dir, "y"), Capacity: 4096}) },
		} {
			r, err := open()
			if err == nil {
				err = r.Close()
			}
			if c.sound != (err == nil) || !c.sound && (!errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), dir)) {
				t.Errorf("%s in a directory of mode %v: %v", what, c.mode, err)
			}
		}
		_ = os.Remove(filepath.Join(dir, "y"))
		_ = os.Remove(filepath.Join(dir, "y"+cursorsSuffix))
	}
}

// TestRingWithoutCursorsNamesTheRemedy: only somebody's hand leaves data without cursors.
func TestRingWithoutCursorsNamesTheRemedy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	r, err := Create(Options{Path: path, Capacity: 4096})
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("no named rings without Linux")
	}
	if err == nil {
		err = errors.Join(r.Close(), os.Remove(path+cursorsSuffix))
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Path: path, Capacity: 4096}); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "remove") {
		t.Error(err)
	}
}
