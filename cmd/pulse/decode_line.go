package main

import (
	"encoding/hex"
	"errors"

	"github.com/alphapulse/transport/tlv"
)

// decodedMessage is a line of pulse decode. Names and order are a contract (docs/decode.md).
type decodedMessage struct {
	Dialect       string          `json:"dialect"`
	Offset        int64           `json:"offset"`
	Magic         uint32          `json:"magic"`
	RelayDomain   uint8           `json:"relay_domain"`
	Version       uint8           `json:"version"`
	Source        uint8           `json:"source"`
	Flags         uint8           `json:"flags"`
	Sequence      uint64          `json:"sequence"`
	Timestamp     uint64          `json:"timestamp"`
	PayloadSize   uint32          `json:"payload_size"`
	Checksum      uint32          `json:"checksum"`
	ChecksumState string          `json:"checksum_state"`
	Domain        string          `json:"domain"`
	SourceName    string          `json:"source_name"`
	TLVs          []decodedTLV    `json:"tlvs"`
	Error         *decodedProblem `json:"error,omitempty"`
}

type decodedTLV struct {
	Type     uint8   `json:"type"`
	Name     string  `json:"name"`
	Length   int     `json:"length"`
	Extended bool    `json:"extended,omitempty"`
	Fields   any     `json:"fields,omitempty"`
	Opaque   *string `json:"opaque,omitempty"`
}

// decodedProblem alone, under "error", is the line of bytes that belong to no message.
type decodedProblem struct {
	Kind    string `json:"kind"`
	Offset  int64  `json:"offset"`
	Skipped int64  `json:"skipped,omitempty"`
}

// decodedLine is what to print for one answer of a Stream.
func decodedLine(m tlv.Message, offset int64, err error) any {
	var problem *decodedProblem
	if e := (*tlv.Error)(nil); errors.As(err, &e) {
		problem = &decodedProblem{e.Kind.String(), e.Offset, e.Bytes}
	}
	if len(m.Bytes()) == 0 {
		return struct {
			Error *decodedProblem `json:"error"`
		}{problem}
	}
	h := m.Header()
	line := decodedMessage{Dialect: m.Dialect().String(), Offset: offset,
		Magic: tlv.Magic, RelayDomain: h.RelayDomain, Version: h.Version, Source: uint8(h.Source), Flags: h.Flags,
		Sequence: h.Sequence, Timestamp: h.Timestamp, PayloadSize: h.PayloadSize, Checksum: h.Checksum,
		ChecksumState: m.Checksum().String(), Domain: m.Domain().String(), SourceName: h.Source.Name(m.Numbering()),
		TLVs: []decodedTLV{}, Error: problem}
	walk := m.TLVs()
	for t, ok := walk.Next(); ok; t, ok = walk.Next() {
		line.TLVs = append(line.TLVs, decodedPayload(t))
	}
	return line
}

func decodedPayload(t tlv.TLV) decodedTLV {
	d := decodedTLV{Type: uint8(t.Type), Name: t.Type.String(), Length: len(t.Payload), Extended: t.Extended}
	v, typed := t.Value()
	if !typed {
		text := hex.EncodeToString(t.Payload)
		d.Opaque = &text
		return d
	}
	d.Fields = decodedFields(v, t.Dialect)
	return d
}

// decodedFields completes values whose JSON needs more than their struct tags say.
func decodedFields(v any, d tlv.Dialect) any {
	switch v := v.(type) {
	case tlv.OrderBook:
		return struct {
			tlv.OrderBook
			Bids []tlv.Level `json:"bids"`
			Asks []tlv.Level `json:"asks"`
		}{v, v.Bids.Append([]tlv.Level{}), v.Asks.Append([]tlv.Level{})}
	case tlv.PoolLiquidity:
		return struct {
			tlv.PoolLiquidity
			Reserves []tlv.Uint128 `json:"reserves"`
		}{v, v.Reserves.Append([]tlv.Uint128{})}
	case tlv.StateInvalidation:
		return struct {
			tlv.StateInvalidation
			Count       int                `json:"instrument_count"`
			Instruments []tlv.InstrumentID `json:"instruments"`
		}{v, v.Instruments.Len(), v.Instruments.Append([]tlv.InstrumentID{})}
	case tlv.Snapshot:
		return struct {
			tlv.Snapshot
			BodyOK bool   `json:"body_checksum_ok"`
			Body   string `json:"body"`
		}{v, v.BodyOK(), hex.EncodeToString(v.Body)}
	case tlv.TraceContext:
		if d != tlv.Aligned {
			return v
		}
		return struct {
			tlv.TraceContext
			ID string `json:"trace_id"`
		}{v, hex.EncodeToString(v.ID[:8])}
	}
	return v
}
