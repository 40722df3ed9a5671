package ring

import (
	"errors"

	"pgregory.net/rapid"
)

func (tw *twin) pick(t *rapid.T) *twinReader {
	if len(tw.readers) == 0 {
		t.Skip("no reader")
	}
	return tw.readers[rapid.IntRange(0, len(tw.readers)-1).Draw(t, "reader")]
}

// Attach opens a reader: gate, lossy or durable, from now or from the oldest.
func (tw *twin) Attach(t *rapid.T) {
	if len(tw.readers) > 5 {
		t.Skip("enough")
	}
	o := ReaderOptions{From: From(rapid.IntRange(0, 1).Draw(t, "from")), Mode: Mode(rapid.IntRange(0, 1).Draw(t, "mode"))}
	if o.Mode == Gate && rapid.Bool().Draw(t, "durable") {
		o.Durable, o.Name = true, rapid.SampledFrom([]string{"a", "b"}).Draw(t, "name")
	}
	for _, other := range tw.readers {
		if o.Durable && other.o.Name == o.Name {
			if _, err := tw.ring.Reader(o); !errors.Is(err, ErrOwned) {
				t.Fatalf("durable reader %q twice: %v", o.Name, err)
			}
			return
		}
	}
	rd, err := tw.ring.Reader(o)
	if err != nil {
		t.Fatal(err)
	}
	start := int(rd.Seq() - 1)
	r := &twinReader{rd: rd, o: o, next: start, cursor: start, lost: rd.Lost(), held: map[int]Record{}}
	tw.readers = append(tw.readers, r)
	away, was := tw.away[o.Name]
	delete(tw.away, o.Name)
	floor := rd.hdr.Load64(hdrLimit) - rd.capacity
	switch {
	case was && away.slot >= 0:
		if start != away.cursor || r.lost != 0 {
			t.Fatalf("durable reader comes back to %d with %d lost, left at %d", start, r.lost, away.cursor)
		}
		return
	case o.From == Now && start != tw.visible:
		t.Fatalf("starts now at %d, want %d", start, tw.visible)
	case o.From == Oldest && (start > tw.visible || floor <= rd.capacity && start != 0 || rd.Position() > max(floor, rd.capacity)+rd.capacity/2):
		t.Fatalf("starts at the oldest, record %d of %d, position %d, held from %d", start, tw.visible, rd.Position(), floor)
	}
	if want := uint64(max(0, start-away.cursor)); was && r.lost != want || !was && r.lost != 0 {
		t.Fatalf("%d lost between %d and %d", r.lost, away.cursor, start)
	}
}

func (tw *twin) Peek(t *rapid.T) {
	r := tw.pick(t)
	batch := make([]Record, rapid.IntRange(1, 20).Draw(t, "batch"))
	tw.peek(t, r, batch)
}

func (tw *twin) peek(t *rapid.T, r *twinReader, batch []Record) int {
	lapped := r.rd.Position() < r.rd.hdr.Load64(hdrLimit)-r.rd.capacity
	n := 0
	for tries := 0; n == 0 && tries < patientPeeks; tries++ {
		n = r.rd.Peek(batch)
		if r.o.Mode == Lossy && r.rd.Lost() != r.lost {
			if !lapped {
				t.Fatalf("%d lost and never lapped", r.rd.Lost()-r.lost)
			}
			r.next += int(r.rd.Lost() - r.lost)
			r.lost = r.rd.Lost()
		}
	}
	if err := r.rd.Err(); err != nil {
		t.Fatal(err)
	}
	if n == 0 && r.next != tw.visible || n > len(batch) || r.next+n > tw.visible {
		t.Fatalf("%s: %d records at %d of %d visible", r.o.Mode, n, r.next, tw.visible)
	}
	if r.rd.First() != uint64(r.next+1) && n > 0 || r.rd.Seq() != uint64(r.next+n+1) {
		t.Fatalf("batch of %d begins with %d and ends before %d, want %d", n, r.rd.First(), r.rd.Seq(), r.next+1)
	}
	for i, rec := range batch[:n] {
		if err := tw.same(r.next+i, rec, r.rd); err != nil {
			t.Fatal(err)
		}
		if e := tw.records[r.next+i].epoch; r.rd.Epoch() != e {
			t.Fatalf("record %d of epoch %d, want %d", r.next+i+1, r.rd.Epoch(), e)
		}
		if r.o.Mode == Gate {
			r.held[r.next+i] = rec
		}
	}
	r.next += n
	if r.out += n; r.o.Mode == Lossy {
		r.out = n
	}
	return n
}

func (tw *twin) Release(t *rapid.T) {
	r := tw.pick(t)
	if err := r.rd.Release(r.out + 1); !errors.Is(err, ErrReleased) {
		t.Fatalf("release of %d out of %d: %v", r.out+1, r.out, err)
	}
	n := r.out
	if rapid.Bool().Draw(t, "partial") {
		n = rapid.IntRange(0, r.out).Draw(t, "n")
	}
	tw.release(t, r, n)
}

func (tw *twin) release(t *rapid.T, r *twinReader, n int) {
	if err := r.rd.Release(n); err != nil {
		t.Fatal(err)
	}
	r.out -= n
	for range n {
		delete(r.held, r.cursor)
		r.cursor++
	}
	if r.o.Mode == Lossy {
		r.cursor = r.next - r.out
		return
	}
	if r.cursor < tw.visible && r.rd.Cursor() > tw.records[r.cursor].pos {
		t.Fatalf("cursor %d beyond record %d at %d", r.rd.Cursor(), r.cursor, tw.records[r.cursor].pos)
	}
}

// Seek moves to a record, or to a position drawn blindly.
func (tw *twin) Seek(t *rapid.T) {
	r := tw.pick(t)
	floor := r.rd.Cursor()
	if r.o.Mode == Lossy {
		floor = r.rd.hdr.Load64(hdrLimit) - r.rd.capacity
	}
	if rapid.Bool().Draw(t, "record") && tw.visible > 0 {
		i := rapid.IntRange(max(0, tw.visible-60), tw.visible-1).Draw(t, "index")
		pos := tw.records[i].pos
		err := r.rd.Seek(pos)
		if held := pos >= floor; held != (err == nil) || err != nil && !errors.Is(err, ErrRange) {
			t.Fatalf("%s: seek to record %d at %d, held from %d: %v", r.o.Mode, i, pos, floor, err)
		}
		if err == nil {
			tw.sought(t, r, i)
		}
		return
	}
	pos := rapid.Uint64Range(floor-min(floor, 64), tw.w.Position()+64).Draw(t, "position")
	err := r.rd.Seek(pos)
	if err != nil && !errors.Is(err, ErrRange) {
		t.Fatal(err)
	}
	if err != nil {
		return
	}
	i := tw.visible
	for i > 0 && tw.records[i-1].pos >= pos {
		i--
	}
	begins := i < tw.visible && tw.records[i].pos == pos
	ends := i == 0 || tw.records[i-1].pos+stride(uint64(len(tw.records[i-1].payload))+HeaderSize) <= pos
	if !begins && !ends {
		t.Fatalf("seek to %d, inside record %d", pos, i)
	}
	tw.sought(t, r, i)
}

func (tw *twin) sought(t *rapid.T, r *twinReader, i int) {
	if r.rd.Seq() != uint64(i+1) {
		t.Fatalf("sought record %d, is at %d", i+1, r.rd.Seq())
	}
	r.next = i
	if r.out = i - r.cursor; r.o.Mode == Lossy {
		r.out, r.cursor = 0, i
	}
}

// Leave closes a reader; a durable one goes on gating where it stood.
func (tw *twin) Leave(t *rapid.T) {
	r := tw.pick(t)
	tw.remove(r)
	if r.o.Durable {
		tw.away[r.o.Name] = twinAway{r.cursor, r.rd.index}
	}
	if err := r.rd.Close(); err != nil {
		t.Fatal(err)
	}
}

func (tw *twin) remove(r *twinReader) {
	for i, other := range tw.readers {
		if other == r {
			tw.readers = append(tw.readers[:i], tw.readers[i+1:]...)
			return
		}
	}
}

func (tw *twin) Forget(t *rapid.T) {
	name := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "name")
	_, away := tw.away[name]
	alive := false
	for _, r := range tw.readers {
		alive = alive || r.o.Name == name
	}
	err := tw.ring.Forget(name)
	switch {
	case away && err != nil, alive && !errors.Is(err, ErrOwned), !away && !alive && !errors.Is(err, ErrRange):
		t.Fatalf("forget %q (away %v, alive %v): %v", name, away, alive, err)
	}
	delete(tw.away, name)
}

// Evict goes on without a living gate, which is told at its next release.
func (tw *twin) Evict(t *rapid.T) {
	r := tw.pick(t)
	if tw.w.Evict(r.rd.index) != (r.o.Mode == Gate) {
		t.Fatalf("eviction of a %s reader", r.o.Mode)
	}
	if r.o.Mode == Lossy {
		return
	}
	tw.evicted++
	if err := r.rd.Release(rapid.IntRange(0, r.out).Draw(t, "n")); !errors.Is(err, ErrEvicted) {
		t.Fatalf("release after eviction: %v", err)
	}
	if err := r.rd.Err(); !errors.Is(err, ErrEvicted) || r.rd.Peek(make([]Record, 1)) != 0 {
		t.Fatal(err)
	}
	tw.remove(r)
	if r.o.Durable {
		tw.away[r.o.Name] = twinAway{r.cursor, -1}
	}
	if err := r.rd.Close(); err != nil {
		t.Fatal(err)
	}
}

// drain lets every reader come to the end.
func (tw *twin) drain(t *rapid.T) {
	tw.w.Flush()
	tw.visible = len(tw.records)
	batch := make([]Record, 16)
	for _, r := range tw.readers {
		for r.next < tw.visible {
			tw.release(t, r, min(r.out, tw.peek(t, r, batch)))
		}
	}
}
