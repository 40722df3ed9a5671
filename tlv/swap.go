package tlv

// PoolSwap is one swap in a liquidity pool. Amounts are in the token's native unit with its decimals beside them.
type PoolSwap struct {
	AmountIn    Uint128 `json:"amount_in"`
	AmountOut   Uint128 `json:"amount_out"`
	Liquidity   Uint128 `json:"liquidity_after"`
	Timestamp   uint64  `json:"timestamp_ns"`
	Block       uint64  `json:"block_number"`
	Tick        int32   `json:"tick_after"`
	Venue       Venue   `json:"venue"`
	InDecimals  uint8   `json:"amount_in_decimals"`
	OutDecimals uint8   `json:"amount_out_decimals"`
	Pool        Address `json:"pool_address"`
	TokenIn     Address `json:"token_in"`
	TokenOut    Address `json:"token_out"`
	SqrtPrice   Uint256 `json:"sqrt_price_x96_after"` // Q64.96; at most 160 bits in packed messages
}

// aligned 208  0 in  16 out  32 liquidity  48 ts  56 block  64 tick  68 venue  70 dec in  71 dec out  72 pad 8
//
//	80 pool 32  112 token in 32  144 token out 32  176 sqrt price 32 LE
//
// packed  152  0 venue  2 pool  22 token in  42 token out  62 in  78 out  94 dec in  95 dec out
//
//	96 sqrt price 20 BE  116 tick  120 liquidity  136 ts  144 block
const (
	swapAligned = 208
	swapPacked  = 152
)

// PoolSwap loads a swap; ok is false for other types and sizes.
func (t TLV) PoolSwap() (v PoolSwap, ok bool) {
	b := t.Payload
	switch {
	case t.Type != TypePoolSwap:
		return v, false
	case t.Dialect == Aligned && len(b) == swapAligned:
		v.AmountIn, v.AmountOut, v.Liquidity = get128(b), get128(b[16:]), get128(b[32:])
		v.Timestamp, v.Block, v.Tick = le.Uint64(b[48:]), le.Uint64(b[56:]), int32(le.Uint32(b[64:]))
		v.Venue, v.InDecimals, v.OutDecimals = Venue(le.Uint16(b[68:])), b[70], b[71]
		v.Pool, v.TokenIn, v.TokenOut = Address(b[80:100]), Address(b[112:132]), Address(b[144:164])
		v.SqrtPrice = get256(b[176:])
	case t.Dialect == Packed && len(b) == swapPacked:
		v.Venue, v.Pool = Venue(le.Uint16(b)), Address(b[2:22])
		v.TokenIn, v.TokenOut = Address(b[22:42]), Address(b[42:62])
		v.AmountIn, v.AmountOut = get128(b[62:]), get128(b[78:])
		v.InDecimals, v.OutDecimals, v.SqrtPrice = b[94], b[95], get160BE(b[96:])
		v.Tick, v.Liquidity = int32(le.Uint32(b[116:])), get128(b[120:])
		v.Timestamp, v.Block = le.Uint64(b[136:]), le.Uint64(b[144:])
	default:
		return v, false
	}
	return v, true
}

// PoolSwap adds a swap. ErrRange: a square-root price beyond 160 bits in a packed message.
func (w *Builder) PoolSwap(v *PoolSwap) {
	if w.dialect == Packed {
		w.swapPacked(v)
		return
	}
	b := w.zeroed(TypePoolSwap, swapAligned)
	if b == nil {
		return
	}
	put128(b, v.AmountIn)
	put128(b[16:], v.AmountOut)
	put128(b[32:], v.Liquidity)
	le.PutUint64(b[48:], v.Timestamp)
	le.PutUint64(b[56:], v.Block)
	le.PutUint32(b[64:], uint32(v.Tick))
	le.PutUint16(b[68:], uint16(v.Venue))
	b[70], b[71] = v.InDecimals, v.OutDecimals
	putAddress32(b[80:], &v.Pool)
	putAddress32(b[112:], &v.TokenIn)
	putAddress32(b[144:], &v.TokenOut)
	put256(b[176:], v.SqrtPrice)
}

func (w *Builder) swapPacked(v *PoolSwap) {
	if !v.SqrtPrice.fits160() {
		w.fail(outOfRange)
		return
	}
	b := w.reserve(TypePoolSwap, swapPacked)
	if b == nil {
		return
	}
	le.PutUint16(b, uint16(v.Venue))
	copy(b[2:], v.Pool[:])
	copy(b[22:], v.TokenIn[:])
	copy(b[42:], v.TokenOut[:])
	put128(b[62:], v.AmountIn)
	put128(b[78:], v.AmountOut)
	b[94], b[95] = v.InDecimals, v.OutDecimals
	put160BE(b[96:], v.SqrtPrice)
	le.PutUint32(b[116:], uint32(v.Tick))
	put128(b[120:], v.Liquidity)
	le.PutUint64(b[136:], v.Timestamp)
	le.PutUint64(b[144:], v.Block)
}

// PoolSync is the reserves of a pool after a change.
type PoolSync struct {
	Reserve0  Uint128 `json:"reserve0"`
	Reserve1  Uint128 `json:"reserve1"`
	Timestamp uint64  `json:"timestamp_ns"`
	Block     uint64  `json:"block_number"`
	Venue     Venue   `json:"venue"`
	Decimals0 uint8   `json:"token0_decimals"`
	Decimals1 uint8   `json:"token1_decimals"`
	Pool      Address `json:"pool_address"`
	Token0    Address `json:"token0"`
	Token1    Address `json:"token1"`
}

// aligned 160  0 reserve0  16 reserve1  32 ts  40 block  48 venue  50 dec0  51 dec1  52 pad 12
//
//	64 pool 32  96 token0 32  128 token1 32
//
// packed  112  0 venue  2 pool  22 token0  42 token1  62 reserve0  78 reserve1  94 dec0  95 dec1  96 ts  104 block
const (
	syncAligned = 160
	syncPacked  = 112
)

// PoolSync loads a sync; ok is false for other types and sizes.
func (t TLV) PoolSync() (v PoolSync, ok bool) {
	b := t.Payload
	switch {
	case t.Type != TypePoolSync:
		return v, false
	case t.Dialect == Aligned && len(b) == syncAligned:
		v.Reserve0, v.Reserve1 = get128(b), get128(b[16:])
		v.Timestamp, v.Block = le.Uint64(b[32:]), le.Uint64(b[40:])
		v.Venue, v.Decimals0, v.Decimals1 = Venue(le.Uint16(b[48:])), b[50], b[51]
		v.Pool, v.Token0, v.Token1 = Address(b[64:84]), Address(b[96:116]), Address(b[128:148])
	case t.Dialect == Packed && len(b) == syncPacked:
		v.Venue, v.Pool = Venue(le.Uint16(b)), Address(b[2:22])
		v.Token0, v.Token1 = Address(b[22:42]), Address(b[42:62])
		v.Reserve0, v.Reserve1 = get128(b[62:]), get128(b[78:])
		v.Decimals0, v.Decimals1 = b[94], b[95]
		v.Timestamp, v.Block = le.Uint64(b[96:]), le.Uint64(b[104:])
	default:
		return v, false
	}
	return v, true
}

// PoolSync adds a sync.
func (w *Builder) PoolSync(v *PoolSync) {
	if w.dialect == Packed {
		w.syncPacked(v)
		return
	}
	b := w.zeroed(TypePoolSync, syncAligned)
	if b == nil {
		return
	}
	put128(b, v.Reserve0)
	put128(b[16:], v.Reserve1)
	le.PutUint64(b[32:], v.Timestamp)
	le.PutUint64(b[40:], v.Block)
	le.PutUint16(b[48:], uint16(v.Venue))
	b[50], b[51] = v.Decimals0, v.Decimals1
	putAddress32(b[64:], &v.Pool)
	putAddress32(b[96:], &v.Token0)
	putAddress32(b[128:], &v.Token1)
}

func (w *Builder) syncPacked(v *PoolSync) {
	b := w.reserve(TypePoolSync, syncPacked)
	if b == nil {
		return
	}
	le.PutUint16(b, uint16(v.Venue))
	copy(b[2:], v.Pool[:])
	copy(b[22:], v.Token0[:])
	copy(b[42:], v.Token1[:])
	put128(b[62:], v.Reserve0)
	put128(b[78:], v.Reserve1)
	b[94], b[95] = v.Decimals0, v.Decimals1
	le.PutUint64(b[96:], v.Timestamp)
	le.PutUint64(b[104:], v.Block)
}
