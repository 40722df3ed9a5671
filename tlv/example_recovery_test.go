package tlv_test

import (
	"fmt"

	"github.com/alphapulse/transport/tlv"
)

// A gap too wide for a retransmission: a snapshot is asked for, checked and resumed from.
func ExampleSnapshot() {
	t := tlv.Tracker{Consumer: 7, Thresholds: tlv.Thresholds{MarketData: 3}} // three missing are too many to resend
	phase := func() tlv.Phase {
		p, _ := t.Phase(tlv.MarketData, tlv.SourceKraken)
		return p
	}
	t.Sequence(tlv.MarketData, tlv.SourceKraken, 10)
	v := t.Sequence(tlv.MarketData, tlv.SourceKraken, 15)
	t.Requested(v.Request) // after v.Request.Put wrote it and it was sent
	fmt.Println(v.Missing, "missing, asked for a", v.Request.Request.Request, phase())

	// The answer of the relay: everything up to sequence 16.
	buf := make([]byte, 256)
	w := tlv.Build(buf, tlv.Aligned, &tlv.Header{
		RelayDomain: tlv.From1.RelayDomain(tlv.System), Source: tlv.SourceMarketDataRelay})
	w.Snapshot(&tlv.Snapshot{ID: 1, Sequence: 16, Body: []byte(`{"BTC/USD":"116827.85"}`), UncompressedSize: 23})
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
	s, _ := m.Find(tlv.TypeSnapshot)
	state, _ := s.Snapshot()
	if !state.BodyOK() {
		fmt.Println("the body is not what the relay sent: Failed, and ask again")
		return
	}
	t.Resume(tlv.MarketData, tlv.SourceKraken, state.Sequence)
	fmt.Println(string(state.Body), phase())
	fmt.Println(t.Sequence(tlv.MarketData, tlv.SourceKraken, 17).Action, phase())
	// Output:
	// 4 missing, asked for a snapshot snapshot_loading
	// {"BTC/USD":"116827.85"} resynchronising
	// process normal
}

// A collector that lost its exchange tells everyone which instruments not to trust any more.
func ExampleStateInvalidation() {
	buf := make([]byte, 512)
	w := tlv.Build(buf, tlv.Aligned, &tlv.Header{RelayDomain: tlv.From1.RelayDomain(tlv.System), Source: tlv.SourceKraken})
	w.StateInvalidation(&tlv.StateInvalidation{Venue: tlv.VenueKraken, Reason: tlv.ReasonDisconnect,
		Instruments: tlv.ListOf(tlv.Coin(tlv.VenueKraken, "BTC/USD"), tlv.Coin(tlv.VenueKraken, "ETH/USD"))})
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
	t, _ := m.Find(tlv.TypeStateInvalidation)
	v, _ := t.StateInvalidation()
	for i := range v.Instruments.Len() {
		fmt.Println("forget", tlv.SymbolOf(v.Instruments.At(i).AssetID), "on", v.Venue, "after", v.Reason)
	}
	// Output:
	// forget BTC/USD on Kraken after disconnect
	// forget ETH/USD on Kraken after disconnect
}
