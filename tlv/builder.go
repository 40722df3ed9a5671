package tlv

import (
	"errors"
	"math"
)

var (
	// ErrSpace: the destination is too short for the message. Claim more bytes.
	ErrSpace = errors.New("tlv: destination too short")
	// ErrLayout: the dialect has no layout for this type. Send it opaque, or in the other dialect.
	ErrLayout = errors.New("tlv: no layout in this dialect")
	// ErrRange: a value or list is beyond what the layout can hold. Nothing was written.
	ErrRange = errors.New("tlv: value beyond its layout")
	// ErrTypeReserved: types 0 and 255 cannot be TLVs.
	ErrTypeReserved = errors.New("tlv: reserved type")
	// ErrDialect: the dialect is neither Aligned nor Packed. Nothing was written; name one, or 0 for Aligned.
	ErrDialect = errors.New("tlv: unknown dialect")
)

// Builder writes one message into the caller's bytes, a ring's claimed record for instance. It keeps the first error
// and ignores everything after it; Finish reports it. The zero Builder is not valid: use Build.
type Builder struct {
	buf     []byte
	n       uint32 // written so far
	dialect Dialect
	err     refusal // the first one
}

// refusal is a small error: it keeps a Builder within four words, so that Build returns it in registers.
type refusal uint8

const (
	noSpace refusal = 1 + iota
	noLayout
	outOfRange
	reservedType
	unknownDialect
)

var refusals = [...]error{noSpace: ErrSpace, noLayout: ErrLayout, outOfRange: ErrRange, reservedType: ErrTypeReserved,
	unknownDialect: ErrDialect}

// Build starts a message in dst with this header. Dialect 0 is Aligned; Finish refuses an unknown one. PayloadSize and
// Checksum are for Finish to compute. dst is the message's limit too: slice it to bound the message.
func Build(dst []byte, d Dialect, h *Header) Builder {
	if d == 0 {
		d = Aligned
	}
	if d > Packed {
		return Builder{err: unknownDialect}
	}
	if len(dst) < HeaderSize {
		return Builder{err: noSpace}
	}
	h.put(dst, d, 0)
	return Builder{buf: dst[:min(len(dst), math.MaxInt32)], n: HeaderSize, dialect: d}
}

// Raw adds a TLV of any type with these bytes, in extended form when they are more than 255.
// It does not judge the size: what the registry refuses can be built for tests and probes.
func (w *Builder) Raw(t Type, payload []byte) {
	if b := w.reserve(t, len(payload)); b != nil {
		copy(b, payload)
	}
}

// RawExtended adds a TLV in extended form whatever its size.
func (w *Builder) RawExtended(t Type, payload []byte) {
	if b := w.extended(t, len(payload)); b != nil {
		copy(b, payload)
	}
}

// Finish completes the header with size and checksum and returns the size of the message.
func (w *Builder) Finish() (int, error) {
	n, err := w.FinishUnset()
	if err == nil {
		SetChecksum(w.buf[:n])
	}
	return n, err
}

// FinishUnset is Finish with checksum 0, for domains whose readers do not ask for one.
func (w *Builder) FinishUnset() (int, error) {
	if w.err != 0 {
		return 0, refusals[w.err]
	}
	le.PutUint32(w.buf[sizeOffset(w.dialect):], w.n-HeaderSize)
	return int(w.n), nil
}

// reserve writes a TLV header and returns its payload bytes (not nil, perhaps empty), or nil after an error.
func (w *Builder) reserve(t Type, n int) []byte {
	if n > 255 {
		return w.extended(t, n)
	}
	at := int(w.n)
	if w.err != 0 || n > len(w.buf)-at-2 || t == 0 || t == TypeExtended {
		return w.refuse(t)
	}
	w.buf[at], w.buf[at+1] = byte(t), byte(n)
	end := at + 2 + n
	w.n = uint32(end)
	return w.buf[at+2 : end : end]
}

func (w *Builder) extended(t Type, n int) []byte {
	at := int(w.n)
	if n > 65535 {
		return w.fail(outOfRange)
	}
	if w.err != 0 || n > len(w.buf)-at-5 || t == 0 || t == TypeExtended {
		return w.refuse(t)
	}
	w.buf[at], w.buf[at+1], w.buf[at+2] = byte(TypeExtended), 0, byte(t)
	le.PutUint16(w.buf[at+3:], uint16(n))
	end := at + 5 + n
	w.n = uint32(end)
	return w.buf[at+5 : end : end]
}

func (w *Builder) refuse(t Type) []byte {
	if t == 0 || t == TypeExtended {
		return w.fail(reservedType)
	}
	return w.fail(noSpace)
}

func (w *Builder) fail(err refusal) []byte {
	if w.err == 0 {
		w.err = err
	}
	return nil
}

// zeroed is reserve with every byte 0, for layouts with padding.
func (w *Builder) zeroed(t Type, n int) []byte {
	b := w.reserve(t, n)
	clear(b)
	return b
}
