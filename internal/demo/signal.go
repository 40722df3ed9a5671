package demo

import (
	"encoding/binary"

	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/tlv"
)

var le = binary.LittleEndian

// signal is what the strategy says about one trade. On the wire it is two TLVs in the signal domain: a SignalIdentity,
// which has 16 bytes and no layout anywhere, and a vendor TLV, ExperimentalSignal. Both are laid out here.
//
//	SignalIdentity       0 strategy u16 · 2 confidence u8 (percent) · 3 reserved u8 · 4 nonce u32 · 8 signal u64
//	ExperimentalSignal   0 ring u64 · 8 trade u64 · 16 asset_id u64 · 24 stamp u64
//	                    32 mean i64 · 40 deviation i64 · 48 vwap i64 · 56 momentum i64 (all ×1e8)
//
// ring and trade name the trade's frame, stamp is the instant it was meant to be sent: so whoever holds the signal can
// account for the trade.
type signal struct {
	statistics
	number uint64 // of the signal in its own ring
	ring   uint64
	trade  uint64
	asset  uint64
	stamp  uint64
}

const (
	identitySize = 16
	figuresSize  = 64
	signalSize   = tlv.HeaderSize + 2 + identitySize + 2 + figuresSize

	signalRoom = (signalSize + ring.HeaderSize + 7) &^ 7 // in a ring
)

// put writes the message into b, of signalSize bytes.
func (s *signal) put(b []byte, at uint64) error {
	var identity [identitySize]byte
	var figures [figuresSize]byte
	le.PutUint16(identity[0:], uint16(tlv.SourceTrendFollower))
	identity[2] = s.fill
	le.PutUint32(identity[4:], uint32(s.trade))
	le.PutUint64(identity[8:], s.number)
	for i, v := range [...]uint64{s.ring, s.trade, s.asset, s.stamp, uint64(s.mean), uint64(s.deviation), uint64(s.vwap), uint64(s.momentum)} {
		le.PutUint64(figures[8*i:], v)
	}
	w := tlv.Build(b, tlv.Aligned, &tlv.Header{RelayDomain: tlv.From1.RelayDomain(tlv.Signal), Source: tlv.SourceTrendFollower,
		Sequence: s.number, Timestamp: at})
	w.Raw(tlv.TypeSignalIdentity, identity[:])
	w.Raw(tlv.TypeExperimentalSignal, figures[:])
	_, err := w.Finish()
	return err
}

// load reads the signal out of a parsed message; false when it is none.
func (s *signal) load(m tlv.Message) bool {
	identity, ok1 := m.Find(tlv.TypeSignalIdentity)
	figures, ok2 := m.Find(tlv.TypeExperimentalSignal)
	i, f := identity.Payload, figures.Payload
	if !ok1 || !ok2 || len(i) != identitySize || len(f) != figuresSize || m.Source() != tlv.SourceTrendFollower {
		return false
	}
	s.fill, s.number = i[2], le.Uint64(i[8:])
	s.ring, s.trade, s.asset, s.stamp = le.Uint64(f), le.Uint64(f[8:]), le.Uint64(f[16:]), le.Uint64(f[24:])
	s.mean, s.deviation = int64(le.Uint64(f[32:])), int64(le.Uint64(f[40:]))
	s.vwap, s.momentum = int64(le.Uint64(f[48:])), int64(le.Uint64(f[56:]))
	return true
}
