package seal

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
)

// Session names what is sealed: one sender's life on one path for one source. With its salt it is what all keys of the
// session are derived from, so what was sealed in one session opens in no other.
type Session struct {
	Channel uint32 // FNV-1a of the channel's name
	Source  uint64 // names the publisher's ring for life
	Epoch   uint32 // the publisher's life, cut to 32 bits
	Path    uint8  // which of parallel paths or workers; they share no counter
}

// Salt makes a session's keys its own: a sender draws it at its start, so no restart repeats a nonce.
type Salt [16]byte

// NewSalt draws a salt.
func NewSalt() (s Salt) {
	_, _ = rand.Read(s[:]) // ends the program rather than fail, since Go 1.24
	return s
}

// What the derivations are for, as docs/wire.md spells it.
const (
	labelKey      = "pulse key"
	labelBack     = "pulse back"
	labelAnnounce = "pulse announce"
)

// schedule derives the keys of one session in one direction.
type schedule struct {
	suite  Suite
	master Secret // it does not print either
	info   []byte // all of the derivation's info but its last 8 bytes
}

func newSchedule(label string, secret Secret, suite Suite, s Session, salt Salt) (*schedule, error) {
	b, err := secret.bytes()
	if err != nil {
		return nil, err
	}
	if err := suite.check(); err != nil {
		return nil, err
	}
	master, err := hkdf.Extract(sha256.New, b, salt[:])
	if err != nil {
		return nil, err
	}
	info := binary.LittleEndian.AppendUint32([]byte(label), s.Channel)
	info = binary.LittleEndian.AppendUint64(info, s.Source)
	info = binary.LittleEndian.AppendUint32(info, s.Epoch)
	info = append(info, s.Path, byte(suite))
	return &schedule{suite: suite, master: SecretOf([secretSize]byte(master)), info: info}, nil
}

// bytes derives what n stands for: the key, then the IV.
func (s *schedule) bytes(n uint64) ([]byte, error) {
	info := binary.LittleEndian.AppendUint64(s.info[:len(s.info):len(s.info)], n)
	master, err := s.master.bytes()
	if err != nil {
		return nil, err
	}
	return hkdf.Expand(sha256.New, master, string(info), s.suite.keySize()+nonceSize)
}

// key derives the key with number n, or for receiver n.
func (s *schedule) key(n uint64) (*key, error) {
	b, err := s.bytes(n)
	if err != nil {
		return nil, err
	}
	size := s.suite.keySize()
	aead, err := s.suite.aead(b[:size])
	if err != nil {
		return nil, err
	}
	k := &key{aead: aead, number: n, low: binary.LittleEndian.Uint32(b[size:]), high: binary.LittleEndian.Uint64(b[size+4:])}
	clear(b)
	return k, nil
}

// key is one traffic key.
type key struct {
	aead   cipher.AEAD
	number uint64
	low    uint32 // the IV's first 4 bytes
	high   uint64 // and its last 8, which are exclusive-ored with the packet number
	forged uint64 // opener only; tags that did not verify under this key
}

// Overhead is what sealing adds to a body, in bytes: the packet number before it and the tag behind it.
const Overhead = numberSize + tagSize

const numberSize = 8

// scratch is what a cipher is called with. It lives in the sealer or opener, because what goes through cipher.AEAD
// escapes, and associated data must not share memory with what is written.
type scratch struct {
	nonce [nonceSize]byte
	ad    [HeaderSize + numberSize]byte
}

// set makes the nonce and the associated data of packet number n.
func (x *scratch) set(k *key, header []byte, n uint64) {
	binary.LittleEndian.PutUint32(x.nonce[:], k.low)
	binary.LittleEndian.PutUint64(x.nonce[4:], k.high^n)
	copy(x.ad[:HeaderSize], header)
	binary.LittleEndian.PutUint64(x.ad[HeaderSize:], n)
}

// seal writes packet number, ciphertext and tag to dst, which has the room.
func (x *scratch) seal(k *key, dst, header, body []byte, n uint64) int {
	x.set(k, header, n)
	binary.LittleEndian.PutUint64(dst, n)
	return numberSize + len(k.aead.Seal(dst[numberSize:numberSize], x.nonce[:], body, x.ad[:]))
}

// open writes the body to dst, which has the room, and reports whether the tag verified.
func (x *scratch) open(k *key, dst, header, sealed []byte, n uint64) bool {
	x.set(k, header, n)
	_, err := k.aead.Open(dst[:0], x.nonce[:], sealed[numberSize:], x.ad[:])
	return err == nil
}
