package ring

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"slices"
	"testing"
	"time"
)

// lookAt looks at a ring until the test ends.
func lookAt(t testing.TB, path string) *Onlooker {
	t.Helper()
	o, err := Look(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.Close() }) // closed already by some tests
	return o
}

// files are the bytes of both files of a ring.
func files(t testing.TB, path string) []byte {
	t.Helper()
	var all []byte
	for _, name := range []string{path, path + cursorsSuffix} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	return all
}

// TestOnlookerStoresNothing: it reads everything there is, and no byte of either file is another afterwards.
func TestOnlookerStoresNothing(t *testing.T) {
	r := fileRing(t, 4096)
	w := bedWriter(t, r)
	bedReader(t, r, ReaderOptions{Name: "strategy", Durable: true})
	for range 20 {
		publish(t, w, 50)
	}
	path := r.opts.Path
	before := files(t, path)
	o := lookAt(t, path)
	end, err := o.End()
	if err != nil || end.Seq != 21 || end.Epoch != r.Info().Epoch {
		t.Errorf("end %+v, %v", end, err)
	}
	all, err := o.Readers()
	if err != nil || len(all) != 1 || all[0].Name != "strategy" || !all[0].Alive || !all[0].Gating || all[0].Lag == 0 {
		t.Errorf("readers %+v, %v", all, err)
	}
	if alive, err := o.WriterAlive(); err != nil || !alive {
		t.Errorf("writer alive %t, %v", alive, err)
	}
	if got, want := o.Info(), r.Info(); got != want || got.Limit == 0 {
		t.Errorf("%+v, want %+v", got, want)
	}
	marks, err := o.Marks()
	if err != nil || len(marks) == 0 || !marks[0].Held || marks[0].Seq != 1 {
		t.Errorf("marks %+v, %v", marks, err)
	}
	rd, err := o.Reader(Oldest)
	if err != nil {
		t.Fatal(err)
	}
	batch := make([]Record, 32)
	seen := 0
	for n := rd.Peek(batch); n > 0; n = rd.Peek(batch) {
		if seen += n; rd.Seq() != uint64(seen)+1 || len(batch[0].Payload()) != 50 {
			t.Errorf("%d records from %d after %d", n, rd.First(), seen)
		}
		if err := rd.Release(n); err != nil {
			t.Error(err)
		}
	}
	if seen != 20 {
		t.Errorf("%d records", seen)
	}
	if _, _, ok := rd.Arm(); ok || rd.Wait(time.Hour) != nil {
		t.Error("an onlooker cannot sleep for news")
	}
	if err := errors.Join(rd.Close(), o.Close()); err != nil {
		t.Error(err)
	}
	if !bytes.Equal(before, files(t, path)) {
		t.Error("the files are not what they were")
	}
	if _, err := o.End(); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if _, err := o.Reader(Now); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

// TestOnlookerNeverHoldsTheWriter: one that stopped is lapped, and then knows how many it lost.
func TestOnlookerNeverHoldsTheWriter(t *testing.T) {
	r := fileRing(t, 4096)
	w := bedWriter(t, r)
	rd, err := lookAt(t, r.opts.Path).Reader(Now)
	if err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		publish(t, w, 100)
	}
	if _, waits := w.Slowest(); waits {
		t.Error("the writer waits for somebody")
	}
	batch, seen := make([]Record, 8), uint64(0)
	for range 8 {
		seen += uint64(rd.Peek(batch))
	}
	if rd.Lost() < 900 || rd.Lost()+seen != 1000 || rd.Laps() != 1 {
		t.Errorf("seen %d, lost %d, lapped %d times", seen, rd.Lost(), rd.Laps())
	}
	publish(t, w, 100)
	if n := rd.Peek(batch); n != 1 || rd.First() != 1001 {
		t.Errorf("%d records from %d", n, rd.First())
	}
	marks, err := lookAt(t, r.opts.Path).Marks()
	if err != nil || len(marks) < 3 || marks[0].Held || !marks[len(marks)-1].Held ||
		!slices.IsSortedFunc(marks, func(a, b Boundary) int { return int(a.Seq) - int(b.Seq) }) {
		t.Errorf("%+v, %v", marks, err)
	}
	if err := rd.Close(); err != nil {
		t.Error(err)
	}
}

// TestOnlookerSlotsAreNobodys: a ring whose slots are all taken can be looked at.
func TestOnlookerSlotsAreNobodys(t *testing.T) {
	r := fileRing(t, 4096)
	for range MaxReaders {
		bedReader(t, r, ReaderOptions{})
	}
	o := lookAt(t, r.opts.Path)
	if _, err := o.Reader(Now); err != nil {
		t.Error(err)
	}
	if all, err := o.Readers(); err != nil || len(all) != MaxReaders {
		t.Errorf("%d readers, %v", len(all), err)
	}
}

// TestLookRefuses: every file that is no sound ring has its own error.
func TestLookRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		harm func(b []byte) []byte
		want error
	}{
		"truncated":     {func(b []byte) []byte { return b[:5000] }, ErrSize},
		"empty":         {func([]byte) []byte { return nil }, ErrSize},
		"no ring":       {func([]byte) []byte { return bytes.Repeat([]byte("text "), 3000) }, ErrCorrupt},
		"other layout":  {func(b []byte) []byte { b[8]++; return resum(b) }, ErrVersion},
		"checksum":      {func(b []byte) []byte { b[20]++; return b }, ErrCorrupt},
		"forged cursor": {func(b []byte) []byte { b[hdrPublished] |= 1; return b }, ErrCorrupt},
	} {
		path := storedRing(t)
		edit(t, path, c.harm)
		if _, err := Look(path); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Look(t.TempDir() + "/none"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// TestLookNeedsNoRightToWrite: a ring that this process could not attach can be looked at where its files can be read.
func TestLookNeedsNoRightToWrite(t *testing.T) {
	path := storedRing(t)
	for _, name := range []string{path, path + cursorsSuffix} {
		if err := os.Chmod(name, 0o444); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Attach(path, Options{}); !errors.Is(err, ErrForeign) && !errors.Is(err, fs.ErrPermission) {
		t.Errorf("attached: %v", err)
	}
	if end, err := lookAt(t, path).End(); err != nil || end.Seq != 51 {
		t.Errorf("%+v, %v", end, err)
	}
}

// TestTruncationUnderAnOnlookerIsAnError and not the end of the process.
func TestTruncationUnderAnOnlookerIsAnError(t *testing.T) {
	path := storedRing(t)
	o := lookAt(t, path)
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := o.End(); !errors.Is(err, ErrCorrupt) {
		t.Error(err)
	}
	if _, err := o.Marks(); !errors.Is(err, ErrCorrupt) {
		t.Error(err)
	}
	if _, err := o.Reader(Oldest); !errors.Is(err, ErrCorrupt) {
		t.Error(err)
	}
}
