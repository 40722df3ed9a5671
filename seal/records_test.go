package seal

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"

	"pgregory.net/rapid"
)

// record is a record as a ring has it: number, and n bytes of payload.
func record(seq uint64, n int) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(recordHeader+n))
	b = binary.LittleEndian.AppendUint32(b, uint32(seq))
	b = binary.LittleEndian.AppendUint64(b, 1000+seq)
	b = append(b, bytes.Repeat([]byte{byte(seq)}, n)...)
	return append(b, make([]byte, -len(b)&7)...)
}

// recordsOf is records from seq on, with payloads of these sizes.
func recordsOf(seq uint64, sizes ...int) (body []byte) {
	for i, n := range sizes {
		body = append(body, record(seq+uint64(i), n)...)
	}
	return body
}

// plainRecord is a record taken apart as docs/layout.md draws it.
type plainRecord struct {
	seq     uint64
	payload []byte
}

// plainRecords walks a body field by field; false: the body is none.
func plainRecords(body []byte, seq uint64, largest int) (all []plainRecord, ok bool) {
	for r := bytes.NewBuffer(body); r.Len() > 0; seq++ {
		if r.Len() < 16 {
			return nil, false
		}
		head := r.Next(16)
		size, flags := int(binary.LittleEndian.Uint32(head)&0x0fff_ffff), head[3]>>4
		n := size - 16
		if flags != 0 || binary.LittleEndian.Uint32(head[4:]) != uint32(seq) || n < 1 || size > largest || n > r.Len() {
			return nil, false
		}
		payload := r.Next(n)
		padding := (8 - n%8) % 8
		if padding > r.Len() {
			return nil, false
		}
		r.Next(padding)
		all = append(all, plainRecord{seq, payload})
	}
	return all, len(all) > 0
}

// agree checks the quick walk against the plain one.
func agree(t interface{ Fatalf(string, ...any) }, body []byte, seq uint64, largest int) (n int, ok bool) {
	plain, ok := plainRecords(body, seq, largest)
	n, err := Records(body, seq, largest)
	if (err == nil) != ok || err != nil && err != ErrMalformed || n != len(plain) {
		t.Fatalf("%d records, %v; plainly %d, %v: %x from %d, at most %d bytes", n, err, len(plain), ok, body, seq, largest)
	}
	rest := body
	for i, p := range plain {
		size := RecordSize(rest, p.seq, largest)
		if size != recordHeader+len(p.payload) || !bytes.Equal(rest[recordHeader:size], p.payload) {
			t.Fatalf("record %d has %d bytes, want %d", p.seq, size, recordHeader+len(p.payload))
		}
		if rest = After(body, seq, p.seq); len(rest) != len(After(rest, p.seq+1, p.seq)) || (len(rest) == 0) != (i == n-1) {
			t.Fatalf("%d bytes after record %d of %d", len(rest), i+1, n)
		}
	}
	return n, ok
}

func TestRecordsAreThoseOfAPlainWalk(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seq := rapid.SampledFrom([]uint64{1, 2, 77, math.MaxUint32 - 1, math.MaxUint32, 1 << 32, 1<<33 + 5, 1 << 63}).Draw(t, "seq")
		sizes := rapid.SliceOfN(rapid.IntRange(1, 70), 1, 12).Draw(t, "sizes")
		body := recordsOf(seq, sizes...)
		if n, ok := agree(t, body, seq, 4096); !ok || n != len(sizes) {
			t.Fatalf("%d of %d records", n, len(sizes))
		}
		agree(t, body, seq+uint64(rapid.IntRange(-1, 1).Draw(t, "off")), 4096)
		agree(t, body, seq, rapid.IntRange(1, 90).Draw(t, "largest"))
		agree(t, body[:rapid.IntRange(0, len(body)).Draw(t, "cut")], seq, 4096)
		for range rapid.IntRange(1, 3).Draw(t, "lies") {
			at := rapid.IntRange(0, len(body)-1).Draw(t, "at")
			if rapid.Bool().Draw(t, "word") {
				at = at &^ 7 // more of them meet a commit word
			}
			body[at] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
			agree(t, body, seq, 4096)
		}
	})
}

func TestEveryFlippedBitOfACommitWordIsRefusedOrSaysSo(t *testing.T) {
	const seq = 0x1_0000_0007
	body := recordsOf(seq, 3, 8, 24)
	for _, at := range []int{0, 24, 48} {
		for i := range 64 {
			b := bytes.Clone(body)
			b[at+i/8] ^= 1 << (i % 8)
			// Another size may make whole records too; another number or a reserved bit never does.
			if _, ok := agree(t, b, seq, 4096); ok && i >= flagShift {
				t.Errorf("bit %d of the word at %d is let through", i, at)
			}
		}
	}
}

func TestCutAndGrownBodiesAreRefused(t *testing.T) {
	body := recordsOf(5, 1, 8, 33)
	ends := map[int]int{24: 1, 48: 2, len(body): 3}
	for n := range len(body) + 1 {
		got, err := Records(body[:n:n], 5, 4096)
		if want, whole := ends[n]; got != want || (err == nil) != whole {
			t.Errorf("cut to %d: %d records, %v", n, got, err)
		}
	}
	for _, n := range []int{1, 8, 16, 17, 24} {
		if _, err := Records(append(bytes.Clone(body), make([]byte, n)...), 5, 4096); err != ErrMalformed {
			t.Errorf("%d bytes of nothing behind it: %v", n, err)
		}
	}
}

func TestRecordsLargerThanTheRingTakesAreRefused(t *testing.T) {
	body := recordsOf(1, 1, 100)
	for _, largest := range []int{0, 1, 16, 17, 115, 116, 117, 1 << 30} {
		_, err := Records(body, 1, largest)
		if (err == nil) != (largest >= 116) {
			t.Errorf("at most %d bytes: %v", largest, err)
		}
		if size := RecordSize(body, 1, largest); (size == 17) != (largest >= 17) {
			t.Errorf("at most %d bytes: size %d", largest, size)
		}
	}
	for n := range recordHeader {
		if size := RecordSize(body[:n], 1, 4096); size != 0 {
			t.Errorf("%d bytes of a record: size %d", n, size)
		}
	}
	if RecordSize(body, 2, 4096) != 0 || RecordSize(body, 1<<32+1, 4096) != 17 {
		t.Error("a record's number is not the low half of its seq")
	}
}

func TestAfterPassesWhatIsHeld(t *testing.T) {
	body := recordsOf(10, 8, 8, 8)
	for last, want := range map[uint64]int{0: 72, 9: 72, 10: 48, 11: 24, 12: 0, 13: 0, math.MaxUint64: 0} {
		if got := After(body, 10, last); len(got) != want {
			t.Errorf("after %d: %d bytes, want %d", last, len(got), want)
		}
	}
	if got := After(recordsOf(math.MaxUint64-1, 8, 8), math.MaxUint64-1, math.MaxUint64); len(got) != 0 {
		t.Errorf("at the end of all numbers: %d bytes", len(got))
	}
}

func TestRecordsWithoutAMessageAreRefused(t *testing.T) {
	for size := range uint32(recordHeader + 1) {
		b := make([]byte, 2*recordHeader)
		binary.LittleEndian.PutUint32(b, size)
		binary.LittleEndian.PutUint32(b[4:], 1)
		binary.LittleEndian.PutUint32(b[recordHeader:], size)
		binary.LittleEndian.PutUint32(b[recordHeader+4:], 2)
		for _, body := range [][]byte{b, append(bytes.Clone(b), record(3, 8)...)} {
			if n, ok := agree(t, body, 1, 4096); ok || n != 0 || RecordSize(body, 1, 4096) != 0 {
				t.Errorf("%d records whose size says %d", n, size)
			}
		}
	}
}
