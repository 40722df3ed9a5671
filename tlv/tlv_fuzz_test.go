package tlv

import (
	"bytes"
	"fmt"
	"testing"
)

// FuzzParse: no bytes crash the parser; what it accepts is walked to its last byte, and rebuilt from its raw TLVs it is
// the same message again.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"trade_plus_instrument_meta", "extended_format_forced_for_small_trade", "state_invalidation"} {
		f.Add(goldenBytes(f, "aligned_messages.json", name))
	}
	f.Add(goldenBytes(f, "packed_messages.json", "pool_swap_152"))
	f.Fuzz(func(t *testing.T, b []byte) {
		checkUsual(t, b)
		m, err := reader.Parse(b)
		walk, used := m.TLVs(), HeaderSize
		dst := make([]byte, len(b)+8)
		h := m.Header()
		w := Build(dst, m.Dialect(), &h)
		for tl, ok := walk.Next(); ok; tl, ok = walk.Next() {
			used += 2 + len(tl.Payload)
			if tl.Extended {
				used += 3
			}
			if v, typed := tl.Value(); typed {
				checkValue(t, tl, v)
			}
			if tl.Extended {
				w.RawExtended(tl.Type, tl.Payload)
			} else {
				w.Raw(tl.Type, tl.Payload)
			}
		}
		if err != nil {
			return
		}
		if used != len(b) {
			t.Fatalf("walked %d of %d bytes", used, len(b))
		}
		finish := w.Finish
		if m.Header().Checksum == 0 {
			finish = w.FinishUnset
		}
		if n, err := finish(); err != nil || !bytes.Equal(dst[:n], b) {
			t.Fatalf("rebuilt differently: %v\n%x\n%x", err, dst[:n], b)
		}
	})
}

// checkUsual: the short way through the parser takes nothing that the long way refuses, or reads otherwise.
func checkUsual(t *testing.T, b []byte) {
	t.Helper()
	for _, p := range []Parser{{}, {Dialect: Aligned}, {AnySource: true}, {MaxMessage: 64}, {Numbering: From0}, {Numbering: From1},
		{Checksums: Policies{MarketData: PolicyStrict}}, {Checksums: Policies{Signal: PolicySkip, Execution: PolicySkip, System: PolicySkip}}} {
		short, ok := p.usual(b)
		if long, n, kind, at := p.parse(b); ok && (kind != 0 || n != len(b) || long != short) {
			t.Fatalf("%+v: the short way says %x, the long way %x, %d of %d bytes, %v at %d: %x", p, short, long, n, len(b), kind, at, b)
		}
	}
}

// checkValue writes a loaded value again and wants the same value from it.
func checkValue(t *testing.T, tl TLV, v any) {
	t.Helper()
	buf := make([]byte, 1<<17)
	w := Build(buf, tl.Dialect, &Header{RelayDomain: 1, Source: 1, Timestamp: 1755893490012637000})
	add(&w, v)
	n, err := w.Finish()
	if err != nil {
		t.Fatalf("%s: %v", tl.Type, err)
	}
	p := Parser{Dialect: tl.Dialect}
	m, err := p.Parse(buf[:n])
	if err != nil {
		t.Fatalf("%s: %v", tl.Type, err)
	}
	again, _ := m.Find(tl.Type)
	v2, ok := again.Value()
	if s, snap := v.(Snapshot); snap { // a Builder computes the body's checksum anew
		s2 := v2.(Snapshot)
		s.Checksum, s2.Checksum = 0, 0
		v, v2 = s, s2
	}
	if !ok || plain(v) != plain(v2) {
		t.Fatalf("%s: %s, want %s", tl.Type, plain(v2), plain(v))
	}
}

// plain prints a value with its lists spelt out.
func plain(v any) string {
	switch v := v.(type) {
	case OrderBook:
		bids, asks := v.Bids.Append(nil), v.Asks.Append(nil)
		v.Bids, v.Asks = List[Level]{}, List[Level]{}
		return fmt.Sprint(v, bids, asks)
	case PoolLiquidity:
		reserves := v.Reserves.Append(nil)
		v.Reserves = List[Uint128]{}
		return fmt.Sprint(v, reserves)
	case StateInvalidation:
		ids := v.Instruments.Append(nil)
		v.Instruments = List[InstrumentID]{}
		return fmt.Sprint(v, ids)
	}
	return fmt.Sprint(v)
}

// FuzzStream: however a stream is cut, it says the same; every byte is accounted for; and a good message at the end is
// found behind whatever came before.
func FuzzStream(f *testing.F) {
	f.Add(goldenBytes(f, "derived.json", "raw_stream_truncated_then_message"), uint8(0), uint16(50))
	f.Add(goldenBytes(f, "derived.json", "mixed_dialect_stream"), uint8(0), uint16(71))
	f.Add(goldenBytes(f, "derived.json", "frame_u32_be_trade"), uint8(2), uint16(3))
	f.Fuzz(func(t *testing.T, b []byte, framing uint8, cut uint16) {
		fr := Framing(framing % 3)
		at := int(cut) % (len(b) + 1)
		whole := NewStream(fr, &streamParser)
		want := drain(t, whole, b)
		if got := drain(t, NewStream(fr, &streamParser), b[:at], b[at:]); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("cut at %d:\n got %q\nwant %q", at, got, want)
		}
		var single [][]byte
		for i := range b {
			single = append(single, b[i:i+1])
		}
		if got := drain(t, NewStream(fr, &streamParser), single...); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("byte by byte:\n got %q\nwant %q", got, want)
		}
		if whole.r != whole.w {
			t.Fatalf("%d bytes were neither taken nor skipped", whole.w-whole.r)
		}
	})
}
