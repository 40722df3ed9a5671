package tlv

// Reason says why state was invalidated.
type Reason uint8

// The reasons.
const (
	ReasonDisconnect Reason = iota
	ReasonAuthFailure
	ReasonRateLimited
	ReasonStale
	ReasonMaintenance
	ReasonRecovery
)

// String is the reason's snake_case name, or "reason_N".
func (r Reason) String() string {
	names := [...]string{"disconnect", "auth_failure", "rate_limited", "stale", "maintenance", "recovery"}
	if int(r) < len(names) {
		return names[r]
	}
	return unnamed("reason", int(r))
}

// StateInvalidation says that what is known about these instruments of a venue is no longer true.
type StateInvalidation struct {
	Sequence    uint64             `json:"sequence"`
	Timestamp   uint64             `json:"timestamp_ns"`
	Venue       Venue              `json:"venue"`
	Reason      Reason             `json:"reason"`
	Instruments List[InstrumentID] `json:"-"`
}

// aligned 224           0 seq  8 ts  16 count u16, 6 pad, 16 × 12  216 venue  218 reason  219 pad 5
// packed 21+12n, BE!    0 venue  2 seq  10 count u16  12 n × (venue, type, res, asset id)  then reason, ts
const (
	invalidationAligned = 224
	invalidationSlots   = 16
	invalidationPacked  = 21
)

// StateInvalidation loads an invalidation; ok is false for other types and for counts that do not fit the payload.
// In packed messages everything is big endian, the only payload that is.
func (t TLV) StateInvalidation() (v StateInvalidation, ok bool) {
	b := t.Payload
	switch {
	case t.Type != TypeStateInvalidation:
		return v, false
	case t.Dialect == Aligned && len(b) == invalidationAligned:
		n := int(le.Uint16(b[16:]))
		if n > invalidationSlots {
			return v, false
		}
		v.Sequence, v.Timestamp = le.Uint64(b), le.Uint64(b[8:])
		v.Venue, v.Reason = Venue(le.Uint16(b[216:])), Reason(b[218])
		v.Instruments = wireList(b[24:24+n*InstrumentSize], InstrumentSize, instrumentAligned)
	case t.Dialect == Packed && len(b) >= invalidationPacked &&
		len(b) == invalidationPacked+InstrumentSize*int(be.Uint16(b[10:])):
		end := len(b) - 9
		v.Venue, v.Sequence = Venue(be.Uint16(b)), be.Uint64(b[2:])
		v.Reason, v.Timestamp = Reason(b[end]), be.Uint64(b[end+1:])
		v.Instruments = wireList(b[12:end], InstrumentSize, instrumentBE)
	default:
		return v, false
	}
	return v, true
}

// StateInvalidation adds an invalidation. ErrRange: more than 16 instruments in an aligned message, or more than
// 65,535 bytes in a packed one.
func (w *Builder) StateInvalidation(v *StateInvalidation) {
	n := v.Instruments.Len()
	if w.dialect == Packed {
		w.invalidationPacked(v, n)
		return
	}
	if n > invalidationSlots {
		w.fail(outOfRange)
		return
	}
	b := w.zeroed(TypeStateInvalidation, invalidationAligned)
	if b == nil {
		return
	}
	le.PutUint64(b, v.Sequence)
	le.PutUint64(b[8:], v.Timestamp)
	le.PutUint16(b[16:], uint16(n))
	for i := range n {
		v.Instruments.At(i).Put(b[24+i*InstrumentSize:], Aligned)
	}
	le.PutUint16(b[216:], uint16(v.Venue))
	b[218] = byte(v.Reason)
}

func (w *Builder) invalidationPacked(v *StateInvalidation, n int) {
	b := w.reserve(TypeStateInvalidation, invalidationPacked+n*InstrumentSize)
	if b == nil {
		return
	}
	be.PutUint16(b, uint16(v.Venue))
	be.PutUint64(b[2:], v.Sequence)
	be.PutUint16(b[10:], uint16(n))
	for i := range n {
		putInstrumentBE(b[12+i*InstrumentSize:], v.Instruments.At(i))
	}
	end := len(b) - 9
	b[end] = byte(v.Reason)
	be.PutUint64(b[end+1:], v.Timestamp)
}
