package kafka

import (
	"encoding/hex"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/seal"
)

// parentKey is how W3C Trace Context calls what others read a trace from.
const parentKey = "traceparent"

const parentSize = len("00-") + 32 + len("-") + 16 + len("-") + 2

// trace returns the headers of a slot's record: where an envelope carries trace context, it is said again where others look for it.
func (s *slot) trace(e *mqadapt.Envelope) []kgo.RecordHeader {
	if !e.Traced || e.Sealed || len(e.Body) < seal.TraceSize {
		return nil
	}
	if s.parent == nil {
		s.parent = make([]byte, parentSize)
	}
	putParent(s.parent, seal.Trace(e.Body[len(e.Body)-seal.TraceSize:]))
	s.header[0] = kgo.RecordHeader{Key: parentKey, Value: s.parent}
	return s.header[:]
}

// putParent writes 00-trace-span-flags in hexadecimal.
func putParent(b []byte, t seal.Trace) {
	copy(b, "00-")
	hex.Encode(b[3:], t[:16])
	b[35] = '-'
	hex.Encode(b[36:], t[16:24])
	b[52] = '-'
	hex.Encode(b[53:], t[24:])
}
