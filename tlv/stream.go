package tlv

import (
	"errors"
	"io"
)

// Framing is what stands between the messages of a stream.
type Framing uint8

// The three framings of the original. None of its parts understands another's.
const (
	FramingNone Framing = iota // messages back to back
	FramingLE                  // u32 little-endian length in front of each
	FramingBE                  // u32 big-endian length in front of each
)

func (f Framing) known() bool { return f <= FramingBE }

// prefix is the bytes of a length.
func (f Framing) prefix() int {
	if f == FramingNone {
		return 0
	}
	return 4
}

func (f Framing) length(b []byte) uint32 {
	if f == FramingBE {
		return be.Uint32(b)
	}
	return le.Uint32(b)
}

// ErrMore: the bytes so far hold no further whole message. Feed the Stream, or End it.
var ErrMore = errors.New("tlv: more bytes needed")

// ErrFraming: the Framing is none of the three, and nothing was read. Make the Stream with one that is.
var ErrFraming = errors.New("tlv: unknown framing")

const (
	streamSlack = 64 << 10 // room to read into while the longest message is incomplete
	lookahead   = 16       // bytes past a message that can be needed to judge it
)

// StreamStats counts what a Stream has seen.
type StreamStats struct {
	Messages uint64 // returned without error
	Faulty   uint64 // returned with an error: delimited, yet refused
	Skips    uint64 // runs of bytes that belonged to no message
	Skipped  uint64 // bytes in those runs

	// Kinds counts refused messages and runs of garbage by the Kind that was reported for them.
	Kinds [KindFrame + 1]uint64
}

// Stream finds the messages in a stream of bytes that arrive in any portions: it returns the same messages and errors
// however the stream is cut. One goroutine uses it. The zero Stream is not valid: use NewStream.
//
// Garbage is skipped and counted; no intact message behind it is lost. What counts as a message, see resync.go.
// Memory is bounded: one message of the Parser's MaxMessage plus 64 KiB.
type Stream struct {
	parser  Parser
	framing Framing
	buf     []byte
	r, w    int   // buf[r:w] is not judged yet
	base    int64 // stream offset of buf[0]
	ended   bool
	told    bool // that the framing is unknown
	debt    int  // bytes hashed in vain; see afford
	skip    Error
	fault   Error
	offset  int64
	stats   StreamStats
}

// NewStream reads messages in the given framing, checked as p says. Streams verify every checksum that is set, whatever
// the policy: between unframed messages it is the only proof of a boundary. A nil p is the zero Parser.
// With an unknown Framing the Stream takes no message from anything: Fill answers ErrFraming, Feed drops what it is given, and Next
// answers ErrFraming once and io.EOF from then on.
func NewStream(f Framing, p *Parser) *Stream {
	s := &Stream{framing: f}
	if p != nil {
		s.parser = *p
	}
	s.buf = make([]byte, f.prefix()+s.parser.limit()+lookahead+streamSlack)
	return s
}

// Feed takes as many bytes of p as there is room for and returns how many. It is less than len(p) only when messages
// are waiting: call Next until ErrMore and feed the rest. Feed invalidates the Messages returned before.
func (s *Stream) Feed(p []byte) int {
	if !s.framing.known() {
		return len(p)
	}
	s.room(len(p))
	n := copy(s.buf[s.w:], p)
	s.w += n
	return n
}

// Fill reads once from r. At io.EOF the caller decides whether to End. io.ErrShortBuffer: there is no room; call Next
// until ErrMore first. Fill invalidates the Messages returned before.
func (s *Stream) Fill(r io.Reader) (int, error) {
	if !s.framing.known() {
		return 0, ErrFraming
	}
	s.room(streamSlack)
	if s.w == len(s.buf) {
		return 0, io.ErrShortBuffer
	}
	n, err := r.Read(s.buf[s.w:])
	s.w += n
	return n, err
}

// End says that no byte will follow. Next then gives what is left and io.EOF.
func (s *Stream) End() { s.ended = true }

// Offset is the stream offset of the message Next returned last.
func (s *Stream) Offset() int64 { return s.offset }

// Stats returns the counters.
func (s *Stream) Stats() StreamStats { return s.stats }

// Next returns the next message. The error is
//   - nil: the message is whole and accepted;
//   - *Error with Bytes 0: this message is delimited but refused, as Parser.Parse would; skip it;
//   - *Error with Bytes > 0 and a zero Message: that many bytes from Offset on belonged to no message;
//   - ErrMore: feed more bytes; io.EOF: ended, and nothing is left;
//   - ErrFraming: see NewStream.
//
// The Message is valid until the next Feed or Fill, the *Error until the next Next.
func (s *Stream) Next() (Message, error) {
	if !s.framing.known() {
		return Message{}, s.refuse()
	}
	for {
		m, n, kind, at := s.judge(s.buf[s.r:s.w])
		switch {
		case kind == kindMore && s.skip.Bytes > 0 && s.ended:
			return Message{}, s.skipped()
		case kind == kindMore && s.ended:
			return Message{}, io.EOF
		case kind == kindMore:
			return Message{}, ErrMore
		case n == 0:
			s.pass(kind)
			continue
		case s.skip.Bytes > 0:
			return Message{}, s.skipped()
		}
		start := s.base + int64(s.r)
		s.r += n
		s.offset = start + int64(s.framing.prefix())
		if kind != 0 {
			s.stats.Faulty++
			s.stats.Kinds[kind]++
			s.fault = Error{Kind: kind, Offset: s.offset + int64(at)}
			return m, &s.fault
		}
		s.stats.Messages++
		return m, nil
	}
}

// refuse tells of the unknown framing once, so that a loop over Next ends.
func (s *Stream) refuse() error {
	if s.told {
		return io.EOF
	}
	s.told = true
	return ErrFraming
}

// skipped reports the run of garbage that has just ended.
func (s *Stream) skipped() error {
	s.stats.Skips++
	s.stats.Kinds[s.skip.Kind]++
	s.fault, s.skip = s.skip, Error{}
	return &s.fault
}

// room moves what is held to the front when fewer than n bytes are free behind it.
func (s *Stream) room(n int) {
	if s.r == 0 || len(s.buf)-s.w >= n {
		return
	}
	s.w = copy(s.buf, s.buf[s.r:s.w])
	s.base += int64(s.r)
	s.r = 0
}
