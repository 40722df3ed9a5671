package tlv

// Side is the aggressor's side of a trade.
type Side uint8

// The sides.
const (
	Buy  Side = 0
	Sell Side = 1
)

// Trade is one execution on a venue. Prices and volumes are ×1e8.
type Trade struct {
	AssetID   uint64    `json:"asset_id"`
	Price     int64     `json:"price"`
	Volume    int64     `json:"volume"`
	Timestamp uint64    `json:"timestamp_ns"`
	Venue     Venue     `json:"venue_id"`
	AssetType AssetType `json:"asset_type"`
	Reserved  uint8     `json:"reserved"`
	Side      Side      `json:"side"`
}

// aligned 40   0 asset_id  8 price  16 volume  24 ts  32 venue  34 type  35 res  36 side  37 pad
// packed  37   0 venue  2 type  3 res  4 asset_id  12 price  20 volume  28 side  29 ts
const (
	tradeAligned = 40
	tradePacked  = 37
)

// Trade loads a Trade; ok is false for other types and sizes.
func (t TLV) Trade() (v Trade, ok bool) {
	ok = v.Load(t)
	return v, ok
}

// Load is TLV.Trade into memory the caller already has: on hot paths it saves a copy of the struct, which costs more
// than reading the fields. When it returns false v is unchanged.
func (v *Trade) Load(t TLV) bool {
	b := t.Payload
	if t.Type != TypeTrade || t.Dialect != Aligned || len(b) != tradeAligned {
		return v.loadPacked(t)
	}
	v.AssetID, v.Price, v.Volume = le.Uint64(b), int64(le.Uint64(b[8:])), int64(le.Uint64(b[16:]))
	v.Timestamp, v.Venue = le.Uint64(b[24:]), Venue(le.Uint16(b[32:]))
	v.AssetType, v.Reserved, v.Side = AssetType(b[34]), b[35], Side(b[36])
	return true
}

func (v *Trade) loadPacked(t TLV) bool {
	b := t.Payload
	if t.Type != TypeTrade || t.Dialect != Packed || len(b) != tradePacked {
		return false
	}
	v.Venue, v.AssetType, v.Reserved = Venue(le.Uint16(b)), AssetType(b[2]), b[3]
	v.AssetID, v.Price, v.Volume = le.Uint64(b[4:]), int64(le.Uint64(b[12:])), int64(le.Uint64(b[20:]))
	v.Side, v.Timestamp = Side(b[28]), le.Uint64(b[29:])
	return true
}

func (v *Trade) put(b []byte) {
	b = b[:tradeAligned]
	le.PutUint64(b, v.AssetID)
	le.PutUint64(b[8:], uint64(v.Price))
	le.PutUint64(b[16:], uint64(v.Volume))
	le.PutUint64(b[24:], v.Timestamp)
	// One store for venue, type, reserved, side and the padding.
	le.PutUint64(b[32:], uint64(v.Venue)|uint64(v.AssetType)<<16|uint64(v.Reserved)<<24|uint64(v.Side)<<32)
}

func (v *Trade) putPacked(b []byte) {
	b = b[:tradePacked]
	le.PutUint16(b, uint16(v.Venue))
	b[2], b[3] = byte(v.AssetType), v.Reserved
	le.PutUint64(b[4:], v.AssetID)
	le.PutUint64(b[12:], uint64(v.Price))
	le.PutUint64(b[20:], uint64(v.Volume))
	b[28] = byte(v.Side)
	le.PutUint64(b[29:], v.Timestamp)
}

// Trade adds a Trade.
func (w *Builder) Trade(v *Trade) {
	if w.dialect == Packed {
		if b := w.reserve(TypeTrade, tradePacked); b != nil {
			v.putPacked(b)
		}
		return
	}
	if b := w.reserve(TypeTrade, tradeAligned); b != nil {
		v.put(b)
	}
}

// TradeMessageSize is the length of an aligned message with one Trade, bytes.
const TradeMessageSize = HeaderSize + 2 + tradeAligned

// PutTrade writes an aligned message with one Trade into dst, checksum unset, and returns its size.
// It is the short way of a Builder for the most frequent message; SetChecksum completes it where a checksum is wanted.
// ErrSpace when dst is shorter than TradeMessageSize.
func PutTrade(dst []byte, h *Header, v *Trade) (int, error) {
	if len(dst) < TradeMessageSize {
		return 0, ErrSpace
	}
	dst = dst[:TradeMessageSize]
	h.put(dst, Aligned, 2+tradeAligned)
	dst[HeaderSize], dst[HeaderSize+1] = byte(TypeTrade), tradeAligned
	v.put(dst[HeaderSize+2:])
	return TradeMessageSize, nil
}

// SetChecksum computes and stores the checksum of a finished message of at least HeaderSize bytes.
func SetChecksum(msg []byte) { le.PutUint32(msg[28:], Checksum(msg)) }

// Quote is the best bid and ask. Prices and sizes are ×1e8.
type Quote struct {
	AssetID   uint64    `json:"asset_id"`
	BidPrice  int64     `json:"bid_price"`
	BidSize   int64     `json:"bid_size"`
	AskPrice  int64     `json:"ask_price"`
	AskSize   int64     `json:"ask_size"`
	Timestamp uint64    `json:"timestamp_ns"`
	Venue     Venue     `json:"venue_id"`
	AssetType AssetType `json:"asset_type"`
	Reserved  uint8     `json:"reserved"`
}

// aligned 56   0 asset_id  8 bid px  16 bid size  24 ask px  32 ask size  40 ts  48 venue  50 type  51 res  52 pad
// packed  52   0 venue  2 type  3 res  4 asset_id  12 bid px  20 bid size  28 ask px  36 ask size  44 ts
const (
	quoteAligned = 56
	quotePacked  = 52
)

// Quote loads a Quote; ok is false for other types and sizes. An aligned Quote of the registry's 52 bytes lacks only the
// padding of the struct's 56 and is read too.
func (t TLV) Quote() (v Quote, ok bool) {
	b := t.Payload
	switch {
	case t.Type != TypeQuote:
		return v, false
	case t.Dialect == Aligned && (len(b) == quoteAligned || len(b) == quoteAligned-4):
		v.quotes(b[8:])
		v.AssetID, v.Timestamp = le.Uint64(b), le.Uint64(b[40:])
		v.Venue, v.AssetType, v.Reserved = Venue(le.Uint16(b[48:])), AssetType(b[50]), b[51]
	case t.Dialect == Packed && len(b) == quotePacked:
		v.quotes(b[12:])
		v.AssetID, v.Timestamp = le.Uint64(b[4:]), le.Uint64(b[44:])
		v.Venue, v.AssetType, v.Reserved = Venue(le.Uint16(b)), AssetType(b[2]), b[3]
	default:
		return v, false
	}
	return v, true
}

func (v *Quote) quotes(b []byte) {
	v.BidPrice, v.BidSize = int64(le.Uint64(b)), int64(le.Uint64(b[8:]))
	v.AskPrice, v.AskSize = int64(le.Uint64(b[16:])), int64(le.Uint64(b[24:]))
}

func (v *Quote) putQuotes(b []byte) {
	le.PutUint64(b, uint64(v.BidPrice))
	le.PutUint64(b[8:], uint64(v.BidSize))
	le.PutUint64(b[16:], uint64(v.AskPrice))
	le.PutUint64(b[24:], uint64(v.AskSize))
}

// Quote adds a Quote, in aligned messages with the struct's 56 bytes.
func (w *Builder) Quote(v *Quote) {
	if w.dialect == Packed {
		if b := w.reserve(TypeQuote, quotePacked); b != nil {
			le.PutUint16(b, uint16(v.Venue))
			b[2], b[3] = byte(v.AssetType), v.Reserved
			le.PutUint64(b[4:], v.AssetID)
			v.putQuotes(b[12:])
			le.PutUint64(b[44:], v.Timestamp)
		}
		return
	}
	if b := w.reserve(TypeQuote, quoteAligned); b != nil {
		le.PutUint64(b, v.AssetID)
		v.putQuotes(b[8:])
		le.PutUint64(b[40:], v.Timestamp)
		le.PutUint16(b[48:], uint16(v.Venue))
		b[50], b[51] = byte(v.AssetType), v.Reserved
		le.PutUint32(b[52:], 0)
	}
}
