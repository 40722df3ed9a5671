package redis

import (
	"encoding/hex"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/seal"
)

// Fields of an entry.
const (
	envelopeField = "e"
	parentField   = "traceparent" // W3C Trace Context
)

// appendParent appends an envelope's trace context as others read it, 00-TRACE-SPAN-FLAGS, if it carries one.
func appendParent(b []byte, e *mqadapt.Envelope) []byte {
	if !e.Traced || e.Sealed || len(e.Body) < seal.TraceSize {
		return b
	}
	t := seal.Trace(e.Body[len(e.Body)-seal.TraceSize:])
	b = append(b, "00-"...)
	b = hex.AppendEncode(b, t[:16])
	b = append(b, '-')
	b = hex.AppendEncode(b, t[16:24])
	b = append(b, '-')
	return hex.AppendEncode(b, t[24:])
}
