package ring

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"path/filepath"
	"testing"

	"github.com/alphapulse/transport/internal/sys"
)

// beds are the two kinds of memory a ring has: mapped twice in a row, and single on the heap, where pads fill the end.
var beds = []struct {
	name string
	heap bool
}{{"double", false}, {"single", true}}

// onBeds runs a test on a ring of each kind.
func onBeds(t *testing.T, capacity int, fn func(t *testing.T, r *Ring)) {
	for _, bed := range beds {
		t.Run(bed.name, func(t *testing.T) { fn(t, bedRing(t, capacity, bed.heap)) })
	}
}

// bedRing makes an anonymous ring that is closed with the test.
func bedRing(t testing.TB, capacity int, heap bool) *Ring {
	t.Helper()
	r, err := Create(Options{Capacity: capacity, Heap: heap})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil && !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
	})
	return r
}

// fileRing makes a ring with a path, which Linux alone has.
func fileRing(t testing.TB, capacity int) *Ring {
	t.Helper()
	r, err := Create(Options{Path: filepath.Join(t.TempDir(), "ring"), Capacity: capacity})
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("no named rings on this system")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil && !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
	})
	return r
}

func bedWriter(t testing.TB, r *Ring) *Writer {
	t.Helper()
	w, err := r.Writer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() }) // closed already by most tests
	return w
}

func bedReader(t testing.TB, r *Ring, o ReaderOptions) *Reader {
	t.Helper()
	rd, err := r.Reader(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rd.Close() }) // closed already by many tests
	return rd
}

// publish commits one record of n bytes that follow from its number.
func publish(t testing.TB, w *Writer, n int) {
	t.Helper()
	if err := tryPublish(w, n); err != nil {
		t.Fatal(err)
	}
}

func tryPublish(w *Writer, n int) error {
	b, err := w.Claim(n)
	if err != nil {
		return err
	}
	fillSeq(b, w.Seq())
	return w.Commit(n)
}

// claimBatch lends room for up to k records of n bytes.
func claimBatch(w *Writer, n, k int) ([][]byte, error) {
	b, err := w.ClaimBatch(n, k)
	if err != nil {
		return nil, err
	}
	all := make([][]byte, b.Len())
	for i := range all {
		all[i] = b.At(i)
	}
	return all, nil
}

// fillSeq fills b with bytes that follow from seq, and a checksum where there is room for one.
func fillSeq(b []byte, seq uint64) {
	x := seq*0x9e3779b97f4a7c15 + uint64(len(b))
	for i := range b {
		if i&7 == 0 {
			x ^= x << 13
			x ^= x >> 7
			x ^= x << 17
		}
		b[i] = byte(x >> (i & 7 * 8))
	}
	if len(b) >= 16 {
		binary.LittleEndian.PutUint64(b, seq)
		binary.LittleEndian.PutUint32(b[8:], crc32.ChecksumIEEE(b[12:]))
	}
}

// isSeq reports whether fillSeq made b for seq.
func isSeq(b []byte, seq uint64) bool {
	if len(b) >= 16 {
		return binary.LittleEndian.Uint64(b) == seq && binary.LittleEndian.Uint32(b[8:]) == crc32.ChecksumIEEE(b[12:])
	}
	var want [16]byte
	fillSeq(want[:len(b)], seq)
	return string(want[:len(b)]) == string(b)
}

// take peeks, checks and releases all there is; it returns how many records that were.
func take(t testing.TB, rd *Reader) int {
	t.Helper()
	var batch [7]Record
	total := 0
	for empty := 0; empty < patientPeeks; {
		n := rd.Peek(batch[:])
		if n == 0 {
			empty++
			continue
		}
		empty = 0
		for i, rec := range batch[:n] {
			seq := rd.First() + uint64(i)
			if rec.Seq32() != uint32(seq) || !isSeq(rec.Payload(), seq) {
				t.Fatalf("record %d is not what was written: %x", seq, rec)
			}
		}
		if err := rd.Release(n); err != nil {
			t.Fatal(err)
		}
		total += n
	}
	return total
}

// patientPeeks is how many times in a row Peek may find nothing though something is committed: a reader in a stream
// looks at the published position first.
const patientPeeks = 256

// wants fails unless err is the sentinel.
func wants(t testing.TB, what string, err, sentinel error) {
	t.Helper()
	if !errors.Is(err, sentinel) {
		t.Errorf("%s: %v, want %v", what, err, sentinel)
	}
}

// writableHeader returns the data header as a hostile writer would write it.
func writableHeader(t testing.TB, r *Ring) data {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	d, err := r.writableData()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func slotMem(r *Ring, i int) sys.Mem { return r.slot(i) }
