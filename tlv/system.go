package tlv

import "encoding/hex"

// Stage bits of a TraceContext.
const (
	StageCollected = 1 << iota
	StageRelayed
	StageProcessed
	StageExecuted
)

// TraceID is 16 bytes in packed messages; aligned ones carry the first eight. Its text form is hex.
type TraceID [16]byte

// String is the 32 hex digits.
func (id TraceID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText is the 32 hex digits.
func (id TraceID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// TraceContext follows one datum through the stages. Times are ns since the Unix epoch.
type TraceContext struct {
	Start   uint64  `json:"start_timestamp_ns"`
	Current uint64  `json:"current_timestamp_ns"`
	Service uint8   `json:"source_service"`
	Depth   uint8   `json:"span_depth"`
	Stages  uint8   `json:"stage_flags"` // Stage bits
	ID      TraceID `json:"trace_id"`
}

// aligned 32  0 start  8 current  16 service  17 depth  18 stages  19 res  20 pad 4  24 trace id 8
// packed  36  0 trace id 16  16 service  17 depth  18 stages  19 res  20 start  28 current
const (
	traceAligned = 32
	tracePacked  = 36
)

// TraceContext loads a trace; ok is false for other types and sizes.
func (t TLV) TraceContext() (v TraceContext, ok bool) {
	b := t.Payload
	switch {
	case t.Type != TypeTraceContext:
		return v, false
	case t.Dialect == Aligned && len(b) == traceAligned:
		v.Start, v.Current = le.Uint64(b), le.Uint64(b[8:])
		copy(v.ID[:8], b[24:32])
	case t.Dialect == Packed && len(b) == tracePacked:
		v.Start, v.Current, v.ID = le.Uint64(b[20:]), le.Uint64(b[28:]), TraceID(b[:16])
	default:
		return v, false
	}
	v.Service, v.Depth, v.Stages = b[16], b[17], b[18]
	return v, true
}

// TraceContext adds a trace. ErrRange: an ID longer than eight bytes in an aligned message.
func (w *Builder) TraceContext(v *TraceContext) {
	if w.dialect == Packed {
		if b := w.zeroed(TypeTraceContext, tracePacked); b != nil {
			copy(b, v.ID[:])
			b[16], b[17], b[18] = v.Service, v.Depth, v.Stages
			le.PutUint64(b[20:], v.Start)
			le.PutUint64(b[28:], v.Current)
		}
		return
	}
	if le.Uint64(v.ID[8:]) != 0 {
		w.fail(outOfRange)
		return
	}
	if b := w.zeroed(TypeTraceContext, traceAligned); b != nil {
		le.PutUint64(b, v.Start)
		le.PutUint64(b[8:], v.Current)
		b[16], b[17], b[18] = v.Service, v.Depth, v.Stages
		copy(b[24:], v.ID[:8])
	}
}

// SystemHealth is one process's report about itself.
type SystemHealth struct {
	Timestamp     uint64 `json:"timestamp_ns"`
	Connections   uint32 `json:"connection_count"`
	MessageRate   uint32 `json:"message_rate_per_sec"`
	LastError     uint32 `json:"last_error_code"`
	ErrorPermille uint16 `json:"error_rate_per_thousand"`
	LatencyP95    uint16 `json:"latency_p95_us"` // microseconds
	Service       uint8  `json:"service_type"`
	Status        uint8  `json:"health_status"` // 0 healthy … 3 unknown
	CPUPercent    uint8  `json:"cpu_usage_pct"`
	MemoryPercent uint8  `json:"memory_usage_pct"`
}

// aligned 48  0 ts  8 connections  12 rate  16 last error  20 errors ‰  22 p95  24 service  25 status  26 cpu  27 mem
//
//	28 res 20
//
// packed  44  0 service  1 status  2 cpu  3 mem  4 connections  8 rate  12 errors ‰  14 p95  16 ts  24 last error
//
//	28 res 16
const (
	healthAligned = 48
	healthPacked  = 44
)

// SystemHealth loads a report; ok is false for other types and sizes.
func (t TLV) SystemHealth() (v SystemHealth, ok bool) {
	b := t.Payload
	switch {
	case t.Type != TypeSystemHealth:
		return v, false
	case t.Dialect == Aligned && len(b) == healthAligned:
		v.Timestamp, v.Connections, v.MessageRate = le.Uint64(b), le.Uint32(b[8:]), le.Uint32(b[12:])
		v.LastError, v.ErrorPermille, v.LatencyP95 = le.Uint32(b[16:]), le.Uint16(b[20:]), le.Uint16(b[22:])
		v.Service, v.Status, v.CPUPercent, v.MemoryPercent = b[24], b[25], b[26], b[27]
	case t.Dialect == Packed && len(b) == healthPacked:
		v.Service, v.Status, v.CPUPercent, v.MemoryPercent = b[0], b[1], b[2], b[3]
		v.Connections, v.MessageRate = le.Uint32(b[4:]), le.Uint32(b[8:])
		v.ErrorPermille, v.LatencyP95 = le.Uint16(b[12:]), le.Uint16(b[14:])
		v.Timestamp, v.LastError = le.Uint64(b[16:]), le.Uint32(b[24:])
	default:
		return v, false
	}
	return v, true
}

// SystemHealth adds a report.
func (w *Builder) SystemHealth(v *SystemHealth) {
	if w.dialect == Packed {
		if b := w.zeroed(TypeSystemHealth, healthPacked); b != nil {
			b[0], b[1], b[2], b[3] = v.Service, v.Status, v.CPUPercent, v.MemoryPercent
			le.PutUint32(b[4:], v.Connections)
			le.PutUint32(b[8:], v.MessageRate)
			le.PutUint16(b[12:], v.ErrorPermille)
			le.PutUint16(b[14:], v.LatencyP95)
			le.PutUint64(b[16:], v.Timestamp)
			le.PutUint32(b[24:], v.LastError)
		}
		return
	}
	if b := w.zeroed(TypeSystemHealth, healthAligned); b != nil {
		le.PutUint64(b, v.Timestamp)
		le.PutUint32(b[8:], v.Connections)
		le.PutUint32(b[12:], v.MessageRate)
		le.PutUint32(b[16:], v.LastError)
		le.PutUint16(b[20:], v.ErrorPermille)
		le.PutUint16(b[22:], v.LatencyP95)
		b[24], b[25], b[26], b[27] = v.Service, v.Status, v.CPUPercent, v.MemoryPercent
	}
}
