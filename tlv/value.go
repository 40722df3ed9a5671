package tlv

// Value loads a TLV into the struct of its type, whichever it is: a Trade, a Quote and so on, by value. ok is false for
// opaque payloads. It allocates; hot code asks for the type it expects.
func (t TLV) Value() (v any, ok bool) {
	switch t.Type {
	case TypeTrade:
		v, ok = t.Trade()
	case TypeQuote:
		v, ok = t.Quote()
	case TypeOrderBook:
		v, ok = t.OrderBook()
	case TypePoolLiquidity:
		v, ok = t.PoolLiquidity()
	case TypePoolSwap:
		v, ok = t.PoolSwap()
	case TypePoolMint:
		v, ok = t.PoolMint()
	case TypePoolBurn:
		v, ok = t.PoolBurn()
	case TypePoolTick:
		v, ok = t.PoolTick()
	case TypePoolState:
		v, ok = t.PoolState()
	case TypePoolSync:
		v, ok = t.PoolSync()
	case TypeGasPrice:
		v, ok = t.GasPrice()
	case TypeArbitrageSignal:
		v, ok = t.ArbitrageSignal()
	case TypeSnapshot:
		v, ok = t.Snapshot()
	case TypeStateInvalidation:
		v, ok = t.StateInvalidation()
	case TypeSystemHealth:
		v, ok = t.SystemHealth()
	case TypeTraceContext:
		v, ok = t.TraceContext()
	case TypeRecoveryRequest:
		v, ok = t.RecoveryRequest()
	case TypePoolInfo:
		v, ok = t.PoolInfo()
	}
	if !ok {
		return nil, false
	}
	return v, true
}
