package seal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
)

// An envelope's header, 32 bytes, little-endian (docs/wire.md):
//
//	 0  version u8 · kind u8 · codec u8 · key epoch u8 · channel u32
//	 8  source u64
//	16  epoch u32 · length u16 · raw u16
//	24  seq u64
const (
	Version    = 1                  // the first byte of an envelope
	HeaderSize = 32                 // bytes
	MaxBody    = 65507 - HeaderSize // bytes after a header: what a UDP payload over IPv4 has room for
	MaxRaw     = math.MaxUint16 * 8 // bytes of records before compression

	keyEpochAt = 3 // where sealing reads the header that others wrote
	channelAt  = 4

	kindMask   = 0x0f
	flagSealed = 0x10
	flagTraced = 0x20
	flagsKnown = kindMask | flagSealed | flagTraced
)

// ErrMalformed: bytes that are no envelope, or an envelope whose parts contradict each other. The receiver counts it and
// skips the datagram.
var ErrMalformed = errors.New("malformed envelope")

// Kind says what an envelope's body is.
type Kind uint8

// The kinds of envelope; docs/wire.md has their bodies.
const (
	Data      Kind = 1 // whole records, from Seq on
	Fragment  Kind = 2 // part of the record Seq
	Heartbeat Kind = 3 // Seq comes next, nothing is under way
	Lost      Kind = 4 // from Seq on, nothing of it can be had any more
	Nak       Kind = 5 // a receiver misses ranges
	Status    Kind = 6 // a receiver waits for Seq
	HelloKind Kind = 7 // a receiver asks for a session
	Announced Kind = 8 // a sender opens it
	Beat      Kind = 9 // a node lives, and compares clocks; over streams of bytes
)

// String names the kind as docs/wire.md does.
func (k Kind) String() string {
	names := [...]string{"", "data", "fragment", "heartbeat", "lost", "nak", "status", "hello", "announce", "beat"}
	if k == 0 || int(k) >= len(names) {
		return fmt.Sprintf("kind %d", uint8(k))
	}
	return names[k]
}

// Header is the clear part of an envelope.
type Header struct {
	Kind     Kind
	Sealed   bool
	Traced   bool  // the body of a Data or Fragment ends with a Trace
	Codec    uint8 // 0 to 15; how the records are compressed, 0 not at all
	Suite    Suite // of a sealed envelope
	KeyEpoch uint8
	Channel  uint32 // ChannelID of the channel's name
	Source   uint64
	Epoch    uint32
	Length   int // bytes after the header, 0 to MaxBody
	Raw      int // bytes of records where Codec is not 0, a multiple of 8 up to MaxRaw
	Seq      uint64
}

// Put writes the header to the first HeaderSize bytes of b.
func (h *Header) Put(b []byte) {
	b = b[:HeaderSize]
	kind, codec := byte(h.Kind), h.Codec
	if h.Sealed {
		kind |= flagSealed
		codec |= byte(h.Suite) << 4
	}
	if h.Traced {
		kind |= flagTraced
	}
	le := binary.LittleEndian
	le.PutUint64(b, Version|uint64(kind)<<8|uint64(codec)<<16|uint64(h.KeyEpoch)<<24|uint64(h.Channel)<<32)
	le.PutUint64(b[8:], h.Source)
	le.PutUint64(b[16:], uint64(h.Epoch)|uint64(uint16(h.Length))<<32|uint64(uint16(h.Raw/8))<<48)
	le.PutUint64(b[24:], h.Seq)
}

// Parse reads the header at the start of b and checks it against itself and against the bytes that are there: after it,
// b[HeaderSize:HeaderSize+Length] is the body. A suite or codec it does not know is for who opens or unpacks to refuse.
// It answers ErrMalformed, and then h holds nothing of use.
func (h *Header) Parse(b []byte) error {
	if len(b) < HeaderSize {
		return ErrMalformed
	}
	le := binary.LittleEndian
	first, third := le.Uint64(b), le.Uint64(b[16:])
	kind, codec := byte(first>>8), byte(first>>16)
	h.Kind, h.Sealed, h.Traced = Kind(kind&kindMask), kind&flagSealed != 0, kind&flagTraced != 0
	h.Codec, h.Suite, h.KeyEpoch, h.Channel = codec&0xf, Suite(codec>>4), byte(first>>24), uint32(first>>32)
	h.Source = le.Uint64(b[8:])
	h.Epoch, h.Length, h.Raw = uint32(third), int(uint16(third>>32)), int(third>>48)*8
	h.Seq = le.Uint64(b[24:])
	if byte(first) != Version || kind&^flagsKnown != 0 || h.Kind-1 >= Beat || h.Length > min(len(b)-HeaderSize, MaxBody) ||
		h.Sealed != (h.Suite != 0) || !h.Sealed && h.KeyEpoch != 0 || h.Sealed && h.Kind >= HelloKind ||
		(h.Codec != 0) != (h.Raw != 0) || h.Codec != 0 && h.Kind != Data || h.Traced && h.Kind > Fragment {
		return ErrMalformed
	}
	if around := h.around(); h.Length < around || h.Kind == Heartbeat && h.Length != around {
		return ErrMalformed
	}
	return nil
}

// around is how many bytes of the body are sealing and trace.
func (h *Header) around() (n int) {
	if h.Sealed {
		n = Overhead
	}
	if h.Traced {
		n += TraceSize
	}
	return n
}

// Ended reports whether a datagram has no more envelopes: b is what is left of it.
func Ended(b []byte) bool { return len(b) == 0 || b[0] == 0 }

// ChannelID is how envelopes name a channel: FNV-1a, 32 bits, of its name.
func ChannelID(name string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name)) // never fails
	return h.Sum32()
}

// Codec compresses bodies, one call per envelope. It belongs to one goroutine; package pack has it.
type Codec interface {
	// Pack writes src compressed into dst and returns its length and the codec's number, or 0, 0 when src is to travel
	// as it is. len(dst) is the room.
	Pack(dst, src []byte) (n int, codec uint8)
	// Unpack expands src into exactly len(dst) bytes.
	Unpack(dst, src []byte, codec uint8) error
}

// Observer is a Codec that chooses by how the link is doing: told once per envelope, before Pack, how many bytes wait and
// how many a second are carried.
type Observer interface {
	Observe(waiting, rate int64)
}
