package journal

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/alphapulse/transport/mqadapt"
)

// FuzzSegment takes a segment for a journal's only one: the fuzzer's bytes laid over those of a good one at any place, with the sum of the
// record there made right if so asked. Whatever they say: what is delivered is in order and has a right sum, and anything else is an error
// that has a name. A producer that opens afterwards goes on behind what was delivered, or refuses.
func FuzzSegment(f *testing.F) {
	dir := f.TempDir()
	j := bed(f, Options{Dir: dir, Segment: leastSegment})
	put(f, bedAppender(f, j), 1, 5, 50)
	if err := j.Close(); err != nil {
		f.Fatal(err)
	}
	path := segPath(dir, 1)
	good, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	state, err := os.ReadFile(filepath.Join(dir, stateName))
	if err != nil {
		f.Fatal(err)
	}
	size := stride(uint64(binary.LittleEndian.Uint32(good[segHeader:])))
	f.Add([]byte{}, uint32(0), false)
	f.Add(make([]byte, 8), uint32(segHeader), false)                                       // no first record
	f.Add(make([]byte, 8), uint32(segHeader+size), false)                                  // a hole
	f.Add([]byte{255, 255, 255, 255}, uint32(segHeader+4*size), false)                     // a length beyond everything
	f.Add([]byte{0, 0, 0, 0, 9}, uint32(segHeader+size+4), true)                           // another number, rightly summed
	f.Add(good[segHeader:segHeader+2*size], uint32(segHeader+5*size), false)               // old records behind the end
	f.Add(binary.LittleEndian.AppendUint64(nil, kindEnd<<32|1), uint32(segHeader+8), true) // an end too early
	f.Add(good[:segHeader], uint32(8), false)
	f.Fuzz(func(t *testing.T, b []byte, at uint32, summed bool) {
		forged := append([]byte(nil), good...)
		copy(forged[min(int(at), len(forged)):], b)
		if off := uint64(at) &^ 7; summed && off+recHeader < uint64(len(forged)) {
			if length := uint64(binary.LittleEndian.Uint32(forged[off:])); length > 0 && off+stride(length) <= uint64(len(forged)) && length <= maxEntry {
				binary.LittleEndian.PutUint32(forged[off+4:], sum(forged[off:off+stride(length)], uint32(length)))
			}
		}
		if err := errors.Join(os.WriteFile(path, forged, 0o600), os.WriteFile(filepath.Join(dir, stateName), state, 0o600)); err != nil {
			t.Fatal(err)
		}
		named := func(err error) {
			if err != nil && !errors.Is(err, mqadapt.ErrCorrupt) {
				t.Fatalf("an error without a name: %v", err)
			}
		}
		due := uint64(1)
		err := Scan(dir, 0, func(e Entry) error {
			if e.Number != due || len(e.Envelope) == 0 || len(e.Envelope) > maxEntry {
				t.Fatalf("entry %d of %d bytes where %d is due", e.Number, len(e.Envelope), due)
			}
			due++
			return nil
		})
		named(err)
		_, verdict := Verify(dir)
		named(verdict)
		if err != nil && verdict == nil {
			t.Fatalf("Verify finds nothing where Scan says %v", err)
		}
		j, open := Open(Options{Dir: dir, Segment: leastSegment})
		if named(open); open != nil {
			return
		}
		defer func() {
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
		}()
		a, open := j.Appender()
		if named(open); open == nil && (err != nil || a.Number() != due) {
			t.Fatalf("goes on at %d, delivered were %d and %v", a.Number(), due-1, err)
		}
	})
}
