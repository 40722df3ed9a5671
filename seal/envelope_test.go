package seal

import (
	"bytes"
	"math"
	"testing"

	"pgregory.net/rapid"
)

// drawHeader draws a header that contradicts itself nowhere.
func drawHeader(t *rapid.T) Header {
	h := Header{
		Kind:    Kind(rapid.IntRange(int(Data), int(Beat)).Draw(t, "kind")),
		Channel: rapid.Uint32().Draw(t, "channel"),
		Source:  rapid.Uint64().Draw(t, "source"),
		Epoch:   rapid.Uint32().Draw(t, "epoch"),
		Seq:     rapid.Uint64().Draw(t, "seq"),
	}
	if h.Kind < HelloKind && rapid.Bool().Draw(t, "sealed") {
		h.Sealed, h.Suite = true, Suite(rapid.IntRange(1, 15).Draw(t, "suite"))
		h.KeyEpoch = rapid.Byte().Draw(t, "key epoch")
	}
	if h.Kind == Data && rapid.Bool().Draw(t, "packed") {
		h.Codec = uint8(rapid.IntRange(1, 15).Draw(t, "codec"))
		h.Raw = 8 * rapid.IntRange(1, math.MaxUint16).Draw(t, "raw")
	}
	h.Traced = h.Kind <= Fragment && rapid.Bool().Draw(t, "traced")
	h.Length = h.around()
	if h.Kind != Heartbeat {
		h.Length = rapid.IntRange(h.Length, MaxBody).Draw(t, "length")
	}
	return h
}

// envelopeOf is h and as many bytes of body as it says.
func envelopeOf(h Header) []byte {
	b := make([]byte, HeaderSize+h.Length)
	h.Put(b)
	return b
}

// someHeaders are headers of all kinds, plain and with all that their kind may have.
func someHeaders() (all []Header) {
	for k := Data; k <= Beat; k++ {
		h := Header{Kind: k, Channel: 0x01020304, Source: 0x1112131415161718, Epoch: 0x21222324, Length: 200, Seq: 0x3132333435363738}
		if k == Heartbeat {
			h.Length = 0
		}
		all = append(all, h)
		if k < HelloKind {
			h.Sealed, h.Suite, h.KeyEpoch = true, AES128GCM, 0xa5
			h.Length += Overhead
		}
		if k <= Fragment {
			h.Traced = true
		}
		if k == Data {
			h.Codec, h.Raw = 2, 4096
		}
		all = append(all, h)
	}
	return all
}

func TestHeadersComeBackAsTheyWere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h, got := drawHeader(t), Header{}
		b := envelopeOf(h)
		if err := got.Parse(b); err != nil || got != h {
			t.Fatalf("%+v, %v; want %+v", got, err, h)
		}
		if err := got.Parse(append(b, make([]byte, 40)...)); err != nil || got != h {
			t.Fatalf("with others behind it: %+v, %v", got, err)
		}
	})
}

func TestEveryFlippedHeaderBitIsRefusedOrSaysSo(t *testing.T) {
	for _, h := range someHeaders() {
		whole := envelopeOf(h)
		for i := range 8 * HeaderSize {
			b := bytes.Clone(whole)
			b[i/8] ^= 1 << (i % 8)
			var got Header
			if err := got.Parse(b); err == ErrMalformed {
				continue
			} else if err != nil {
				t.Fatal(err)
			}
			if again := envelopeOf(got); got == h || !bytes.Equal(again[:HeaderSize], b[:HeaderSize]) {
				t.Errorf("%+v, bit %d: %+v", h, i, got)
			}
			if i < 8 || i == 14 || i == 15 {
				t.Errorf("%s: bit %d of version or reserved bits is let through", h.Kind, i)
			}
		}
	}
}

func TestEveryPrefixOfAnEnvelopeIsRefused(t *testing.T) {
	for _, h := range someHeaders() {
		whole := envelopeOf(h)
		for n := range whole {
			if err := new(Header).Parse(whole[:n:n]); err != ErrMalformed {
				t.Fatalf("%s cut to %d of %d bytes: %v", h.Kind, n, len(whole), err)
			}
		}
		if err := new(Header).Parse(whole); err != nil {
			t.Fatal(h.Kind, err)
		}
	}
}

func TestHeadersThatContradictThemselvesAreRefused(t *testing.T) {
	data := Header{Kind: Data, Length: 64, Seq: 1}
	sealed := data
	sealed.Sealed, sealed.Suite = true, ChaCha20Poly1305
	for name, h := range map[string]Header{
		"kind 0":                     {Length: 8},
		"kind 10":                    {Kind: 10, Length: 8},
		"kind 15":                    {Kind: 15, Length: 8},
		"a key that sealed nothing":  {Kind: Data, KeyEpoch: 1, Length: 64},
		"sealed without a suite":     {Kind: Data, Sealed: true, Length: 64},
		"packed to nothing":          {Kind: Data, Codec: 1, Length: 64},
		"packed by no codec":         {Kind: Data, Raw: 8, Length: 64},
		"a packed fragment":          {Kind: Fragment, Codec: 1, Raw: 64, Length: 64},
		"a packed nak":               {Kind: Nak, Codec: 1, Raw: 64, Length: 64},
		"a sealed hello":             {Kind: HelloKind, Sealed: true, Suite: 1, Length: 200},
		"a sealed announce":          {Kind: Announced, Sealed: true, Suite: 1, Length: 200},
		"a traced nak":               {Kind: Nak, Traced: true, Length: 64},
		"a trace that does not fit":  {Kind: Data, Traced: true, Length: TraceSize - 1},
		"a tag that does not fit":    {Kind: Data, Sealed: true, Suite: 1, Length: Overhead - 1},
		"both that do not fit":       {Kind: Data, Sealed: true, Suite: 1, Traced: true, Length: Overhead + TraceSize - 1},
		"a heartbeat with a body":    {Kind: Heartbeat, Length: 8},
		"a sealed one with a body":   {Kind: Heartbeat, Sealed: true, Suite: 2, Length: Overhead + 8},
		"more than a datagram holds": {Kind: Data, Length: MaxBody + 1},
	} {
		if err := new(Header).Parse(envelopeOf(h)); err != ErrMalformed {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A suite of a plain envelope is not written; as it could arrive:
	plain := envelopeOf(data)
	plain[2] |= byte(AES128GCM) << 4
	if err := new(Header).Parse(plain); err != ErrMalformed {
		t.Error("a suite that seals nothing:", err)
	}
	for _, h := range []Header{data, sealed} {
		if err := new(Header).Parse(envelopeOf(h)); err != nil {
			t.Errorf("%+v: %v", h, err)
		}
	}
}

func TestLengthsNeverReachBeyondTheDatagram(t *testing.T) {
	whole := envelopeOf(Header{Kind: Data, Length: 100, Seq: 1})
	for length := range math.MaxUint16 + 1 {
		whole[20], whole[21] = byte(length), byte(length>>8)
		var h Header
		if err := h.Parse(whole); (err == nil) != (length <= 100) || err == nil && h.Length != length {
			t.Fatalf("length %d of 100: %d, %v", length, h.Length, err)
		}
	}
}

func TestDatagramsEndWhereAVersionIsMissing(t *testing.T) {
	var datagram []byte
	for _, h := range someHeaders() {
		datagram = append(datagram, envelopeOf(h)...)
	}
	for _, padding := range [][]byte{nil, {0}, make([]byte, 99), {0, 1, 2, 3}} {
		var h Header
		n := 0
		for rest := append(bytes.Clone(datagram), padding...); !Ended(rest); rest = rest[HeaderSize+h.Length:] {
			if err := h.Parse(rest); err != nil || h != someHeaders()[n] {
				t.Fatalf("envelope %d: %+v, %v", n, h, err)
			}
			n++
		}
		if n != len(someHeaders()) {
			t.Errorf("%d envelopes before a padding of %d", n, len(padding))
		}
	}
	if Ended([]byte{Version}) || Ended([]byte{9}) {
		t.Error("what is no padding is passed over in silence")
	}
}

func TestChannelsAreNamedByFNV(t *testing.T) {
	for name, want := range map[string]uint32{"": 0x811c9dc5, "a": 0xe40c292c, "foobar": 0xbf9cf968} { // draft-eastlake-fnv, appendix C
		if got := ChannelID(name); got != want {
			t.Errorf("%q: %#x, want %#x", name, got, want)
		}
	}
}

func TestKindsHaveNames(t *testing.T) {
	for k, want := range map[Kind]string{0: "kind 0", Data: "data", Fragment: "fragment", Heartbeat: "heartbeat", Lost: "lost", Nak: "nak",
		Status: "status", HelloKind: "hello", Announced: "announce", Beat: "beat", 10: "kind 10", 255: "kind 255"} {
		if k.String() != want {
			t.Errorf("%d: %q, want %q", k, k, want)
		}
	}
}

func TestEnvelopesAllocateNothing(t *testing.T) {
	var (
		h       Header
		missing [MaxRanges]Range
		status  = StatusBody{Receiver: 1}
		faults  []error
	)
	body := recordsOf(1, 3, 64, 9)
	whole := append(envelopeOf(Header{Kind: Data, Length: len(body)})[:HeaderSize], body...)
	nak, scratch := AppendNak(nil, []Range{{1, 2}, {5, 9}}), make([]byte, 0, 1024)
	fragment := append(make([]byte, FragmentHeader), body[:32]...)
	if n := testing.AllocsPerRun(100, func() {
		err := h.Parse(whole)
		h.Put(whole)
		_, err2 := Records(whole[HeaderSize:], 1, 4096)
		_ = After(whole[HeaderSize:], 1, 2)
		_ = RecordSize(whole[HeaderSize:], 1, 4096)
		scratch = AppendNak(scratch[:0], []Range{{1, 2}, {5, 9}})
		_, err3 := ParseNak(nak, &missing)
		status.Put(scratch[:StatusSize])
		err4 := status.Parse(scratch[:StatusSize])
		PutFragment(fragment, 0, 40)
		_, _, _, err5 := ParseFragment(fragment, 4096)
		PutLost(scratch[:LostSize], 9)
		_, err6 := ParseLost(scratch[:LostSize], 1)
		for _, err := range [...]error{err, err2, err3, err4, err5, err6} {
			if err != nil {
				faults = append(faults, err)
			}
		}
		if h.Parse(whole[:9]) == nil {
			faults = append(faults, ErrShort)
		}
	}); n != 0 || len(faults) > 0 {
		t.Errorf("%v allocations, %v", n, faults)
	}
}
