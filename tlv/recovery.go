package tlv

import "hash/crc32"

// RequestType is what a RecoveryRequest asks for.
type RequestType uint8

// The request types.
const (
	Retransmit RequestType = 1
	FullState  RequestType = 2 // "snapshot"
)

// String is "retransmit", "snapshot" or "request_N".
func (r RequestType) String() string {
	switch r {
	case Retransmit:
		return "retransmit"
	case FullState:
		return "snapshot"
	}
	return unnamed("request", int(r))
}

// RecoveryRequest asks the sender of a stream for what is missing between two sequence numbers. It does not name the
// stream: it goes back on the connection of the gap, and its message's header carries the domain of the gap.
type RecoveryRequest struct {
	LastSequence    uint64      `json:"last_sequence"`    // the last one in order
	CurrentSequence uint64      `json:"current_sequence"` // the one that revealed the gap
	Consumer        uint32      `json:"consumer_id"`
	Request         RequestType `json:"request_type"`
}

//	aligned 24  0 last  8 current  16 consumer  20 type  21 res 3
//	packed  24  0 type (110)  1 length (20)  2 consumer  6 last  14 current  22 type  23 res
//
// The packed payload repeats a TLV header inside itself, with a length that is wrong; both are written and ignored.
const recoverySize = 24

// RecoveryRequest loads a request; ok is false for other types and sizes.
func (t TLV) RecoveryRequest() (v RecoveryRequest, ok bool) {
	b := t.Payload
	switch {
	case t.Type != TypeRecoveryRequest || len(b) != recoverySize:
		return v, false
	case t.Dialect == Packed:
		v.Consumer, v.LastSequence = le.Uint32(b[2:]), le.Uint64(b[6:])
		v.CurrentSequence, v.Request = le.Uint64(b[14:]), RequestType(b[22])
	default:
		v.LastSequence, v.CurrentSequence = le.Uint64(b), le.Uint64(b[8:])
		v.Consumer, v.Request = le.Uint32(b[16:]), RequestType(b[20])
	}
	return v, true
}

// RecoveryRequest adds a request.
func (w *Builder) RecoveryRequest(v *RecoveryRequest) {
	b := w.zeroed(TypeRecoveryRequest, recoverySize)
	if b == nil {
		return
	}
	if w.dialect == Packed {
		b[0], b[1] = byte(TypeRecoveryRequest), 20
		le.PutUint32(b[2:], v.Consumer)
		le.PutUint64(b[6:], v.LastSequence)
		le.PutUint64(b[14:], v.CurrentSequence)
		b[22] = byte(v.Request)
		return
	}
	le.PutUint64(b, v.LastSequence)
	le.PutUint64(b[8:], v.CurrentSequence)
	le.PutUint32(b[16:], v.Consumer)
	b[20] = byte(v.Request)
}

// Compression of a Snapshot's body. The original never implemented any.
const (
	CompressionNone = iota
	CompressionZlib
	CompressionLZ4
	CompressionZstd
)

// Snapshot is a relay's whole state: a header and a body, JSON in the original. The Body of a loaded Snapshot points
// into the message.
type Snapshot struct {
	Sequence         uint64 `json:"sequence"`
	Timestamp        uint64 `json:"timestamp"` // ns since the Unix epoch
	ID               uint32 `json:"snapshot_id"`
	Checksum         uint32 `json:"checksum"` // CRC-32 of the body; a Builder computes it
	UncompressedSize uint32 `json:"uncompressed_size"`
	Compression      uint8  `json:"compression_type"`
	Body             []byte `json:"-"`
}

// aligned 32  0 seq  8 ts  16 id  20 crc  24 size  28 type (101)  29 length (32)  30 compression  31 pad, then body
// packed  34  0 type (101)  1 length (32)  2 id  6 seq  14 ts  22 compression  23 crc  27 size  31 res 3, then body
const (
	snapshotAligned = 32
	snapshotPacked  = 34
)

// Snapshot loads a snapshot; ok is false for other types and payloads shorter than its header.
// Whether the body matches the checksum is for BodyOK to say.
func (t TLV) Snapshot() (v Snapshot, ok bool) {
	b := t.Payload
	switch {
	case t.Type != TypeSnapshot:
		return v, false
	case t.Dialect == Packed && len(b) >= snapshotPacked:
		v.ID, v.Sequence, v.Timestamp = le.Uint32(b[2:]), le.Uint64(b[6:]), le.Uint64(b[14:])
		v.Compression, v.Checksum, v.UncompressedSize = b[22], le.Uint32(b[23:]), le.Uint32(b[27:])
		v.Body = b[snapshotPacked:]
	case t.Dialect == Aligned && len(b) >= snapshotAligned:
		v.Sequence, v.Timestamp, v.ID = le.Uint64(b), le.Uint64(b[8:]), le.Uint32(b[16:])
		v.Checksum, v.UncompressedSize, v.Compression = le.Uint32(b[20:]), le.Uint32(b[24:]), b[30]
		v.Body = b[snapshotAligned:]
	default:
		return v, false
	}
	return v, true
}

// BodyOK reports whether the body matches the snapshot's checksum.
func (v *Snapshot) BodyOK() bool { return crc32.ChecksumIEEE(v.Body) == v.Checksum }

// Snapshot adds a snapshot. ErrRange: a body that makes the TLV longer than 65,535 bytes.
func (w *Builder) Snapshot(v *Snapshot) {
	head := snapshotAligned
	if w.dialect == Packed {
		head = snapshotPacked
	}
	b := w.reserve(TypeSnapshot, head+len(v.Body))
	if b == nil {
		return
	}
	clear(b[:head])
	crc := crc32.ChecksumIEEE(v.Body)
	if w.dialect == Packed {
		b[0], b[1] = byte(TypeSnapshot), snapshotPacked-2
		le.PutUint32(b[2:], v.ID)
		le.PutUint64(b[6:], v.Sequence)
		le.PutUint64(b[14:], v.Timestamp)
		b[22] = v.Compression
		le.PutUint32(b[23:], crc)
		le.PutUint32(b[27:], v.UncompressedSize)
	} else {
		le.PutUint64(b, v.Sequence)
		le.PutUint64(b[8:], v.Timestamp)
		le.PutUint32(b[16:], v.ID)
		le.PutUint32(b[20:], crc)
		le.PutUint32(b[24:], v.UncompressedSize)
		b[28], b[29], b[30] = byte(TypeSnapshot), snapshotAligned, v.Compression
	}
	copy(b[head:], v.Body)
}

// Put writes the request as a whole message. h is the asking side's header; its domain is set to that of the gap.
func (r Recovery) Put(dst []byte, d Dialect, h Header, numbering Numbering) (int, error) {
	h.RelayDomain = numbering.RelayDomain(r.Domain)
	w := Build(dst, d, &h)
	w.RecoveryRequest(&r.Request)
	return w.Finish()
}
