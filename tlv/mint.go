package tlv

// PoolMint is liquidity added to a pool; PoolBurn, of the same layout, liquidity taken out.
type PoolMint struct {
	Liquidity Uint128 `json:"liquidity_delta"`
	Amount0   Uint128 `json:"amount0"`
	Amount1   Uint128 `json:"amount1"`
	Timestamp uint64  `json:"timestamp_ns"`
	TickLower int32   `json:"tick_lower"`
	TickUpper int32   `json:"tick_upper"`
	Venue     Venue   `json:"venue"`
	Decimals0 uint8   `json:"token0_decimals"`
	Decimals1 uint8   `json:"token1_decimals"`
	Pool      Address `json:"pool_address"`
	Provider  Address `json:"provider"`
	Token0    Address `json:"token0"`
	Token1    Address `json:"token1"`
}

// PoolBurn is liquidity taken out of a pool.
type PoolBurn PoolMint

// aligned 208  0 liquidity  16 amount0  32 amount1  48 ts  56 tick lo  60 tick hi  64 venue  66 dec0  67 dec1
//
//	68 pool 32  100 provider 32  132 token0 32  164 token1 32  196 pad 12
//
// packed  148  0 venue  2 pool  22 token0  42 token1  62 provider  82 tick lo  86 tick hi
//
//	90 liquidity  106 amount0  122 amount1  138 dec0  139 dec1  140 ts
const (
	mintAligned = 208
	mintPacked  = 148
)

// PoolMint loads a mint; ok is false for other types and sizes.
func (t TLV) PoolMint() (v PoolMint, ok bool) {
	if t.Type != TypePoolMint {
		return v, false
	}
	return t.mint()
}

// PoolBurn loads a burn; ok is false for other types and sizes.
func (t TLV) PoolBurn() (v PoolBurn, ok bool) {
	if t.Type != TypePoolBurn {
		return v, false
	}
	m, ok := t.mint()
	return PoolBurn(m), ok
}

func (t TLV) mint() (v PoolMint, ok bool) {
	b := t.Payload
	switch {
	case t.Dialect == Aligned && len(b) == mintAligned:
		v.Liquidity, v.Amount0, v.Amount1 = get128(b), get128(b[16:]), get128(b[32:])
		v.Timestamp = le.Uint64(b[48:])
		v.TickLower, v.TickUpper = int32(le.Uint32(b[56:])), int32(le.Uint32(b[60:]))
		v.Venue, v.Decimals0, v.Decimals1 = Venue(le.Uint16(b[64:])), b[66], b[67]
		v.Pool, v.Provider = Address(b[68:88]), Address(b[100:120])
		v.Token0, v.Token1 = Address(b[132:152]), Address(b[164:184])
	case t.Dialect == Packed && len(b) == mintPacked:
		v.Venue, v.Pool = Venue(le.Uint16(b)), Address(b[2:22])
		v.Token0, v.Token1, v.Provider = Address(b[22:42]), Address(b[42:62]), Address(b[62:82])
		v.TickLower, v.TickUpper = int32(le.Uint32(b[82:])), int32(le.Uint32(b[86:]))
		v.Liquidity, v.Amount0, v.Amount1 = get128(b[90:]), get128(b[106:]), get128(b[122:])
		v.Decimals0, v.Decimals1, v.Timestamp = b[138], b[139], le.Uint64(b[140:])
	default:
		return v, false
	}
	return v, true
}

// PoolMint adds a mint.
func (w *Builder) PoolMint(v *PoolMint) { w.mint(TypePoolMint, v) }

// PoolBurn adds a burn.
func (w *Builder) PoolBurn(v *PoolBurn) { w.mint(TypePoolBurn, (*PoolMint)(v)) }

func (w *Builder) mint(t Type, v *PoolMint) {
	if w.dialect == Packed {
		w.mintPacked(t, v)
		return
	}
	b := w.zeroed(t, mintAligned)
	if b == nil {
		return
	}
	put128(b, v.Liquidity)
	put128(b[16:], v.Amount0)
	put128(b[32:], v.Amount1)
	le.PutUint64(b[48:], v.Timestamp)
	le.PutUint32(b[56:], uint32(v.TickLower))
	le.PutUint32(b[60:], uint32(v.TickUpper))
	le.PutUint16(b[64:], uint16(v.Venue))
	b[66], b[67] = v.Decimals0, v.Decimals1
	putAddress32(b[68:], &v.Pool)
	putAddress32(b[100:], &v.Provider)
	putAddress32(b[132:], &v.Token0)
	putAddress32(b[164:], &v.Token1)
}

func (w *Builder) mintPacked(t Type, v *PoolMint) {
	b := w.reserve(t, mintPacked)
	if b == nil {
		return
	}
	le.PutUint16(b, uint16(v.Venue))
	copy(b[2:], v.Pool[:])
	copy(b[22:], v.Token0[:])
	copy(b[42:], v.Token1[:])
	copy(b[62:], v.Provider[:])
	le.PutUint32(b[82:], uint32(v.TickLower))
	le.PutUint32(b[86:], uint32(v.TickUpper))
	put128(b[90:], v.Liquidity)
	put128(b[106:], v.Amount0)
	put128(b[122:], v.Amount1)
	b[138], b[139] = v.Decimals0, v.Decimals1
	le.PutUint64(b[140:], v.Timestamp)
}
