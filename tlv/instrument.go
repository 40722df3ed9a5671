package tlv

// InstrumentID names something that trades: 12 bytes on the wire in both dialects, in different order.
//
//	aligned  0 asset_id u64  8 venue u16  10 asset type  11 reserved
//	packed   0 venue u16  2 asset type  3 reserved  4 asset_id u64
type InstrumentID struct {
	AssetID   uint64    `json:"asset_id"`
	Venue     Venue     `json:"venue_id"`
	AssetType AssetType `json:"asset_type"`
	Reserved  uint8     `json:"reserved"` // 1 marks a pool of three tokens
}

// InstrumentSize is the wire size of an InstrumentID, bytes.
const InstrumentSize = 12

// SymbolID is the asset id of a ticker: its first eight bytes read big endian, zero padded. Longer symbols that agree in
// eight bytes collide.
func SymbolID(symbol string) (id uint64) {
	for i := range 8 {
		id <<= 8
		if i < len(symbol) {
			id |= uint64(symbol[i])
		}
	}
	return id
}

// SymbolOf is the inverse of SymbolID for symbols of up to eight bytes without zero bytes at the end.
func SymbolOf(id uint64) string {
	var b [8]byte
	be.PutUint64(b[:], id)
	n := len(b)
	for n > 0 && b[n-1] == 0 {
		n--
	}
	return string(b[:n])
}

// Coin is a coin or a pair of coins on a venue.
func Coin(v Venue, symbol string) InstrumentID {
	return InstrumentID{AssetID: SymbolID(symbol), Venue: v, AssetType: AssetCoin}
}

// Stock is a share on a venue.
func Stock(v Venue, symbol string) InstrumentID {
	return InstrumentID{AssetID: SymbolID(symbol), Venue: v, AssetType: AssetStock}
}

// Token is an EVM token on a chain: its asset id is the first eight bytes of the address, big endian.
func Token(chain Venue, a Address) InstrumentID {
	return InstrumentID{AssetID: be.Uint64(a[:]), Venue: chain, AssetType: AssetToken}
}

// Pool is a liquidity pool of two tokens; their order does not matter. Its asset id is min×31 + max, wrapping.
func Pool(v Venue, a, b InstrumentID) InstrumentID {
	lo, hi := min(a.AssetID, b.AssetID), max(a.AssetID, b.AssetID)
	return InstrumentID{AssetID: lo*31 + hi, Venue: v, AssetType: AssetPool}
}

// Option is an option contract. The asset id packs strike << 32, 20 bits of expiry << 12, the call bit << 11 and 11 bits
// of a hash of the underlying's symbol; what is above those widths is cut.
func Option(v Venue, strike, expiry uint32, call bool, symbolHash uint16) InstrumentID {
	id := uint64(strike)<<32 | uint64(expiry&0xFFFFF)<<12 | uint64(symbolHash&0x7FF)
	if call {
		id |= 1 << 11
	}
	return InstrumentID{AssetID: id, Venue: v, AssetType: AssetOption}
}

// Key64 is the original's cache key: venue << 48 | type << 40 | the low 40 bits of the asset id.
// It is lossy: BTC/USD and ETH/USD on one venue share a key. Use Key128 to tell instruments apart.
func (id InstrumentID) Key64() uint64 {
	return uint64(id.Venue)<<48 | uint64(id.AssetType)<<40 | id.AssetID&(1<<40-1)
}

// FromKey64 is what a Key64 still says: the asset id has only its low 40 bits.
func FromKey64(key uint64) InstrumentID {
	return InstrumentID{AssetID: key & (1<<40 - 1), Venue: Venue(key >> 48), AssetType: AssetType(key >> 40)}
}

// Key128 is venue << 80 | type << 72 | reserved << 64 | asset id: lossless.
func (id InstrumentID) Key128() Uint128 {
	return Uint128{Lo: id.AssetID, Hi: uint64(id.Venue)<<16 | uint64(id.AssetType)<<8 | uint64(id.Reserved)}
}

// Put writes id into b, at least InstrumentSize bytes, in dialect d.
func (id InstrumentID) Put(b []byte, d Dialect) {
	b = b[:InstrumentSize]
	if d == Packed {
		le.PutUint16(b, uint16(id.Venue))
		b[2], b[3] = byte(id.AssetType), id.Reserved
		le.PutUint64(b[4:], id.AssetID)
		return
	}
	le.PutUint64(b, id.AssetID)
	le.PutUint16(b[8:], uint16(id.Venue))
	b[10], b[11] = byte(id.AssetType), id.Reserved
}

// Instrument reads an InstrumentID from b, at least InstrumentSize bytes, in dialect d.
func Instrument(b []byte, d Dialect) InstrumentID {
	b = b[:InstrumentSize]
	if d == Packed {
		return InstrumentID{le.Uint64(b[4:]), Venue(le.Uint16(b)), AssetType(b[2]), b[3]}
	}
	return InstrumentID{le.Uint64(b), Venue(le.Uint16(b[8:])), AssetType(b[10]), b[11]}
}

func instrumentAligned(b []byte) InstrumentID { return Instrument(b, Aligned) }

// instrumentBE reads the big-endian form that packed StateInvalidation alone uses.
func instrumentBE(b []byte) InstrumentID {
	return InstrumentID{be.Uint64(b[4:]), Venue(be.Uint16(b)), AssetType(b[2]), b[3]}
}

func putInstrumentBE(b []byte, id InstrumentID) {
	be.PutUint16(b, uint16(id.Venue))
	b[2], b[3] = byte(id.AssetType), id.Reserved
	be.PutUint64(b[4:], id.AssetID)
}
