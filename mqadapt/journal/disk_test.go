package journal

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/alphapulse/transport/mqadapt"
)

// smallDisk mounts a file system of a megabyte for the test.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := bedDir(t)
	if os.Geteuid() != 0 {
		t.Skip("mounting a small file system needs root")
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Fatalf("mount: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	return dir
}

func TestFullDiskRejectsAndTheJournalGoesOnWhenThereIsRoom(t *testing.T) {
	disk := smallDisk(t)
	ballast := filepath.Join(disk, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 500<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(disk, "journal")
	j, err := Open(Options{Dir: dir, Segment: leastSegment})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	}()
	a := bedAppender(t, j)
	c := bedConsumer(t, j, "g")
	sent, why := uint64(0), error(nil)
	for why == nil && sent < 5000 {
		if n, err := a.Put([]mqadapt.Envelope{envelope(sent+1, 1000)}); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		if o := settle(t, a, 1)[0]; o.Verdict == mqadapt.Accepted {
			sent++
		} else {
			why = o.Why
		}
	}
	if !errors.Is(why, mqadapt.ErrFull) || !errors.Is(why, syscall.ENOSPC) || !strings.Contains(why.Error(), dir) {
		t.Fatal(sent, why)
	}
	began := time.Now()
	for range 1000 {
		if n, err := a.Put([]mqadapt.Envelope{envelope(sent+1, 1000)}); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		settle(t, a, 1)
	}
	if d := time.Since(began); d > 5*time.Second {
		t.Errorf("1000 answers of a full journal took %s", d)
	}
	read(t, c, 1, sent)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if !comes(10*time.Second, func() bool {
		if n, err := a.Put([]mqadapt.Envelope{envelope(sent+1, 1000)}); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		return settle(t, a, 1)[0].Verdict == mqadapt.Accepted
	}) {
		t.Fatal("there is room, and it still says that there is none")
	}
	put(t, a, sent+2, sent+100, 1000)
	read(t, c, sent+1, sent+100)
	if _, err := Verify(dir); err != nil {
		t.Error(err)
	}
}

func TestReadOnlyFileSystemIsSaidAtOnce(t *testing.T) {
	disk := smallDisk(t)
	o := Options{Dir: filepath.Join(disk, "journal"), Segment: leastSegment}
	j, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	put(t, bedAppender(t, j), 1, 10, 100)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-o", "remount,ro", disk).CombinedOutput(); err != nil {
		t.Fatalf("remount: %v: %s", err, out)
	}
	if _, err := Open(o); !errors.Is(err, syscall.EROFS) || !strings.Contains(err.Error(), o.Dir) {
		t.Error(err)
	}
	// It can be looked at all the same.
	if c, err := Verify(o.Dir); err != nil || c.Next != 11 {
		t.Error(c, err)
	}
	due := uint64(1)
	if err := Scan(o.Dir, 0, func(e Entry) error {
		got, err := numberOf(e.Envelope)
		if got != due {
			t.Errorf("entry %d where %d is due", got, due)
		}
		due++
		return err
	}); err != nil || due != 11 {
		t.Error(due, err)
	}
}

// ulimitPart runs putForEver with no file above 64 KiB: the first segment is refused.
func TestFileSizeLimitIsAnErrorAndNotTheEnd(t *testing.T) {
	dir := bedDir(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", "ulimit -f 64 && exec \"$0\"", exe)
	cmd.Env = append(os.Environ(), partEnv+`={"Role":"put","Dir":"`+dir+`","Seed":1}`)
	out, err := cmd.CombinedOutput()
	if err == nil || cmd.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), "file too large") || !strings.Contains(string(out), "queue full") {
		t.Errorf("%v: %s", err, out)
	}
}

// What the machine went down with: the boot in the state is another.
func TestAfterThePowerFailedOnlyWhatWasNotSyncedIsCut(t *testing.T) {
	for _, c := range []struct {
		name   string
		synced uint64
		cut    uint64 // entries left; 0: it is an error
	}{{"nothing synced", 1, 7}, {"synced up to the damage", 8, 7}, {"synced beyond the damage", 9, 0}} {
		t.Run(c.name, func(t *testing.T) {
			dir, _ := smallJournal(t)
			j := bed(t, Options{Dir: dir, Segment: leastSegment})
			if err := errors.Join(j.state.set(stateBoot, 12345), j.state.set(stateSynced, c.synced)); err != nil {
				t.Fatal(err)
			}
			g := bedConsumer(t, j, "ahead")
			cursor := g.(*Consumer).cursor
			if err := cursor.set(cursorNext, 10); err != nil {
				t.Fatal(err)
			}
			nothing(t, g) // nobody knows yet what is whole
			firsts, err := segments(dir)
			if err != nil {
				t.Fatal(err)
			}
			path := segPath(dir, firsts[len(firsts)-1])
			whole, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			off := uint64(segHeader) // entry 6 or 7 and on
			for n := firsts[len(firsts)-1]; n < 8; n++ {
				off += stride(uint64(whole[off]) | uint64(whole[off+1])<<8)
			}
			patch(t, path, int(off), make([]byte, 16)) // a page that never reached the disk
			a, err := j.Appender()
			if c.cut == 0 {
				if !errors.Is(err, mqadapt.ErrCorrupt) || !strings.Contains(err.Error(), path) {
					t.Fatal(err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if r := a.Recovery(); a.Number() != c.cut+1 || r.Cleared == 0 {
				t.Errorf("number %d, %+v", a.Number(), r)
			}
			put(t, a, c.cut+1, 20, 100)
			read(t, g, c.cut+1, 20)
			read(t, bedConsumer(t, j, "fresh"), 1, 20)
		})
	}
}
