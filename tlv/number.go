package tlv

import (
	"encoding/binary"
	"encoding/hex"
	"math/big"
)

// Uint128 is an amount in a token's native unit. Its text form is decimal.
type Uint128 struct{ Lo, Hi uint64 }

// String is the decimal number.
func (u Uint128) String() string {
	var b [16]byte
	be.PutUint64(b[:], u.Hi)
	be.PutUint64(b[8:], u.Lo)
	return new(big.Int).SetBytes(b[:]).String()
}

// MarshalText is the decimal number, so that JSON carries it as a string.
func (u Uint128) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

func get128(b []byte) Uint128 { return Uint128{le.Uint64(b), le.Uint64(b[8:])} }

func put128(b []byte, u Uint128) {
	le.PutUint64(b, u.Lo)
	le.PutUint64(b[8:], u.Hi)
}

// Uint256 holds a Q64.96 square-root price: 32 bytes little endian in aligned messages, 20 bytes big endian in packed
// ones. Words are least significant first. Its text form is decimal.
type Uint256 [4]uint64

// String is the decimal number.
func (u Uint256) String() string {
	b := make([]byte, 0, 32)
	for i := 3; i >= 0; i-- {
		b = binary.BigEndian.AppendUint64(b, u[i])
	}
	return new(big.Int).SetBytes(b).String()
}

// MarshalText is the decimal number, so that JSON carries it as a string.
func (u Uint256) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

func get256(b []byte) (u Uint256) {
	for i := range u {
		u[i] = le.Uint64(b[8*i:])
	}
	return u
}

func put256(b []byte, u Uint256) {
	for i, w := range u {
		le.PutUint64(b[8*i:], w)
	}
}

// get160BE and put160BE are the packed form: 20 bytes, most significant first.
func get160BE(b []byte) Uint256 {
	return Uint256{be.Uint64(b[12:]), be.Uint64(b[4:]), uint64(be.Uint32(b))}
}

func put160BE(b []byte, u Uint256) {
	be.PutUint32(b, uint32(u[2]))
	be.PutUint64(b[4:], u[1])
	be.PutUint64(b[12:], u[0])
}

func (u *Uint256) fits160() bool { return u[3] == 0 && u[2]>>32 == 0 }

// Address is an EVM address. Its text form is 40 hex digits without a prefix.
type Address [20]byte

// String is the 40 hex digits.
func (a Address) String() string { return hex.EncodeToString(a[:]) }

// MarshalText is the 40 hex digits.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// aligned payloads keep an address in 32 bytes: 20 and 12 of zero padding.
func putAddress32(b []byte, a *Address) {
	copy(b, a[:])
	clear(b[20:32])
}

// Fixed returns a decimal of units×1e-8, the scale of exchange prices and volumes, as exact text.
func Fixed(units int64) string {
	sign, n := "", uint64(units)
	if units < 0 {
		sign, n = "-", -n
	}
	whole, frac := n/1e8, n%1e8
	text := big.NewInt(0).SetUint64(whole).String()
	digits := big.NewInt(0).SetUint64(frac + 1e8).String()[1:]
	return sign + text + "." + digits
}
