package tlv_test

import (
	"fmt"

	"github.com/alphapulse/transport/tlv"
)

// An execution engine takes a signal only while its gas limit is above what the chain asks for.
func ExampleArbitrageSignal() {
	buf := make([]byte, 512)
	w := tlv.Build(buf, tlv.Aligned, &tlv.Header{RelayDomain: tlv.From1.RelayDomain(tlv.Signal), Source: tlv.SourceArbitrage})
	w.ArbitrageSignal(&tlv.ArbitrageSignal{Strategy: 21, Signal: 1001, Chain: 137,
		SourceVenue: tlv.VenueQuickSwap, TargetVenue: tlv.VenueSushi,
		SpreadBps: 42, NetProfit: 12_50000000, MaxGasGwei: 80})
	w.GasPrice(&tlv.GasPrice{Venue: tlv.VenuePolygon, Block: 75_000_000, GasGwei: 55})
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
	s, _ := m.Find(tlv.TypeArbitrageSignal)
	signal, _ := s.ArbitrageSignal()
	g, _ := m.Find(tlv.TypeGasPrice)
	gas, _ := g.GasPrice()
	fmt.Println(signal.SourceVenue, "→", signal.TargetVenue, signal.SpreadBps, "bps, net USD", tlv.Fixed(signal.NetProfit))
	fmt.Println("affordable:", gas.GasGwei <= signal.MaxGasGwei)
	// Output:
	// QuickSwap → SushiSwap 42 bps, net USD 12.50000000
	// affordable: true
}

// A trace stays beside the datum: each stage sets its bit, counts its depth and stamps the time.
func ExampleTraceContext() {
	trace := tlv.TraceContext{ID: tlv.TraceID{0xCA, 0xFE}, Start: 1755893490012637000, Stages: tlv.StageCollected}
	trace.Stages |= tlv.StageRelayed
	trace.Depth++
	trace.Current = trace.Start + 850

	buf := make([]byte, 128)
	w := tlv.Build(buf, tlv.Packed, &tlv.Header{
		RelayDomain: tlv.From1.RelayDomain(tlv.System), Source: tlv.SourceMarketDataRelay,
		Timestamp: trace.Current}) // a Parser knows packed messages by it
	w.TraceContext(&trace)
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
	t, _ := m.Find(tlv.TypeTraceContext)
	got, _ := t.TraceContext()
	fmt.Println(got.ID, got.Current-got.Start, "ns, relayed:", got.Stages&tlv.StageRelayed != 0)
	// Output: cafe0000000000000000000000000000 850 ns, relayed: true
}

func ExampleSystemHealth() {
	buf := make([]byte, 128)
	w := tlv.Build(buf, tlv.Aligned, &tlv.Header{RelayDomain: tlv.From1.RelayDomain(tlv.System), Source: tlv.SourceMetrics})
	w.SystemHealth(&tlv.SystemHealth{Connections: 12, MessageRate: 48_000, ErrorPermille: 3, LatencyP95: 35, CPUPercent: 61})
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
	t, _ := m.Find(tlv.TypeSystemHealth)
	health, _ := t.SystemHealth()
	fmt.Println(health.MessageRate, "messages/s, p95", health.LatencyP95, "µs, errors", health.ErrorPermille, "‰")
	// Output: 48000 messages/s, p95 35 µs, errors 3 ‰
}
