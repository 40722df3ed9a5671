package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alphapulse/transport/ring"
)

// ringsUnder tells of every ring below a directory how far its writer is, and where each of its readers stands: on which side of a ring what is
// missing lies.
func ringsUnder(dir string) string {
	var paths []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && strings.HasSuffix(path, ".ring") {
			paths = append(paths, path)
		}
		return nil // what is gone meanwhile has nothing to tell
	})
	var all strings.Builder
	if err != nil {
		fmt.Fprintln(&all, err)
	}
	for _, path := range slices.Sorted(slices.Values(paths)) {
		name, err := filepath.Rel(dir, path)
		if err != nil {
			name = path
		}
		fmt.Fprintf(&all, "%s: %s", name, oneRing(path))
	}
	return all.String()
}

func oneRing(path string) string {
	r, err := ring.Attach(path, ring.Options{})
	if err != nil {
		return err.Error() + "\n"
	}
	defer r.Close()
	info, last := r.Info(), "unknown"
	if tail, err := r.Reader(ring.ReaderOptions{Mode: ring.Lossy}); err == nil { // it begins behind the last record
		last = fmt.Sprint(tail.Seq() - 1)
		_ = tail.Close()
	}
	alive, err := r.WriterAlive()
	text := fmt.Sprintf("records to %s, published %d of %d, source %x, epoch %d, writer %d alive %t", last, info.Published, info.Capacity, info.Instance,
		info.Epoch, info.WriterPID, alive)
	if err != nil {
		text += ": " + err.Error()
	}
	readers, err := r.Readers()
	if err != nil {
		text += ": " + err.Error()
	}
	for _, one := range readers {
		text += fmt.Sprintf("\n  slot %d %q of %d %s: cursor %d, lag %d, alive %t, gating %t, durable %t, held %t", one.Slot, one.Name, one.PID, one.Command,
			one.Cursor, one.Lag, one.Alive, one.Gating, one.Durable, one.Held)
	}
	return text + "\n"
}

// threadsOf tells of a process's threads that do not sleep: those that wait in the kernel and cannot be woken, with where that is as far as this user
// may know, and those that run or would.
func threadsOf(pid int) string {
	var all strings.Builder
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid)) // the pattern is good
	for _, task := range tasks {
		stat, err := os.ReadFile(filepath.Join(task, "stat"))
		if err != nil {
			continue // it has ended
		}
		_, state, _ := strings.Cut(string(stat), ") ")
		if strings.HasPrefix(state, "S") {
			continue
		}
		stack, _ := os.ReadFile(filepath.Join(task, "stack"))
		fmt.Fprintf(&all, "  thread %s %.1s %s\n", filepath.Base(task), state, strings.Join(strings.Fields(strings.ReplaceAll(string(stack), "[<0>]", "")), " < "))
	}
	return fmt.Sprintf("process %d, %d threads, awake:\n%s", pid, len(tasks), all.String())
}

// What a failed pipeline shows of its rings names the last record and who is behind.
func TestRingsAreToldOf(t *testing.T) {
	dir := t.TempDir()
	r, err := ring.Create(ring.Options{Path: filepath.Join(dir, "one.ring")})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	w, err := r.Writer()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	reader, err := r.Reader(ring.ReaderOptions{Name: "to right", Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	for range 3 {
		if _, err := w.Claim(8); err != nil {
			t.Fatal(err)
		}
		if err := w.Commit(8); err != nil {
			t.Fatal(err)
		}
	}
	if own := threadsOf(os.Getpid()); !strings.Contains(own, " R ") { // this one, at least
		t.Error(own)
	}
	said := ringsUnder(dir)
	for _, want := range []string{"one.ring: records to 3, ", `"to right"`, "alive true", "gating true, durable true"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not in\n%s", want, said)
		}
	}
}
