package tlv

// Level is one price level of an order book, ×1e8.
type Level struct {
	Price int64  `json:"price"`
	Size  int64  `json:"size"`
	Count uint32 `json:"order_count"` // orders at this price
}

const levelSize = 24 // 0 price  8 size  16 order count u32  20 reserved u32

func getLevel(b []byte) Level {
	return Level{int64(le.Uint64(b)), int64(le.Uint64(b[8:])), le.Uint32(b[16:])}
}

func putLevels(b []byte, levels List[Level]) {
	for i := range levels.Len() {
		v := levels.At(i)
		le.PutUint64(b, uint64(v.Price))
		le.PutUint64(b[8:], uint64(v.Size))
		le.PutUint32(b[16:], v.Count)
		le.PutUint32(b[20:], 0)
		b = b[levelSize:]
	}
}

// OrderBook is a snapshot of both sides of a book. Two layouts exist, both aligned only.
//
//	running  0 asset_id  8 venue  10 type  11 res  12 ts  20 seq  28 precision  36 bid count u32, bids, ask count u32, asks
//	fixed    0 ts  8 seq  16 precision  24 asset_id  32 venue  34 type  35 res  36 pad
//	         40 bids  1248 asks: each count u16, 6 pad, 50 levels; 2456 in all
type OrderBook struct {
	AssetID   uint64      `json:"asset_id"`
	Timestamp uint64      `json:"timestamp_ns"`
	Sequence  uint64      `json:"sequence"`
	Precision int64       `json:"precision_factor"` // 1e8 for prices ×1e8
	Venue     Venue       `json:"venue_id"`
	AssetType AssetType   `json:"asset_type"`
	Reserved  uint8       `json:"reserved"`
	Fixed     bool        `json:"fixed"` // the layout of 2456 bytes
	Bids      List[Level] `json:"-"`
	Asks      List[Level] `json:"-"`
}

const (
	bookFixed      = 2456
	bookFixedSide  = 1208
	bookFixedSlots = 50
	bookRunning    = 36
)

// OrderBook loads a book; ok is false for other types, packed messages, and counts that do not fit the payload.
// A payload of exactly 2456 bytes is the fixed layout, unless it reads as a running one to the last byte.
func (t TLV) OrderBook() (v OrderBook, ok bool) {
	if t.Type != TypeOrderBook || t.Dialect != Aligned {
		return v, false
	}
	if v, ok = runningBook(t.Payload); ok || len(t.Payload) != bookFixed {
		return v, ok
	}
	return fixedBook(t.Payload)
}

func runningBook(b []byte) (v OrderBook, ok bool) {
	if len(b) < bookRunning {
		return v, false
	}
	v.AssetID, v.Timestamp, v.Sequence = le.Uint64(b), le.Uint64(b[12:]), le.Uint64(b[20:])
	v.Precision, v.Venue = int64(le.Uint64(b[28:])), Venue(le.Uint16(b[8:]))
	v.AssetType, v.Reserved = AssetType(b[10]), b[11]
	bids, rest, ok := takeLevels(b[bookRunning:])
	if !ok {
		return OrderBook{}, false
	}
	asks, rest, ok := takeLevels(rest)
	if !ok || len(rest) != 0 {
		return OrderBook{}, false
	}
	v.Bids, v.Asks = bids, asks
	return v, true
}

func takeLevels(b []byte) (levels List[Level], rest []byte, ok bool) {
	if len(b) < 4 {
		return levels, nil, false
	}
	n := uint64(le.Uint32(b)) * levelSize
	if n > uint64(len(b)-4) {
		return levels, nil, false
	}
	return wireList(b[4:4+n], levelSize, getLevel), b[4+n:], true
}

func fixedBook(b []byte) (v OrderBook, ok bool) {
	v.Timestamp, v.Sequence, v.Precision = le.Uint64(b), le.Uint64(b[8:]), int64(le.Uint64(b[16:]))
	v.AssetID, v.Venue = le.Uint64(b[24:]), Venue(le.Uint16(b[32:]))
	v.AssetType, v.Reserved, v.Fixed = AssetType(b[34]), b[35], true
	side := func(b []byte) (List[Level], bool) {
		n := int(le.Uint16(b))
		if n > bookFixedSlots {
			return List[Level]{}, false
		}
		return wireList(b[8:8+n*levelSize], levelSize, getLevel), true
	}
	bids, ok1 := side(b[40:])
	asks, ok2 := side(b[40+bookFixedSide:])
	if !ok1 || !ok2 {
		return OrderBook{}, false
	}
	v.Bids, v.Asks = bids, asks
	return v, true
}

// OrderBook adds a book, aligned only (ErrLayout). ErrRange: more than 50 levels a side in the fixed layout, or more
// than 65,535 bytes in the running one.
func (w *Builder) OrderBook(v *OrderBook) {
	switch {
	case w.dialect != Aligned:
		w.fail(noLayout)
	case v.Fixed:
		w.bookFixed(v)
	default:
		w.bookRunning(v)
	}
}

func (w *Builder) bookRunning(v *OrderBook) {
	bids, asks := v.Bids.Len()*levelSize, v.Asks.Len()*levelSize
	b := w.reserve(TypeOrderBook, bookRunning+4+bids+4+asks)
	if b == nil {
		return
	}
	le.PutUint64(b, v.AssetID)
	le.PutUint16(b[8:], uint16(v.Venue))
	b[10], b[11] = byte(v.AssetType), v.Reserved
	le.PutUint64(b[12:], v.Timestamp)
	le.PutUint64(b[20:], v.Sequence)
	le.PutUint64(b[28:], uint64(v.Precision))
	le.PutUint32(b[36:], uint32(v.Bids.Len()))
	putLevels(b[40:], v.Bids)
	le.PutUint32(b[40+bids:], uint32(v.Asks.Len()))
	putLevels(b[44+bids:], v.Asks)
}

func (w *Builder) bookFixed(v *OrderBook) {
	if v.Bids.Len() > bookFixedSlots || v.Asks.Len() > bookFixedSlots {
		w.fail(outOfRange)
		return
	}
	b := w.zeroed(TypeOrderBook, bookFixed)
	if b == nil {
		return
	}
	le.PutUint64(b, v.Timestamp)
	le.PutUint64(b[8:], v.Sequence)
	le.PutUint64(b[16:], uint64(v.Precision))
	le.PutUint64(b[24:], v.AssetID)
	le.PutUint16(b[32:], uint16(v.Venue))
	b[34], b[35] = byte(v.AssetType), v.Reserved
	le.PutUint16(b[40:], uint16(v.Bids.Len()))
	putLevels(b[48:], v.Bids)
	le.PutUint16(b[40+bookFixedSide:], uint16(v.Asks.Len()))
	putLevels(b[48+bookFixedSide:], v.Asks)
}
