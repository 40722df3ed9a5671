package spans

import (
	"encoding/binary"
	"errors"

	"github.com/alphapulse/transport/seal"
)

// A span in a ring, little-endian:
//
//	 0  version u8 · hop u8 · flags u8 · length of channel u8 · length of medium u8 · reserved 3
//	 8  trace id 16 · own span id 8 · parent's span id 8
//	40  source u64 · epoch u64 · seq u64
//	64  start i64 · end i64     nanoseconds since the Unix epoch
//	80  channel, medium
const (
	version   = 1
	spanSize  = 80
	maxString = 64
)

// ErrMalformed: a record that is no span. Who reads counts it and goes on.
var ErrMalformed = errors.New("spans: no span")

// Span is one hop of one traced frame.
type Span struct {
	Trace   seal.Trace // as it goes on: the trace's id, this span's, and the flags
	Parent  [8]byte    // span that this one is a child of; zeroes: it begins the trace
	Hop     seal.Hop
	Channel string
	Medium  string // by which it was carried or received; "ring" within a host
	Source  uint64
	Epoch   uint64
	Seq     uint64
	Start   int64 // nanoseconds since the Unix epoch
	End     int64
}

// size is that of the span in a ring.
func (s *Span) size() int { return spanSize + len(s.Channel) + len(s.Medium) }

// put writes the span to b. Channel and medium are no longer than maxString.
func (s *Span) put(b []byte) {
	le := binary.LittleEndian
	copy(b, []byte{version, byte(s.Hop), s.Trace.Flags(), byte(len(s.Channel)), byte(len(s.Medium)), 0, 0, 0})
	id, own := s.Trace.ID(), s.Trace.Span()
	copy(b[8:], id[:])
	copy(b[24:], own[:])
	copy(b[32:], s.Parent[:])
	for i, v := range [...]uint64{s.Source, s.Epoch, s.Seq, uint64(s.Start), uint64(s.End)} {
		le.PutUint64(b[40+8*i:], v)
	}
	copy(b[spanSize+copy(b[spanSize:], s.Channel):], s.Medium)
}

// Parse reads a span. It answers ErrMalformed.
func Parse(b []byte) (s Span, err error) {
	if len(b) < spanSize || b[0] != version || b[1] == 0 || b[1] > byte(seal.Delivered) || b[3] > maxString || b[4] > maxString ||
		len(b) != spanSize+int(b[3])+int(b[4]) {
		return s, ErrMalformed
	}
	le := binary.LittleEndian
	copy(s.Trace[:], b[8:32])
	s.Trace[24] = b[2]
	copy(s.Parent[:], b[32:40])
	s.Hop = seal.Hop(b[1])
	s.Source, s.Epoch, s.Seq = le.Uint64(b[40:]), le.Uint64(b[48:]), le.Uint64(b[56:])
	s.Start, s.End = int64(le.Uint64(b[64:])), int64(le.Uint64(b[72:]))
	s.Channel, s.Medium = string(b[spanSize:spanSize+int(b[3])]), string(b[spanSize+int(b[3]):])
	if !s.Trace.Valid() || s.End < s.Start {
		return Span{}, ErrMalformed
	}
	return s, nil
}
