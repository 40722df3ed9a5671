package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alphapulse/transport/internal/check"
	"github.com/alphapulse/transport/mqadapt"
)

// smallJournal makes a journal of a segment and a half, with a group in the middle, and returns its directory and entries.
func smallJournal(t testing.TB) (dir string, entries uint64) {
	t.Helper()
	dir = t.TempDir()
	j := bed(t, Options{Dir: dir, Segment: leastSegment})
	a := bedAppender(t, j)
	put(t, a, 1, 3, 100)
	put(t, a, 4, 6, 44000) // the third does not fit
	put(t, a, 7, 10, 37)
	read(t, bedConsumer(t, j, "g"), 1, 2)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, 10
}

// Every byte of a journal is flipped in turn, but for the owner's name and all but a sample of large payloads and of the emptiness behind the
// last record. Whatever the byte: nothing wrong is delivered, and Verify names the file, and an offset at or before the byte in whose record
// it lies.
func TestEverySingleByteCorruptionIsDetected(t *testing.T) {
	dir, entries := smallJournal(t)
	if _, err := Verify(dir); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 4 {
		t.Fatal(files, err)
	}
	flips := 0
	for _, e := range files {
		path := filepath.Join(dir, e.Name())
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		every := 1
		if check.On { // slower by much, and here to look for races
			every = 7
		}
		for off := 0; off < len(whole); off += every * sparse(e.Name(), off, whole) {
			if e.Name() == stateName && off >= stateOwner && off < stateOwner+ownerSize {
				continue
			}
			flips++
			flipped := []byte{whole[off] ^ byte(1<<(off%8))}
			if off%3 == 0 {
				flipped[0] = ^whole[off]
			}
			patch(t, path, off, flipped)
			_, err := Verify(dir)
			if !errors.Is(err, mqadapt.ErrCorrupt) || !strings.Contains(err.Error(), e.Name()) || !strings.Contains(err.Error(), "offset") {
				t.Fatalf("byte %d of %s: Verify says %v", off, e.Name(), err)
			}
			if flips%17 == 0 || off < 4096 {
				deliversNothingWrong(t, dir, entries, fmt.Sprintf("byte %d of %s", off, e.Name()))
			}
			patch(t, path, off, whole[off:off+1])
		}
	}
	t.Logf("%d flips", flips)
	if _, err := Verify(dir); err != nil {
		t.Fatal(err)
	}
}

// sparse is the step to the next byte to flip: 1 where anything is, but for the insides of large payloads and zeroes; 1 everywhere where
// scripts ask for everything.
func sparse(name string, off int, whole []byte) int {
	if everything := scaled(1000) == 1000; everything || !strings.HasSuffix(name, segSuffix) || off < 2048 || off+64 > len(whole) {
		return 1
	}
	zero, plain := true, true
	for i := off - 64; i < off+64; i++ {
		zero = zero && whole[i] == 0
		plain = plain && whole[i] != 0 && i > 0 && whole[i] == whole[i-1]+1 || whole[i] == 0 && whole[i-1] == 255
	}
	if zero {
		return 1021
	}
	if plain {
		return 61
	}
	return 1
}

func patch(t testing.TB, path string, off int, b []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt(b, int64(off))
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// deliversNothingWrong reads a damaged journal every way there is: each entry is what was put, in order, or there is an error.
func deliversNothingWrong(t *testing.T, dir string, entries uint64, what string) {
	t.Helper()
	due := uint64(1)
	err := Scan(dir, 0, func(e Entry) error {
		got, err := numberOf(e.Envelope)
		if err != nil || got != due || e.Number != due {
			t.Fatalf("%s: scanned %d (%d) where %d is due: %v", what, got, e.Number, due, err)
		}
		due++
		return nil
	})
	if err == nil && due != entries+1 {
		// The word of a record can only become nothing when all its eight bytes do; and a segment that stops has its successor to show for it.
		t.Fatalf("%s: the scan ends after %d without an error", what, due-1)
	}
	j, err := Open(Options{Dir: dir})
	if err != nil {
		return // said so
	}
	defer func() {
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}()
	c, err := j.Consumer("g")
	if err != nil {
		return
	}
	batch := make([]mqadapt.Delivery, 16)
	n, err := c.Get(batch, 0)
	for i, d := range batch[:n] {
		got, faulty := numberOf(d.Envelope)
		if faulty != nil || got != d.Position || i > 0 && got != batch[i-1].Position+1 || batch[0].Position > 3 {
			t.Fatalf("%s: delivered %d at %d: %v", what, got, d.Position, faulty)
		}
	}
	_ = err // an error is as good
}

func TestProducerRefusesADamagedEndAndSaysWhere(t *testing.T) {
	dir, _ := smallJournal(t)
	firsts, err := segments(dir)
	if err != nil {
		t.Fatal(err)
	}
	path := segPath(dir, firsts[len(firsts)-1])
	patch(t, path, segHeader+recHeader+3, []byte{0xee})
	j := bed(t, Options{Dir: dir})
	_, err = j.Appender()
	if !errors.Is(err, mqadapt.ErrCorrupt) || !strings.Contains(err.Error(), path+" at offset 64") {
		t.Fatal(err)
	}
	if _, again := j.Appender(); again == nil || again.Error() != err.Error() { // the lock was given back
		t.Error(again)
	}
}

// A block of zeroes, as a disk may give for one it lost, is not taken for the journal's end: neither where the state knows better nor, after
// a producer that was killed, where only what lies behind it does.
func TestHoleIsNotTakenForTheEnd(t *testing.T) {
	for _, synced := range []uint64{11, 1} {
		dir, _ := smallJournal(t)
		firsts, err := segments(dir)
		if err != nil {
			t.Fatal(err)
		}
		patch(t, segPath(dir, firsts[len(firsts)-1]), segHeader, make([]byte, 8))
		if _, err = Verify(dir); !errors.Is(err, mqadapt.ErrCorrupt) {
			t.Error(err)
		}
		j := bed(t, Options{Dir: dir})
		if err := j.state.set(stateSynced, synced); err != nil {
			t.Fatal(err)
		}
		if _, err := j.Appender(); !errors.Is(err, mqadapt.ErrCorrupt) || !strings.Contains(err.Error(), "offset 64") {
			t.Errorf("synced below %d: %v", synced, err)
		}
	}
}

func TestMissingTruncatedAndForeignFilesAreRefused(t *testing.T) {
	for name, harm := range map[string]func(dir string, firsts []uint64) error{
		"first segment truncated": func(dir string, f []uint64) error { return os.Truncate(segPath(dir, f[0]), 5000) },
		"last segment truncated":  func(dir string, f []uint64) error { return os.Truncate(segPath(dir, f[1]), 70) },
		"last segment empty":      func(dir string, f []uint64) error { return os.Truncate(segPath(dir, f[1]), 0) },
		"last segment missing":    func(dir string, f []uint64) error { return os.Remove(segPath(dir, f[1])) },
		"all segments missing": func(dir string, f []uint64) error {
			return errors.Join(os.Remove(segPath(dir, f[0])), os.Remove(segPath(dir, f[1])))
		},
		"state missing":   func(dir string, f []uint64) error { return os.Remove(filepath.Join(dir, stateName)) },
		"state truncated": func(dir string, f []uint64) error { return os.Truncate(filepath.Join(dir, stateName), 100) },
		"segment renamed": func(dir string, f []uint64) error { return os.Rename(segPath(dir, f[1]), segPath(dir, f[1]+1)) },
		"segment of all":  func(dir string, f []uint64) error { return os.Chmod(segPath(dir, f[1]), 0o666) },
	} {
		t.Run(name, func(t *testing.T) {
			dir, _ := smallJournal(t)
			firsts, err := segments(dir)
			if err != nil {
				t.Fatal(err)
			}
			if err := harm(dir, firsts); err != nil {
				t.Fatal(err)
			}
			j, err := Open(Options{Dir: dir})
			if err == nil {
				_, err = j.Appender()
				err = errors.Join(err, j.Close())
			}
			if !errors.Is(err, mqadapt.ErrCorrupt) || !strings.Contains(err.Error(), dir) {
				t.Error(err)
			}
			t.Log(err)
		})
	}
}

func TestTruncationUnderUsIsAnErrorAndNotTheEnd(t *testing.T) {
	dir := t.TempDir()
	j := bed(t, Options{Dir: dir, Segment: 1 << 20})
	a := bedAppender(t, j)
	put(t, a, 1, 10, 1000)
	c := bedConsumer(t, j, "g")
	read(t, c, 1, 1)
	if err := os.Truncate(segPath(dir, 1), 4096); err != nil {
		t.Fatal(err)
	}
	batch := make([]mqadapt.Envelope, 32)
	for i := range batch {
		batch[i] = envelope(uint64(i)+11, 1000)
	}
	for range 2 {
		if _, err := a.Put(batch); !errors.Is(err, mqadapt.ErrCorrupt) || !strings.Contains(err.Error(), segPath(dir, 1)) {
			t.Fatal(err)
		}
	}
	got := make([]mqadapt.Delivery, 64)
	n, err := c.Get(got, 0)
	for ; n > 0 && err == nil; n, err = c.Get(got, 0) {
	}
	if !errors.Is(err, mqadapt.ErrCorrupt) {
		t.Fatal(err)
	}
}
