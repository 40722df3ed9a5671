package seal

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"

	"golang.org/x/crypto/chacha20poly1305"
)

// StoreOverhead is what a Store adds to a body, in bytes: the nonce before it and the tag behind it.
const StoreOverhead = StoreNonce + tagSize

// StoreNonce is how many bytes of nonce stand before a body that a Store sealed.
const StoreNonce = chacha20poly1305.NonceSizeX

const labelStore = "pulse store"

// Store seals envelopes that are kept: a queue holds them for as long as it likes, and whoever has the secret opens them in any order and
// as often as they come. There is no session that both ends live in, so nothing refuses a repeat: who reads drops what it has by
// (source, epoch, seq). Each envelope has a nonce of 24 random bytes (XChaCha20-Poly1305), which no number of writers of one secret repeats.
// The header is authentic: an envelope of another channel, source or number does not open. A Store belongs to one goroutine.
type Store struct {
	aead  cipher.AEAD
	nonce [StoreNonce]byte
	ad    [HeaderSize]byte // apart from what is written
}

// NewStore has the key of one channel, by ChannelID. It answers ErrSecret.
func NewStore(secret Secret, channel uint32) (*Store, error) {
	b, err := secret.bytes()
	if err != nil {
		return nil, fmt.Errorf("seal: store: %w", err)
	}
	info := binary.LittleEndian.AppendUint32([]byte(labelStore), channel)
	key, err := hkdf.Key(sha256.New, b, nil, string(info), chacha20poly1305.KeySize)
	if err != nil {
		return nil, fmt.Errorf("seal: store: %w", err)
	}
	defer clear(key)
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, fmt.Errorf("seal: store: %w", err)
	}
	return &Store{aead: aead}, nil
}

// Seal writes nonce, encrypted body and tag to dst, len(body)+StoreOverhead bytes, and returns their count. The header is complete: length,
// and suite XChaCha20Poly1305. dst and body share no memory, unless body begins at dst[StoreNonce], which is sealed in place.
// io.ErrShortBuffer: dst has no room, or header is not 32 bytes.
func (s *Store) Seal(dst, header, body []byte) (int, error) {
	if len(header) != HeaderSize || len(dst) < len(body)+StoreOverhead {
		return 0, io.ErrShortBuffer
	}
	_, _ = rand.Read(s.nonce[:]) // ends the program rather than fail, since Go 1.24
	copy(s.ad[:], header)
	copy(dst, s.nonce[:])
	return StoreNonce + len(s.aead.Seal(dst[StoreNonce:StoreNonce], s.nonce[:], body, s.ad[:])), nil
}

// Open writes the body of sealed to dst and returns its size, len(sealed)-StoreOverhead. dst and sealed share no memory. Errors: ErrShort;
// ErrForged for another secret, another header, or other bytes; io.ErrShortBuffer.
func (s *Store) Open(dst, header, sealed []byte) (int, error) {
	if len(header) != HeaderSize || len(sealed) < StoreOverhead {
		return 0, ErrShort
	}
	n := len(sealed) - StoreOverhead
	if len(dst) < n {
		return 0, io.ErrShortBuffer
	}
	copy(s.ad[:], header)
	copy(s.nonce[:], sealed)
	if _, err := s.aead.Open(dst[:0], s.nonce[:], sealed[StoreNonce:], s.ad[:]); err != nil {
		return 0, ErrForged
	}
	return n, nil
}
