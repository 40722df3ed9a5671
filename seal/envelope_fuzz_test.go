package seal

import (
	"bytes"
	"testing"
)

// FuzzEnvelope takes whole datagrams apart as a receiver does that believes nothing.
func FuzzEnvelope(f *testing.F) {
	body := recordsOf(7, 3, 64)
	data := append(envelopeOf(Header{Kind: Data, Channel: 1, Source: 2, Epoch: 3, Length: len(body), Seq: 7})[:HeaderSize], body...)
	var all []byte
	for _, h := range someHeaders() {
		all = append(all, envelopeOf(h)...)
	}
	f.Add([]byte{})
	f.Add(data)
	f.Add(append(bytes.Clone(data), make([]byte, 40)...))
	f.Add(all)
	f.Fuzz(func(t *testing.T, datagram []byte) {
		var h Header
		for rest := datagram; !Ended(rest); rest = rest[HeaderSize+h.Length:] {
			if err := h.Parse(rest); err != nil {
				if err != ErrMalformed {
					t.Fatal(err)
				}
				return
			}
			again := make([]byte, HeaderSize)
			if h.Put(again); !bytes.Equal(again, rest[:HeaderSize]) {
				t.Fatalf("%x was read as %+v", rest[:HeaderSize], h)
			}
			if h.Length > MaxBody || h.Length < h.around() || h.Raw > MaxRaw {
				t.Fatalf("%+v", h)
			}
			body := rest[HeaderSize : HeaderSize+h.Length]
			agree(t, body[:len(body)-h.around()], h.Seq, 4096)
			if h.Kind == Lost {
				if last, err := ParseLost(body, h.Seq); err == nil && last < h.Seq {
					t.Fatalf("lost from %d to %d", h.Seq, last)
				}
			}
		}
	})
}

func FuzzNak(f *testing.F) {
	f.Add([]byte{})
	f.Add(AppendNak(nil, []Range{{1, 1}, {2, 9}}))
	f.Add(AppendNak(nil, []Range{{3, 2}}))
	f.Add(make([]byte, (MaxRanges+1)*rangeSize))
	f.Fuzz(func(t *testing.T, body []byte) {
		var missing [MaxRanges]Range
		n, err := ParseNak(body, &missing)
		if err != nil {
			return
		}
		if again := AppendNak(nil, missing[:n]); !bytes.Equal(again, body) {
			t.Fatalf("%x was read as %v", body, missing[:n])
		}
		next := uint64(1)
		for _, r := range missing[:n] {
			if r.First < next || r.Last < r.First || r.Last+1 == 0 {
				t.Fatalf("%v", missing[:n])
			}
			next = r.Last + 1
		}
	})
}

func FuzzFragment(f *testing.F) {
	part := append(make([]byte, FragmentHeader), record(1, 9)...)
	PutFragment(part, 0, 25)
	f.Add([]byte{}, uint16(0))
	f.Add(part[:FragmentHeader+16], uint16(100))
	f.Add(part, uint16(25))
	f.Fuzz(func(t *testing.T, body []byte, largest uint16) {
		offset, total, part, err := ParseFragment(body, int(largest))
		if err != nil {
			return
		}
		if len(part) == 0 || offset < 0 || offset+len(part) > total || total > int(largest) || total <= recordHeader {
			t.Fatalf("%d bytes at %d of %d", len(part), offset, total)
		}
		again := append(make([]byte, FragmentHeader), part...)
		if PutFragment(again, offset, total); !bytes.Equal(again, body) {
			t.Fatalf("%x was read as %d of %d", body, offset, total)
		}
	})
}

func FuzzStatus(f *testing.F) {
	f.Add([]byte{})
	f.Add(counting(1, StatusSize))
	f.Add(counting(1, StatusSize+1))
	f.Fuzz(func(t *testing.T, body []byte) {
		var s StatusBody
		if err := s.Parse(body); err != nil {
			return
		}
		again := make([]byte, StatusSize)
		if s.Put(again); !bytes.Equal(again, body) {
			t.Fatalf("%x was read as %+v", body, s)
		}
	})
}
