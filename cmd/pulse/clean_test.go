package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alphapulse/transport/ring"
)

// treeOf is every file below a directory, with its bytes.
func treeOf(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		all.WriteString(path + "\n" + string(bytes.TrimRight(b, "\x00")))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// clean runs the verb and wants words in what it says.
func (s *stall) clean(want []string, args ...string) {
	s.Helper()
	out, code := verb(s.Context(), newClean(), append([]string{s.dir}, args...)...)
	for _, w := range want {
		if code != 0 || !strings.Contains(out, w) {
			s.Errorf("clean %v: code %d, no %q in\n%s", args, code, w, out)
		}
	}
}

func there(path string) bool { _, err := os.Lstat(path); return !errors.Is(err, fs.ErrNotExist) }

// What a living process has is never touched.
func TestCleanLeavesTheLivingAlone(t *testing.T) {
	s := openStall(t, 1<<12)
	s.joinStall(true)
	s.send(3)
	before := treeOf(t, s.dir)
	s.clean([]string{"its writer", "is alive", ".fabric: a living process holds it"}, "--yes", "--lose-unconfirmed")
	if !there(s.ring()) || !there(filepath.Join(s.dir, ".fabric")) || strings.Count(treeOf(t, s.dir), "\n") < strings.Count(before, "\n")-1 {
		t.Error("something of the living is gone")
	}
	sub, err := s.node.Subscriber("trades")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.pub.Close(); err != nil {
		t.Fatal(err)
	}
	s.clean([]string{`its reader "strategy"`}, "--yes", "--lose-unconfirmed")
	if !there(s.ring()) {
		t.Error("a ring that is read is gone")
	}
	if err := sub.Close(); err != nil {
		t.Fatal(err)
	}
}

// A dry run changes nothing; --yes removes what the dead left, directory and all.
func TestCleanRemovesWhatTheDeadLeft(t *testing.T) {
	s := openStall(t, 1<<12)
	s.joinStall(false)
	s.send(3)
	if err := s.node.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.dir, "trades", "gone.0.ring.cursors"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	before := treeOf(t, s.dir)
	s.clean([]string{"can go", "its writer is dead", "8 of 8 can go"})
	if treeOf(t, s.dir) != before {
		t.Error("a dry run changed something")
	}
	s.clean([]string{"removed", "0 stay"}, "--yes")
	if there(s.dir) {
		t.Error(treeOf(t, s.dir))
	}
}

// Data that a durable place has not confirmed waits for its owner, unless it is said that it shall not.
func TestCleanKeepsWhatIsNotConfirmed(t *testing.T) {
	s := openStall(t, 1<<12)
	sub, err := s.node.Subscriber("trades")
	if err != nil {
		t.Fatal(err)
	}
	s.send(3)
	if err := errors.Join(sub.Close(), s.node.Close()); err != nil {
		t.Fatal(err)
	}
	s.clean([]string{`bytes are not confirmed by "strategy"`, "stays"}, "--yes")
	if !there(s.ring()) {
		t.Fatal("unconfirmed data is gone")
	}
	s.clean([]string{"are to be lost", "0 stay"}, "--yes", "--lose-unconfirmed")
	if there(s.dir) {
		t.Error(treeOf(t, s.dir))
	}
}

func TestCleanKeepsWhatIsNotPulses(t *testing.T) {
	s := openStall(t, 1<<12)
	if err := s.node.Close(); err != nil {
		t.Fatal(err)
	}
	mine := []string{filepath.Join(s.dir, "notes.txt"), filepath.Join(s.dir, "trades", "notes.txt"), filepath.Join(s.dir, ".dead", "letters")}
	for _, path := range mine {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte("x"), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	s.clean([]string{"notes.txt: not Pulse's", ".dead: not looked into", "not empty"}, "--yes", "--lose-unconfirmed")
	for _, path := range mine {
		if !there(path) {
			t.Errorf("%s is gone", path)
		}
	}
	if there(s.ring()) {
		t.Error("the ring is still there")
	}
}

func TestCleanOfWhatNobodyCanRead(t *testing.T) {
	s := openStall(t, 1<<12)
	s.send(1)
	if err := s.node.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(s.ring(), 100); err != nil {
		t.Fatal(err)
	}
	s.clean([]string{"wrong size", "--lose-unconfirmed removes it", "stays"}, "--yes")
	s.clean([]string{"removed"}, "--yes", "--lose-unconfirmed")
	if there(s.dir) {
		t.Error(treeOf(t, s.dir))
	}
}

// Whoever takes a ring between the look and the removal keeps it.
func TestCleanLooksAgainBeforeItRemoves(t *testing.T) {
	s := openStall(t, 1<<12)
	if err := s.node.Close(); err != nil {
		t.Fatal(err)
	}
	found := cleanFlags{yes: true}.look(s.dir)
	r, err := ring.Attach(s.ring(), ring.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	w, err := r.Writer()
	if err != nil {
		t.Fatal(err)
	}
	found.remove()
	if err := found.faults(); err == nil || !strings.Contains(err.Error(), errHeld.Error()) || !there(s.ring()) {
		t.Errorf("the writer's ring: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	rd, err := r.Reader(ring.ReaderOptions{Name: "late"})
	if err != nil {
		t.Fatal(err)
	}
	defer rd.Close()
	found.remove()
	if err := found.faults(); err == nil || !strings.Contains(err.Error(), `"late"`) || !there(s.ring()) {
		t.Errorf("the reader's ring: %v", err)
	}
}
