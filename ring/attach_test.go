package ring

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/alphapulse/transport/internal/sys"
)

// storedRing makes a ring with some records in it and closes it; its files stay.
func storedRing(t testing.TB) string {
	t.Helper()
	r := fileRing(t, 4096)
	w := bedWriter(t, r)
	for range 50 {
		publish(t, w, 100)
	}
	if err := errors.Join(w.Close(), r.Close()); err != nil {
		t.Fatal(err)
	}
	return r.opts.Path
}

func edit(t testing.TB, path string, fn func(b []byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, fn(b), 0o600); err != nil {
		t.Fatal(err)
	}
}

// resum makes the header's checksum right again, as a forger would.
func resum(b []byte) []byte {
	binary.LittleEndian.PutUint32(b[hdrCRC:], crc32.ChecksumIEEE(b[:hdrCRC]))
	return b
}

func TestDamagedFilesAreRefusedByName(t *testing.T) {
	le := binary.LittleEndian
	for _, c := range []struct {
		name  string
		want  error
		spoil func(b []byte) []byte
	}{
		{"empty", ErrSize, func([]byte) []byte { return nil }},
		{"shorter than a header", ErrSize, func(b []byte) []byte { return b[:51] }},
		{"truncated by a byte", ErrSize, func(b []byte) []byte { return b[:len(b)-1] }},
		{"truncated by half", ErrSize, func(b []byte) []byte { return b[:len(b)/2] }},
		{"extended", ErrSize, func(b []byte) []byte { return append(b, 0) }},
		{"zeroed", ErrCorrupt, func(b []byte) []byte { clear(b); return b }},
		{"another magic", ErrCorrupt, func(b []byte) []byte { b[0]++; return resum(b) }},
		{"a later version", ErrVersion, func(b []byte) []byte { le.PutUint32(b[8:], version+1); return resum(b) }},
		{"another page size", ErrVersion, func(b []byte) []byte { le.PutUint64(b[16:], 16384); return resum(b) }},
		{"no page size", ErrVersion, func(b []byte) []byte { le.PutUint64(b[16:], 0); return resum(b) }},
		{"wrong checksum", ErrCorrupt, func(b []byte) []byte { b[hdrCRC]++; return b }},
		{"capacity unsummed", ErrCorrupt, func(b []byte) []byte { b[24]++; return b }},
		{"no capacity", ErrCorrupt, func(b []byte) []byte { le.PutUint64(b[24:], 0); return resum(b) }},
		{"odd capacity", ErrCorrupt, func(b []byte) []byte { le.PutUint64(b[24:], 5000); return resum(b) }},
		{"negative capacity", ErrCorrupt, func(b []byte) []byte { le.PutUint64(b[24:], 1<<63); return resum(b) }},
		{"endless capacity", ErrCorrupt, func(b []byte) []byte { le.PutUint64(b[24:], 1<<40); return resum(b) }},
		{"twice the capacity", ErrSize, func(b []byte) []byte { le.PutUint64(b[24:], 8192); return resum(b) }},
		{"another instance", ErrCorrupt, func(b []byte) []byte { b[32]++; return resum(b) }},
	} {
		for _, suffix := range []string{"", cursorsSuffix} {
			t.Run(c.name+suffix, func(t *testing.T) {
				if c.name == "twice the capacity" && suffix != "" {
					c.want = ErrCorrupt // the cursors of rings of all capacities have one size
				}
				path := storedRing(t)
				edit(t, path+suffix, c.spoil)
				r, err := Attach(path, Options{})
				wants(t, "attach", err, c.want)
				if err == nil {
					t.Fatal(r.Close())
				}
				if !strings.Contains(err.Error(), path+suffix) && !strings.Contains(err.Error(), path) {
					t.Errorf("%v does not name the file", err)
				}
			})
		}
	}
	for name, spoil := range map[string]func(b []byte){
		"published below the first position": func(b []byte) { le.PutUint64(b[hdrPublished:], 8) },
		"published unaligned":                func(b []byte) { le.PutUint64(b[hdrPublished:], 4097) },
		"limit below capacity":               func(b []byte) { le.PutUint64(b[hdrLimit:], 4095) },
		"limit far beyond published":         func(b []byte) { le.PutUint64(b[hdrLimit:], 1<<40) },
	} {
		t.Run(name, func(t *testing.T) {
			path := storedRing(t)
			edit(t, path, func(b []byte) []byte { spoil(b); return b })
			_, err := Attach(path, Options{})
			wants(t, "attach", err, ErrCorrupt)
		})
	}
}

func TestFilesThatOthersCanWriteAreForeign(t *testing.T) {
	for _, suffix := range []string{"", cursorsSuffix} {
		for _, mode := range []fs.FileMode{0o660, 0o606, 0o644, 0o640} {
			path := storedRing(t)
			if err := os.Chmod(path+suffix, mode); err != nil {
				t.Fatal(err)
			}
			_, err := Attach(path, Options{})
			wants(t, fmt.Sprintf("%s with mode %o", suffix, mode), err, ErrForeign)
		}
		path := storedRing(t)
		if err := os.Rename(path+suffix, path+".kept"); err != nil {
			t.Fatal(err)
		}
		_, err := Attach(path, Options{})
		wants(t, "a missing file", err, map[string]error{"": fs.ErrNotExist, cursorsSuffix: ErrCorrupt}[suffix])
		if err := os.Symlink(path+".kept", path+suffix); err != nil {
			t.Fatal(err)
		}
		_, err = Attach(path, Options{})
		wants(t, "a symbolic link", err, syscall.ELOOP)
		if err := errors.Join(os.Remove(path+suffix), os.Mkdir(path+suffix, 0o700)); err != nil {
			t.Fatal(err)
		}
		if _, err = Attach(path, Options{}); !errors.Is(err, ErrForeign) && !errors.Is(err, syscall.EISDIR) {
			t.Errorf("a directory: %v", err)
		}
		if err := os.Remove(path + suffix); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("mkfifo", "-m", "600", path+suffix).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		_, err = Attach(path, Options{})
		wants(t, "a pipe", err, ErrForeign)
	}
}

func TestFilesOfAnotherUserAreForeign(t *testing.T) {
	if os.Geteuid() != 0 {
		unavailable(t, "needs root to give a file away")
	}
	for _, suffix := range []string{"", cursorsSuffix} {
		path := storedRing(t)
		if err := os.Chown(path+suffix, 65534, -1); err != nil {
			t.Fatal(err)
		}
		_, err := Attach(path, Options{})
		wants(t, "attach", err, ErrForeign)
	}
}

func TestGroupMayUseARingMadeForIt(t *testing.T) {
	if os.Geteuid() != 0 {
		unavailable(t, "needs root to make files of another group")
	}
	const gid = 65534
	path := filepath.Join(t.TempDir(), "ring")
	r, err := Create(Options{Path: path, Capacity: 4096, GID: gid})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, suffix := range []string{"", cursorsSuffix} {
		f, err := os.Open(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		facts, err := sys.Facts(f)
		_ = f.Close()
		if err != nil || facts.Mode != 0o660 || facts.GID != gid {
			t.Errorf("%+v, %v", facts, err)
		}
	}
	_, err = Attach(path, Options{})
	wants(t, "attach without the group", err, ErrForeign)
	_, err = Attach(path, Options{GID: gid - 1})
	wants(t, "attach with another group", err, ErrForeign)
	other, err := Attach(path, Options{GID: gid})
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Close(); err != nil {
		t.Error(err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	_, err = Attach(path, Options{GID: gid})
	wants(t, "attach of what everybody can write", err, ErrForeign)
}

func TestFileRemovedBetweenOpenAndLookIsUnlinked(t *testing.T) {
	path := storedRing(t)
	f, err := sys.OpenShared(path, false)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := Remove(path); err != nil {
		t.Fatal(err)
	}
	_, err = checkFile(f, magicData, Options{}, true)
	wants(t, "attach", err, ErrUnlinked)
	_, err = Attach(path, Options{})
	wants(t, "attach of nothing", err, fs.ErrNotExist)
}

func TestCursorsOfAnotherRingAreRefused(t *testing.T) {
	one, two := storedRing(t), storedRing(t)
	if err := os.Rename(two+cursorsSuffix, one+cursorsSuffix); err != nil {
		t.Fatal(err)
	}
	_, err := Attach(one, Options{})
	wants(t, "attach", err, ErrCorrupt)
}

func TestCreatorThatDiedBetweenTheLinksIsForgotten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ring")
	if err := os.WriteFile(path+cursorsSuffix, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Attach(path, Options{})
	wants(t, "attach", err, fs.ErrNotExist)
	r, err := Create(Options{Path: path, Capacity: 4096})
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("no named rings on this system")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	publish(t, bedWriter(t, r), 8)
}

func TestOneOfManyCreatorsWinsAndOpenAlwaysWorks(t *testing.T) {
	_ = fileRing(t, 4096) // or there are none here
	for range crashCount(400) {
		path := filepath.Join(t.TempDir(), "ring")
		var running sync.WaitGroup
		rings := make([]*Ring, 8)
		errs := make([]error, 8)
		for i := range rings {
			running.Go(func() {
				o := Options{Path: path, Capacity: 4096}
				if i%2 == 0 {
					rings[i], errs[i] = Create(o)
				} else {
					rings[i], errs[i] = Open(o)
				}
			})
		}
		running.Wait()
		instances := map[uint64]bool{}
		for i, r := range rings {
			if errs[i] != nil {
				if i%2 == 1 || !errors.Is(errs[i], fs.ErrExist) {
					t.Errorf("creator %d: %v", i, errs[i])
				}
				continue
			}
			instances[r.Info().Instance] = true
			_ = r.Close()
		}
		if len(instances) != 1 {
			t.Fatalf("%d rings of one path", len(instances))
		}
	}
}

func TestFullFileSystemSaysSoAndKeepsNothing(t *testing.T) {
	if os.Geteuid() != 0 {
		unavailable(t, "needs root to mount a small file system")
	}
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", dir).CombinedOutput(); err != nil {
		unavailable(t, fmt.Sprintf("cannot mount: %v: %s", err, out))
	}
	defer func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	}()
	for _, capacity := range []int{1 << 20, 1 << 16, 1 << 15} { // the data does not fit, nor do the cursors beside it
		if r, err := Create(Options{Path: filepath.Join(dir, "ring"), Capacity: capacity}); !errors.Is(err, syscall.ENOSPC) {
			if err == nil {
				_ = errors.Join(r.Close(), Remove(filepath.Join(dir, "ring")))
				continue // it fits after all: cursors are small
			}
			t.Errorf("capacity %d: %v", capacity, err)
		}
		if left, err := os.ReadDir(dir); len(left) != 0 || err != nil {
			t.Errorf("%v left behind, %v", left, err)
		}
	}
}
