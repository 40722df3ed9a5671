package tlv

import (
	"errors"
	"strconv"
)

// Kind names what is wrong with a message. The zero Kind means nothing is.
type Kind uint8

// The kinds, in the order in which a Parser looks for them.
const (
	_               Kind = iota
	KindTooShort         // fewer than 32 bytes
	KindBadMagic         // the first four bytes are not EF BE AD DE
	KindTooLarge         // payload_size is beyond the message limit
	KindVersion          // a version other than 1
	KindDomain           // relay_domain is not in the numbering
	KindSource           // source is not in the numbering's table
	KindTruncated        // payload_size promises more bytes than there are
	KindTrailing         // bytes after the end payload_size promises
	KindBadChecksum      // the checksum is set and does not match
	KindUnset            // the checksum is 0 and the policy asks for one
	KindTLVShort         // a TLV header or payload is cut
	KindTLVExtended      // an extended TLV header that cannot be
	KindTLVType          // TLV type 0
	KindTLVSize          // a fixed-size type with another size
	KindFrame            // a length prefix that disagrees with the message behind it
)

var kinds = [...]struct {
	name string
	err  error
}{
	KindTooShort:    {"too_short", ErrTooShort},
	KindBadMagic:    {"bad_magic", ErrBadMagic},
	KindTooLarge:    {"too_large", ErrTooLarge},
	KindVersion:     {"unknown_version", ErrVersion},
	KindDomain:      {"unknown_domain", ErrDomain},
	KindSource:      {"unknown_source", ErrSource},
	KindTruncated:   {"truncated", ErrTruncated},
	KindTrailing:    {"trailing_bytes", ErrTrailing},
	KindBadChecksum: {"bad_checksum", ErrBadChecksum},
	KindUnset:       {"unset_checksum", ErrUnset},
	KindTLVShort:    {"truncated_tlv", ErrTLVShort},
	KindTLVExtended: {"invalid_extended_tlv", ErrTLVExtended},
	KindTLVType:     {"tlv_type_zero", ErrTLVType},
	KindTLVSize:     {"wrong_tlv_size", ErrTLVSize},
	KindFrame:       {"bad_frame", ErrFrame},
}

// String is the stable snake_case name of the kind.
func (k Kind) String() string {
	if int(k) < len(kinds) && kinds[k].name != "" {
		return kinds[k].name
	}
	return "kind_" + strconv.Itoa(int(k))
}

// The sentinels of the kinds, for errors.Is. All of them mean: count it, skip the message, go on.
var (
	ErrTooShort    = errors.New("message shorter than its header")
	ErrBadMagic    = errors.New("bad magic")
	ErrTooLarge    = errors.New("message too large")
	ErrVersion     = errors.New("unknown version")
	ErrDomain      = errors.New("unknown relay domain")
	ErrSource      = errors.New("unknown source")
	ErrTruncated   = errors.New("message truncated")
	ErrTrailing    = errors.New("trailing bytes")
	ErrBadChecksum = errors.New("bad checksum")
	ErrUnset       = errors.New("checksum unset where one is required")
	ErrTLVShort    = errors.New("truncated tlv")
	ErrTLVExtended = errors.New("invalid extended tlv")
	ErrTLVType     = errors.New("tlv type 0")
	ErrTLVSize     = errors.New("wrong size for tlv type")
	ErrFrame       = errors.New("frame length disagrees with message")
)

// Error says what is wrong with bytes from outside and where. errors.Is finds the sentinel of its Kind.
type Error struct {
	Kind   Kind
	Offset int64 // of the offending byte: in the message, or in the stream when a Stream reports it
	Bytes  int64 // how many bytes a Stream skipped; 0 when a whole message was delimited
}

// Error names the kind and the place, and how much was skipped: "tlv: bad_magic at byte 0, skipped 5".
func (e *Error) Error() string {
	s := "tlv: " + e.Kind.String() + " at byte " + strconv.FormatInt(e.Offset, 10)
	if e.Bytes > 0 {
		s += ", skipped " + strconv.FormatInt(e.Bytes, 10)
	}
	return s
}

// Unwrap returns the sentinel of the kind.
func (e *Error) Unwrap() error {
	if int(e.Kind) < len(kinds) {
		return kinds[e.Kind].err
	}
	return nil
}
