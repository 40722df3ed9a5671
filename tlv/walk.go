package tlv

// TLV is one record of a message. Payload points into the message's bytes.
//
// The typed methods (Trade, Quote, PoolSwap, …) load the fields of a payload whose type and size fit; their bool is
// false otherwise, and the payload is to be treated as opaque.
type TLV struct {
	Payload  []byte
	Type     Type
	Dialect  Dialect // of the message; decides the layout
	Extended bool    // the 5-byte form: 0xFF, 0, type, length u16
}

// Walker goes through the TLVs of a message in order. Use Message.TLVs.
type Walker struct {
	b       []byte
	at      int
	dialect Dialect
}

// Next returns the next TLV; ok is false at the end.
func (w *Walker) Next() (t TLV, ok bool) {
	body, n, kind := frame(w.b, w.at)
	if kind != 0 || w.at >= len(w.b) {
		return TLV{}, false
	}
	t = TLV{Type: Type(w.b[w.at]), Dialect: w.dialect}
	if t.Type == TypeExtended {
		t.Type, t.Extended = Type(w.b[w.at+2]), true
	}
	t.Payload = w.b[body : body+n : body+n]
	w.at = body + n
	return t, true
}

// frame finds the payload of the TLV at b[at:]: b[body:body+n] exists when kind is 0.
func frame(b []byte, at int) (body, n int, kind Kind) {
	if len(b)-at < 2 {
		return 0, 0, KindTLVShort
	}
	body, n = at+2, int(b[at+1])
	if b[at] == byte(TypeExtended) {
		return extended(b, at)
	}
	if n > len(b)-body {
		return 0, 0, KindTLVShort
	}
	return body, n, 0
}

func extended(b []byte, at int) (body, n int, kind Kind) {
	if len(b)-at < 5 {
		return 0, 0, KindTLVShort
	}
	if b[at+1] != 0 || b[at+2] == byte(TypeExtended) {
		return 0, 0, KindTLVExtended
	}
	body, n = at+5, int(le.Uint16(b[at+3:]))
	if n > len(b)-body {
		return 0, 0, KindTLVShort
	}
	return body, n, 0
}

// check validates every TLV of the area b: boundaries, types, fixed sizes. at is the offset of the first fault.
func check(b []byte, d Dialect) (kind Kind, at int) {
	sizes := &fixedSizes[0]
	if d == Packed {
		sizes = &fixedSizes[1]
	}
	for at < len(b) {
		if len(b)-at < 2 {
			return KindTLVShort, at
		}
		t, body, n := b[at], at+2, int(b[at+1])
		if t == byte(TypeExtended) {
			if body, n, kind = extended(b, at); kind != 0 {
				return kind, at
			}
			t = b[at+2]
		}
		if n > len(b)-body {
			return KindTLVShort, at
		}
		if t == 0 {
			return KindTLVType, at
		}
		if s := &sizes[t]; s[0] != 0 && n != int(s[0]) && n != int(s[1]) {
			return KindTLVSize, at
		}
		at = body + n
	}
	return 0, 0
}
