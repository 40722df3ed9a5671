package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"strconv"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/alphapulse/transport/internal/sys"
)

// Suite is how envelopes are encrypted and authenticated. Nothing is negotiated: an announce states it, its mac covers it
// and every key is derived with it. The zero Suite is not valid.
type Suite uint8

// The suites, with the numbers they have on the wire.
const (
	ChaCha20Poly1305 Suite = 1 // RFC 8439; fast everywhere
	AES128GCM        Suite = 2 // NIST SP 800-38D; fast where the CPU has AES and carry-less multiplication

	// XChaCha20Poly1305 is that of a Store, and of no session (draft-irtf-cfrg-xchacha-03).
	XChaCha20Poly1305 Suite = 3
)

// The sizes that the suites of sessions share, in bytes.
const (
	nonceSize = 12
	tagSize   = 16
)

// BestSuite is the fastest suite this CPU computes safely: AES-128-GCM with AES instructions, else ChaCha20-Poly1305.
func BestSuite() Suite {
	if sys.FastAES() {
		return AES128GCM
	}
	return ChaCha20Poly1305
}

// ParseSuite reads what String returns for the suite of a session, or answers ErrSuite.
func ParseSuite(name string) (Suite, error) {
	for _, s := range []Suite{ChaCha20Poly1305, AES128GCM} {
		if name == s.String() {
			return s, nil
		}
	}
	return 0, fmt.Errorf("seal: %w %q: it is %s or %s", ErrSuite, name, ChaCha20Poly1305, AES128GCM)
}

// String returns "chacha20-poly1305", "aes-128-gcm", "xchacha20-poly1305", or the number of an unknown suite.
func (s Suite) String() string {
	switch s {
	case ChaCha20Poly1305:
		return "chacha20-poly1305"
	case AES128GCM:
		return "aes-128-gcm"
	case XChaCha20Poly1305:
		return "xchacha20-poly1305"
	}
	return "suite " + strconv.Itoa(int(s))
}

// keySize is the size of a session's key in bytes, 0 for a suite that no session has.
func (s Suite) keySize() int {
	switch s {
	case ChaCha20Poly1305:
		return chacha20poly1305.KeySize
	case AES128GCM:
		return 16
	}
	return 0
}

// check answers ErrSuite for a suite that is none.
func (s Suite) check() error {
	if s.keySize() == 0 {
		return fmt.Errorf("%w %d", ErrSuite, uint8(s))
	}
	return nil
}

// aead is the suite under a key of its size.
func (s Suite) aead(key []byte) (cipher.AEAD, error) {
	if s == ChaCha20Poly1305 {
		return chacha20poly1305.New(key)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
