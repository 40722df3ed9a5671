package tlv

// Source is the producer number of a header. What it means depends on the Numbering: Kraken and Coinbase swap places
// between the two tables.
type Source uint8

// The sources of From1.
const (
	SourceBinance          Source = 1
	SourceKraken           Source = 2
	SourceCoinbase         Source = 3
	SourcePolygon          Source = 4
	SourceGemini           Source = 5
	SourceArbitrage        Source = 20
	SourceMarketMaker      Source = 21
	SourceTrendFollower    Source = 22
	SourceKrakenSignal     Source = 23
	SourcePortfolio        Source = 40
	SourceRisk             Source = 41
	SourceExecutionEngine  Source = 42
	SourceDashboard        Source = 60
	SourceMetrics          Source = 61
	SourceStateManager     Source = 62
	SourceMarketDataRelay  Source = 80
	SourceSignalRelay      Source = 81
	SourceExecutionRelay   Source = 82
	From0SourceUnknown     Source = 0 // sources of From0 from here on
	From0SourceBinance     Source = 1
	From0SourceCoinbase    Source = 2
	From0SourceKraken      Source = 3
	From0SourcePolygon     Source = 4
	From0SourceGemini      Source = 5
	From0SourceArbitrage   Source = 10
	From0SourceStateKeeper Source = 15
	From0SourceExecution   Source = 20
	From0SourceDashboard   Source = 30
	From0SourceTestClient  Source = 99
)

var sourceNames = [2][256]string{
	From1: {
		1: "binance", 2: "kraken", 3: "coinbase", 4: "polygon", 5: "gemini",
		20: "arbitrage", 21: "market_maker", 22: "trend_follower", 23: "kraken_signal",
		40: "portfolio", 41: "risk", 42: "execution_engine",
		60: "dashboard", 61: "metrics", 62: "state_manager",
		80: "market_data_relay", 81: "signal_relay", 82: "execution_relay",
	},
	From0: {
		0: "unknown", 1: "binance", 2: "coinbase", 3: "kraken", 4: "polygon", 5: "gemini",
		10: "arbitrage", 15: "state_manager", 20: "execution", 30: "dashboard", 99: "test_client",
	},
}

// sourceBits has bit n set when numbering n knows the source.
var sourceBits = func() (bits [256]uint8) {
	for n, names := range sourceNames {
		for s, name := range names {
			if name != "" {
				bits[s] |= 1 << n
			}
		}
	}
	return bits
}()

// Name is the snake_case name of s in numbering n, or "source_N". GuessNumbering reads as From1.
func (s Source) Name(n Numbering) string {
	if n != From0 {
		n = From1
	}
	if name := sourceNames[n][s]; name != "" {
		return name
	}
	return unnamed("source", int(s))
}

// Known reports whether numbering n has s in its table; GuessNumbering asks both tables.
func (s Source) Known(n Numbering) bool {
	if n == GuessNumbering {
		return sourceBits[s] != 0
	}
	return sourceBits[s]&(1<<(n&1)) != 0
}
