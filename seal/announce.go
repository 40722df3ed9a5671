package seal

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"io"
)

// A receiver that meets an unknown session asks, and the sender answers:
//
//	hello     0 nonce 16 │ 16 zeroes                                                                            96 bytes
//	announce  0 nonce 16 │ 16 salt 16 │ 32 key number 8 │ 40 packet number 8 │ 48 suite 1 │ 49 zeroes 7 │ 56 mac 16   72 bytes
//
// A hello is larger than its answer, so nobody gains by asking in another's name.
const (
	HelloSize    = 96 // bytes of a hello's body
	AnnounceSize = 72 // bytes of an announce's body

	announceMacAt = AnnounceSize - macSize
	suiteAt       = 48
	macSize       = 16
)

// Nonce ties an announce to the hello it answers. Every hello draws a new one.
type Nonce [16]byte

// NewNonce draws a nonce.
func NewNonce() (n Nonce) {
	_, _ = rand.Read(n[:]) // ends the program rather than fail, since Go 1.24
	return n
}

// Hello asks the sender of a session to announce it. Who asks stands in the header's Seq.
type Hello struct {
	Nonce Nonce // what the announce has to repeat
}

// AppendHello appends the body of h to dst, HelloSize bytes.
func AppendHello(dst []byte, h Hello) []byte {
	var b [HelloSize]byte
	copy(b[:], h.Nonce[:])
	return append(dst, b[:]...)
}

// ParseHello reads the body of a hello, or answers ErrBody. Nothing in a hello is authentic: a sender answers at bounded
// rate and keeps nothing of it that it cannot afford to lose.
func ParseHello(body []byte) (h Hello, err error) {
	if len(body) != HelloSize || !zeroes(body[len(h.Nonce):]) {
		return Hello{}, ErrBody
	}
	copy(h.Nonce[:], body)
	return h, nil
}

// Announce says how to open a session.
type Announce struct {
	Nonce  Nonce  // of the hello it answers
	Salt   Salt   // the session's
	Key    uint64 // number of the current key
	Packet uint64 // number of the next packet: what has a lower one was sealed before the hello was answered
	Suite  Suite
}

// AppendAnnounce appends the body of a, AnnounceSize bytes, to dst, with a mac over header and body. The header is the 32
// bytes that travel before it, complete; its channel chooses the mac key. Errors: ErrSecret, ErrSuite, io.ErrShortBuffer
// for a header that is not 32 bytes.
func AppendAnnounce(dst []byte, secret Secret, header []byte, a Announce) ([]byte, error) {
	if len(header) != HeaderSize {
		return dst, io.ErrShortBuffer
	}
	if err := a.Suite.check(); err != nil {
		return dst, fmt.Errorf("seal: announce: %w", err)
	}
	var b [announceMacAt]byte
	copy(b[:], a.Nonce[:])
	copy(b[16:], a.Salt[:])
	binary.LittleEndian.PutUint64(b[32:], a.Key)
	binary.LittleEndian.PutUint64(b[40:], a.Packet)
	b[suiteAt] = byte(a.Suite)
	mac, err := announceMac(secret, header, b[:])
	if err != nil {
		return dst, fmt.Errorf("seal: announce: %w", err)
	}
	return append(append(dst, b[:]...), mac...), nil
}

// OpenAnnounce reads the body of an announce that answers the hello with this nonce. The nonce is looked at before
// anything is derived, so announces nobody asked for cost nothing. Errors: ErrShort, ErrBody, ErrReplayed for another
// nonce, ErrForged for a wrong mac, ErrSuite, ErrSecret.
func OpenAnnounce(secret Secret, header, body []byte, nonce Nonce) (a Announce, err error) {
	switch {
	case len(header) != HeaderSize:
		return Announce{}, ErrShort
	case len(body) != AnnounceSize:
		return Announce{}, ErrBody
	case subtle.ConstantTimeCompare(body[:len(nonce)], nonce[:]) == 0:
		return Announce{}, ErrReplayed
	}
	mac, err := announceMac(secret, header, body[:announceMacAt])
	if err != nil {
		return Announce{}, fmt.Errorf("seal: announce: %w", err)
	}
	if !hmac.Equal(mac, body[announceMacAt:]) {
		return Announce{}, ErrForged
	}
	if !zeroes(body[suiteAt+1 : announceMacAt]) {
		return Announce{}, ErrBody
	}
	a = Announce{Nonce: nonce, Salt: Salt(body[16:32]), Key: binary.LittleEndian.Uint64(body[32:]),
		Packet: binary.LittleEndian.Uint64(body[40:]), Suite: Suite(body[suiteAt])}
	if err := a.Suite.check(); err != nil {
		return Announce{}, fmt.Errorf("seal: announce: %w", err)
	}
	return a, nil
}

// announceMac is HMAC-SHA-256 over header and body, cut to 16 bytes.
func announceMac(secret Secret, header, body []byte) ([]byte, error) {
	b, err := secret.bytes()
	if err != nil {
		return nil, err
	}
	key, err := hkdf.Key(sha256.New, b, nil, labelAnnounce+string(header[channelAt:channelAt+4]), sha256.Size)
	if err != nil {
		return nil, err
	}
	m := hmac.New(sha256.New, key)
	m.Write(header)
	m.Write(body)
	return m.Sum(nil)[:macSize], nil
}

func zeroes(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
