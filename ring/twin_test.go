package ring

import (
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// twin is the slow and obvious ring: a slice of all records ever appended. It is driven beside a real one through random
// histories, and both must agree after each step.
type twin struct {
	ring    *Ring
	w       *Writer
	records []twinRecord // record of number i+1 at i
	visible int          // committed; the rest is staged
	readers []*twinReader
	away    map[string]twinAway // durable readers that left
	stamp   uint64
	evicted uint64
}

type twinRecord struct {
	payload []byte
	stamp   uint64
	epoch   uint64
	pos     uint64
}

type twinReader struct {
	rd     *Reader
	o      ReaderOptions
	next   int            // record to peek
	cursor int            // first record not released
	out    int            // records that can be released
	lost   uint64         // as Lost said last
	held   map[int]Record // what a gating reader may still look at
}

type twinAway struct {
	cursor int
	slot   int
}

func (tw *twin) size(t *rapid.T) int {
	if rapid.IntRange(0, 9).Draw(t, "edge") == 0 {
		return rapid.SampledFrom([]int{1, 8, 40, 48, 56, tw.w.MaxPayload() - 1, tw.w.MaxPayload()}).Draw(t, "size")
	}
	return rapid.IntRange(1, tw.w.MaxPayload()).Draw(t, "size")
}

// full checks that ErrFull was right: some gate really is a ring behind.
func (tw *twin) full(t *rapid.T, n int) {
	infos, err := tw.ring.Readers()
	if err != nil {
		t.Fatal(err)
	}
	room := stride(uint64(n)+HeaderSize) + wordSize + max(epochRecord, epochSize(tw.w.Position()))
	if tw.w.single {
		room *= 2 // and the pad before it
	}
	for _, i := range infos {
		if i.Gating && tw.w.Position()+room > i.Cursor+tw.ring.geo.capacity {
			return
		}
	}
	t.Fatalf("ErrFull for %d bytes at %d and no gate in the way: %v", n, tw.w.Position(), infos)
}

func (tw *twin) claim(t *rapid.T, n int) ([]byte, bool) {
	b, err := tw.w.Claim(n)
	tw.flushed()
	if errors.Is(err, ErrFull) {
		tw.full(t, n)
		return nil, false
	}
	if err != nil || len(b) != n || cap(b) != n {
		t.Fatalf("claim of %d: %d bytes of %d, %v", n, len(b), cap(b), err)
	}
	return b, true
}

// flushed notices when the ring flushed a batch by itself.
func (tw *twin) flushed() {
	published := tw.w.hdr.Load64(hdrPublished)
	for tw.visible < len(tw.records) && tw.records[tw.visible].pos < published {
		tw.visible++
	}
}

func (tw *twin) append(b []byte, pos uint64) {
	fillSeq(b, uint64(len(tw.records)+1))
	tw.records = append(tw.records, twinRecord{append([]byte(nil), b...), tw.stamp, tw.w.Epoch(), pos})
}

func (tw *twin) one(t *rapid.T, end func(int) error, visible bool) {
	n := tw.size(t)
	b, ok := tw.claim(t, n)
	if !ok {
		return
	}
	if rapid.IntRange(0, 3).Draw(t, "shorter") == 0 {
		n = rapid.IntRange(1, n).Draw(t, "commit")
	}
	tw.append(b[:n], tw.w.Position())
	if err := end(n); err != nil {
		t.Fatal(err)
	}
	if visible {
		tw.visible = len(tw.records)
	}
}

func (tw *twin) Commit(t *rapid.T) {
	for range rapid.IntRange(1, 40).Draw(t, "records") {
		tw.one(t, func(n int) error { return tw.w.Commit(n) }, true)
	}
}

func (tw *twin) Stage(t *rapid.T) {
	for range rapid.IntRange(1, 12).Draw(t, "records") {
		tw.one(t, func(n int) error { return tw.w.Stage(n) }, false)
	}
	if rapid.Bool().Draw(t, "flush") {
		tw.w.Flush()
		tw.visible = len(tw.records)
	}
}

func (tw *twin) Abort(t *rapid.T) {
	if _, ok := tw.claim(t, tw.size(t)); ok {
		tw.w.Abort()
		if err := tw.w.Commit(1); !errors.Is(err, ErrNoClaim) {
			t.Fatal(err)
		}
	}
}

func (tw *twin) Batch(t *rapid.T) {
	n := tw.size(t)
	most := rapid.IntRange(1, 50).Draw(t, "records")
	batch, err := claimBatch(tw.w, n, most)
	k := len(batch)
	tw.flushed()
	if errors.Is(err, ErrFull) {
		tw.full(t, n)
		return
	}
	if err != nil || k < 1 || k > most {
		t.Fatalf("%d of %d records of %d: %v", k, most, n, err)
	}
	commit := rapid.IntRange(0, k).Draw(t, "commit")
	if commit == 0 {
		tw.w.Abort()
		return
	}
	pos := tw.w.Position()
	for _, b := range batch[:commit] {
		if len(b) != n {
			t.Fatalf("%d bytes, want %d", len(b), n)
		}
		tw.append(b, pos)
		pos += stride(uint64(n) + HeaderSize)
	}
	for _, b := range batch[commit:k] {
		fillSeq(b, 0) // never to be seen
	}
	if err := tw.w.CommitBatch(commit); err != nil {
		t.Fatal(err)
	}
	tw.visible = len(tw.records)
}

func (tw *twin) Stamp(t *rapid.T) {
	tw.stamp = rapid.Uint64().Draw(t, "stamp")
	tw.w.SetStamp(tw.stamp)
}

// Replace ends the writer, in order or as if it died, and takes the ring over.
func (tw *twin) Replace(t *rapid.T) {
	epoch := tw.w.Epoch()
	if rapid.Bool().Draw(t, "dies") {
		tw.records = tw.records[:tw.visible] // what was staged was never visible
		if err := tw.ring.dropWriter(tw.w); err != nil {
			t.Fatal(err)
		}
	} else {
		if err := tw.w.Close(); err != nil {
			t.Fatal(err)
		}
		tw.visible = len(tw.records)
	}
	w, err := tw.ring.Writer()
	if err != nil {
		t.Fatal(err)
	}
	if w.Epoch() <= epoch {
		t.Fatalf("epoch %d after %d", w.Epoch(), epoch)
	}
	tw.w, tw.evicted = w, 0
	w.SetStamp(tw.stamp)
}

// check holds the ring to its invariants after each step.
func (tw *twin) check(t *rapid.T) {
	if tw.w.Seq() != uint64(len(tw.records)+1) {
		t.Fatalf("next record %d after %d", tw.w.Seq(), len(tw.records))
	}
	head := tw.w.Position()
	if head&7 != 0 {
		t.Fatalf("I3: position %d", head)
	}
	for _, r := range tw.readers {
		if r.rd.Cursor() > head || r.rd.Position() > head || r.rd.Position()&7 != 0 {
			t.Fatalf("I4: cursor %d, next %d, writer %d", r.rd.Cursor(), r.rd.Position(), head)
		}
		if r.o.Mode == Gate && head > r.rd.Cursor()+tw.ring.geo.capacity {
			t.Fatalf("I4: the writer at %d passed the gate at %d", head, r.rd.Cursor())
		}
		for i, rec := range r.held {
			if err := tw.same(i, rec, r.rd); err != nil {
				t.Fatalf("I2: %v", err)
			}
		}
	}
	tw.collect(t)
}

// same compares record i with what a reader was lent.
func (tw *twin) same(i int, rec Record, rd *Reader) error {
	want := tw.records[i]
	if string(rec.Payload()) != string(want.payload) || rec.Stamp() != want.stamp || rec.Seq32() != uint32(i+1) {
		return fmt.Errorf("record %d: %x stamp %d seq %d, want %x stamp %d", i+1, rec.Payload(), rec.Stamp(), rec.Seq32(),
			want.payload, want.stamp)
	}
	return nil
}

// collect takes note of durable readers that are away and were evicted since they were what the ring was full of.
func (tw *twin) collect(t *rapid.T) {
	infos, err := tw.ring.Readers()
	if err != nil {
		t.Fatal(err)
	}
	gates := map[int]bool{}
	for _, i := range infos {
		gates[i.Slot] = i.Gating
	}
	for name, a := range tw.away {
		if a.slot >= 0 && !gates[a.slot] {
			tw.away[name] = twinAway{a.cursor, -1}
			tw.evicted++
		}
	}
	if tw.w.Evictions() != tw.evicted {
		t.Fatalf("%d evictions, want %d", tw.w.Evictions(), tw.evicted)
	}
}

func TestRingAgreesWithASliceOfRecords(t *testing.T) {
	for _, bed := range beds {
		t.Run(bed.name, func(t *testing.T) {
			for range crashCount(40) {
				rapid.Check(t, func(t *rapid.T) { runTwin(t, bed.heap) })
			}
		})
	}
}

func runTwin(t *rapid.T, heap bool) {
	r, err := Create(Options{Capacity: 4096, Heap: heap})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	tw := &twin{ring: r, away: map[string]twinAway{}}
	if tw.w, err = r.Writer(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		for _, r := range tw.readers {
			_ = r.rd.Close()
		}
		if err := errors.Join(tw.w.Close(), r.Close()); err != nil {
			t.Error(err)
		}
	}()
	t.Repeat(map[string]func(*rapid.T){
		"Commit": tw.Commit, "CommitMore": tw.Commit, "Stage": tw.Stage, "Abort": tw.Abort, "Batch": tw.Batch, "Stamp": tw.Stamp,
		"Replace": tw.Replace, "Attach": tw.Attach, "Peek": tw.Peek, "PeekMore": tw.Peek, "Release": tw.Release,
		"ReleaseMore": tw.Release, "Seek": tw.Seek, "Leave": tw.Leave, "Forget": tw.Forget, "Evict": tw.Evict, "": tw.check,
	})
	tw.drain(t)
}
