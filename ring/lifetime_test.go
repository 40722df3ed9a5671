package ring

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/alphapulse/transport/internal/sys"
)

// held counts this process's open files and mappings of rings.
func held(t *testing.T) (files, maps int) {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc on this system")
	}
	b, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return len(fds), bytes.Count(b, []byte("ring"))
}

// TestAThousandRingsLeaveNothingBehind makes, attaches, uses and closes rings, refused ones too: open files and mappings
// stay as many as they were.
func TestAThousandRingsLeaveNothingBehind(t *testing.T) {
	path := storedRing(t)
	bad := storedRing(t)
	edit(t, bad, func(b []byte) []byte { return b[:len(b)-1] })
	once := func() {
		anonymous := bedRing(t, 4096, false)
		w, rd := bedWriter(t, anonymous), bedReader(t, anonymous, ReaderOptions{})
		attached, err := Attach(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		w2, err := attached.Writer()
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // a second writer maps nothing anew
			if err := w2.Close(); err != nil {
				t.Fatal(err)
			}
			if w2, err = attached.Writer(); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := Attach(bad, Options{}); !errors.Is(err, ErrSize) {
			t.Fatal(err)
		}
		if _, err := Attach(path+"x", Options{}); err == nil {
			t.Fatal("attached nothing")
		}
		if err := errors.Join(anonymous.Close(), w.Close(), rd.Close(), attached.Close(), w2.Close()); err != nil {
			t.Fatal(err)
		}
	}
	once()
	files, maps := held(t)
	for range crashCount(1000) {
		once()
	}
	if f, m := held(t); f > files+2 || m > maps+2 { // the runtime may open a file of its own
		t.Errorf("%d files and %d mappings, were %d and %d", f, m, files, maps)
	}
}

func TestManyRingsLiveSideBySide(t *testing.T) {
	for i := range 50 {
		r := bedRing(t, 4096<<(i%4), i%3 == 0)
		w, rd := bedWriter(t, r), bedReader(t, r, ReaderOptions{})
		defer func() {
			for range 10 {
				publish(t, w, 8)
			}
			if take(t, rd) != 10 {
				t.Errorf("ring %d mixed up", i)
			}
		}()
	}
}

// TestRingsTravelAsFiles hands an anonymous ring's files to another opening, as a process would pass them on.
func TestRingsTravelAsFiles(t *testing.T) {
	r := bedRing(t, 4096, false)
	dataFile, curFile, err := r.Files()
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("no files behind anonymous rings on this system")
	}
	if err != nil {
		t.Fatal(err)
	}
	again := func(f *os.File) *os.File {
		g, err := os.OpenFile("/proc/self/fd/"+strconv.Itoa(int(f.Fd())), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	other, err := AttachFiles(again(dataFile), again(curFile))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	w, rd := bedWriter(t, r), bedReader(t, other, ReaderOptions{})
	_, err = other.Writer()
	wants(t, "second writer", err, ErrOwned)
	for range 200 {
		publish(t, w, 100)
		if take(t, rd) != 1 {
			t.Fatal("the record did not arrive")
		}
	}
	_, err = AttachFiles(again(curFile), again(dataFile))
	wants(t, "files exchanged", err, ErrCorrupt)
	f, err := os.Create(filepath.Join(t.TempDir(), "x"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = AttachFiles(f, again(curFile))
	wants(t, "an empty file", err, ErrSize)
}

// pool reserves huge pages for one test and puts the count back. Tests of other packages may do so too: they take turns.
func pool(t *testing.T, pages int) {
	t.Helper()
	const count = "/proc/sys/vm/nr_hugepages"
	if os.Geteuid() != 0 {
		unavailable(t, "needs root to reserve huge pages")
	}
	turn, err := sys.LockDir(os.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = turn.Close() }) // after the count is back
	before, err := os.ReadFile(count)
	if err != nil {
		unavailable(t, "no huge pages in this kernel")
	}
	was, err := strconv.Atoi(strings.TrimSpace(string(before)))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(count, []byte(strconv.Itoa(was+pages)), 0); err != nil {
		unavailable(t, "huge pages cannot be reserved: "+err.Error())
	}
	t.Cleanup(func() {
		if err := os.WriteFile(count, before, 0); err != nil {
			t.Error(err)
		}
	})
	after, err := os.ReadFile(count)
	if got, _ := strconv.Atoi(strings.TrimSpace(string(after))); err != nil || got < was+pages {
		unavailable(t, "memory is too fragmented for huge pages")
	}
}

func TestHugePagesHoldARingWhenThePoolHasThem(t *testing.T) {
	r, err := Create(Options{Capacity: 2 << 20, HugePages: true}) // whatever the pool has
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("an empty pool gives %+v", r.Info())
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	pool(t, 8)
	r, err = Create(Options{Capacity: 4 << 20, HugePages: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if i := r.Info(); !i.HugePages || i.Page != 2<<20 {
		t.Errorf("%+v", i)
	}
	w, rd := bedWriter(t, r), bedReader(t, r, ReaderOptions{})
	for range 200_000 { // more than twice around
		publish(t, w, 48)
		if w.Seq()%1000 == 0 {
			take(t, rd)
		}
	}
	_ = errors.Join(w.Close(), rd.Close())
}
