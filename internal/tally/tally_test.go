package tally

import (
	"bufio"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/alphapulse/transport/internal/sys"
)

// childOf names the file that a process of the test's own shall keep.
const childOf = "PULSE_TALLY_CHILD"

func TestMain(m *testing.M) {
	path := os.Getenv(childOf)
	if path == "" {
		os.Exit(m.Run())
	}
	f, err := Create(path, "left", "child")
	if err == nil {
		var v *Value
		if v, err = f.Value(Counter, "orders"); err == nil {
			v.Set(7)
		}
	}
	fmt.Println("ready", err)
	time.Sleep(time.Minute) // it is killed
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func create(t testing.TB) (*File, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "w", "node.stats")
	f, err := Create(path, "left", "node")
	must(t, err)
	t.Cleanup(func() {
		if !f.closed {
			must(t, f.Close())
		}
	})
	return f, path
}

func read(t testing.TB, path string) *Reading {
	t.Helper()
	r, err := Read(path)
	must(t, err)
	return r
}

// What is put is read, and what is taken out is not.
func TestNumbersAreReadAsTheyWerePut(t *testing.T) {
	f, path := create(t)
	count, err := f.Value(Counter, `frames{channel="a"}`)
	must(t, err)
	gauge, err := f.Value(Gauge, "share")
	must(t, err)
	gone, err := f.Value(Gauge, "gone")
	must(t, err)
	spread, err := f.Spread("latency")
	must(t, err)
	count.Set(42)
	gauge.SetFloat(-0.5)
	gone.Remove()
	for _, ns := range []uint64{0, 1, 300, 1 << 40} {
		spread.Record(ns)
	}
	at := time.Unix(5, 6)
	f.Publish()
	f.Beat(at)
	r := read(t, path)
	if r.Node != "left" || r.Process != "node" || r.PID != os.Getpid() || !r.Beat.Equal(at) || !r.Alive || len(r.Entries) != 3 {
		t.Fatalf("%+v", r)
	}
	if e := r.Entries[0]; e.Kind != Counter || e.Text != `frames{channel="a"}` || e.Value != 42 {
		t.Errorf("%+v", e)
	}
	if e := r.Entries[1]; e.Kind != Gauge || math.Float64frombits(e.Value) != -0.5 {
		t.Errorf("%+v", e)
	}
	c := r.Entries[2].Counts
	if r.Entries[2].Kind != Histogram || c.Total != 4 || c.Max != maxValue || c.Sum != 1+1+300+maxValue || c.Each[1] != 2 || c.Quantile(0.5) != 1 || c.Quantile(1) != maxValue {
		t.Errorf("%d, %d, %d", c.Total, c.Max, c.Sum)
	}
	spread.Remove()
	again, err := f.Spread("latency")
	must(t, err)
	again.Record(1)
	f.Publish()
	if r := read(t, path); len(r.Entries) != 3 || r.Entries[2].Text != "latency" || r.Entries[2].Counts.Total != 1 {
		t.Errorf("a histogram has what another had: %+v", r.Entries)
	}
	must(t, f.Close())
	again.Remove() // nothing is there any more
	if r := read(t, path); r.Alive || r.Entries[0].Value != 42 {
		t.Errorf("last words: %+v", r)
	}
}

// Whoever reads while the owner writes, and makes and removes numbers, sees whole texts, and counts that only grow.
func TestReaderBesideItsOwnerSeesWholeNumbers(t *testing.T) {
	f, path := create(t)
	count, err := f.Value(Counter, "count")
	must(t, err)
	spread, err := f.Spread("spread")
	must(t, err)
	done := make(chan struct{})
	var owner sync.WaitGroup
	owner.Go(func() {
		for i := uint64(1); ; i++ {
			select {
			case <-done:
				return
			default:
			}
			count.Set(i)
			spread.Record(i % 1000)
			f.Publish()
			v, err := f.Value(Gauge, strings.Repeat(string(rune('a'+i%26)), 1+int(i%textSize)))
			if err != nil {
				t.Error(err)
				return
			}
			v.Remove()
		}
	})
	var last, total uint64
	for range 200 {
		for _, e := range read(t, path).Entries {
			switch {
			case e.Text == "count":
				if e.Value < last {
					t.Errorf("%d after %d", e.Value, last)
				}
				last = e.Value
			case e.Text == "spread":
				if e.Counts.Total < total {
					t.Errorf("%d values after %d", e.Counts.Total, total)
				}
				total = e.Counts.Total
			case strings.Trim(e.Text, e.Text[:1]) != "":
				t.Errorf("a text of two: %q", e.Text)
			}
		}
	}
	close(done)
	owner.Wait()
	if last == 0 || total == 0 {
		t.Error("nothing was seen")
	}
}

// The file of a process that was killed is read, says that its owner is gone, and makes room for a successor; that of a living one does not.
func TestFileOutlivesItsOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "node.stats")
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), childOf+"="+path)
	out, err := c.StdoutPipe()
	must(t, err)
	must(t, c.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "ready <nil>\n" {
		t.Errorf("%q, %v", line, err)
	}
	if r := read(t, path); !r.Alive || r.PID != c.Process.Pid || len(r.Entries) != 1 || r.Entries[0].Value != 7 {
		t.Errorf("%+v", r)
	}
	if _, err := Create(path, "left", "node"); !errors.Is(err, ErrOwned) {
		t.Errorf("a second owner: %v", err)
	}
	if err := Remove(path); !errors.Is(err, ErrOwned) {
		t.Errorf("removed: %v", err)
	}
	must(t, c.Process.Kill())
	if err := c.Wait(); err == nil {
		t.Error("it was not killed")
	}
	if r := read(t, path); r.Alive || r.Entries[0].Value != 7 {
		t.Errorf("%+v", r)
	}
	f, err := Create(path, "left", "node")
	must(t, err)
	if r := read(t, path); !r.Alive || r.Process != "node" || len(r.Entries) != 0 {
		t.Errorf("%+v", r)
	}
	must(t, f.Close())
	must(t, Remove(path))
	if alive, err := Alive(path); alive || err != nil {
		t.Error(alive, err)
	}
}

// A full file says so, and has room again when something goes.
func TestFullFileSaysSo(t *testing.T) {
	f, path := create(t)
	for range blocks {
		if _, err := f.Spread("h"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.Spread("h"); !errors.Is(err, ErrFull) {
		t.Errorf("histograms: %v", err)
	}
	var last *Value
	for range entries - blocks {
		var err error
		if last, err = f.Value(Counter, "c"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.Value(Counter, "c"); !errors.Is(err, ErrFull) {
		t.Errorf("entries: %v", err)
	}
	if n := len(read(t, path).Entries); n != entries {
		t.Errorf("%d entries", n)
	}
	last.Remove()
	_, err := f.Value(Counter, "c")
	must(t, err)
	if _, err := f.Value(Counter, strings.Repeat("x", textSize+1)); err == nil {
		t.Error("a text that has no room")
	}
}

// The counts are those of an HDR histogram, bucket by bucket.
func TestBucketsAreThoseOfAnHDRHistogram(t *testing.T) {
	h := hdrhistogram.New(1, maxValue, 2)
	if n := len(h.Export().Counts); n != Buckets {
		t.Fatalf("%d buckets", n)
	}
	var values []uint64
	for p := range 36 {
		for d := -1; d <= 1; d++ {
			values = append(values, min(max(uint64(1<<p+d), 1), maxValue))
		}
	}
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 1))
	for range 3000 {
		values = append(values, min(max(random.Uint64()>>(28+random.IntN(36)), 1), maxValue))
	}
	for _, v := range values {
		h.Reset()
		must(t, h.RecordValue(int64(v)))
		i := index(v)
		if h.Export().Counts[i] != 1 {
			t.Fatalf("seed %d: %d is not in bucket %d", seed, v, i)
		}
		if low, next := Low(int(i)), Low(int(i)+1); v < low || v >= next || bits.Len64(v) > 8 && float64(next-low) > float64(v)/127 {
			t.Fatalf("%d in a bucket of %d to %d", v, low, next)
		}
	}
}

// What is counted between two readings is what was recorded between them, and what two histograms have is added up.
func TestCountsAreTakenApartAndTogether(t *testing.T) {
	f, path := create(t)
	s, err := f.Spread("s")
	must(t, err)
	s.Record(100)
	f.Publish()
	before := read(t, path).Entries[0].Counts
	s.Record(5000)
	s.Record(6000)
	f.Publish()
	after := read(t, path).Entries[0].Counts
	d := after.Since(before)
	if d.Total != 2 || d.Sum != 11000 || d.Quantile(0) < 5000 || d.Max < 6000 {
		t.Errorf("%d values, %d ns, max %d", d.Total, d.Sum, d.Max)
	}
	if d := before.Since(after); d.Total != 1 || d.Max != 100 {
		t.Errorf("of a histogram that began anew: %d", d.Total)
	}
	if d.Add(before); d.Total != 3 || d.Sum != after.Sum || d.Quantile(1) != after.Quantile(1) {
		t.Errorf("together: %d", d.Total)
	}
}

// A file that is none, of another version or cut short is refused.
func TestForgedFilesAreRefused(t *testing.T) {
	_, path := create(t)
	for name, spoil := range map[string]func(*os.File) error{
		"magic":     func(f *os.File) error { _, err := f.WriteAt([]byte{1}, hdrMagic); return err },
		"version":   func(f *os.File) error { _, err := f.WriteAt([]byte{9}, hdrVersion); return err },
		"cut short": func(f *os.File) error { return f.Truncate(fileSize - 1) },
	} {
		good, err := os.ReadFile(path)
		must(t, err)
		one := filepath.Join(t.TempDir(), "forged.stats")
		must(t, os.WriteFile(one, good, 0o600))
		f, err := os.OpenFile(one, os.O_RDWR, 0)
		must(t, err)
		must(t, errors.Join(spoil(f), f.Close()))
		if _, err := Read(one); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzRead changes a good file in two places: reading it finds bounded entries, or says that it is none.
func FuzzRead(f *testing.F) {
	f.Add(uint32(0), []byte("x"), uint32(8), []byte{2})
	f.Add(uint32(headerSize), []byte{3}, uint32(headerSize+entLength), []byte{255, 255, 255, 255})
	f.Add(uint32(headerSize+entKind), []byte{3, 0, 0, 0, 1, 0, 0, 0, 255}, uint32(hdrNode), []byte(strings.Repeat("n", nameSize)))
	f.Add(uint32(blocksOffset), []byte{255, 255, 255, 255, 255, 255, 255, 255}, uint32(blocksOffset+hisCounts), []byte{255, 255, 255, 255, 255, 255, 255, 255})
	good, path := create(f)
	v, err := good.Value(Counter, `frames{channel="a"}`)
	must(f, err)
	v.Set(1)
	s, err := good.Spread("latency")
	must(f, err)
	s.Record(1000)
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	must(f, err)
	f.Cleanup(func() { must(f, file.Close()) })
	f.Fuzz(func(t *testing.T, at1 uint32, patch1 []byte, at2 uint32, patch2 []byte) {
		for _, p := range []struct {
			at    uint32
			bytes []byte
		}{{at1, patch1}, {at2, patch2}} {
			at := int64(p.at % fileSize)
			b := p.bytes[:min(int64(len(p.bytes)), fileSize-at)]
			was := make([]byte, len(b))
			_, err := file.ReadAt(was, at)
			must(t, err)
			_, err = file.WriteAt(b, at)
			must(t, err)
			defer func() { _, err := file.WriteAt(was, at); must(t, err) }()
		}
		r, err := Read(path)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Error(err)
			}
			return
		}
		if len(r.Entries) > entries || len(r.Node) > nameSize || len(r.Process) > nameSize {
			t.Errorf("%d entries of %q", len(r.Entries), r.Node)
		}
		for _, e := range r.Entries {
			if len(e.Text) > textSize || (e.Kind == Histogram) != (e.Counts != nil) {
				t.Errorf("%+v", e)
			}
			if e.Counts != nil {
				e.Counts.Quantile(0.99)
			}
		}
	})
}

// Recording costs no allocation, and a nil Spread or Value costs nothing.
func TestRecordingAllocatesNothing(t *testing.T) {
	f, _ := create(t)
	s, err := f.Spread("s")
	must(t, err)
	v, err := f.Value(Counter, "c")
	must(t, err)
	n := testing.AllocsPerRun(100, func() {
		s.Record(12345)
		v.Set(1)
		(*Spread)(nil).Record(1)
		(*Value)(nil).Set(1)
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Who records has nothing to do with the file: it may be cut short, or closed. What is copied meets the fault, under Guard.
func TestWhoRecordsDoesNotTouchTheFile(t *testing.T) {
	f, path := create(t)
	s, err := f.Spread("s")
	must(t, err)
	must(t, os.Truncate(path, 0))
	s.Record(1)
	if n := testing.AllocsPerRun(10, func() { s.Record(3) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
	if err := sys.Guard(func() error { f.Publish(); return nil }); !errors.Is(err, ErrCorrupt) {
		t.Error(err)
	}
	if _, err := f.Spread("another"); err == nil {
		t.Error("a file that was cut short takes a histogram")
	}
	must(t, f.Close())
	s.Record(2)
	f.Publish()
}
