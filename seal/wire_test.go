package seal

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"flag"
	"math"
	"os"
	"path/filepath"
	"testing"
)

var writeWire = flag.Bool("write-wire", false, "write testdata/wire.json anew")

// wireVectors are docs/wire.md as bytes, but for what sealing adds: sealed.json has that.
type wireVectors struct {
	Comment     string
	ChannelName string
	Envelopes   []wireVector
	Datagram    hexBytes // the first three envelopes and 8 bytes of padding
}

// wireVector is one envelope: what its fields are, what its body means, and how both travel.
type wireVector struct {
	Name   string
	Fields wireFields
	Means  wireMeaning
	Header hexBytes
	Body   hexBytes
}

// wireFields are a header's fields as docs/wire.md names them, without those that only a sealed envelope has.
type wireFields struct {
	Kind    uint8
	Traced  bool
	Codec   uint8
	Channel uint32
	Source  uint64
	Epoch   uint32
	Length  int
	Raw     int
	Seq     uint64
}

// wireMeaning is a body taken apart; of each kind only its own fields are set.
type wireMeaning struct {
	Records  []wireRecord `json:",omitempty"`
	Fragment *struct {
		Offset, Total uint32
		Part          hexBytes
	} `json:",omitempty"`
	Last   uint64      `json:",omitempty"`
	Ranges []Range     `json:",omitempty"`
	Status *StatusBody `json:",omitempty"`
	Beat   *BeatBody   `json:",omitempty"`
	Nonce  hexBytes    `json:",omitempty"`
	Trace  hexBytes    `json:",omitempty"`
}

type wireRecord struct {
	Seq     uint64
	Stamp   uint64
	Payload hexBytes
}

func buildWire() wireVectors {
	v := wireVectors{Comment: "bytes in hex; see docs/wire.md. Sealed envelopes and announces are in sealed.json", ChannelName: "orders"}
	add := func(name string, h Header, m wireMeaning, body []byte) {
		h.Channel, h.Source, h.Epoch, h.Length = ChannelID(v.ChannelName), 0x0102030405060708, 1_700_000_000, len(body)
		header := envelopeOf(h)[:HeaderSize]
		v.Envelopes = append(v.Envelopes, wireVector{name, wireFields{uint8(h.Kind), h.Traced, h.Codec, h.Channel, h.Source, h.Epoch,
			h.Length, h.Raw, h.Seq}, m, header, body})
		if len(v.Envelopes) <= 3 {
			v.Datagram = append(append(v.Datagram, header...), body...)
		}
	}
	records := func(seq uint64, payloads ...string) (m wireMeaning, body []byte) {
		for i, p := range payloads {
			n := seq + uint64(i)
			b := record(n, len(p))
			copy(b[recordHeader:], p)
			body = append(body, b...)
			m.Records = append(m.Records, wireRecord{n, 1000 + n, []byte(p)})
		}
		return m, body
	}
	m, body := records(42, "AlphaPulse", "8 bytes.", "!")
	add("data: three records", Header{Kind: Data, Seq: 42}, m, body)
	add("heartbeat", Header{Kind: Heartbeat, Seq: 45}, wireMeaning{}, []byte{})
	m, body = records(math.MaxUint32, "the low half ends", "and begins again")
	add("data: numbers go on past their low half", Header{Kind: Data, Seq: math.MaxUint32}, m, body)
	m, body = records(43, "traced")
	m.Trace = counting(0xa0, TraceSize)
	add("data: with a trace context", Header{Kind: Data, Traced: true, Seq: 43}, m, append(body, m.Trace...))
	m, body = records(44, "all of it literals") // an LZ4 block may say so: token f0, 15 and 25 more
	add("data: packed with LZ4", Header{Kind: Data, Codec: 1, Raw: len(body), Seq: 44}, m, append([]byte{0xf0, byte(len(body) - 15)}, body...))

	whole := record(45, 37)
	for _, at := range []int{0, 24, 48} {
		part := whole[at:min(at+24, recordHeader+37)]
		body := append(make([]byte, FragmentHeader), part...)
		PutFragment(body, at, recordHeader+37)
		m := wireMeaning{Fragment: &struct {
			Offset, Total uint32
			Part          hexBytes
		}{uint32(at), recordHeader + 37, part}}
		add("fragment", Header{Kind: Fragment, Seq: 45}, m, body)
	}
	lost := make([]byte, LostSize)
	PutLost(lost, 60)
	add("lost: 46 to 60", Header{Kind: Lost, Seq: 46}, wireMeaning{Last: 60}, lost)

	const receiver = 0x1122334455667788
	missing := []Range{{50, 50}, {52, 1 << 40}}
	add("nak", Header{Kind: Nak, Seq: receiver}, wireMeaning{Ranges: missing}, AppendNak(nil, missing))
	status := StatusBody{Next: 50, Window: 1 << 20, Tag: 9, Receiver: 4711}
	body = make([]byte, StatusSize)
	status.Put(body)
	add("status", Header{Kind: Status, Seq: receiver}, wireMeaning{Status: &status}, body)
	hello := Hello{Nonce: Nonce(counting(0x80, 16))}
	add("hello", Header{Kind: HelloKind, Seq: receiver}, wireMeaning{Nonce: hello.Nonce[:]}, AppendHello(nil, hello))
	beat := BeatBody{Sent: 1 << 40, Echo: 1 << 39, Held: 100_000_000}
	body = make([]byte, BeatSize)
	beat.Put(body)
	add("beat", Header{Kind: Beat}, wireMeaning{Beat: &beat}, body)
	v.Datagram = append(v.Datagram, make([]byte, 8)...)
	return v
}

var wireFile = filepath.Join("testdata", "wire.json")

func readWire(t *testing.T) (v wireVectors) {
	t.Helper()
	b, err := os.ReadFile(wireFile)
	must(t, err)
	must(t, json.Unmarshal(b, &v))
	return v
}

func TestEnvelopesAreThoseOfTheVectors(t *testing.T) {
	got, err := json.MarshalIndent(buildWire(), "", " ")
	must(t, err)
	got = append(got, '\n')
	if *writeWire {
		must(t, os.WriteFile(wireFile, got, 0o644))
	}
	want, err := os.ReadFile(wireFile)
	must(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("testdata/wire.json is not what is built now; the wire has changed:\n%s", got)
	}
}

// TestEnvelopesFollowTheSpecificationByHand builds each vector from its fields with nothing but appends.
func TestEnvelopesFollowTheSpecificationByHand(t *testing.T) {
	v, le := readWire(t), binary.LittleEndian
	for _, e := range v.Envelopes {
		f, m := e.Fields, e.Means
		kind := f.Kind
		if f.Traced {
			kind |= 0x20
		}
		h := le.AppendUint32([]byte{1, kind, f.Codec, 0}, f.Channel)
		h = le.AppendUint64(h, f.Source)
		h = le.AppendUint32(h, f.Epoch)
		h = le.AppendUint16(h, uint16(f.Length))
		h = le.AppendUint16(h, uint16(f.Raw/8))
		h = le.AppendUint64(h, f.Seq)
		if !bytes.Equal(h, e.Header) || f.Length != len(e.Body) {
			t.Errorf("%s: header %x, want %x", e.Name, h, e.Header)
		}
		var body []byte
		for _, r := range m.Records {
			body = le.AppendUint32(body, uint32(16+len(r.Payload)))
			body = le.AppendUint32(body, uint32(r.Seq))
			body = le.AppendUint64(body, r.Stamp)
			body = append(body, r.Payload...)
			body = append(body, make([]byte, (8-len(r.Payload)%8)%8)...)
		}
		if f.Codec == 1 {
			if len(body) != f.Raw {
				t.Errorf("%s: %d bytes of records", e.Name, len(body))
			}
			body = append([]byte{0xf0, byte(len(body) - 15)}, body...)
		}
		if p := m.Fragment; p != nil {
			body = le.AppendUint32(body, p.Offset)
			body = le.AppendUint32(body, p.Total)
			body = append(body, p.Part...)
		}
		if m.Last != 0 {
			body = le.AppendUint64(body, m.Last)
		}
		for _, r := range m.Ranges {
			body = le.AppendUint64(body, r.First)
			body = le.AppendUint64(body, r.Last)
		}
		if s := m.Status; s != nil {
			body = le.AppendUint64(body, s.Next)
			body = le.AppendUint64(body, s.Window)
			body = le.AppendUint64(body, s.Tag)
			body = le.AppendUint64(body, s.Receiver)
		}
		if b := m.Beat; b != nil {
			body = le.AppendUint64(body, b.Sent)
			body = le.AppendUint64(body, b.Echo)
			body = le.AppendUint64(body, b.Held)
		}
		if m.Nonce != nil {
			body = append(body, m.Nonce...)
			body = append(body, make([]byte, 80)...)
		}
		if body = append(body, m.Trace...); !bytes.Equal(body, e.Body) {
			t.Errorf("%s: body %x, want %x", e.Name, body, e.Body)
		}
	}
}

func TestVectorsAreReadFieldByField(t *testing.T) {
	v := readWire(t)
	kinds := map[Kind]bool{Announced: true} // sealed.json has it
	for _, e := range v.Envelopes {
		f, m := e.Fields, e.Means
		var h Header
		if err := h.Parse(append(bytes.Clone(e.Header), e.Body...)); err != nil {
			t.Fatalf("%s: %v", e.Name, err)
		}
		if want := (Header{Kind: Kind(f.Kind), Traced: f.Traced, Codec: f.Codec, Channel: ChannelID(v.ChannelName), Source: f.Source,
			Epoch: f.Epoch, Length: f.Length, Raw: f.Raw, Seq: f.Seq}); h != want {
			t.Errorf("%s: %+v, want %+v", e.Name, h, want)
		}
		kinds[h.Kind] = true
		switch h.Kind {
		case Data:
			body := e.Body[:len(e.Body)-h.around()]
			if h.Codec != 0 {
				body = body[2:]
			}
			if n, err := Records(body, h.Seq, 4096); err != nil || n != len(m.Records) {
				t.Errorf("%s: %d records, %v", e.Name, n, err)
			}
		case Fragment:
			offset, total, part, err := ParseFragment(e.Body, 4096)
			if err != nil || uint32(offset) != m.Fragment.Offset || uint32(total) != m.Fragment.Total || !bytes.Equal(part, m.Fragment.Part) {
				t.Errorf("%s: at %d of %d, %v", e.Name, offset, total, err)
			}
		case Lost:
			if last, err := ParseLost(e.Body, h.Seq); err != nil || last != m.Last {
				t.Errorf("%s: to %d, %v", e.Name, last, err)
			}
		case Nak:
			var missing [MaxRanges]Range
			if n, err := ParseNak(e.Body, &missing); err != nil || n != len(m.Ranges) || missing[0] != m.Ranges[0] || missing[1] != m.Ranges[1] {
				t.Errorf("%s: %v, %v", e.Name, missing[:n], err)
			}
		case Status:
			var s StatusBody
			if err := s.Parse(e.Body); err != nil || s != *m.Status {
				t.Errorf("%s: %+v, %v", e.Name, s, err)
			}
		case Beat:
			var b BeatBody
			if err := b.Parse(e.Body); err != nil || b != *m.Beat {
				t.Errorf("%s: %+v, %v", e.Name, b, err)
			}
		case HelloKind:
			if hello, err := ParseHello(e.Body); err != nil || !bytes.Equal(hello.Nonce[:], m.Nonce) {
				t.Errorf("%s: %+v, %v", e.Name, hello, err)
			}
		}
	}
	if len(kinds) != int(Beat) {
		t.Errorf("vectors of %d kinds", len(kinds))
	}
	var h Header
	n := 0
	for rest := []byte(v.Datagram); !Ended(rest); rest = rest[HeaderSize+h.Length:] {
		if err := h.Parse(rest); err != nil || !bytes.Equal(rest[:HeaderSize], v.Envelopes[n].Header) {
			t.Fatalf("envelope %d of the datagram: %v", n, err)
		}
		n++
	}
	if n != 3 {
		t.Errorf("%d envelopes in the datagram", n)
	}
}
