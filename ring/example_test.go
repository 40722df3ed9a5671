package ring_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/alphapulse/transport/ring"
)

// One process writes, any number read: here all in one.
func Example() {
	r, _ := ring.Create(ring.Options{Capacity: 1 << 16})
	defer r.Close()
	w, _ := r.Writer()
	defer w.Close()
	rd, _ := r.Reader(ring.ReaderOptions{Name: "strategy"})
	defer rd.Close()

	for _, text := range []string{"BTC-USD 97012.5", "ETH-USD 3301.25"} {
		b, err := w.Claim(len(text))
		if err != nil {
			fmt.Println(err)
			return
		}
		copy(b, text)
		_ = w.Commit(len(text))
	}

	batch := make([]ring.Record, 16)
	for seen := 0; seen < 2; {
		n := rd.Peek(batch)
		for i, rec := range batch[:n] {
			fmt.Printf("%d: %s\n", rd.First()+uint64(i), rec.Payload())
		}
		seen += n
		_ = rd.Release(n)
	}
	// Output:
	// 1: BTC-USD 97012.5
	// 2: ETH-USD 3301.25
}

func ExampleRing() {
	dir, _ := os.MkdirTemp("", "ring")
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "trades")

	feed, err := ring.Create(ring.Options{Path: path, Capacity: 1 << 16})
	if errors.Is(err, errors.ErrUnsupported) { // named rings need Linux
		feed, err = ring.Create(ring.Options{Heap: true, Capacity: 1 << 16})
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	defer feed.Close()
	_, err = ring.Create(ring.Options{Path: path, Capacity: 1 << 16})
	fmt.Println(err == nil || errors.Is(err, os.ErrExist)) // Attach or Open it

	w, _ := feed.Writer()
	defer w.Close()
	_, err = feed.Writer()
	fmt.Println(errors.Is(err, ring.ErrOwned))
	// Output:
	// true
	// true
}

func ExampleWriter() {
	r, _ := ring.Create(ring.Options{Capacity: 4096, Heap: true})
	defer r.Close()
	w, _ := r.Writer()
	defer w.Close()
	slow, _ := r.Reader(ring.ReaderOptions{Name: "slow"})
	defer slow.Close()

	written := 0
	for {
		b, err := w.Claim(48)
		if errors.Is(err, ring.ErrFull) {
			who, _ := w.Slowest()
			fmt.Println("waits for", who.Name)
			break
		}
		b[0] = byte(written)
		_ = w.Stage(48) // not visible before Flush
		written++
	}
	w.Flush()
	fmt.Println(w.Seq()-1 == uint64(written), written > 50)
	// Output:
	// waits for slow
	// true true
}

func ExampleWriter_ClaimBatch() {
	r, _ := ring.Create(ring.Options{Capacity: 4096, Heap: true})
	defer r.Close()
	w, _ := r.Writer()
	defer w.Close()

	batch, err := w.ClaimBatch(8, 10)
	if err != nil {
		fmt.Println(err)
		return
	}
	for i := range batch.Len() {
		copy(batch.At(i), "tick")
	}
	fmt.Println(batch.Len(), w.CommitBatch(batch.Len()), w.Seq())
	// Output: 10 <nil> 11
}

// A lossy reader holds nobody back and knows what it missed.
func ExampleReader() {
	r, _ := ring.Create(ring.Options{Capacity: 4096, Heap: true})
	defer r.Close()
	w, _ := r.Writer()
	defer w.Close()
	gauge, _ := r.Reader(ring.ReaderOptions{Mode: ring.Lossy, From: ring.Oldest})
	defer gauge.Close()

	for range 1000 {
		_, _ = w.Claim(48)
		_ = w.Commit(48)
	}
	delivered := uint64(0)
	batch := make([]ring.Record, 16)
	for delivered+gauge.Lost() < 1000 {
		n := gauge.Peek(batch)
		delivered += uint64(n)
		_ = gauge.Release(n)
	}
	fmt.Println(gauge.Laps() > 0, gauge.Lost() > 900, delivered+gauge.Lost())
	// Output: true true 1000
}

func ExampleReader_Wait() {
	r, _ := ring.Create(ring.Options{Capacity: 4096})
	defer r.Close()
	w, _ := r.Writer()
	defer w.Close()
	rd, _ := r.Reader(ring.ReaderOptions{})
	defer rd.Close()

	done := make(chan struct{})
	go func() {
		defer close(done)
		b, _ := w.Claim(5)
		copy(b, "hello")
		_ = w.Commit(5)
	}()
	batch := make([]ring.Record, 1)
	for rd.Peek(batch) == 0 {
		if err := rd.Wait(time.Second); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			fmt.Println(err)
			return
		}
	}
	fmt.Printf("%s\n", batch[0].Payload())
	<-done
	// Output: hello
}

func ExampleRecord() {
	r, _ := ring.Create(ring.Options{Capacity: 4096, Heap: true})
	defer r.Close()
	w, _ := r.Writer()
	defer w.Close()
	rd, _ := r.Reader(ring.ReaderOptions{})
	defer rd.Close()

	w.SetStamp(1_700_000_000)
	b, _ := w.Claim(16)
	n := copy(b, "fill")
	_ = w.Commit(n)

	batch := make([]ring.Record, 1)
	for rd.Peek(batch) == 0 {
	}
	rec := batch[0]
	fmt.Printf("%d bytes, %q, stamp %d, seq %d\n", len(rec), rec.Payload(), rec.Stamp(), rec.Seq32())
	// Output: 20 bytes, "fill", stamp 1700000000, seq 1
}

func ExampleOptions() {
	_, err := ring.Create(ring.Options{Capacity: 5000, Heap: true, GID: -1})
	fmt.Println(errors.Is(err, ring.ErrOptions))
	fmt.Println(err)
	// Output:
	// true
	// ring options: capacity 5000 is not a power of two from 4096 to 1073741824
	// ring options: negative group -1
}

// A durable reader goes on gating while it is away, and its successor continues where it stood.
func ExampleReaderOptions() {
	r, _ := ring.Create(ring.Options{Capacity: 4096, Heap: true})
	defer r.Close()
	w, _ := r.Writer()
	defer w.Close()

	o := ring.ReaderOptions{Name: "uplink", Durable: true}
	first, _ := r.Reader(o)
	_ = first.Close()
	for range 3 {
		_, _ = w.Claim(8)
		_ = w.Commit(8)
	}
	second, _ := r.Reader(o)
	defer second.Close()
	fmt.Println("next", second.Seq(), "lost", second.Lost())
	// Output: next 1 lost 0
}

func ExampleReaderInfo() {
	r, _ := ring.Create(ring.Options{Capacity: 4096, Heap: true})
	defer r.Close()
	audit, _ := r.Reader(ring.ReaderOptions{Name: "audit"})
	defer audit.Close()

	infos, _ := r.Readers()
	for _, i := range infos {
		fmt.Println(i.Slot, i.Name, i.Mode, i.Gating, i.Alive, i.PID == os.Getpid(), i.Lag)
	}
	// Output: 0 audit gate true true true 0
}

func ExampleInfo() {
	r, _ := ring.Create(ring.Options{Capacity: 1 << 16, Heap: true})
	defer r.Close()
	info := r.Info()
	fmt.Println(info.Capacity, info.Double, info.HugePages)
	// Output: 65536 false false
}

func ExampleMode() {
	fmt.Println(ring.Gate, ring.Lossy)
	// Output: gate lossy
}

func ExampleFrom() {
	r, _ := ring.Create(ring.Options{Capacity: 4096, Heap: true})
	defer r.Close()
	w, _ := r.Writer()
	defer w.Close()
	for range 3 {
		_, _ = w.Claim(8)
		_ = w.Commit(8)
	}
	now, _ := r.Reader(ring.ReaderOptions{From: ring.Now})
	defer now.Close()
	oldest, _ := r.Reader(ring.ReaderOptions{From: ring.Oldest})
	defer oldest.Close()
	fmt.Println(now.Seq(), oldest.Seq())
	// Output: 4 1
}

// Whoever looks at a ring is no reader of it: nobody waits for an Onlooker.
func ExampleOnlooker() {
	dir, _ := os.MkdirTemp("", "ring")
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "trades")
	r, err := ring.Create(ring.Options{Path: path, Capacity: 1 << 16})
	if errors.Is(err, errors.ErrUnsupported) { // named rings need Linux
		fmt.Println("record 2 comes next, 0 readers")
		return
	}
	defer r.Close()
	w, _ := r.Writer()
	defer w.Close()
	b, _ := w.Claim(3)
	copy(b, "BTC")
	_ = w.Commit(3)

	o, err := ring.Look(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer o.Close()
	var end ring.Boundary
	end, _ = o.End()
	readers, _ := o.Readers()
	fmt.Printf("record %d comes next, %d readers\n", end.Seq, len(readers))
	// Output: record 2 comes next, 0 readers
}
