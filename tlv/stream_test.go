package tlv

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"testing"

	"pgregory.net/rapid"
)

// drain feeds the pieces and writes down everything the stream says.
func drain(t testing.TB, s *Stream, pieces ...[]byte) (log []string) {
	t.Helper()
	step := func() bool {
		m, err := s.Next()
		var e *Error
		switch {
		case err == nil:
			log = append(log, fmt.Sprintf("%d %s %s %x", s.Offset(), m.Dialect(), m.Checksum(), m.Bytes()))
		case errors.As(err, &e) && e.Bytes > 0:
			log = append(log, fmt.Sprintf("skip %d at %d: %s", e.Bytes, e.Offset, e.Kind))
		case errors.As(err, &e):
			log = append(log, fmt.Sprintf("%d refused %s at %d %x", s.Offset(), e.Kind, e.Offset, m.Bytes()))
		case err == ErrMore || err == io.EOF:
			return false
		default:
			t.Fatal(err)
		}
		return true
	}
	for _, p := range pieces {
		for len(p) > 0 {
			p = p[s.Feed(p):]
			for step() {
			}
		}
	}
	s.End()
	for step() {
	}
	return log
}

// summary shortens a log: what happened where, without the bytes.
func summary(log []string) (short []string) {
	for _, l := range log {
		if i := bytes.LastIndexByte([]byte(l), ' '); len(l) > 80 {
			l = l[:i]
		}
		short = append(short, l)
	}
	return short
}

var streamParser = Parser{Numbering: GuessNumbering, MaxMessage: 8192,
	Checksums: Policies{PolicyLenient, PolicyLenient, PolicyLenient, PolicyLenient}}

// everySplit checks that no cut of b into two pieces, nor into single bytes, changes what the stream says.
func everySplit(t testing.TB, f Framing, b []byte) []string {
	t.Helper()
	want := drain(t, NewStream(f, &streamParser), b)
	var single [][]byte
	for i := range b {
		single = append(single, b[i:i+1])
	}
	if got := drain(t, NewStream(f, &streamParser), single...); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("byte by byte:\n got %v\nwant %v", summary(got), summary(want))
	}
	for i := range b {
		if got := drain(t, NewStream(f, &streamParser), b[:i], b[i:]); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("cut at %d:\n got %v\nwant %v", i, summary(got), summary(want))
		}
	}
	return want
}

func expect(t *testing.T, log []string, want ...string) {
	t.Helper()
	got := summary(log)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("\n got %q\nwant %q", got, want)
	}
}

func TestStreamGoldenAtEverySplit(t *testing.T) {
	for name, want := range map[string][]string{
		"raw_stream_five_messages": {
			"0 aligned ok", "74 aligned ok", "157 aligned ok", "189 aligned ok", "1470 aligned unset"},
		"raw_stream_truncated_then_message": {"skip 50 at 0: bad_checksum", "50 aligned ok"},
		"mixed_dialect_stream":              {"0 packed ok", "71 aligned ok", "145 packed ok", "231 aligned ok"},
		"adapter_identification_header":     {"0 aligned unset"},
		"torq_simple_envelope_trade":        {"skip 35 at 0: bad_magic", "35 aligned ok"},
		"frame_u32_be_trade":                {"skip 4 at 0: bad_magic", "4 aligned ok"},
		"system_heartbeat_crc":              {"0 aligned ok"},
		"execution_order_cancel_43_16":      {"0 aligned ok"},
	} {
		t.Run(name, func(t *testing.T) {
			log := everySplit(t, FramingNone, goldenBytes(t, "derived.json", name))
			for i := range log {
				log[i] = trimBytes(log[i])
			}
			expect(t, log, want...)
		})
	}
}

// trimBytes drops the message bytes of a log line.
func trimBytes(l string) string {
	if i := bytes.Index([]byte(l), []byte(" efbeadde")); i >= 0 {
		return l[:i]
	}
	return l
}

func trimmed(log []string) []string {
	for i := range log {
		log[i] = trimBytes(log[i])
	}
	return log
}

func TestStreamReadsLengthFrames(t *testing.T) {
	be := goldenBytes(t, "derived.json", "frame_u32_be_trade")
	expect(t, trimmed(everySplit(t, FramingBE, bytes.Repeat(be, 3))), "4 aligned ok", "82 aligned ok", "160 aligned ok")

	le := append([]byte{74, 0, 0, 0}, be[4:]...)
	garbage := append([]byte("garbage!"), le...)
	expect(t, trimmed(everySplit(t, FramingLE, append(garbage, le...))),
		"skip 8 at 0: bad_magic", "12 aligned ok", "90 aligned ok")

	lying := append([]byte{73, 0, 0, 0}, be[4:]...)
	expect(t, trimmed(everySplit(t, FramingLE, append(lying, le...))), "skip 78 at 0: bad_frame", "82 aligned ok")

	cut := append(append([]byte{}, le[:50]...), le...)
	expect(t, trimmed(everySplit(t, FramingLE, cut)), "skip 50 at 0: bad_checksum", "54 aligned ok")
}

func trade(t testing.TB, sequence uint64, sum bool) []byte {
	t.Helper()
	b := make([]byte, TradeMessageSize)
	h := benchHeader
	h.Sequence = sequence
	if _, err := PutTrade(b, &h, &benchTrade); err != nil {
		t.Fatal(err)
	}
	if sum {
		SetChecksum(b)
	}
	return b
}

// nest puts a whole message into an opaque TLV of another.
func nest(t testing.TB, inner []byte, sum bool) []byte {
	t.Helper()
	b := make([]byte, HeaderSize+5+len(inner))
	w := Build(b, Aligned, &benchHeader)
	w.Raw(TypeL2Delta, inner)
	finish := w.FinishUnset
	if sum {
		finish = w.Finish
	}
	n, err := finish()
	if err != nil {
		t.Fatal(err)
	}
	return b[:n]
}

func concat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func TestStreamKeepsMessagesWithAMagicInside(t *testing.T) {
	for _, sum := range []bool{true, false} {
		outer := nest(t, trade(t, 7, sum), sum)
		state := map[bool]string{true: "ok", false: "unset"}[sum]
		expect(t, trimmed(everySplit(t, FramingNone, concat(outer, outer, trade(t, 8, sum)))),
			"0 aligned "+state, "108 aligned "+state, "216 aligned "+state)
	}
}

func TestStreamLosesNoMessageBehindACutOne(t *testing.T) {
	for _, sum := range []bool{true, false} {
		whole := trade(t, 1, sum)
		for cut := 1; cut < len(whole); cut++ {
			log := everySplit(t, FramingNone, concat(whole[:cut], trade(t, 2, sum), trade(t, 3, sum)))
			found := 0
			for _, l := range log {
				if bytes.HasSuffix([]byte(l), []byte(hex.EncodeToString(trade(t, 2, sum)))) ||
					bytes.HasSuffix([]byte(l), []byte(hex.EncodeToString(trade(t, 3, sum)))) {
					found++
				}
			}
			if found != 2 {
				t.Fatalf("sum %v, cut at %d: %q", sum, cut, trimmed(log))
			}
		}
	}
}

func TestStreamLosesNoMessageBehindAFlippedBit(t *testing.T) {
	for bit := range 8 * TradeMessageSize {
		hurt := trade(t, 1, true)
		hurt[bit/8] ^= 1 << (bit % 8)
		s := NewStream(FramingNone, &streamParser)
		log := drain(t, s, concat(hurt, trade(t, 2, true), trade(t, 3, true)))
		if n := s.Stats().Messages; n != 2 {
			t.Fatalf("bit %d: %q", bit, trimmed(log))
		}
	}
}

func TestStreamReportsRefusedMessagesWhole(t *testing.T) {
	for name, want := range map[string]string{
		"neg_bad_magic":           "skip 74 at 0: bad_magic",
		"neg_payload_bitflip":     "0 refused bad_checksum at 28",
		"neg_header_truncated":    "skip 31 at 0: too_short",
		"neg_source_250":          "0 refused unknown_source at 6",
		"neg_trade_39_bytes":      "0 refused wrong_tlv_size at 32",
		"neg_tlv_type_0":          "0 refused tlv_type_zero at 32",
		"neg_extended_truncated":  "0 refused truncated_tlv at 32",
		"neg_tlv_header_one_byte": "0 refused truncated_tlv at 32",
		"neg_domain_0":            "0 aligned ok", // market data in the other numbering
	} {
		t.Run(name, func(t *testing.T) {
			b := goldenBytes(t, "aligned_negative.json", name)
			expect(t, trimmed(everySplit(t, FramingNone, b)), want)
		})
	}
}

func TestStreamMemoryIsBounded(t *testing.T) {
	s := NewStream(FramingNone, &streamParser)
	size := len(s.buf)
	big := bytes.Repeat([]byte{0xEF, 0xBE, 0xAD}, 1<<20)
	log := drain(t, s, big, trade(t, 1, true))
	if len(s.buf) != size {
		t.Error("the buffer grew")
	}
	expect(t, trimmed(log), fmt.Sprintf("skip %d at 0: bad_magic", len(big)), fmt.Sprintf("%d aligned ok", len(big)))
}

func TestStreamResyncCostIsBounded(t *testing.T) {
	// Overlapping starts every 32 bytes, each promising the longest message: without a bound every one of them would
	// be hashed to its end.
	start := make([]byte, 32)
	p := Parser{MaxMessage: 1 << 20}
	h := benchHeader
	h.put(start, Aligned, 1<<20-HeaderSize)
	start[28] = 1
	s := NewStream(FramingNone, &p)
	hostile := bytes.Repeat(start, 1<<16)
	drain(t, s, hostile, trade(t, 9, true))
	if s.Stats().Messages != 1 {
		t.Error("the message behind the hostile bytes is lost")
	}
	if s.debt > 8<<20+64*len(hostile) {
		t.Error("debt is not bounded")
	}
}

func TestStreamDoesNotAllocate(t *testing.T) {
	s := NewStream(FramingNone, nil)
	good, bad := trade(t, 1, true), trade(t, 2, true)
	bad[40] ^= 1
	input := concat(good, []byte("noise"), bad, good)
	n := testing.AllocsPerRun(100, func() {
		s.Feed(input)
		for {
			if _, err := s.Next(); err == ErrMore {
				return
			}
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestStreamFillReadsAReader(t *testing.T) {
	s := NewStream(FramingNone, nil)
	r := bytes.NewReader(concat(trade(t, 1, true), trade(t, 2, true)))
	for {
		_, err := s.Fill(r)
		if err == io.EOF {
			break
		}
	}
	s.End()
	for want := uint64(1); want <= 2; want++ {
		if m, err := s.Next(); err != nil || m.Sequence() != want {
			t.Fatal(m.Sequence(), err)
		}
	}
	if _, err := s.Next(); err != io.EOF {
		t.Error(err)
	}
}

func TestStreamSaysWhenItHasNoRoom(t *testing.T) {
	s := NewStream(FramingNone, &streamParser)
	full := bytes.Repeat(trade(t, 1, true), 1500)
	taken := s.Feed(full)
	if taken == len(full) || s.Feed(full) != 0 {
		t.Fatal("took more than its bound")
	}
	if _, err := s.Fill(bytes.NewReader(full)); err != io.ErrShortBuffer {
		t.Error(err)
	}
	for _, err := s.Next(); err == nil; _, err = s.Next() {
	}
	if n := s.Feed(full[taken:]); n != len(full)-taken {
		t.Error("no room after draining")
	}
}

func TestStreamCountsByKind(t *testing.T) {
	s := NewStream(FramingNone, &streamParser)
	hurt := trade(t, 1, true)
	hurt[70]++
	drain(t, s, concat([]byte("noise"), hurt, trade(t, 2, true), []byte("noise")))
	st := s.Stats()
	if st.Messages != 1 || st.Faulty != 1 || st.Skips != 2 || st.Skipped != 10 ||
		st.Kinds[KindBadMagic] != 2 || st.Kinds[KindBadChecksum] != 1 {
		t.Errorf("%+v", st)
	}
}

// TestStreamFindsEveryIntactMessageOfAStorm mixes good messages with cut and flipped ones and noise, cuts the whole into
// random portions, and wants every good message, once, in order.
func TestStreamFindsEveryIntactMessageOfAStorm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var input []byte
		var want []string
		for i := range rapid.IntRange(1, 12).Draw(t, "parts") {
			d := rapid.SampledFrom([]Dialect{Aligned, Packed}).Draw(t, "dialect")
			buf := make([]byte, 512)
			w := Build(buf, d, &Header{RelayDomain: 1, Source: 3, Sequence: uint64(i + 1), Timestamp: 1755893490012637000})
			w.Trade(&Trade{Price: int64(i)})
			w.Raw(TypeL2Delta, rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "delta"))
			n, err := w.Finish()
			if err != nil {
				t.Fatal(err)
			}
			msg := buf[:n]
			switch rapid.IntRange(0, 4).Draw(t, "fate") {
			case 0:
				cut := rapid.IntRange(0, n-1).Draw(t, "cut")
				msg = append(msg[:cut:cut], ^msg[cut]) // nothing behind it can complete it by chance
			case 1:
				bit := rapid.IntRange(0, 8*n-1).Draw(t, "bit")
				msg[bit/8] ^= 1 << (bit % 8)
			case 2:
				msg = rapid.SliceOfN(rapid.SampledFrom([]byte{0xEF, 0xBE, 0xAD, 0xDE, 0, 1, 3}), 0, 60).Draw(t, "noise")
			default:
				want = append(want, hex.EncodeToString(msg))
			}
			input = append(input, msg...)
		}
		s := NewStream(FramingNone, nil)
		var got []string
		for len(input) > 0 {
			n := rapid.IntRange(1, len(input)).Draw(t, "portion")
			got = append(got, good(s, input[:n])...)
			input = input[n:]
		}
		s.End()
		if got = append(got, good(s, nil)...); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("\n got %q\nwant %q", got, want)
		}
	})
}

// good feeds b and returns the accepted messages in hex.
func good(s *Stream, b []byte) (found []string) {
	s.Feed(b)
	for {
		m, err := s.Next()
		if err == ErrMore || err == io.EOF {
			return found
		}
		if err == nil {
			found = append(found, hex.EncodeToString(m.Bytes()))
		}
	}
}

func TestUnknownFramingIsRefusedAndEnds(t *testing.T) {
	for _, f := range []Framing{FramingBE + 1, 255} {
		s := NewStream(f, nil)
		if n, err := s.Fill(bytes.NewReader(magicBytes)); n != 0 || err != ErrFraming {
			t.Errorf("framing %d: Fill %d, %v", f, n, err)
		}
		long := make([]byte, 4<<20) // more than a Stream has room for
		if n := s.Feed(long); n != len(long) {
			t.Errorf("framing %d: Feed %d", f, n)
		}
		s.End()
		for _, want := range []error{ErrFraming, io.EOF, io.EOF} {
			if m, err := s.Next(); err != want || len(m.Bytes()) != 0 {
				t.Errorf("framing %d: %v instead of %v", f, err, want)
			}
		}
		if s.Stats() != (StreamStats{}) {
			t.Errorf("framing %d: %+v", f, s.Stats())
		}
	}
}
