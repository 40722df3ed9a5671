package tlv

// ArbitrageSignal is a strategy's offer to trade one pool against another. Aligned messages only; 170 bytes without
// padding. Amounts in USD are ×1e8.
type ArbitrageSignal struct {
	Strategy        uint16  `json:"strategy_id"` // 21 in the original
	Signal          uint64  `json:"signal_id"`
	Chain           uint32  `json:"chain_id"` // 137 is Polygon
	SourcePool      Address `json:"source_pool"`
	TargetPool      Address `json:"target_pool"`
	SourceVenue     Venue   `json:"source_venue"`
	TargetVenue     Venue   `json:"target_venue"`
	TokenIn         Address `json:"token_in"`
	TokenOut        Address `json:"token_out"`
	ExpectedProfit  int64   `json:"expected_profit_usd_q8"`
	RequiredCapital uint64  `json:"required_capital_usd_q8"`
	SpreadBps       uint16  `json:"spread_bps"`
	DexFees         uint64  `json:"dex_fees_usd_q8"`
	GasCost         uint64  `json:"gas_cost_usd_q8"`
	Slippage        uint64  `json:"slippage_usd_q8"`
	NetProfit       int64   `json:"net_profit_usd_q8"`
	SlippageBps     uint16  `json:"slippage_tolerance_bps"`
	MaxGasGwei      uint32  `json:"max_gas_price_gwei"`
	ValidUntil      uint32  `json:"valid_until"` // seconds since the Unix epoch
	Priority        uint16  `json:"priority"`
	Timestamp       uint64  `json:"timestamp_ns"`
}

// 0 strategy  2 signal  10 chain  14 source pool  34 target pool  54 source venue  56 target venue  58 token in
// 78 token out  98 profit  106 capital  114 spread  116 fees  124 gas  132 slippage  140 net  148 slippage bps
// 150 max gas  154 valid until  158 priority  160 res 2  162 ts
const arbitrageSize = 170

// ArbitrageSignal loads a signal; ok is false for other types and sizes, and in packed messages.
func (t TLV) ArbitrageSignal() (v ArbitrageSignal, ok bool) {
	b := t.Payload
	if t.Type != TypeArbitrageSignal || t.Dialect != Aligned || len(b) != arbitrageSize {
		return v, false
	}
	v.Strategy, v.Signal, v.Chain = le.Uint16(b), le.Uint64(b[2:]), le.Uint32(b[10:])
	v.SourcePool, v.TargetPool = Address(b[14:34]), Address(b[34:54])
	v.SourceVenue, v.TargetVenue = Venue(le.Uint16(b[54:])), Venue(le.Uint16(b[56:]))
	v.TokenIn, v.TokenOut = Address(b[58:78]), Address(b[78:98])
	v.ExpectedProfit, v.RequiredCapital = int64(le.Uint64(b[98:])), le.Uint64(b[106:])
	v.SpreadBps, v.DexFees, v.GasCost = le.Uint16(b[114:]), le.Uint64(b[116:]), le.Uint64(b[124:])
	v.Slippage, v.NetProfit = le.Uint64(b[132:]), int64(le.Uint64(b[140:]))
	v.SlippageBps, v.MaxGasGwei = le.Uint16(b[148:]), le.Uint32(b[150:])
	v.ValidUntil, v.Priority, v.Timestamp = le.Uint32(b[154:]), le.Uint16(b[158:]), le.Uint64(b[162:])
	return v, true
}

// ArbitrageSignal adds a signal. ErrLayout in packed messages.
func (w *Builder) ArbitrageSignal(v *ArbitrageSignal) {
	b := w.alignedOnly(TypeArbitrageSignal, arbitrageSize)
	if b == nil {
		return
	}
	le.PutUint16(b, v.Strategy)
	le.PutUint64(b[2:], v.Signal)
	le.PutUint32(b[10:], v.Chain)
	copy(b[14:], v.SourcePool[:])
	copy(b[34:], v.TargetPool[:])
	le.PutUint16(b[54:], uint16(v.SourceVenue))
	le.PutUint16(b[56:], uint16(v.TargetVenue))
	copy(b[58:], v.TokenIn[:])
	copy(b[78:], v.TokenOut[:])
	le.PutUint64(b[98:], uint64(v.ExpectedProfit))
	le.PutUint64(b[106:], v.RequiredCapital)
	le.PutUint16(b[114:], v.SpreadBps)
	le.PutUint64(b[116:], v.DexFees)
	le.PutUint64(b[124:], v.GasCost)
	le.PutUint64(b[132:], v.Slippage)
	le.PutUint64(b[140:], uint64(v.NetProfit))
	le.PutUint16(b[148:], v.SlippageBps)
	le.PutUint32(b[150:], v.MaxGasGwei)
	le.PutUint32(b[154:], v.ValidUntil)
	le.PutUint16(b[158:], v.Priority)
	le.PutUint64(b[162:], v.Timestamp)
}

// GasPrice is a chain's gas price at one block. Aligned only.
type GasPrice struct {
	Block        uint64 `json:"block_number"`
	Timestamp    uint64 `json:"timestamp_ns"`
	GasGwei      uint32 `json:"gas_price_gwei"`
	BaseGwei     uint32 `json:"base_fee_gwei"`
	PriorityGwei uint32 `json:"priority_fee_gwei"`
	Venue        Venue  `json:"venue"`
}

// 0 block  8 ts  16 gas  20 base  24 priority  28 venue  30 res 2
const gasSize = 32

// GasPrice loads a gas price; ok is false for other types and sizes, and in packed messages.
func (t TLV) GasPrice() (v GasPrice, ok bool) {
	b := t.Payload
	if t.Type != TypeGasPrice || t.Dialect != Aligned || len(b) != gasSize {
		return v, false
	}
	v.Block, v.Timestamp, v.GasGwei = le.Uint64(b), le.Uint64(b[8:]), le.Uint32(b[16:])
	v.BaseGwei, v.PriorityGwei, v.Venue = le.Uint32(b[20:]), le.Uint32(b[24:]), Venue(le.Uint16(b[28:]))
	return v, true
}

// GasPrice adds a gas price. ErrLayout in packed messages.
func (w *Builder) GasPrice(v *GasPrice) {
	b := w.alignedOnly(TypeGasPrice, gasSize)
	if b == nil {
		return
	}
	le.PutUint64(b, v.Block)
	le.PutUint64(b[8:], v.Timestamp)
	le.PutUint32(b[16:], v.GasGwei)
	le.PutUint32(b[20:], v.BaseGwei)
	le.PutUint32(b[24:], v.PriorityGwei)
	le.PutUint16(b[28:], uint16(v.Venue))
}

// PoolInfo describes a pool in the original's pool cache (vendor type 200). Aligned only.
type PoolInfo struct {
	DiscoveredAt uint64  `json:"discovered_at"`
	LastSeen     uint64  `json:"last_seen"`
	FeeTier      uint32  `json:"fee_tier"`
	Venue        Venue   `json:"venue"`
	Decimals0    uint8   `json:"token0_decimals"`
	Decimals1    uint8   `json:"token1_decimals"`
	PoolType     uint8   `json:"pool_type"`
	Pool         Address `json:"pool_address"`
	Token0       Address `json:"token0"`
	Token1       Address `json:"token1"`
}

// 0 discovered  8 last seen  16 fee  20 venue  22 type (200)  23 len (88)  24 dec0  25 dec1  26 pool type  27 pad
// 28 pool  48 token0  68 token1
const poolInfoSize = 88

// PoolInfo loads a pool's description; ok is false for other types and sizes, and in packed messages.
func (t TLV) PoolInfo() (v PoolInfo, ok bool) {
	b := t.Payload
	if t.Type != TypePoolInfo || t.Dialect != Aligned || len(b) != poolInfoSize {
		return v, false
	}
	v.DiscoveredAt, v.LastSeen = le.Uint64(b), le.Uint64(b[8:])
	v.FeeTier, v.Venue = le.Uint32(b[16:]), Venue(le.Uint16(b[20:]))
	v.Decimals0, v.Decimals1, v.PoolType = b[24], b[25], b[26]
	v.Pool, v.Token0, v.Token1 = Address(b[28:48]), Address(b[48:68]), Address(b[68:88])
	return v, true
}

// PoolInfo adds a pool's description. ErrLayout in packed messages.
func (w *Builder) PoolInfo(v *PoolInfo) {
	b := w.alignedOnly(TypePoolInfo, poolInfoSize)
	if b == nil {
		return
	}
	le.PutUint64(b, v.DiscoveredAt)
	le.PutUint64(b[8:], v.LastSeen)
	le.PutUint32(b[16:], v.FeeTier)
	le.PutUint16(b[20:], uint16(v.Venue))
	b[22], b[23] = byte(TypePoolInfo), poolInfoSize
	b[24], b[25], b[26] = v.Decimals0, v.Decimals1, v.PoolType
	copy(b[28:], v.Pool[:])
	copy(b[48:], v.Token0[:])
	copy(b[68:], v.Token1[:])
}
