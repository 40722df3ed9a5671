package tlv_test

import (
	"errors"
	"fmt"

	"github.com/alphapulse/transport/tlv"
)

// tradeMessage is a message with one trade, for the examples.
func tradeMessage(sequence uint64) []byte {
	buf := make([]byte, tlv.TradeMessageSize)
	h := tlv.Header{RelayDomain: tlv.From1.RelayDomain(tlv.MarketData), Source: tlv.SourceCoinbase,
		Sequence: sequence, Timestamp: 1755893490012637000}
	n, err := tlv.PutTrade(buf, &h, &tlv.Trade{AssetID: tlv.SymbolID("BTC/USD"), Price: 11682785000000, Volume: 4147,
		Timestamp: 1755893490012637000, Venue: tlv.VenueCoinbase, AssetType: tlv.AssetCoin})
	if err != nil {
		panic(err)
	}
	tlv.SetChecksum(buf[:n])
	return buf[:n]
}

func Example() {
	m, err := tlv.Parse(tradeMessage(42))
	if err != nil {
		fmt.Println(err)
		return
	}
	t, _ := m.Find(tlv.TypeTrade)
	trade, _ := t.Trade()
	fmt.Println(m.Domain(), m.Sequence(), tlv.SymbolOf(trade.AssetID), tlv.Fixed(trade.Price), tlv.Fixed(trade.Volume), trade.Venue)
	// Output: market_data 42 BTC/USD 116827.85000000 0.00004147 Coinbase
}

func ExampleParser() {
	p := tlv.Parser{Checksums: tlv.OriginalPolicies, Numbering: tlv.From0}
	msg := tradeMessage(1)
	msg[4] = tlv.From0.RelayDomain(tlv.MarketData)
	m, err := p.Parse(msg)
	fmt.Println(m.Domain(), m.Source().Name(m.Numbering()), m.Checksum(), err)
	// Output: market_data kraken unchecked <nil>
}

func ExampleError() {
	_, err := tlv.Parse(tradeMessage(1)[:70])
	var e *tlv.Error
	fmt.Println(errors.Is(err, tlv.ErrTruncated), errors.As(err, &e), e.Kind, e.Offset)
	// Output: true true truncated 24
}

func ExampleBuilder() {
	buf := make([]byte, 256) // a ring's claimed bytes, for instance
	w := tlv.Build(buf, tlv.Aligned, &tlv.Header{RelayDomain: 1, Source: tlv.SourceKraken, Sequence: 7})
	w.Quote(&tlv.Quote{AssetID: tlv.SymbolID("ETH/USD"), BidPrice: 424000000000, AskPrice: 424100000000})
	w.Raw(tlv.TypeInstrumentMeta, []byte("ETH/USD"))
	n, err := w.Finish()
	fmt.Println(n, err)
	// Output: 99 <nil>
}

func ExampleWalker() {
	m, _ := tlv.Parse(tradeMessage(1))
	walk := m.TLVs()
	for t, ok := walk.Next(); ok; t, ok = walk.Next() {
		fmt.Println(t.Type, len(t.Payload), t.Extended)
	}
	// Output: Trade 40 false
}

func ExampleList() {
	buf := make([]byte, 256)
	w := tlv.Build(buf, tlv.Aligned, &tlv.Header{RelayDomain: 1, Source: 1})
	w.OrderBook(&tlv.OrderBook{Precision: 1e8, Bids: tlv.ListOf(tlv.Level{Price: 100, Size: 5, Count: 1}, tlv.Level{Price: 99, Size: 7, Count: 2})})
	n, _ := w.Finish()
	m, _ := tlv.Parse(buf[:n])
	t, _ := m.Find(tlv.TypeOrderBook)
	book, _ := t.OrderBook()
	for i := range book.Bids.Len() {
		fmt.Println(book.Bids.At(i).Price, book.Bids.At(i).Size)
	}
	// Output:
	// 100 5
	// 99 7
}

func ExampleStream() {
	s := tlv.NewStream(tlv.FramingNone, nil)
	s.Feed([]byte("noise"))
	s.Feed(tradeMessage(1))
	s.End()
	for {
		m, err := s.Next()
		var e *tlv.Error
		switch {
		case err == nil:
			fmt.Println("message", m.Sequence(), "at", s.Offset())
		case errors.As(err, &e):
			fmt.Println("skipped", e.Bytes, "at", e.Offset, e.Kind)
		default: // ErrMore or io.EOF
			fmt.Println(err)
			return
		}
	}
	// Output:
	// skipped 5 at 0 bad_magic
	// message 1 at 5
	// EOF
}

func ExampleTracker() {
	var t tlv.Tracker
	for _, n := range []uint64{1, 2, 5, 4, 4} {
		v := t.Sequence(tlv.MarketData, tlv.SourceCoinbase, n)
		fmt.Println(n, v.Arrival, v.Action, v.Missing)
		if v.Action == tlv.Recover {
			buf := make([]byte, 64)
			size, err := v.Request.Put(buf, tlv.Aligned, tlv.Header{Source: tlv.SourceDashboard}, tlv.From1)
			fmt.Println("request of", size, "bytes:", v.Request.Request.Request, err)
			t.Requested(v.Request)
		}
	}
	// Output:
	// 1 in_order process 0
	// 2 in_order process 0
	// 5 gap recover 2
	// request of 58 bytes: retransmit <nil>
	// 4 late process 0
	// 4 duplicate drop 0
}

func ExampleInstrumentID() {
	btc, eth := tlv.Coin(tlv.VenueCoinbase, "BTC/USD"), tlv.Coin(tlv.VenueCoinbase, "ETH/USD")
	fmt.Println(btc.Key64() == eth.Key64(), btc.Key128() == eth.Key128())
	// Output: true false
}

func ExampleType() {
	fmt.Println(tlv.TypeQuote, tlv.TypeQuote.Domain(), tlv.TypeQuote.Size(tlv.Aligned).Min, tlv.TypeQuote.Size(tlv.Aligned).Also)
	fmt.Println(tlv.Type(210), tlv.TypeTrade.Size(tlv.Packed).Min)
	// Output:
	// Quote market_data 52 56
	// vendor_210 37
}

func ExampleNumbering() {
	for _, n := range []tlv.Numbering{tlv.From1, tlv.From0} {
		fmt.Println(n, n.Domain(1), n.RelayDomain(tlv.Execution), tlv.Source(2).Name(n))
	}
	// Output:
	// from1 market_data 3 kraken
	// from0 signal 2 coinbase
}
