package tlv

// PoolTick is a change of the net liquidity at one tick of a pool.
type PoolTick struct {
	LiquidityNet int64   `json:"liquidity_net"`
	PriceSqrt    uint64  `json:"price_sqrt"`
	Timestamp    uint64  `json:"timestamp_ns"`
	Tick         int32   `json:"tick"`
	Venue        Venue   `json:"venue"`
	Pool         Address `json:"pool_address"`
}

// aligned 64  0 liquidity_net  8 sqrt  16 ts  24 tick  28 venue  30 pool 32  62 pad 2
// packed  50  0 venue  2 pool  22 tick  26 liquidity_net  34 sqrt  42 ts
const (
	tickAligned = 64
	tickPacked  = 50
)

// PoolTick loads a tick; ok is false for other types and sizes.
func (t TLV) PoolTick() (v PoolTick, ok bool) {
	b := t.Payload
	switch {
	case t.Type != TypePoolTick:
		return v, false
	case t.Dialect == Aligned && len(b) == tickAligned:
		v.LiquidityNet, v.PriceSqrt, v.Timestamp = int64(le.Uint64(b)), le.Uint64(b[8:]), le.Uint64(b[16:])
		v.Tick, v.Venue, v.Pool = int32(le.Uint32(b[24:])), Venue(le.Uint16(b[28:])), Address(b[30:50])
	case t.Dialect == Packed && len(b) == tickPacked:
		v.Venue, v.Pool, v.Tick = Venue(le.Uint16(b)), Address(b[2:22]), int32(le.Uint32(b[22:]))
		v.LiquidityNet, v.PriceSqrt, v.Timestamp = int64(le.Uint64(b[26:])), le.Uint64(b[34:]), le.Uint64(b[42:])
	default:
		return v, false
	}
	return v, true
}

// PoolTick adds a tick.
func (w *Builder) PoolTick(v *PoolTick) {
	if w.dialect == Packed {
		if b := w.reserve(TypePoolTick, tickPacked); b != nil {
			le.PutUint16(b, uint16(v.Venue))
			copy(b[2:], v.Pool[:])
			le.PutUint32(b[22:], uint32(v.Tick))
			le.PutUint64(b[26:], uint64(v.LiquidityNet))
			le.PutUint64(b[34:], v.PriceSqrt)
			le.PutUint64(b[42:], v.Timestamp)
		}
		return
	}
	if b := w.zeroed(TypePoolTick, tickAligned); b != nil {
		le.PutUint64(b, uint64(v.LiquidityNet))
		le.PutUint64(b[8:], v.PriceSqrt)
		le.PutUint64(b[16:], v.Timestamp)
		le.PutUint32(b[24:], uint32(v.Tick))
		le.PutUint16(b[28:], uint16(v.Venue))
		putAddress32(b[30:], &v.Pool)
	}
}

// PoolLiquidity is the reserves of a pool of up to eight tokens (more in packed messages).
type PoolLiquidity struct {
	Timestamp uint64        `json:"timestamp_ns"`
	Venue     Venue         `json:"venue"`
	Pool      Address       `json:"pool_address"`
	Reserves  List[Uint128] `json:"-"`
}

// aligned 208     0 ts  8 pad 8  16 reserves: count u16, pad to 16, 8 × u128  160 pool 32  192 venue  194 pad 14
// packed 31+16n   0 venue  2 pool  22 count u8  23 n × u128  then ts
const (
	liquidityAligned = 208
	liquiditySlots   = 8
	liquidityPacked  = 31
)

// PoolLiquidity loads reserves; ok is false for other types and for counts that do not fit the payload.
func (t TLV) PoolLiquidity() (v PoolLiquidity, ok bool) {
	b := t.Payload
	switch {
	case t.Type != TypePoolLiquidity:
		return v, false
	case t.Dialect == Aligned && len(b) == liquidityAligned:
		n := int(le.Uint16(b[16:]))
		if n > liquiditySlots {
			return v, false
		}
		v.Timestamp, v.Venue, v.Pool = le.Uint64(b), Venue(le.Uint16(b[192:])), Address(b[160:180])
		v.Reserves = wireList(b[32:32+16*n], 16, get128)
	case t.Dialect == Packed && len(b) >= liquidityPacked && len(b) == liquidityPacked+16*int(b[22]):
		end := 23 + 16*int(b[22])
		v.Venue, v.Pool, v.Timestamp = Venue(le.Uint16(b)), Address(b[2:22]), le.Uint64(b[end:])
		v.Reserves = wireList(b[23:end], 16, get128)
	default:
		return v, false
	}
	return v, true
}

// PoolLiquidity adds reserves. ErrRange: more than 8 in an aligned message, 255 in a packed one.
func (w *Builder) PoolLiquidity(v *PoolLiquidity) {
	n, slots := v.Reserves.Len(), liquiditySlots
	if w.dialect == Packed {
		slots = 255
	}
	if n > slots {
		w.fail(outOfRange)
		return
	}
	if w.dialect == Packed {
		if b := w.reserve(TypePoolLiquidity, liquidityPacked+16*n); b != nil {
			le.PutUint16(b, uint16(v.Venue))
			copy(b[2:], v.Pool[:])
			b[22] = byte(n)
			putReserves(b[23:], v.Reserves)
			le.PutUint64(b[23+16*n:], v.Timestamp)
		}
		return
	}
	if b := w.zeroed(TypePoolLiquidity, liquidityAligned); b != nil {
		le.PutUint64(b, v.Timestamp)
		le.PutUint16(b[16:], uint16(n))
		putReserves(b[32:], v.Reserves)
		putAddress32(b[160:], &v.Pool)
		le.PutUint16(b[192:], uint16(v.Venue))
	}
}

func putReserves(b []byte, reserves List[Uint128]) {
	for i := range reserves.Len() {
		put128(b[16*i:], reserves.At(i))
	}
}

// PoolState is everything a pool is at one block. Aligned only.
type PoolState struct {
	Reserve0  Uint128 `json:"reserve0"`
	Reserve1  Uint128 `json:"reserve1"`
	SqrtPrice Uint128 `json:"sqrt_price_x96"` // Q64.96 cut to 128 bits by the layout
	Liquidity Uint128 `json:"liquidity"`
	Block     uint64  `json:"block_number"`
	Timestamp uint64  `json:"timestamp_ns"`
	Tick      int32   `json:"tick"`
	FeeRate   uint32  `json:"fee_rate"`
	Venue     Venue   `json:"venue"`
	PoolType  uint8   `json:"pool_type"`
	Decimals0 uint8   `json:"token0_decimals"`
	Decimals1 uint8   `json:"token1_decimals"`
	Pool      Address `json:"pool_address"`
	Token0    Address `json:"token0"`
	Token1    Address `json:"token1"`
}

// 0 reserve0  16 reserve1  32 sqrt  48 liquidity  64 block  72 ts  80 tick  84 fee  88 venue  90 pool type
// 91 dec0  92 dec1  93 pad 3  96 pool 32  128 token0 32  160 token1 32
const stateAligned = 192

// PoolState loads a state; ok is false for other types and sizes, and in packed messages.
func (t TLV) PoolState() (v PoolState, ok bool) {
	b := t.Payload
	if t.Type != TypePoolState || t.Dialect != Aligned || len(b) != stateAligned {
		return v, false
	}
	v.Reserve0, v.Reserve1, v.SqrtPrice, v.Liquidity = get128(b), get128(b[16:]), get128(b[32:]), get128(b[48:])
	v.Block, v.Timestamp = le.Uint64(b[64:]), le.Uint64(b[72:])
	v.Tick, v.FeeRate, v.Venue = int32(le.Uint32(b[80:])), le.Uint32(b[84:]), Venue(le.Uint16(b[88:]))
	v.PoolType, v.Decimals0, v.Decimals1 = b[90], b[91], b[92]
	v.Pool, v.Token0, v.Token1 = Address(b[96:116]), Address(b[128:148]), Address(b[160:180])
	return v, true
}

// PoolState adds a state. ErrLayout in packed messages.
func (w *Builder) PoolState(v *PoolState) {
	b := w.alignedOnly(TypePoolState, stateAligned)
	if b == nil {
		return
	}
	put128(b, v.Reserve0)
	put128(b[16:], v.Reserve1)
	put128(b[32:], v.SqrtPrice)
	put128(b[48:], v.Liquidity)
	le.PutUint64(b[64:], v.Block)
	le.PutUint64(b[72:], v.Timestamp)
	le.PutUint32(b[80:], uint32(v.Tick))
	le.PutUint32(b[84:], v.FeeRate)
	le.PutUint16(b[88:], uint16(v.Venue))
	b[90], b[91], b[92] = v.PoolType, v.Decimals0, v.Decimals1
	putAddress32(b[96:], &v.Pool)
	putAddress32(b[128:], &v.Token0)
	putAddress32(b[160:], &v.Token1)
}

// alignedOnly is zeroed for types without a packed layout.
func (w *Builder) alignedOnly(t Type, n int) []byte {
	if w.dialect != Aligned {
		return w.fail(noLayout)
	}
	return w.zeroed(t, n)
}
