package bench

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/alphapulse/transport/seal"
)

// bareSeal seals datagrams as one would by hand: one key for all, a nonce that counts and lies at the datagram's head, no sessions, no
// turning of keys, no window against replays. The nil bareSeal seals nothing.
type bareSeal struct {
	aead  cipher.AEAD
	nonce [12]byte
	count uint64
}

const (
	bareStamp = 8  // bytes of the count
	bareTag   = 16 // bytes after what is sealed, with either suite
)

// bareSeal is with the suite and the key size of package seal on this machine; nil when the lane is not sealed. No two ends of a lane may
// seal as the same way: 0 is there, 1 is back.
func (s laneSpec) bareSeal(way byte) (*bareSeal, error) {
	if s.Secret == nil {
		return nil, nil
	}
	b := &bareSeal{}
	b.nonce[bareStamp] = way
	var err error
	if seal.BestSuite() == seal.ChaCha20Poly1305 {
		b.aead, err = chacha20poly1305.New(s.Secret)
	} else {
		var block cipher.Block
		if block, err = aes.NewCipher(s.Secret[:16]); err == nil {
			b.aead, err = cipher.NewGCM(block)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	return b, nil
}

// seal seals d, of which the first head bytes stay in the clear and the last are the tag's.
func (b *bareSeal) seal(d []byte, head int) {
	b.count++
	binary.LittleEndian.PutUint64(d[:bareStamp], b.count)
	copy(b.nonce[:], d[:bareStamp])
	plain := d[head : len(d)-bareTag]
	b.aead.Seal(plain[:0], b.nonce[:], plain, d[:head])
}

// open opens in place what the other end has sealed.
func (b *bareSeal) open(d []byte, head int) bool {
	copy(b.nonce[:], d[:bareStamp])
	_, err := b.aead.Open(d[head:head], b.nonce[:], d[head:], d[:head])
	return err == nil
}
