package ring

import (
	"errors"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/sys"
)

// A hostile process that shares the files can write anything anywhere at any time. These tests write it for him.

// hostileRing is a file ring opened twice: by the victim, and by who forges.
func hostileRing(t *testing.T) (victim *Ring, forged data) {
	t.Helper()
	r := fileRing(t, 4096)
	other, err := Attach(r.opts.Path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close() })
	return r, writableHeader(t, other)
}

// survives calls everything a reader can do, some of it often, and fails on a fault, on an unnamed error, or when a call
// does not come back.
func survives(t *testing.T, rd *Reader, rng *rand.Rand) {
	t.Helper()
	ended := make(chan error, 1)
	go func() {
		ended <- sys.Guard(func() error {
			batch := make([]Record, 8)
			for range 50 {
				n := rd.Peek(batch)
				for _, rec := range batch[:n] {
					_ = rec.Payload()[len(rec.Payload())-1] + byte(rec.Stamp())
				}
				if err := rd.Release(rng.IntN(n + 1)); err != nil {
					return err
				}
				if err := rd.Seek(rd.Position() - uint64(rng.IntN(3))*8); err != nil && !errors.Is(err, ErrRange) {
					return err
				}
				_ = rd.Lag()
			}
			return rd.Err()
		})
	}()
	select {
	case err := <-ended:
		if err != nil && !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrEvicted) {
			t.Errorf("%s reader: %v", rd.opts.Mode, err)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("%s reader: a call does not come back", rd.opts.Mode)
	}
}

// TestForgedRecordsStopTheReaderOrSayNothing puts forged words where the next record is expected. What would be read
// beyond the mapping, without end, or as a record of another number answers ErrCorrupt or nothing.
func TestForgedRecordsStopTheReaderOrSayNothing(t *testing.T) {
	const tag = uint64(3) << seqShift // the record expected
	for name, forge := range map[string]func(d data, pos uint64){
		"a length beyond an eighth":  func(d data, pos uint64) { d.mem.Store64(pos&d.mask, 513|tag) },
		"the largest length":         func(d data, pos uint64) { d.mem.Store64(pos&d.mask, sizeMask|tag) },
		"a header without payload":   func(d data, pos uint64) { d.mem.Store64(pos&d.mask, HeaderSize|tag) },
		"less than a header":         func(d data, pos uint64) { d.mem.Store64(pos&d.mask, 1|tag) },
		"a length of nothing":        func(d data, pos uint64) { d.mem.Store64(pos&d.mask, tag) },
		"another number":             func(d data, pos uint64) { d.mem.Store64(pos&d.mask, 24|tag<<1) },
		"reserved bits":              func(d data, pos uint64) { d.mem.Store64(pos&d.mask, 24|tag|1<<28) },
		"all reserved bits":          func(d data, pos uint64) { d.mem.Store64(pos&d.mask, 24|tag|0xb<<28) },
		"a control record too small": func(d data, pos uint64) { d.mem.Store64(pos&d.mask, 7|flagControl|tag) },
		"a control record too large": func(d data, pos uint64) { d.mem.Store64(pos&d.mask, 520|flagControl|tag) },
		"an epoch of no length": func(d data, pos uint64) {
			d.mem.Store64(pos&d.mask+8, kindEpoch)
			d.mem.Store64(pos&d.mask, HeaderSize|flagControl|tag)
		},
		"a trace of no length": func(d data, pos uint64) {
			d.mem.Store64(pos&d.mask+8, kindTrace)
			d.mem.Store64(pos&d.mask, HeaderSize|flagControl|tag)
		},
		"a trace that is too short": func(d data, pos uint64) {
			d.mem.Store64(pos&d.mask+8, kindTrace)
			d.mem.Store64(pos&d.mask, (traceRecord-8)|flagControl|tag)
		},
		"endless traces": func(d data, _ uint64) {
			for off := uint64(0); off < d.capacity; off += traceRecord {
				d.mem.Store64(off+8, kindTrace)
				d.mem.Store64(off, traceRecord|flagControl|tag)
			}
		},
		"a skip that leads nowhere": func(d data, pos uint64) {
			d.mem.Store64(pos&d.mask+8, kindSkip)
			d.mem.Store64(pos&d.mask, HeaderSize|flagControl|tag)
		},
		"endless pads": func(d data, _ uint64) {
			for off := uint64(0); off < d.capacity; off += 8 {
				d.mem.Store64(off, 8|flagControl|tag)
			}
		},
		"endless control records": func(d data, _ uint64) {
			for off := uint64(0); off < d.capacity; off += 16 {
				d.mem.Store64(off+8, kindEpoch)
				d.mem.Store64(off, 16|flagControl|tag)
			}
		},
		"endless records": func(d data, pos uint64) {
			for i := range d.capacity / 24 {
				d.mem.Store64((pos+i*24)&d.mask, 24|(3+i)<<seqShift)
			}
		},
		"all ones": func(d data, _ uint64) {
			for off := uint64(0); off < d.capacity; off += 8 {
				d.mem.Store64(off, 1<<64-1)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, forged := hostileRing(t)
			w := bedWriter(t, r)
			readers := []*Reader{bedReader(t, r, ReaderOptions{}), bedReader(t, r, ReaderOptions{Mode: Lossy}), bedReader(t, r, ReaderOptions{From: Oldest})}
			publish(t, w, 8)
			publish(t, w, 8)
			take(t, readers[0])
			take(t, readers[1])
			if n := readers[2].Peek(make([]Record, 4)) + readers[2].Peek(make([]Record, 4)); n != 2 {
				t.Fatal(n)
			}
			forge(forged, w.Position())
			rng := rand.New(rand.NewPCG(1, 2))
			for _, rd := range readers {
				survives(t, rd, rng)
			}
			for _, o := range []ReaderOptions{{}, {Mode: Lossy, From: Oldest}, {From: Oldest}} {
				if rd, err := r.Reader(o); err == nil {
					survives(t, rd, rng)
					_ = rd.Close()
				} else if !errors.Is(err, ErrCorrupt) {
					t.Error(err)
				}
			}
		})
	}
}

// TestForgedHeadersLeadNobodyAstray forges the positions of the header under readers, and for those that attach after.
// Without the bound of every walk, marks far from the published position keep an attaching reader busy for ever.
func TestForgedHeadersLeadNobodyAstray(t *testing.T) {
	seed := crashSeed(t)
	rng := rand.New(rand.NewPCG(uint64(seed), 0))
	values := []uint64{0, 1, 8, 4088, 4096, 4104, 8192, 1 << 20, 1<<20 + 4, 1 << 62, 1<<63 - 8, 1 << 63, 1<<64 - 4096, 1<<64 - 8, 1<<64 - 1}
	value := func() uint64 { return values[rng.IntN(len(values))] }
	for range crashCount(4000) {
		r, forged := hostileRing(t)
		w := bedWriter(t, r)
		readers := []*Reader{bedReader(t, r, ReaderOptions{}), bedReader(t, r, ReaderOptions{Mode: Lossy})}
		for range rng.IntN(60) {
			publish(t, w, 1+rng.IntN(200))
			take(t, readers[0])
		}
		if rng.IntN(2) == 0 {
			publish(t, w, 9)
		}
		if rng.IntN(2) == 0 {
			forged.hdr.Store64(hdrPublished, value())
		}
		if rng.IntN(2) == 0 {
			forged.hdr.Store64(hdrLimit, value())
		}
		if rng.IntN(2) == 0 {
			forged.hdr.Store64(hdrEpoch, value())
		}
		for range rng.IntN(markCount) {
			storeMark(forged.hdr, rng.IntN(markCount), mark{pos: value(), seq: value(), epoch: value()})
		}
		if rng.IntN(2) == 0 {
			for off := uint64(0); off < forged.capacity; off += 8 {
				forged.mem.Store64(off, 8|flagControl|w.Seq()<<seqShift)
			}
		}
		for _, o := range []ReaderOptions{{}, {Mode: Lossy, From: Oldest}, {From: Oldest}, {Mode: Lossy}} {
			rd, err := r.Reader(o)
			if err == nil {
				readers = append(readers, rd)
			} else if !errors.Is(err, ErrCorrupt) {
				t.Fatal(err)
			}
		}
		for _, rd := range readers {
			survives(t, rd, rng)
			_ = rd.Close()
		}
		_ = w.Close()
		succeed(t, r)
		if t.Failed() {
			return
		}
	}
}

// succeed takes a forged ring over and writes two laps, or is refused.
func succeed(t *testing.T, r *Ring) {
	t.Helper()
	err := sys.Guard(func() error {
		w, err := r.Writer()
		if err != nil {
			return err
		}
		for range 100 {
			if err := tryPublish(w, 100); err != nil {
				return errors.Join(err, w.Close())
			}
		}
		return w.Close()
	})
	if err != nil && !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrFull) && !errors.Is(err, ErrFenced) {
		t.Error(err)
	}
}

// TestForgedCursorsCostTheirOwnerTheGate forges the cursor of one gate in every way; the writer evicts it and never comes
// past the true gate beside it. Without the check against what was seen last, a cursor that runs ahead of the writer
// frees bytes nobody released, and one set back stops the ring for good.
func TestForgedCursorsCostTheirOwnerTheGate(t *testing.T) {
	for name, forge := range map[string]func(s sys.Mem, w *Writer){
		"beyond the writer": func(s sys.Mem, w *Writer) { s.Store64(slotCursor, w.Position()+4096) },
		"far beyond":        func(s sys.Mem, _ *Writer) { s.Store64(slotCursor, 1<<63) },
		"all ones":          func(s sys.Mem, _ *Writer) { s.Store64(slotCursor, 1<<64-8) },
		"unaligned":         func(s sys.Mem, _ *Writer) { s.Store64(slotCursor, s.Load64(slotCursor)+4) },
		"set back":          func(s sys.Mem, _ *Writer) { s.Store64(slotCursor, s.Load64(slotCursor)-2048) },
		"set back to 0":     func(s sys.Mem, _ *Writer) { s.Store64(slotCursor, 0) },
		"another life and beyond": func(s sys.Mem, w *Writer) {
			s.Add32(slotLife, 1)
			s.Store64(slotCursor, w.Position()+4096)
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, _ := hostileRing(t)
			w := bedWriter(t, r)
			honest, forger := bedReader(t, r, ReaderOptions{Name: "honest"}), bedReader(t, r, ReaderOptions{Name: "forger"})
			for range 100 { // so that the writer has seen both
				publish(t, w, 100)
				take(t, honest)
				take(t, forger)
			}
			forge(slotMem(r, forger.index), w)
			held := make([]Record, 64)
			written, n := uint64(0), 0
			for {
				if err := tryPublish(w, 100); errors.Is(err, ErrFull) {
					break
				} else if err != nil {
					t.Fatal(err)
				}
				written++
				n += honest.Peek(held[n:])
				if head := w.Position(); head > honest.Cursor()+4096 {
					t.Fatalf("the writer at %d passed the gate at %d", head, honest.Cursor())
				}
			}
			for i, rec := range held[:n] {
				if seq := honest.Seq() - uint64(n-i); rec.Seq32() != uint32(seq) || !isSeq(rec.Payload(), seq) {
					t.Errorf("record %d changed under a gate", seq)
				}
			}
			if w.Evictions() != 1 || written < 30 {
				t.Errorf("%d evictions, %d records written", w.Evictions(), written)
			}
			wants(t, "release of the forger", forger.Release(0), ErrEvicted)
			if err := honest.Release(n); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestForgedLifeFreesNothing raises the life of a gate and sets its cursor back: the writer takes it for a reader that
// attaches, and waits where it says as long as that is still held.
func TestForgedLifeFreesNothing(t *testing.T) {
	r, _ := hostileRing(t)
	w := bedWriter(t, r)
	honest, forger := bedReader(t, r, ReaderOptions{}), bedReader(t, r, ReaderOptions{})
	seed := crashSeed(t)
	rng := rand.New(rand.NewPCG(uint64(seed), 0))
	s := slotMem(r, forger.index)
	for range crashCount(200_000) {
		if err := tryPublish(w, 1+rng.IntN(400)); err != nil && !errors.Is(err, ErrFull) {
			t.Fatal(err)
		}
		if head := w.Position(); head > honest.Cursor()+4096 {
			t.Fatalf("the writer at %d passed the gate at %d", head, honest.Cursor())
		}
		switch rng.IntN(4) {
		case 0:
			take(t, honest)
		case 1:
			s.Add32(slotLife, 1)
			s.Store64(slotCursor, honest.Cursor()+uint64(rng.IntN(2000))*8-8000)
		case 2:
			r.cur.Store64(curGates, rng.Uint64()|1<<honest.index)
		}
	}
}

// TestForgedGatesStopNobody sets the bits of slots that nobody owns.
func TestForgedGatesStopNobody(t *testing.T) {
	r, _ := hostileRing(t)
	w := bedWriter(t, r)
	for range 10 {
		r.cur.Store64(curGates, 1<<64-1)
		for range 1000 {
			publish(t, w, 100)
		}
	}
	rd := bedReader(t, r, ReaderOptions{})
	publish(t, w, 100)
	if take(t, rd) != 1 {
		t.Error("the record is gone")
	}
}

// TestTruncatedFileStopsWhoUsesIt cuts each file under a writer and its readers: they end with ErrCorrupt.
func TestTruncatedFileStopsWhoUsesIt(t *testing.T) {
	for _, suffix := range []string{"", cursorsSuffix} {
		r := fileRing(t, 4096)
		w := bedWriter(t, r)
		rd := bedReader(t, r, ReaderOptions{})
		publish(t, w, 8)
		take(t, rd)
		if err := os.Truncate(r.opts.Path+suffix, 0); err != nil {
			t.Fatal(err)
		}
		wants(t, "writer", sys.Guard(func() error {
			for {
				if err := tryPublish(w, 8); err != nil {
					return err
				}
			}
		}), ErrCorrupt)
		wants(t, "reader", sys.Guard(func() error {
			for {
				if n := rd.Peek(make([]Record, 1)); n >= 0 {
					if err := rd.Release(n); err != nil {
						return err
					}
				}
			}
		}), ErrCorrupt)
	}
}
