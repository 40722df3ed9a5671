package demo

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/alphapulse/transport/internal/sys"
)

// leave does what a killed demo does: it gives its lock back and nothing else.
func leave(t *testing.T, dir string) {
	t.Helper()
	b, err := openBook(dir, ownerName)
	if err != nil {
		t.Fatal(err)
	}
	b.Store64(bookOwn, 1)
	if err := b.close(); err != nil {
		t.Fatal(err)
	}
}

func TestSweepRemovesOnlyWhatKilledDemosLeft(t *testing.T) {
	root := t.TempDir()
	at := func(name string) string { return filepath.Join(root, name) }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dead := at(dirPrefix + "1")
	leave(t, dead)

	var survivors []string
	keep := func(name string) string { survivors = append(survivors, at(name)); return at(name) }

	_, remove, err := makeDir(keep(dirPrefix + "2")) // a running demo's own
	must(err)
	release, err := holdDir(keep(dirPrefix + "3")) // a running demo's --dir
	must(err)
	kept, err := holdDir(keep(dirPrefix + "4")) // the --dir of a demo that is over
	must(errors.Join(err, kept()))
	leave(t, keep(dirPrefix+"5")) // was a dead demo's own, and then somebody's --dir
	kept, err = holdDir(at(dirPrefix + "5"))
	must(errors.Join(err, kept()))
	must(os.Mkdir(keep(dirPrefix+"6"), 0o700)) // made, and not yet locked
	must(os.MkdirAll(filepath.Join(keep(dirPrefix+"7"), "notes"), 0o700))
	must(makeBook(at(dirPrefix+"7"), filepath.Join(at(dirPrefix+"7"), ownerName+bookSuffix))) // linked, and not yet locked
	leave(t, keep(dirPrefix+"results"))
	leave(t, keep(dirPrefix+"8.old"))
	leave(t, keep("elsewhere"))
	must(os.Symlink(at("elsewhere"), keep(dirPrefix+"9")))
	must(os.Mkdir(keep(dirPrefix+"10"), 0o700))
	must(os.WriteFile(filepath.Join(at(dirPrefix+"10"), ownerName+bookSuffix), []byte("mine"), 0o600))

	sweep(root)
	if _, err := os.Lstat(dead); !os.IsNotExist(err) {
		t.Errorf("a dead demo's directory: %v", err)
	}
	for _, dir := range survivors {
		if _, err := os.Lstat(dir); err != nil {
			t.Error(err)
		}
	}
	for _, dir := range []string{at(dirPrefix + "7"), at("elsewhere")} {
		b, err := mapBook(filepath.Join(dir, ownerName+bookSuffix), true)
		must(err)
		if mine, err := sys.LockByte(b.file, bookLock); err != nil || !mine {
			t.Errorf("%s: the sweep still holds it, %v", dir, err)
		}
		must(b.close())
	}
	must(errors.Join(remove(), release()))
	if _, err := os.Lstat(at(dirPrefix + "2")); !os.IsNotExist(err) {
		t.Errorf("a demo's own directory after its end: %v", err)
	}
}

func TestDemoTakesNoDirectoryOfAnother(t *testing.T) {
	dir := filepath.Join(t.TempDir(), dirPrefix+"1")
	_, remove, err := makeDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := makeDir(dir); !errors.Is(err, os.ErrExist) {
		t.Errorf("made twice: %v", err)
	}
	if _, err := holdDir(dir); !errors.Is(err, ErrBusy) {
		t.Errorf("held twice: %v", err)
	}
	if err := remove(); err != nil {
		t.Error(err)
	}
}

func TestSweepLeavesOtherUsersAlone(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("giving a directory to another user needs root")
	}
	root := t.TempDir()
	dir := filepath.Join(root, dirPrefix+"1")
	leave(t, dir)
	if err := os.Chown(dir, 12345, -1); err != nil {
		t.Fatal(err)
	}
	sweep(root)
	if _, err := os.Lstat(dir); err != nil {
		t.Error(err)
	}
}
