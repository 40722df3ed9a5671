package tlv

import (
	"encoding/json"
	"strings"
	"testing"
)

// Each payload is built with one field set; it must show at the golden offset and nowhere else.
func TestLayoutsMatchTheGoldenOffsets(t *testing.T) {
	a := Address{0xFF}
	x := Uint128{Lo: 0xFF}
	cases := map[string][]struct {
		field string
		value any
	}{
		"TradeTLV": {{"asset_id", Trade{AssetID: 0xFF}}, {"price", Trade{Price: 0xFF}}, {"volume", Trade{Volume: 0xFF}},
			{"timestamp_ns", Trade{Timestamp: 0xFF}}, {"venue_id", Trade{Venue: 0xFF}},
			{"asset_type", Trade{AssetType: 0xFF}}, {"reserved", Trade{Reserved: 0xFF}}, {"side", Trade{Side: 0xFF}}},
		"QuoteTLV": {{"asset_id", Quote{AssetID: 0xFF}}, {"bid_price", Quote{BidPrice: 0xFF}}, {"bid_size", Quote{BidSize: 0xFF}},
			{"ask_price", Quote{AskPrice: 0xFF}}, {"ask_size", Quote{AskSize: 0xFF}}, {"timestamp_ns", Quote{Timestamp: 0xFF}},
			{"venue_id", Quote{Venue: 0xFF}}, {"asset_type", Quote{AssetType: 0xFF}}, {"reserved", Quote{Reserved: 0xFF}}},
		"PoolSwapTLV": {{"amount_in", PoolSwap{AmountIn: x}}, {"amount_out", PoolSwap{AmountOut: x}},
			{"liquidity_after", PoolSwap{Liquidity: x}}, {"timestamp_ns", PoolSwap{Timestamp: 0xFF}},
			{"block_number", PoolSwap{Block: 0xFF}}, {"tick_after", PoolSwap{Tick: 0xFF}}, {"venue", PoolSwap{Venue: 0xFF}},
			{"amount_in_decimals", PoolSwap{InDecimals: 0xFF}}, {"amount_out_decimals", PoolSwap{OutDecimals: 0xFF}},
			{"pool_address", PoolSwap{Pool: a}}, {"token_in_addr", PoolSwap{TokenIn: a}},
			{"token_out_addr", PoolSwap{TokenOut: a}}, {"sqrt_price_x96_after", PoolSwap{SqrtPrice: Uint256{0xFF}}}},
		"PoolSyncTLV": {{"reserve0", PoolSync{Reserve0: x}}, {"reserve1", PoolSync{Reserve1: x}},
			{"timestamp_ns", PoolSync{Timestamp: 0xFF}}, {"block_number", PoolSync{Block: 0xFF}}, {"venue", PoolSync{Venue: 0xFF}},
			{"token0_decimals", PoolSync{Decimals0: 0xFF}}, {"token1_decimals", PoolSync{Decimals1: 0xFF}},
			{"pool_address", PoolSync{Pool: a}}, {"token0_addr", PoolSync{Token0: a}}, {"token1_addr", PoolSync{Token1: a}}},
		"PoolMintTLV": {{"liquidity_delta", PoolMint{Liquidity: x}}, {"amount0", PoolMint{Amount0: x}},
			{"amount1", PoolMint{Amount1: x}}, {"timestamp_ns", PoolMint{Timestamp: 0xFF}}, {"tick_lower", PoolMint{TickLower: 0xFF}},
			{"tick_upper", PoolMint{TickUpper: 0xFF}}, {"venue", PoolMint{Venue: 0xFF}}, {"token0_decimals", PoolMint{Decimals0: 0xFF}},
			{"token1_decimals", PoolMint{Decimals1: 0xFF}}, {"pool_address", PoolMint{Pool: a}},
			{"provider_addr", PoolMint{Provider: a}}, {"token0_addr", PoolMint{Token0: a}}, {"token1_addr", PoolMint{Token1: a}}},
		"PoolBurnTLV": {{"pool_address", PoolBurn{Pool: a}}, {"token1_addr", PoolBurn{Token1: a}}},
		"PoolTickTLV": {{"liquidity_net", PoolTick{LiquidityNet: 0xFF}}, {"price_sqrt", PoolTick{PriceSqrt: 0xFF}},
			{"timestamp_ns", PoolTick{Timestamp: 0xFF}}, {"tick", PoolTick{Tick: 0xFF}}, {"venue", PoolTick{Venue: 0xFF}},
			{"pool_address", PoolTick{Pool: a}}},
		"PoolLiquidityTLV": {{"timestamp_ns", PoolLiquidity{Timestamp: 0xFF}}, {"pool_address", PoolLiquidity{Pool: a}},
			{"venue", PoolLiquidity{Venue: 0xFF}}, {"reserves", PoolLiquidity{Reserves: ListOf(Uint128{})}}},
		"StateInvalidationTLV": {{"sequence", StateInvalidation{Sequence: 0xFF}}, {"timestamp_ns", StateInvalidation{Timestamp: 0xFF}},
			{"instruments", StateInvalidation{Instruments: ListOf(InstrumentID{})}}, {"venue", StateInvalidation{Venue: 0xFF}},
			{"reason", StateInvalidation{Reason: 0xFF}}},
		"PoolStateTLV": {{"reserve0", PoolState{Reserve0: x}}, {"reserve1", PoolState{Reserve1: x}}, {"sqrt_price_x96", PoolState{SqrtPrice: x}},
			{"liquidity", PoolState{Liquidity: x}}, {"block_number", PoolState{Block: 0xFF}}, {"timestamp_ns", PoolState{Timestamp: 0xFF}},
			{"tick", PoolState{Tick: 0xFF}}, {"fee_rate", PoolState{FeeRate: 0xFF}}, {"venue", PoolState{Venue: 0xFF}},
			{"pool_type", PoolState{PoolType: 0xFF}}, {"token0_decimals", PoolState{Decimals0: 0xFF}},
			{"token1_decimals", PoolState{Decimals1: 0xFF}}, {"pool_address", PoolState{Pool: a}},
			{"token0_addr", PoolState{Token0: a}}, {"token1_addr", PoolState{Token1: a}}},
		"ArbitrageSignalTLV": {{"strategy_id", ArbitrageSignal{Strategy: 0xFF}}, {"signal_id", ArbitrageSignal{Signal: 0xFF}},
			{"chain_id", ArbitrageSignal{Chain: 0xFF}}, {"source_pool", ArbitrageSignal{SourcePool: a}},
			{"target_pool", ArbitrageSignal{TargetPool: a}}, {"source_venue", ArbitrageSignal{SourceVenue: 0xFF}},
			{"target_venue", ArbitrageSignal{TargetVenue: 0xFF}}, {"token_in", ArbitrageSignal{TokenIn: a}},
			{"token_out", ArbitrageSignal{TokenOut: a}}, {"expected_profit_usd_q8", ArbitrageSignal{ExpectedProfit: 0xFF}},
			{"required_capital_usd_q8", ArbitrageSignal{RequiredCapital: 0xFF}}, {"spread_bps", ArbitrageSignal{SpreadBps: 0xFF}},
			{"dex_fees_usd_q8", ArbitrageSignal{DexFees: 0xFF}}, {"gas_cost_usd_q8", ArbitrageSignal{GasCost: 0xFF}},
			{"slippage_usd_q8", ArbitrageSignal{Slippage: 0xFF}}, {"net_profit_usd_q8", ArbitrageSignal{NetProfit: 0xFF}},
			{"slippage_tolerance_bps", ArbitrageSignal{SlippageBps: 0xFF}}, {"max_gas_price_gwei", ArbitrageSignal{MaxGasGwei: 0xFF}},
			{"valid_until", ArbitrageSignal{ValidUntil: 0xFF}}, {"priority", ArbitrageSignal{Priority: 0xFF}},
			{"timestamp_ns", ArbitrageSignal{Timestamp: 0xFF}}},
		"system::TraceContextTLV": {{"start_timestamp_ns", TraceContext{Start: 0xFF}}, {"current_timestamp_ns", TraceContext{Current: 0xFF}},
			{"source_service", TraceContext{Service: 0xFF}}, {"span_depth", TraceContext{Depth: 0xFF}},
			{"stage_flags", TraceContext{Stages: 0xFF}}, {"trace_id", TraceContext{ID: TraceID{0xFF}}}},
		"system::SystemHealthTLV": {{"timestamp_ns", SystemHealth{Timestamp: 0xFF}}, {"connection_count", SystemHealth{Connections: 0xFF}},
			{"message_rate_per_sec", SystemHealth{MessageRate: 0xFF}}, {"last_error_code", SystemHealth{LastError: 0xFF}},
			{"error_rate_per_thousand", SystemHealth{ErrorPermille: 0xFF}}, {"latency_p95_us", SystemHealth{LatencyP95: 0xFF}},
			{"service_type", SystemHealth{Service: 0xFF}}, {"health_status", SystemHealth{Status: 0xFF}},
			{"cpu_usage_pct", SystemHealth{CPUPercent: 0xFF}}, {"memory_usage_pct", SystemHealth{MemoryPercent: 0xFF}}},
		"RecoveryRequestTLV": {{"last_sequence", RecoveryRequest{LastSequence: 0xFF}}, {"current_sequence", RecoveryRequest{CurrentSequence: 0xFF}},
			{"consumer_id", RecoveryRequest{Consumer: 0xFF}}, {"request_type", RecoveryRequest{Request: 0xFF}}},
		"SnapshotTLVHeader": {{"sequence", Snapshot{Sequence: 0xFF}}, {"timestamp", Snapshot{Timestamp: 0xFF}},
			{"snapshot_id", Snapshot{ID: 0xFF}}, {"uncompressed_size", Snapshot{UncompressedSize: 0xFF}},
			{"compression_type", Snapshot{Compression: 0xFF}}},
		"GasPriceTLV": {{"block_number", GasPrice{Block: 0xFF}}, {"timestamp_ns", GasPrice{Timestamp: 0xFF}},
			{"gas_price_gwei", GasPrice{GasGwei: 0xFF}}, {"base_fee_gwei", GasPrice{BaseGwei: 0xFF}},
			{"priority_fee_gwei", GasPrice{PriorityGwei: 0xFF}}, {"venue", GasPrice{Venue: 0xFF}}},
		"PoolInfoTLV": {{"discovered_at", PoolInfo{DiscoveredAt: 0xFF}}, {"last_seen", PoolInfo{LastSeen: 0xFF}},
			{"fee_tier", PoolInfo{FeeTier: 0xFF}}, {"venue", PoolInfo{Venue: 0xFF}}, {"token0_decimals", PoolInfo{Decimals0: 0xFF}},
			{"token1_decimals", PoolInfo{Decimals1: 0xFF}}, {"pool_type", PoolInfo{PoolType: 0xFF}}, {"pool_address", PoolInfo{Pool: a}},
			{"token0_address", PoolInfo{Token0: a}}, {"token1_address", PoolInfo{Token1: a}}},
	}
	type layout struct {
		Layout  string
		Size    int
		Offsets map[string]int
	}
	for file, d := range map[string]Dialect{"aligned_layouts.json": Aligned, "torq_registry.json": Aligned, "packed_messages.json": Packed} {
		var golden struct{ Layouts []layout }
		readGolden(t, file, &golden)
		checked := 0
		for _, l := range golden.Layouts {
			for _, c := range cases[l.Layout] {
				offset, known := l.Offsets[c.field]
				if !known {
					if strings.HasSuffix(c.field, "timestamp_ns") {
						continue // another name in the newest tree; the golden messages cover it
					}
					t.Errorf("%s %s has no golden offset for %s", file, l.Layout, c.field)
					continue
				}
				checked++
				got := payloadOf(t, d, c.value)
				if len(got) != l.Size || offset >= len(got) || got[offset] == 0 {
					b, _ := json.Marshal(c.value)
					t.Errorf("%s %s.%s: want a value at %d of %d in %x (%s)", file, l.Layout, c.field, offset, l.Size, got, b)
				}
				for i, b := range got {
					if b == 0xFF && i != offset {
						t.Errorf("%s %s.%s: stands at %d, want %d", file, l.Layout, c.field, i, offset)
					}
				}
			}
		}
		if checked == 0 {
			t.Errorf("%s: nothing checked", file)
		}
	}
}

func payloadOf(t *testing.T, d Dialect, value any) []byte {
	t.Helper()
	buf := make([]byte, 4096)
	w := Build(buf, d, &Header{RelayDomain: 1, Source: 1, Timestamp: 1755893490012637000})
	add(&w, value)
	n, err := w.FinishUnset()
	if err != nil {
		t.Fatalf("%T: %v", value, err)
	}
	p := Parser{Dialect: d}
	m, err := p.Parse(buf[:n])
	if err != nil {
		t.Fatalf("%T: %v", value, err)
	}
	walk := m.TLVs()
	tl, _ := walk.Next()
	return tl.Payload
}
