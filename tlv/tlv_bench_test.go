package tlv

import "testing"

var (
	benchHeader = Header{RelayDomain: 1, Source: SourceCoinbase, Sequence: 42, Timestamp: 1755893490012637000}
	benchTrade  = Trade{AssetID: SymbolID("BTC/USD"), Price: 11682785000000, Volume: 4147,
		Timestamp: 1755893490012637000, Venue: VenueCoinbase, AssetType: AssetCoin, Side: Sell}
	sinkInt int
)

func benchMessage(b *testing.B) []byte {
	buf := make([]byte, TradeMessageSize)
	if _, err := PutTrade(buf, &benchHeader, &benchTrade); err != nil {
		b.Fatal(err)
	}
	SetChecksum(buf)
	return buf
}

func benchParse(b *testing.B, p Parser) {
	msg := benchMessage(b)
	var (
		v   Trade
		sum int64
	)
	b.ReportAllocs()
	for b.Loop() {
		m, err := p.Parse(msg)
		if err != nil {
			b.Fatal(err)
		}
		t, _ := m.Find(TypeTrade)
		v.Load(t)
		sum += v.Price * v.Volume // Load has stored every field; a strategy reads some
	}
	sinkInt = int(sum)
}

// BenchmarkParseTrade: header and TLVs validated, fields loaded, checksum not computed.
func BenchmarkParseTrade(b *testing.B) { benchParse(b, Parser{}) }

// BenchmarkParseTradeCRC: the same with the checksum verified.
func BenchmarkParseTradeCRC(b *testing.B) {
	benchParse(b, Parser{Checksums: Policies{MarketData: PolicyStrict}})
}

// BenchmarkBuildTrade writes header and Trade with PutTrade, checksum unset.
func BenchmarkBuildTrade(b *testing.B) {
	buf := make([]byte, TradeMessageSize)
	h, t := benchHeader, benchTrade
	b.ReportAllocs()
	for b.Loop() {
		h.Sequence++
		n, err := PutTrade(buf, &h, &t)
		if err != nil {
			b.Fatal(err)
		}
		sinkInt = n
	}
}

// BenchmarkBuildTradeCRC adds the checksum.
func BenchmarkBuildTradeCRC(b *testing.B) {
	buf := make([]byte, TradeMessageSize)
	h, t := benchHeader, benchTrade
	b.ReportAllocs()
	for b.Loop() {
		h.Sequence++
		n, _ := PutTrade(buf, &h, &t)
		SetChecksum(buf[:n])
		sinkInt = n
	}
}

// BenchmarkBuilderTrade takes the general way.
func BenchmarkBuilderTrade(b *testing.B) {
	buf := make([]byte, 128)
	h, t := benchHeader, benchTrade
	b.ReportAllocs()
	for b.Loop() {
		h.Sequence++
		w := Build(buf, Aligned, &h)
		w.Trade(&t)
		sinkInt, _ = w.FinishUnset()
	}
}
