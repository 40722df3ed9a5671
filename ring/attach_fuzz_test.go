package ring

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/alphapulse/transport/internal/sys"
)

// FuzzAttach takes two files for a ring: the fuzzer's bytes laid over those of a good one at any place, or instead of
// them. Whatever they say, attaching, reading both ways, taking over and writing ends with an error that has a name.
func FuzzAttach(f *testing.F) {
	path := storedRing(f)
	goodData, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	goodCursors, err := os.ReadFile(path + cursorsSuffix)
	if err != nil {
		f.Fatal(err)
	}
	word := func(v uint64) []byte { return binary.LittleEndian.AppendUint64(nil, v) }
	f.Add([]byte{}, uint16(0), []byte{}, uint16(0), byte(0))                                                                       // untouched
	f.Add(word(1<<63), uint16(hdrPublished), []byte{}, uint16(0), byte(0))                                                         // a forged position
	f.Add(word(1<<40), uint16(hdrLimit), word(1<<64-1), uint16(curGates), byte(0))                                                 // forged limit and gates
	f.Add(word(8|flagControl|51<<seqShift), uint16(4096+2000), []byte{1}, uint16(curSlots+64), byte(0))                            // a pad, a slot
	f.Add(append(word(traceRecord|flagControl|51<<seqShift), word(kindTrace)...), uint16(4096+2000), []byte{}, uint16(0), byte(0)) // a trace
	f.Add(append(word(24|flagControl|51<<seqShift), word(kindTrace)...), uint16(4096+2000), []byte{}, uint16(0), byte(0))          // one that is too short
	f.Add(goodData[:hdrStatic], uint16(0), goodCursors[:hdrStatic], uint16(0), byte(1))                                            // headers alone
	f.Add(make([]byte, hdrMarks), uint16(hdrMarks), word(1<<63), uint16(curSlots+2*slotSize), byte(3))                             // no marks
	f.Add(append(word(8), goodData[8:64]...), uint16(0), goodCursors[:hdrStatic], uint16(0), byte(0b1110))                         // another magic
	dir, err := os.MkdirTemp("/dev/shm", "ring-fuzz-")                                                                             // in memory where there is such a place: each try writes two files
	if err != nil {
		dir = f.TempDir()
	}
	f.Cleanup(func() { _ = os.RemoveAll(dir) })
	f.Fuzz(func(t *testing.T, data []byte, at uint16, cursors []byte, curAt uint16, how byte) {
		path := filepath.Join(dir, "ring")
		lay(t, path, goodData, data, int(at), how&1 != 0, how&2 != 0)
		lay(t, path+cursorsSuffix, goodCursors, cursors, int(curAt), how&4 != 0, how&8 != 0)
		err := sys.Guard(func() error { return useForged(path) })
		if err == nil {
			return
		}
		for _, named := range []error{ErrCorrupt, ErrSize, ErrVersion, ErrFull, ErrEvicted, ErrRange, ErrOwned, ErrNoSlot} {
			if errors.Is(err, named) {
				return
			}
		}
		t.Errorf("an error without a name: %v", err)
	})
}

// lay writes a file: the fuzzer's bytes alone, or over the good ones, with the header's checksum made right if so asked.
func lay(t *testing.T, path string, good, b []byte, at int, alone, summed bool) {
	t.Helper()
	if !alone {
		over := append([]byte(nil), good...)
		copy(over[min(at, len(over)):], b)
		b = over
	}
	if summed && len(b) >= hdrStatic {
		b = resum(append([]byte(nil), b...))
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func useForged(path string) (err error) {
	r, err := Attach(path, Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	for _, o := range []ReaderOptions{{}, {From: Oldest}, {Mode: Lossy, From: Oldest}, {Name: "d", Durable: true}} {
		rd, err := r.Reader(o)
		if err != nil {
			return err
		}
		defer func() { _ = rd.Close() }() // it may have been stopped
		readForged(rd)
	}
	w, err := r.Writer()
	if err != nil {
		return err
	}
	defer func() { _ = w.Close() }() // ErrFull and the like come from the claims
	for range 60 {
		b, err := w.Claim(200)
		if err != nil {
			_, _ = w.Slowest()
			return err
		}
		b[0] = 1
		if err := w.Commit(200); err != nil {
			return err
		}
	}
	_, err = r.Readers()
	return err
}

func readForged(rd *Reader) {
	batch := make([]Record, 8)
	for range 100 {
		n := rd.Peek(batch)
		for _, rec := range batch[:n] {
			_ = len(rec.Payload()) + int(rec.Stamp()) + int(rec.Seq32())
			_ = rd.Trace()
		}
		if rd.Release(n/2) != nil || rd.Release(n-n/2) != nil {
			return
		}
	}
	_ = rd.Seek(rd.Position() - 8)
}
