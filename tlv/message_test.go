package tlv

import (
	"errors"
	"testing"
)

func TestPoliciesPerDomain(t *testing.T) {
	message := func(domain uint8, state ChecksumState) []byte {
		b := make([]byte, 128)
		w := Build(b, Aligned, &Header{RelayDomain: domain, Source: SourceRisk})
		w.Raw(TypeL2Reset, []byte{1, 2, 3})
		n, _ := w.Finish()
		switch state {
		case ChecksumUnset:
			le.PutUint32(b[28:], 0)
		case ChecksumBad:
			b[n-1]++
		}
		return b[:n]
	}
	strict := Policies{PolicyStrict, PolicyStrict, PolicyStrict, PolicyStrict}
	for _, c := range []struct {
		name       string
		policies   Policies
		domain     Domain
		unset, bad error
	}{
		{"default", Policies{}, MarketData, nil, nil},
		{"default", Policies{}, Signal, ErrUnset, ErrBadChecksum},
		{"default", Policies{}, Execution, ErrUnset, ErrBadChecksum},
		{"default", Policies{}, System, nil, ErrBadChecksum},
		{"original", OriginalPolicies, Signal, nil, ErrBadChecksum},
		{"original", OriginalPolicies, Execution, nil, ErrBadChecksum},
		{"original", OriginalPolicies, MarketData, nil, nil},
		{"strict", strict, MarketData, ErrUnset, ErrBadChecksum},
		{"strict", strict, System, ErrUnset, ErrBadChecksum},
	} {
		p := Parser{Checksums: c.policies}
		for state, want := range map[ChecksumState]error{ChecksumOK: nil, ChecksumUnset: c.unset, ChecksumBad: c.bad} {
			m, err := p.Parse(message(uint8(c.domain), state))
			if !errors.Is(err, want) || (want == nil) != (err == nil) {
				t.Errorf("%s %s %s: %v, want %v", c.name, c.domain, state, err, want)
			}
			if got := m.Checksum(); got != state && got != ChecksumUnchecked {
				t.Errorf("%s %s: state %s, want %s", c.name, c.domain, got, state)
			}
		}
	}
}

func TestDetectIsNotFooledByASequenceThatLooksLikeASize(t *testing.T) {
	trap := goldenBytes(t, "torq_messages.json", "trade_coinbase") // sequence and payload_size are both 42
	if d, ok := Detect(trap); d != Aligned || !ok {
		t.Error(d, ok)
	}
	if d, ok := Detect(goldenBytes(t, "packed_messages.json", "quote_52")); d != Packed || !ok {
		t.Error(d, ok)
	}
	if _, ok := Detect(trap[:31]); ok {
		t.Error("31 bytes are a header")
	}
	wild := append([]byte{}, trap...)
	le.PutUint32(wild[24:], 1<<31)
	le.PutUint32(wild[8:], 1<<31)
	if _, ok := Detect(wild); ok {
		t.Error("no reading gives a size, yet one is chosen")
	}
	if _, err := Parse(wild); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
}

func TestParseNamesEveryFault(t *testing.T) {
	edit := func(f func(b []byte)) []byte {
		b := trade(t, 42, false)
		f(b)
		return b
	}
	for name, c := range map[string]struct {
		b      []byte
		p      Parser
		want   error
		offset int64
	}{
		"version":         {edit(func(b []byte) { b[5] = 7 }), Parser{}, ErrVersion, 5},
		"domain 9":        {edit(func(b []byte) { b[4] = 9 }), Parser{}, ErrDomain, 4},
		"domain 4 of 0-3": {edit(func(b []byte) { b[4] = 4 }), Parser{Numbering: From0}, ErrDomain, 4},
		"source":          {edit(func(b []byte) { b[6] = 99 }), Parser{}, ErrSource, 6},
		"payload_size":    {edit(func(b []byte) { le.PutUint32(b[24:], 9999) }), Parser{}, ErrTruncated, 24},
		"limit":           {edit(func(b []byte) {}), Parser{MaxMessage: 73}, ErrTooLarge, 24},
		"packed size":     {edit(func(b []byte) { le.PutUint32(b[8:], 9999) }), Parser{Dialect: Packed}, ErrTruncated, 8},
		"cut":             {edit(func(b []byte) {})[:73], Parser{}, ErrTruncated, 24},
		"empty":           {nil, Parser{}, ErrTooShort, 0},
		"extended in ext": {edit(func(b []byte) { copy(b[32:], []byte{255, 0, 255, 37, 0}) }), Parser{}, ErrTLVExtended, 32},
		"reserved byte":   {edit(func(b []byte) { copy(b[32:], []byte{255, 1, 6, 37, 0}) }), Parser{}, ErrTLVExtended, 32},
		"extended zero":   {edit(func(b []byte) { copy(b[32:], []byte{255, 0, 0, 37, 0}) }), Parser{}, ErrTLVType, 32},
		"extended size":   {edit(func(b []byte) { copy(b[32:], []byte{255, 0, 1, 37, 0}) }), Parser{}, ErrTLVSize, 32},
		"extended cut":    {edit(func(b []byte) { copy(b[32:], []byte{6, 36}); copy(b[70:], []byte{255, 0, 6, 0}) }), Parser{}, ErrTLVShort, 70},
		"trailing tlv":    {edit(func(b []byte) { copy(b[32:], []byte{6, 39}) }), Parser{}, ErrTLVShort, 73},
	} {
		_, err := c.p.Parse(c.b)
		var e *Error
		if !errors.Is(err, c.want) || !errors.As(err, &e) || e.Offset != c.offset {
			t.Errorf("%s: %v, want %v at %d", name, err, c.want, c.offset)
		}
	}
	accepted := Parser{AnySource: true}
	if _, err := accepted.Parse(edit(func(b []byte) { b[6] = 250 })); err != nil {
		t.Error(err)
	}
}

func TestParserNextWalksABuffer(t *testing.T) {
	rest := goldenBytes(t, "derived.json", "raw_stream_five_messages")
	var p Parser
	for range 5 {
		m, r, err := p.Next(rest)
		if err != nil || len(m.Bytes())+len(r) != len(rest) {
			t.Fatal(err)
		}
		rest = r
	}
	if _, r, err := p.Next(append(rest, 1, 2, 3)); !errors.Is(err, ErrTooShort) || len(r) != 3 {
		t.Error(err, r)
	}
}

func TestZeroMessageIsEmpty(t *testing.T) {
	var m Message
	w := m.TLVs()
	if _, ok := w.Next(); ok || m.Sequence() != 0 || m.Source() != 0 || m.Header() != (Header{}) || m.Domain() != 0 {
		t.Error("the zero Message has something in it")
	}
	if _, ok := m.Find(TypeTrade); ok {
		t.Error("found a trade in nothing")
	}
}

func TestBuilderRefusals(t *testing.T) {
	big := make([]byte, 70000)
	for name, c := range map[string]struct {
		space int
		d     Dialect
		add   func(*Builder)
		want  error
	}{
		"no header":    {31, Aligned, func(*Builder) {}, ErrSpace},
		"trade":        {73, Aligned, func(w *Builder) { w.Trade(&Trade{}) }, ErrSpace},
		"extended":     {36, Aligned, func(w *Builder) { w.RawExtended(6, nil) }, ErrSpace},
		"type 0":       {99, Aligned, func(w *Builder) { w.Raw(0, nil) }, ErrTypeReserved},
		"type 255":     {99, Aligned, func(w *Builder) { w.RawExtended(255, nil) }, ErrTypeReserved},
		"65536 bytes":  {70000, Aligned, func(w *Builder) { w.Raw(6, big[:65536]) }, ErrRange},
		"dialect 3":    {99, 3, func(w *Builder) { w.Trade(&Trade{}) }, ErrDialect},
		"dialect 255":  {9, 255, func(w *Builder) { w.OrderBook(&OrderBook{}) }, ErrDialect},
		"packed book":  {999, Packed, func(w *Builder) { w.OrderBook(&OrderBook{}) }, ErrLayout},
		"packed gas":   {999, Packed, func(w *Builder) { w.GasPrice(&GasPrice{}) }, ErrLayout},
		"51 levels":    {9999, Aligned, func(w *Builder) { w.OrderBook(&OrderBook{Fixed: true, Bids: ListOf(make([]Level, 51)...)}) }, ErrRange},
		"9 reserves":   {9999, Aligned, func(w *Builder) { w.PoolLiquidity(&PoolLiquidity{Reserves: ListOf(make([]Uint128, 9)...)}) }, ErrRange},
		"256 reserves": {9999, Packed, func(w *Builder) { w.PoolLiquidity(&PoolLiquidity{Reserves: ListOf(make([]Uint128, 256)...)}) }, ErrRange},
		"17 instruments": {9999, Aligned, func(w *Builder) {
			w.StateInvalidation(&StateInvalidation{Instruments: ListOf(make([]InstrumentID, 17)...)})
		}, ErrRange},
		"161-bit price":     {999, Packed, func(w *Builder) { w.PoolSwap(&PoolSwap{SqrtPrice: Uint256{0, 0, 1 << 32}}) }, ErrRange},
		"16-byte trace id":  {999, Aligned, func(w *Builder) { w.TraceContext(&TraceContext{ID: TraceID{15: 1}}) }, ErrRange},
		"first error stays": {99, Aligned, func(w *Builder) { w.Raw(0, nil); w.Raw(6, big); w.Trade(&Trade{}) }, ErrTypeReserved},
	} {
		w := Build(make([]byte, c.space), c.d, &Header{})
		c.add(&w)
		if n, err := w.Finish(); !errors.Is(err, c.want) || n != 0 {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
	if _, err := PutTrade(make([]byte, TradeMessageSize-1), &Header{}, &Trade{}); err != ErrSpace {
		t.Error(err)
	}
}

func TestPutTradeWritesWhatTheBuilderWrites(t *testing.T) {
	b := make([]byte, TradeMessageSize)
	w := Build(b, 0, &benchHeader)
	w.Trade(&benchTrade)
	if n, err := w.Finish(); n != TradeMessageSize || err != nil {
		t.Fatal(n, err)
	}
	if want := trade(t, benchHeader.Sequence, true); string(b) != string(want) {
		t.Errorf("\n%x\n%x", b, want)
	}
}

func TestParsingAndBuildingDoNotAllocate(t *testing.T) {
	msg, buf := trade(t, 42, true), make([]byte, 4096)
	strict := Parser{Checksums: Policies{MarketData: PolicyStrict}, Numbering: GuessNumbering}
	levels := make([]Level, 20)
	var v Trade
	var tr Tracker
	for name, f := range map[string]func(){
		"parse": func() {
			m, err := strict.Parse(msg)
			tl, ok := m.Find(TypeTrade)
			if err != nil || !ok || !v.Load(tl) || m.Header().Sequence != 42 {
				t.Fatal("not parsed", err)
			}
			tr.Observe(m)
		},
		"walk": func() {
			m, _ := Parse(msg)
			w := m.TLVs()
			for tl, ok := w.Next(); ok; tl, ok = w.Next() {
				_, _ = tl.Trade()
			}
		},
		"put": func() { _, _ = PutTrade(buf, &benchHeader, &benchTrade); SetChecksum(buf[:TradeMessageSize]) },
		"build": func() {
			w := Build(buf, Packed, &benchHeader)
			w.Trade(&benchTrade)
			w.Quote(&Quote{})
			w.PoolSwap(&PoolSwap{})
			w.RecoveryRequest(&RecoveryRequest{})
			_, _ = w.Finish()
		},
		"book": func() {
			w := Build(buf, Aligned, &benchHeader)
			w.OrderBook(&OrderBook{Bids: ListOf(levels...), Asks: ListOf(levels...)})
			n, _ := w.Finish()
			m, _ := Parse(buf[:n])
			tl, _ := m.Find(TypeOrderBook)
			if b, ok := tl.OrderBook(); !ok || b.Asks.At(19) != levels[19] {
				t.Fatal("book")
			}
		},
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// TestShortWayAgreesWithTheLongWay: every byte of usual messages, changed to every value, is judged alike by both.
func TestShortWayAgreesWithTheLongWay(t *testing.T) {
	msg := make([]byte, TradeMessageSize)
	if _, err := PutTrade(msg, &benchHeader, &benchTrade); err != nil {
		t.Fatal(err)
	}
	var p Parser
	if _, ok := p.usual(msg); !ok {
		t.Fatal("a trade goes the long way")
	}
	for i := range msg {
		for v := range 256 {
			changed := append([]byte(nil), msg...)
			changed[i] = byte(v)
			checkUsual(t, changed)
		}
	}
	for n := range msg {
		checkUsual(t, msg[:n])
	}
	checkUsual(t, append(msg, 0))
}
