package tlv

// Type is the number in front of a TLV.
type Type uint8

// Every type of the registry. 20-39 travel in the signal domain, and so on: see Type.Domain.
const (
	TypeTrade                   Type = 1
	TypeQuote                   Type = 2
	TypeOrderBook               Type = 3
	TypeInstrumentMeta          Type = 4
	TypeL2Snapshot              Type = 5
	TypeL2Delta                 Type = 6
	TypeL2Reset                 Type = 7
	TypePriceUpdate             Type = 8
	TypeVolumeUpdate            Type = 9
	TypePoolLiquidity           Type = 10
	TypePoolSwap                Type = 11
	TypePoolMint                Type = 12
	TypePoolBurn                Type = 13
	TypePoolTick                Type = 14
	TypePoolState               Type = 15
	TypePoolSync                Type = 16
	TypeQuoteUpdate             Type = 17
	TypeGasPrice                Type = 18
	TypeStateInvalidationReason Type = 19
	TypeSignalIdentity          Type = 20
	TypeAssetCorrelation        Type = 21
	TypeEconomics               Type = 22
	TypeExecutionAddresses      Type = 23
	TypeVenueMetadata           Type = 24
	TypeStateReference          Type = 25
	TypeExecutionControl        Type = 26
	TypePoolAddresses           Type = 27
	TypeMEVBundle               Type = 28
	TypeTertiaryVenue           Type = 29
	TypeRiskParameters          Type = 30
	TypePerformanceMetrics      Type = 31
	TypeArbitrageSignal         Type = 32
	TypeOrderRequest            Type = 40
	TypeOrderStatus             Type = 41
	TypeFill                    Type = 42
	TypeOrderCancel             Type = 43
	TypeOrderModify             Type = 44
	TypeExecutionReport         Type = 45
	TypePortfolio               Type = 46
	TypePosition                Type = 47
	TypeBalance                 Type = 48
	TypeTradeConfirmation       Type = 49
	TypeRiskDecision            Type = 60
	TypePositionUpdate          Type = 61
	TypeRiskAlert               Type = 62
	TypeCollateralUpdate        Type = 63
	TypeExposureReport          Type = 64
	TypePortfolioEvent          Type = 65
	TypeRiskThreshold           Type = 66
	TypeFlashLoanResult         Type = 67
	TypePostTradeAnalytics      Type = 68
	TypePositionQuery           Type = 69
	TypeRiskMetrics             Type = 70
	TypeCircuitBreaker          Type = 71
	TypeStrategyRegistration    Type = 72
	TypeComplianceCheck         Type = 80
	TypeAuditTrail              Type = 81
	TypeRegulatoryReport        Type = 82
	TypeTradeBreakdown          Type = 83
	TypeSettlementInstruction   Type = 84
	TypeClearingReport          Type = 85
	TypeMarginCall              Type = 86
	TypeCustodyEvent            Type = 87
	TypeVenueConnectivity       Type = 88
	TypeCrossVenueSpread        Type = 89
	TypeArbitrageExecution      Type = 90
	TypeHeartbeat               Type = 100
	TypeSnapshot                Type = 101
	TypeError                   Type = 102
	TypeConfigUpdate            Type = 103
	TypeServiceDiscovery        Type = 104
	TypeResourceUsage           Type = 105
	TypeStateInvalidation       Type = 106
	TypeSystemHealth            Type = 107
	TypeTraceContext            Type = 108
	TypeRecoveryRequest         Type = 110
	TypeRecoveryResponse        Type = 111
	TypeSequenceSync            Type = 112
	TypePoolInfo                Type = 200
	TypePoolCacheHeader         Type = 201
	TypeProprietaryData         Type = 202
	TypeCustomMetrics           Type = 203
	TypeExperimentalSignal      Type = 204
	TypeExtended                Type = 255 // not a type: the escape in front of an extended TLV
)

// registry holds name and sizes of every type. Where the newest registry and the older one disagree, the second size is
// the older one's; where a registry and the struct it describes disagree, also has the size the other side uses.
var registry = [256]struct {
	name string
	size [2]SizeRule // aligned, packed
}{
	TypeTrade:                   {"Trade", [2]SizeRule{{Min: 40, Max: 40, Fixed: true}, {Min: 37, Max: 37, Fixed: true}}},
	TypeQuote:                   {"Quote", [2]SizeRule{{Min: 52, Max: 52, Fixed: true, Also: 56}, {Min: 52, Max: 52, Fixed: true}}},
	TypeOrderBook:               {name: "OrderBook"},
	TypeInstrumentMeta:          {name: "InstrumentMeta"},
	TypeL2Snapshot:              {name: "L2Snapshot"},
	TypeL2Delta:                 {name: "L2Delta"},
	TypeL2Reset:                 {name: "L2Reset"},
	TypePriceUpdate:             {name: "PriceUpdate"},
	TypeVolumeUpdate:            {name: "VolumeUpdate"},
	TypePoolLiquidity:           {"PoolLiquidity", [2]SizeRule{{Min: 20, Max: 300}, {Min: 20, Max: 300}}},
	TypePoolSwap:                {"PoolSwap", [2]SizeRule{{Min: 60, Max: 200}, {Min: 60, Max: 200}}},
	TypePoolMint:                {"PoolMint", [2]SizeRule{{Min: 50, Max: 180}, {Min: 50, Max: 180}}},
	TypePoolBurn:                {"PoolBurn", [2]SizeRule{{Min: 50, Max: 180}, {Min: 50, Max: 180}}},
	TypePoolTick:                {"PoolTick", [2]SizeRule{{Min: 30, Max: 120}, {Min: 30, Max: 120}}},
	TypePoolState:               {"PoolState", [2]SizeRule{{Min: 60, Max: 200}, {Min: 60, Max: 200}}},
	TypePoolSync:                {"PoolSync", [2]SizeRule{{Min: 40, Max: 150}, {Min: 40, Max: 150}}},
	TypeQuoteUpdate:             {"QuoteUpdate", [2]SizeRule{{Min: 52, Max: 52, Fixed: true}, {}}},
	TypeGasPrice:                {"GasPrice", [2]SizeRule{{Min: 32, Max: 32, Fixed: true}, {}}},
	TypeStateInvalidationReason: {"StateInvalidationReason", [2]SizeRule{{Min: 1, Max: 1, Fixed: true}, {}}},
	TypeSignalIdentity:          {"SignalIdentity", [2]SizeRule{{Min: 16, Max: 16, Fixed: true}, {Min: 16, Max: 16, Fixed: true}}},
	TypeAssetCorrelation:        {"AssetCorrelation", [2]SizeRule{{Min: 24, Max: 24, Fixed: true}, {Min: 24, Max: 24, Fixed: true}}},
	TypeEconomics:               {"Economics", [2]SizeRule{{Min: 32, Max: 32, Fixed: true}, {Min: 32, Max: 32, Fixed: true}}},
	TypeExecutionAddresses:      {"ExecutionAddresses", [2]SizeRule{{Min: 84, Max: 84, Fixed: true}, {Min: 84, Max: 84, Fixed: true}}},
	TypeVenueMetadata:           {"VenueMetadata", [2]SizeRule{{Min: 12, Max: 12, Fixed: true}, {Min: 12, Max: 12, Fixed: true}}},
	TypeStateReference:          {"StateReference", [2]SizeRule{{Min: 24, Max: 24, Fixed: true}, {Min: 24, Max: 24, Fixed: true}}},
	TypeExecutionControl:        {"ExecutionControl", [2]SizeRule{{Min: 16, Max: 16, Fixed: true}, {Min: 16, Max: 16, Fixed: true}}},
	TypePoolAddresses:           {"PoolAddresses", [2]SizeRule{{Min: 44, Max: 44, Fixed: true}, {Min: 44, Max: 44, Fixed: true}}},
	TypeMEVBundle:               {"MEVBundle", [2]SizeRule{{Min: 40, Max: 40, Fixed: true}, {Min: 40, Max: 40, Fixed: true}}},
	TypeTertiaryVenue:           {"TertiaryVenue", [2]SizeRule{{Min: 24, Max: 24, Fixed: true}, {Min: 24, Max: 24, Fixed: true}}},
	TypeRiskParameters:          {"RiskParameters", [2]SizeRule{{Min: 24, Max: 512}, {Min: 24, Max: 512}}},
	TypePerformanceMetrics:      {"PerformanceMetrics", [2]SizeRule{{Min: 32, Max: 1024}, {Min: 32, Max: 1024}}},
	TypeArbitrageSignal:         {"ArbitrageSignal", [2]SizeRule{{Min: 170, Max: 170, Fixed: true, Also: 168}, {}}},
	TypeOrderRequest:            {"OrderRequest", [2]SizeRule{{Min: 32, Max: 32, Fixed: true}, {Min: 32, Max: 32, Fixed: true}}},
	TypeOrderStatus:             {"OrderStatus", [2]SizeRule{{Min: 24, Max: 24, Fixed: true}, {Min: 24, Max: 24, Fixed: true}}},
	TypeFill:                    {"Fill", [2]SizeRule{{Min: 32, Max: 32, Fixed: true}, {Min: 32, Max: 32, Fixed: true}}},
	TypeOrderCancel:             {"OrderCancel", [2]SizeRule{{Min: 16, Max: 16, Fixed: true}, {Min: 16, Max: 16, Fixed: true}}},
	TypeOrderModify:             {"OrderModify", [2]SizeRule{{Min: 24, Max: 24, Fixed: true}, {Min: 24, Max: 24, Fixed: true}}},
	TypeExecutionReport:         {"ExecutionReport", [2]SizeRule{{Min: 48, Max: 48, Fixed: true}, {Min: 48, Max: 48, Fixed: true}}},
	TypePortfolio:               {"Portfolio", [2]SizeRule{{Min: 32, Max: 2048}, {Min: 32, Max: 2048}}},
	TypePosition:                {"Position", [2]SizeRule{{Min: 24, Max: 512}, {Min: 24, Max: 512}}},
	TypeBalance:                 {"Balance", [2]SizeRule{{Min: 16, Max: 256}, {Min: 16, Max: 256}}},
	TypeTradeConfirmation:       {"TradeConfirmation", [2]SizeRule{{Min: 32, Max: 256}, {Min: 32, Max: 256}}},
	TypeRiskDecision:            {"RiskDecision", [2]SizeRule{{Min: 32, Max: 32, Fixed: true}, {Min: 32, Max: 32, Fixed: true}}},
	TypePositionUpdate:          {"PositionUpdate", [2]SizeRule{{Min: 40, Max: 512}, {Min: 40, Max: 512}}},
	TypeRiskAlert:               {"RiskAlert", [2]SizeRule{{Min: 24, Max: 256}, {Min: 24, Max: 256}}},
	TypeCollateralUpdate:        {"CollateralUpdate", [2]SizeRule{{Min: 48, Max: 48, Fixed: true}, {Min: 48, Max: 48, Fixed: true}}},
	TypeExposureReport:          {"ExposureReport", [2]SizeRule{{Min: 32, Max: 1024}, {Min: 32, Max: 1024}}},
	TypePortfolioEvent:          {"PortfolioEvent", [2]SizeRule{{Min: 32, Max: 512}, {Min: 32, Max: 512}}},
	TypeRiskThreshold:           {"RiskThreshold", [2]SizeRule{{Min: 40, Max: 40, Fixed: true}, {Min: 40, Max: 40, Fixed: true}}},
	TypeFlashLoanResult:         {"FlashLoanResult", [2]SizeRule{{Min: 48, Max: 256}, {Min: 48, Max: 256}}},
	TypePostTradeAnalytics:      {"PostTradeAnalytics", [2]SizeRule{{Min: 64, Max: 512}, {Min: 64, Max: 512}}},
	TypePositionQuery:           {"PositionQuery", [2]SizeRule{{Min: 32, Max: 32, Fixed: true}, {Min: 32, Max: 32, Fixed: true}}},
	TypeRiskMetrics:             {"RiskMetrics", [2]SizeRule{{Min: 48, Max: 1024}, {Min: 48, Max: 1024}}},
	TypeCircuitBreaker:          {"CircuitBreaker", [2]SizeRule{{Min: 24, Max: 24, Fixed: true}, {Min: 24, Max: 24, Fixed: true}}},
	TypeStrategyRegistration:    {"StrategyRegistration", [2]SizeRule{{Min: 32, Max: 256}, {Min: 32, Max: 256}}},
	TypeComplianceCheck:         {"ComplianceCheck", [2]SizeRule{{Min: 32, Max: 512}, {Min: 32, Max: 512}}},
	TypeAuditTrail:              {"AuditTrail", [2]SizeRule{{Min: 48, Max: 2048}, {Min: 48, Max: 2048}}},
	TypeRegulatoryReport:        {"RegulatoryReport", [2]SizeRule{{Min: 64, Max: 4096}, {Min: 64, Max: 4096}}},
	TypeTradeBreakdown:          {"TradeBreakdown", [2]SizeRule{{Min: 48, Max: 1024}, {Min: 48, Max: 1024}}},
	TypeSettlementInstruction:   {"SettlementInstruction", [2]SizeRule{{Min: 40, Max: 512}, {Min: 40, Max: 512}}},
	TypeClearingReport:          {"ClearingReport", [2]SizeRule{{Min: 32, Max: 512}, {Min: 32, Max: 512}}},
	TypeMarginCall:              {"MarginCall", [2]SizeRule{{Min: 48, Max: 48, Fixed: true}, {Min: 48, Max: 48, Fixed: true}}},
	TypeCustodyEvent:            {"CustodyEvent", [2]SizeRule{{Min: 40, Max: 256}, {Min: 40, Max: 256}}},
	TypeVenueConnectivity:       {"VenueConnectivity", [2]SizeRule{{Min: 32, Max: 32, Fixed: true}, {Min: 32, Max: 32, Fixed: true}}},
	TypeCrossVenueSpread:        {"CrossVenueSpread", [2]SizeRule{{Min: 40, Max: 40, Fixed: true}, {Min: 40, Max: 40, Fixed: true}}},
	TypeArbitrageExecution:      {"ArbitrageExecution", [2]SizeRule{{Min: 48, Max: 256}, {Min: 48, Max: 256}}},
	TypeHeartbeat:               {"Heartbeat", [2]SizeRule{{Min: 16, Max: 16, Fixed: true}, {Min: 16, Max: 16, Fixed: true}}},
	TypeSnapshot:                {"Snapshot", [2]SizeRule{{Min: 32, Max: 1024}, {Min: 32, Max: 1024}}},
	TypeError:                   {"Error", [2]SizeRule{{Min: 16, Max: 512}, {Min: 16, Max: 512}}},
	TypeConfigUpdate:            {"ConfigUpdate", [2]SizeRule{{Min: 20, Max: 2048}, {Min: 20, Max: 2048}}},
	TypeServiceDiscovery:        {"ServiceDiscovery", [2]SizeRule{{Min: 24, Max: 512}, {Min: 24, Max: 512}}},
	TypeResourceUsage:           {"ResourceUsage", [2]SizeRule{{Min: 64, Max: 64, Fixed: true}, {Min: 64, Max: 64, Fixed: true}}},
	TypeStateInvalidation:       {"StateInvalidation", [2]SizeRule{{Min: 16, Max: 512}, {Min: 16, Max: 512}}},
	TypeSystemHealth:            {"SystemHealth", [2]SizeRule{{Min: 48, Max: 48, Fixed: true}, {Min: 48, Max: 48, Fixed: true, Also: 44}}},
	TypeTraceContext:            {"TraceContext", [2]SizeRule{{Min: 32, Max: 256}, {Min: 32, Max: 256}}},
	TypeRecoveryRequest:         {"RecoveryRequest", [2]SizeRule{{Min: 24, Max: 24, Fixed: true}, {Min: 18, Max: 18, Fixed: true, Also: 24}}},
	TypeRecoveryResponse:        {"RecoveryResponse", [2]SizeRule{{Min: 20, Max: 1024}, {Min: 20, Max: 1024}}},
	TypeSequenceSync:            {"SequenceSync", [2]SizeRule{{Min: 16, Max: 256}, {Min: 16, Max: 256}}},
	TypePoolInfo:                {name: "PoolInfo"},
	TypePoolCacheHeader:         {name: "PoolCacheHeader"},
	TypeProprietaryData:         {name: "ProprietaryData"},
	TypeCustomMetrics:           {name: "CustomMetrics"},
	TypeExperimentalSignal:      {name: "ExperimentalSignal"},
	TypeExtended:                {name: "ExtendedTLV"},
}
