package seal

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// TraceSize is the number of bytes of a Trace.
const TraceSize = 25

// Trace is a W3C trace context, binary: 16 bytes trace id, 8 bytes span id, 1 byte flags. It concerns the first frame of
// the envelope that carries it.
type Trace [TraceSize]byte

// Sampled is the flag that says that spans of the trace are kept.
const Sampled = 1

const (
	spanAt  = 16
	flagsAt = 24

	textSize = 55 // of version 00
)

// ErrTraceparent: a text that is no traceparent. Who reads it goes on without a trace, as the specification asks.
var ErrTraceparent = errors.New("no traceparent")

// ParseTraceparent reads the value of a traceparent header (W3C Trace Context, section 3.2): of version 00 exactly its four fields, of later
// versions the four that it knows. It answers ErrTraceparent.
func ParseTraceparent(s string) (t Trace, err error) {
	fault := func(what string) (Trace, error) {
		return Trace{}, fmt.Errorf("%w: %s in %.80q", ErrTraceparent, what, s)
	}
	if len(s) < textSize || s[2] != '-' || s[35] != '-' || s[52] != '-' {
		return fault("not four fields")
	}
	var version [1]byte
	for _, f := range []struct {
		to   []byte
		text string
	}{{version[:], s[:2]}, {t[:spanAt], s[3:35]}, {t[spanAt:flagsAt], s[36:52]}, {t[flagsAt:], s[53:55]}} {
		if _, err := hex.Decode(f.to, []byte(f.text)); err != nil || strings.ToLower(f.text) != f.text {
			return fault("a field that is not lower-case hex")
		}
	}
	switch {
	case version[0] == 0xff:
		return fault("version ff")
	case version[0] == 0 && len(s) != textSize:
		return fault("more than version 00 has")
	case len(s) > textSize && s[textSize] != '-':
		return fault("flags of more than two digits")
	case !t.Valid():
		return fault("an id of zeroes")
	}
	return t, nil
}

// String is the value of a traceparent header, version 00.
func (t Trace) String() string {
	return fmt.Sprintf("00-%x-%x-%02x", t[:spanAt], t[spanAt:flagsAt], t[flagsAt])
}

// Valid reports whether both ids are other than zero.
func (t Trace) Valid() bool { return t.ID() != [16]byte{} && t.Span() != [8]byte{} }

// ID is that of the trace.
func (t Trace) ID() [16]byte { return [16]byte(t[:spanAt]) }

// Span is the id of the span that whoever goes on is a child of.
func (t Trace) Span() [8]byte { return [8]byte(t[spanAt:flagsAt]) }

// Flags are bits: Sampled, and others that go on as they came.
func (t Trace) Flags() byte { return t[flagsAt] }

// In returns the context with another span: what goes on from there is its child.
func (t Trace) In(span [8]byte) Trace {
	copy(t[spanAt:], span[:])
	return t
}

// Hop is what became of a traced frame at one place of its way.
type Hop uint8

// The hops of a frame, in order. Carried and Received come once for each medium that it passes.
const (
	Committed Hop = iota + 1 // its publisher staged it
	Carried                  // it was put into an envelope that leaves for another node, or for a queue
	Received                 // it came in such an envelope, and goes into a mirror
	Delivered                // a subscriber had it
)

// String names the hop.
func (h Hop) String() string {
	return [...]string{"", "committed", "carried", "received", "delivered"}[min(h, Delivered)]
}
