package ring

import "encoding/binary"

// Record is one record as it lies in the ring: a header of 16 bytes and the payload. It is valid until it is released
// (gate) or until the next Peek (lossy).
type Record []byte

// Payload returns the message.
func (r Record) Payload() []byte { return r[HeaderSize:] }

// Stamp returns what the writer lent with SetStamp when it committed the record, 0 if nothing.
func (r Record) Stamp() uint64 { return binary.LittleEndian.Uint64(r[8:]) }

// Seq32 returns the low half of the record's sequence number.
func (r Record) Seq32() uint32 { return binary.LittleEndian.Uint32(r[4:]) }
