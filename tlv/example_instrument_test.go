package tlv_test

import (
	"fmt"

	"github.com/alphapulse/transport/tlv"
)

// Each constructor packs its asset id differently; the asset type tells a reader how to take it apart.
func ExampleAssetType() {
	weth := tlv.Token(tlv.VenuePolygon, tlv.Address{0x7c, 0xeb, 0x23, 0xfd, 0x6b, 0xc0, 0xad, 0xd5})
	usdc := tlv.Token(tlv.VenuePolygon, tlv.Address{0x27, 0x91, 0xbc, 0xa1, 0xf2, 0xde, 0x46, 0x61})
	for _, id := range []tlv.InstrumentID{
		tlv.Stock(tlv.VenueNASDAQ, "AAPL"),
		tlv.Coin(tlv.VenueKraken, "BTC/USD"),
		weth,
		tlv.Pool(tlv.VenueQuickSwap, weth, usdc),
		tlv.Option(tlv.VenueDeribit, 120_000, 20_453, true, 0x2A),
	} {
		switch id.AssetType {
		case tlv.AssetStock, tlv.AssetCoin:
			fmt.Println(id.Venue, id.AssetType, tlv.SymbolOf(id.AssetID))
		case tlv.AssetOption:
			fmt.Println(id.Venue, id.AssetType, "strike", id.AssetID>>32, "call", id.AssetID>>11&1 == 1)
		default:
			fmt.Printf("%s %s %016x\n", id.Venue, id.AssetType, id.AssetID)
		}
	}
	same := tlv.Pool(tlv.VenueQuickSwap, usdc, weth) == tlv.Pool(tlv.VenueQuickSwap, weth, usdc)
	fmt.Println("the order of a pool's tokens does not matter:", same)
	// Output:
	// NASDAQ Stock AAPL
	// Kraken Coin BTC/USD
	// Polygon Token 7ceb23fd6bc0add5
	// QuickSwap Pool 4790fb99d4ab3394
	// Deribit Option strike 120000 call true
	// the order of a pool's tokens does not matter: true
}

// The flow of a message with several trades: what buyers took less what sellers gave.
func ExampleSide() {
	buf := make([]byte, 256)
	w := tlv.Build(buf, tlv.Packed, &tlv.Header{RelayDomain: 1, Source: tlv.SourceKraken,
		Timestamp: 1755893490012637000}) // a Parser knows packed messages by it
	w.Trade(&tlv.Trade{Price: 11682785000000, Volume: 75000000, Side: tlv.Buy})
	w.Trade(&tlv.Trade{Price: 11682700000000, Volume: 20000000, Side: tlv.Sell})
	n, err := w.Finish()
	if err != nil {
		fmt.Println(err)
		return
	}

	m, err := tlv.Parse(buf[:n])
	if err != nil {
		fmt.Println(err)
		return
	}
	var flow int64
	var trade tlv.Trade // loaded in place, again and again
	walk := m.TLVs()
	for t, more := walk.Next(); more; t, more = walk.Next() {
		switch {
		case !trade.Load(t): // another type
		case trade.Side == tlv.Buy:
			flow += trade.Volume
		default:
			flow -= trade.Volume
		}
	}
	fmt.Println(tlv.Fixed(flow))
	// Output: 0.55000000
}
