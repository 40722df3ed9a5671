package tlv

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

type goldenType struct {
	Type   uint8
	Name   string
	Domain string
	Size   string
}

// ruleText renders a rule as the golden registry does.
func ruleText(r SizeRule) string {
	switch {
	case r.Fixed:
		return fmt.Sprintf("Fixed(%d)", r.Min)
	case r.Max > 0:
		return fmt.Sprintf("Bounded { min: %d, max: %d }", r.Min, r.Max)
	}
	return "Variable"
}

func TestRegistryHoldsEveryGoldenType(t *testing.T) {
	var newest struct{ Types []goldenType }
	var oldest struct{ Registry []goldenType }
	readGolden(t, "torq_registry.json", &newest)
	readGolden(t, "packed_messages.json", &oldest)
	domains := map[Domain]string{MarketData: "MarketData", Signal: "Signal", Execution: "Execution", System: "System"}
	for d, all := range map[Dialect][]goldenType{Aligned: newest.Types, Packed: oldest.Registry} {
		for _, g := range all {
			typ := Type(g.Type)
			if typ.String() != g.Name || !typ.Known() || ruleText(typ.Size(d)) != g.Size {
				t.Errorf("%s %d: %s %s, want %s %s", d, g.Type, typ, ruleText(typ.Size(d)), g.Name, g.Size)
			}
			if typ != TypeExtended && domains[typ.Domain()] != g.Domain {
				t.Errorf("%d: domain %s, want %s", g.Type, typ.Domain(), g.Domain)
			}
		}
	}
	if len(newest.Types) != 79 {
		t.Errorf("golden registry has %d types", len(newest.Types))
	}
	for typ, want := range map[Type]string{TypePoolInfo: "PoolInfo", 204: "ExperimentalSignal", 210: "vendor_210", 0: "type_0", 130: "type_130"} {
		if typ.String() != want || typ.Domain() != 0 {
			t.Errorf("%d: %s in %s", typ, typ, typ.Domain())
		}
	}
}

func TestSizesOfDisagreeingTypesPassBothWays(t *testing.T) {
	for _, c := range []struct {
		d     Dialect
		typ   Type
		size  int
		ok    bool
		typed bool
	}{
		{Aligned, TypeQuote, 52, true, true}, {Aligned, TypeQuote, 56, true, true}, {Aligned, TypeQuote, 54, false, false},
		{Packed, TypeQuote, 52, true, true}, {Packed, TypeQuote, 56, false, false},
		{Aligned, TypeArbitrageSignal, 170, true, true}, {Aligned, TypeArbitrageSignal, 168, true, false},
		{Packed, TypeSystemHealth, 44, true, true}, {Packed, TypeSystemHealth, 48, true, false},
		{Packed, TypeRecoveryRequest, 24, true, true}, {Packed, TypeRecoveryRequest, 18, true, false},
		{Aligned, TypeRecoveryRequest, 18, false, false},
		{Aligned, TypePoolSwap, 208, true, true}, // registry: at most 200
		{Aligned, TypePoolSwap, 61, true, false}, // in bounds, no layout
		{Aligned, TypeTrade, 44, false, false}, {Packed, TypeTrade, 40, false, false}, {Packed, TypeTrade, 37, true, true},
		{Aligned, TypeHeartbeat, 2, false, false},
	} {
		for _, extended := range []bool{false, true} {
			buf := make([]byte, 512)
			w := Build(buf, c.d, &Header{RelayDomain: 1, Source: 1, Timestamp: 1755893490012637000})
			if extended {
				w.RawExtended(c.typ, make([]byte, c.size))
			} else {
				w.Raw(c.typ, make([]byte, c.size))
			}
			n, _ := w.Finish()
			m, err := Parse(buf[:n])
			if (err == nil) != c.ok {
				t.Errorf("%s %s of %d bytes, extended %v: %v", c.d, c.typ, c.size, extended, err)
				continue
			}
			if tl, _ := m.Find(c.typ); c.ok {
				if _, typed := tl.Value(); typed != c.typed {
					t.Errorf("%s %s of %d bytes: typed %v", c.d, c.typ, c.size, typed)
				}
			}
		}
	}
}

func TestInstrumentsMatchGolden(t *testing.T) {
	var file struct {
		Instruments []struct {
			Instrument string
			Bytes      string `json:"bytes12_hex"`
			Packed     string `json:"packed_dialect_bytes12_hex_derived"`
			Key64      string `json:"to_u64"`
			Key128     string `json:"cache_key_u128"`
			RoundTrip  bool   `json:"u64_roundtrip_equal"`
		}
	}
	readGolden(t, "instrument_ids.json", &file)
	usdc := Token(VenueEthereum, address(t, "a0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"))
	weth := Token(VenueEthereum, address(t, "c02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"))
	made := map[string]InstrumentID{
		"coin(Coinbase,'BTC/USD')": Coin(VenueCoinbase, "BTC/USD"), "coin(Ethereum,'ETH')": Coin(VenueEthereum, "ETH"),
		"stock(Kraken,'BTCUSD')": Stock(VenueKraken, "BTCUSD"), "ethereum_token(USDC)": usdc,
		"pool(UniswapV3,USDC,WETH)":    Pool(VenueUniswapV3, weth, usdc),
		"from_u64(0x123456789ABCDEF0)": FromKey64(0x123456789ABCDEF0),
	}
	for _, g := range file.Instruments {
		id, ok := made[g.Instrument]
		if !ok {
			t.Errorf("%s is not made", g.Instrument)
		}
		var aligned, packed [InstrumentSize]byte
		id.Put(aligned[:], Aligned)
		id.Put(packed[:], Packed)
		if hex.EncodeToString(aligned[:]) != g.Bytes || hex.EncodeToString(packed[:]) != g.Packed {
			t.Errorf("%s: %x %x", g.Instrument, aligned, packed)
		}
		if Instrument(aligned[:], Aligned) != id || Instrument(packed[:], Packed) != id {
			t.Errorf("%s does not come back", g.Instrument)
		}
		if fmt.Sprint(id.Key64()) != g.Key64 || id.Key128().String() != g.Key128 {
			t.Errorf("%s: keys %d %s", g.Instrument, id.Key64(), id.Key128())
		}
		if (FromKey64(id.Key64()) == id) != g.RoundTrip {
			t.Errorf("%s: 64-bit round trip", g.Instrument)
		}
	}
	if Coin(VenueCoinbase, "BTC/USD").Key64() != Coin(VenueCoinbase, "ETH/USD").Key64() {
		t.Error("Key64 is no longer lossy: say so in its comment")
	}
}

func address(t *testing.T, s string) (a Address) {
	t.Helper()
	if n, err := hex.Decode(a[:], []byte(s)); n != 20 || err != nil {
		t.Fatal(s, err)
	}
	return a
}

func TestSymbolsAndOptions(t *testing.T) {
	if SymbolID("BTC/USD") != 4779518975120983040 || SymbolOf(4779518975120983040) != "BTC/USD" {
		t.Error("BTC/USD")
	}
	if SymbolID("ABCDEFGHIJ") != SymbolID("ABCDEFGH") || SymbolOf(0) != "" {
		t.Error("symbols are cut at eight bytes")
	}
	o := Option(VenueDeribit, 65000, 20000, true, 0x7FF)
	if o.AssetID != 65000<<32|20000<<12|1<<11|0x7FF || o.AssetType != AssetOption {
		t.Errorf("%x", o.AssetID)
	}
	if Option(VenueDeribit, 1, 1<<20, false, 1<<11).AssetID != 1<<32 {
		t.Error("expiry and hash are not cut to their widths")
	}
}

func TestNamesOfNumbers(t *testing.T) {
	for got, want := range map[string]string{
		VenueCoinbase.String(): "Coinbase", Venue(9999).String(): "venue_9999", AssetCoin.String(): "Coin",
		AssetType(9).String(): "asset_9", SourceKraken.Name(From1): "kraken", SourceKraken.Name(From0): "coinbase",
		Source(77).Name(GuessNumbering): "source_77", MarketData.String(): "market_data", Domain(9).String(): "unknown",
		From1.String(): "from1", From0.String(): "from0", GuessNumbering.String(): "guess", Packed.String(): "packed",
		Dialect(0).String(): "unknown", ReasonStale.String(): "stale", Reason(44).String(): "reason_44",
		Retransmit.String(): "retransmit", FullState.String(): "snapshot", RequestType(7).String(): "request_7",
		Phase(9).String(): "phase_9", Arrival(9).String(): "arrival_9", Action(9).String(): "action_9",
		Hold.String(): "hold", Kind(99).String(): "kind_99", Fixed(-250000001): "-2.50000001", Fixed(4147): "0.00004147",
		Uint256{0, 1 << 32}.String(): "79228162514264337593543950336",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	seen := map[string]bool{}
	for v := range 65536 {
		if name := Venue(v).String(); !strings.HasPrefix(name, "venue_") && seen[name] {
			t.Errorf("two venues called %s", name)
		} else {
			seen[name] = true
		}
	}
}

func TestBothNumberings(t *testing.T) {
	for d := MarketData; d <= System; d++ {
		for _, n := range []Numbering{From1, From0} {
			if n.Domain(n.RelayDomain(d)) != d {
				t.Errorf("%s %s", n, d)
			}
		}
	}
	for _, n := range []Numbering{From1, From0} {
		for _, wire := range []uint8{5, 9, 255} {
			if n.Domain(wire) != 0 {
				t.Errorf("%s knows domain %d", n, wire)
			}
		}
	}
	if From1.Domain(0) != 0 || From0.Domain(4) != 0 {
		t.Error("the numberings overlap wrongly")
	}
	if !Source(99).Known(From0) || Source(99).Known(From1) || !Source(99).Known(GuessNumbering) || Source(250).Known(GuessNumbering) {
		t.Error("source tables")
	}
}
