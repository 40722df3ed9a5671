package rabbitmq

import (
	"encoding/hex"
	"strconv"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/seal"
)

const (
	contentType = "application/vnd.pulse.envelope" // docs/wire.md
	parentKey   = "traceparent"                    // W3C Trace Context
)

// messageID names the first frame of an envelope, in hexadecimal: source-epoch-seq. Repeats have the same.
func messageID(h *seal.Header) string {
	b := make([]byte, 0, 48)
	b = append(strconv.AppendUint(b, h.Source, 16), '-')
	b = append(strconv.AppendUint(b, uint64(h.Epoch), 16), '-')
	return string(strconv.AppendUint(b, h.Seq, 16))
}

// traceHeaders says the trace context of an envelope, if it has one, again where others look for it: 00-trace-span-flags.
func traceHeaders(e *mqadapt.Envelope) amqp.Table {
	if !e.Traced || e.Sealed || len(e.Body) < seal.TraceSize {
		return nil
	}
	t := e.Body[len(e.Body)-seal.TraceSize:]
	return amqp.Table{parentKey: "00-" + hex.EncodeToString(t[:16]) + "-" + hex.EncodeToString(t[16:24]) + "-" + hex.EncodeToString(t[24:])}
}
