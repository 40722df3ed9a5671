package bench

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// there says whether a directory or file exists.
func there(t *testing.T, path string) bool {
	t.Helper()
	_, err := os.Lstat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return err == nil
}

func TestKilledRunIsSweptByTheNextAndALiveOneIsNot(t *testing.T) {
	parent := t.TempDir()
	near := exec.Command(os.Args[0], nearHeld, parent)
	in, err := near.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := near.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := near.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	dir := strings.TrimSpace(line)
	run := func() {
		s := brief()
		s.InProcess, s.Dir = true, parent
		if _, err := (PingPong{s}).Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	run()
	if !there(t, filepath.Join(dir, "lane0")) || !there(t, filepath.Join(dir, aliveName)) {
		t.Error("a living run's files are gone")
	}
	if err := near.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := near.Wait(); err == nil {
		t.Error("the near side ended by itself")
	}
	if !there(t, filepath.Join(dir, "lane0")) {
		t.Fatal("nothing was left behind")
	}
	run()
	if entries, err := os.ReadDir(parent); err != nil || len(entries) != 0 {
		t.Errorf("still there: %v %v", entries, err)
	}
}

func TestSweepLeavesAloneWhatIsNotADeadRuns(t *testing.T) {
	parent := t.TempDir()
	outside := t.TempDir()
	for _, path := range []string{
		filepath.Join(outside, "kept"),
		filepath.Join(parent, scratchPrefix+"file"),
		filepath.Join(parent, scratchPrefix+"unlocked", "kept"), // no locked file: nobody can tell whose it is
		filepath.Join(parent, "other", aliveName),
	} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte("12345678"), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	// Links, as the directory and as the locked file, lead nowhere.
	linked := filepath.Join(parent, scratchPrefix+"linked")
	if err := errors.Join(
		os.Symlink(outside, filepath.Join(parent, scratchPrefix+"link")),
		os.Mkdir(linked, 0o700), os.Symlink(filepath.Join(outside, "kept"), filepath.Join(linked, aliveName)),
	); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(parent, scratchPrefix+"empty")
	long := time.Now().Add(-2 * makingAtMost)
	if err := errors.Join(os.Mkdir(empty, 0o700), os.Chtimes(empty, long, long)); err != nil {
		t.Fatal(err)
	}
	own, err := makeScratch(parent)
	if err != nil {
		t.Fatal(err)
	}
	sweep(parent)
	for _, name := range []string{"file", "unlocked/kept", "link", "linked/" + aliveName} {
		if !there(t, filepath.Join(parent, scratchPrefix+name)) {
			t.Errorf("%s is gone", name)
		}
	}
	if !there(t, filepath.Join(outside, "kept")) || !there(t, filepath.Join(parent, "other", aliveName)) || !there(t, own.dir) {
		t.Error("the sweep took what is not its own")
	}
	if there(t, empty) {
		t.Error("an empty directory is left")
	}
	if err := own.close(); err != nil || there(t, own.dir) {
		t.Error("the run's own directory stays", err)
	}
}

func TestUnlockedDirectoryIsSweptWhole(t *testing.T) {
	s, err := makeScratch(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(s.dir, "a", "b"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.alive.Close(); err != nil { // as the kernel does at death
		t.Fatal(err)
	}
	sweep(filepath.Dir(s.dir))
	if there(t, s.dir) {
		t.Error("it is still there")
	}
}

// Runs that begin at once sweep while others are between making their directory and locking it.
func TestRunsThatBeginTogetherKeepTheirDirectories(t *testing.T) {
	parent := t.TempDir()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 20 {
				s, err := openScratch(parent)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := os.Lstat(filepath.Join(s.dir, aliveName)); err != nil {
					t.Error(err)
				}
				if err := s.close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if entries, err := os.ReadDir(parent); err != nil || len(entries) != 0 {
		t.Errorf("left: %v %v", entries, err)
	}
}
