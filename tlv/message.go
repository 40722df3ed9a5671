package tlv

// Message is a parsed message: a small value that points into the bytes it was parsed from and is valid as long as they
// are. The zero Message is empty.
type Message struct {
	raw  []byte
	mark marks
}

// marks is what parsing found out, a byte each: dialect, numbering, domain, checksum state. One word, so that a Message
// travels in four registers.
type marks uint32

const (
	numberingShift = 8
	domainShift    = 16
	checksumShift  = 24
)

func (k marks) dialect() Dialect { return Dialect(k) }
func (k marks) domain() Domain   { return Domain(k >> domainShift) }

// Bytes is the message, header first. After an error it is what there was of it.
func (m Message) Bytes() []byte { return m.raw }

// Dialect is the layout of the message, 0 when there was no header to tell.
func (m Message) Dialect() Dialect { return m.mark.dialect() }

// Numbering is the one that gave Domain: From1 or From0.
func (m Message) Numbering() Numbering { return Numbering(m.mark >> numberingShift & 0xFF) }

// Domain is what relay_domain means, 0 when nothing.
func (m Message) Domain() Domain { return m.mark.domain() }

// Checksum is what is known about the checksum. PolicySkip leaves it unchecked unless it is unset.
func (m Message) Checksum() ChecksumState { return ChecksumState(m.mark >> checksumShift) }

// Header loads the header.
func (m Message) Header() (h Header) {
	if m.mark.dialect() != 0 {
		h.load(m.raw, m.mark.dialect())
	}
	return h
}

// Source loads the source alone.
func (m Message) Source() Source {
	if len(m.raw) < HeaderSize {
		return 0
	}
	return Source(m.raw[6])
}

// Sequence loads the sequence number alone.
func (m Message) Sequence() uint64 {
	if len(m.raw) < HeaderSize {
		return 0
	}
	if m.mark.dialect() == Packed {
		return le.Uint64(m.raw[12:])
	}
	return le.Uint64(m.raw[8:])
}

// TLVs starts a walk over the message's TLVs.
func (m Message) TLVs() Walker {
	if len(m.raw) < HeaderSize {
		return Walker{}
	}
	return Walker{b: m.raw[HeaderSize:], dialect: m.mark.dialect()}
}

// Find returns the first TLV of type t.
func (m Message) Find(t Type) (TLV, bool) {
	if len(m.raw) > HeaderSize+1 && m.raw[HeaderSize] == byte(t) && t != TypeExtended {
		if n := HeaderSize + 2 + int(m.raw[HeaderSize+1]); n <= len(m.raw) {
			return TLV{Payload: m.raw[HeaderSize+2 : n : n], Type: t, Dialect: m.mark.dialect()}, true
		}
	}
	return m.search(t)
}

// search is Find for a TLV that is not first in standard form.
func (m Message) search(t Type) (TLV, bool) {
	w := m.TLVs()
	for {
		found, ok := w.Next()
		if !ok || found.Type == t {
			return found, ok
		}
	}
}
