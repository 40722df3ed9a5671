package seal

import (
	"fmt"
	"io"
	"math"
	"time"
)

// Sealer encrypts what one sender says on one path for one source. It belongs to one goroutine.
//
// A body is sealed where it will lie: Next once per batch says which key epoch the headers carry, Seal gives each envelope
// a packet number, encrypts it and ties it to its header. Packet numbers go on across keys, and a Sealer draws a salt of
// its own, so no nonce repeats under a key: not in this life and not in the next, not beside another sealer of the same
// secret. A copy of a running process, as a virtual machine's snapshot makes it, breaks that promise.
type Sealer struct {
	x      scratch
	key    *key
	number uint64 // the packet number given last
	limits Limits

	begun   bool          // Next has been called with this key
	since   time.Duration // when that was
	packets uint64        // what this key has sealed
	bytes   uint64

	lastNumber uint64 // the packet number after which none is left
	lastKey    uint64 // the key number after which none is left

	session  Session
	salt     Salt
	schedule *schedule
}

// NewSealer begins a session: it draws the salt and derives key 0. It answers ErrSecret, ErrSuite or ErrLimits.
func NewSealer(secret Secret, suite Suite, s Session, l Limits) (*Sealer, error) {
	return newSealer(secret, suite, s, NewSalt(), l)
}

func newSealer(secret Secret, suite Suite, s Session, salt Salt, l Limits) (*Sealer, error) {
	schedule, err := newSchedule(labelKey, secret, suite, s, salt)
	if err != nil {
		return nil, fmt.Errorf("seal: sealer: %w", err)
	}
	l, err = l.checked(suite)
	if err != nil {
		return nil, fmt.Errorf("seal: sealer: %w", err)
	}
	first, err := schedule.key(0)
	if err != nil {
		return nil, fmt.Errorf("seal: sealer: %w", err)
	}
	return &Sealer{key: first, limits: l, session: s, salt: salt, schedule: schedule,
		lastNumber: math.MaxUint64 - 1, lastKey: math.MaxUint64}, nil
}

// Salt is what receivers need, besides the secret, to open this session.
func (s *Sealer) Salt() Salt { return s.salt }

// Suite is what the headers name.
func (s *Sealer) Suite() Suite { return s.schedule.suite }

// Announce is the answer to a hello with this nonce: how to open the session from here on.
func (s *Sealer) Announce(nonce Nonce) Announce {
	return Announce{Nonce: nonce, Salt: s.salt, Key: s.key.number, Packet: s.number + 1, Suite: s.schedule.suite}
}

// Next returns the key epoch that the next headers carry. It is called once per batch and turns to the next key when the
// current one is due by time, packets or bytes; now is any clock that does not go back. A turn derives a key, which takes
// microseconds and allocates. ErrKeysSpent: there is no next key.
func (s *Sealer) Next(now time.Duration) (keyEpoch uint8, err error) {
	if s.begun && now-s.since >= s.limits.Time || s.packets >= s.limits.Packets || s.bytes >= s.limits.Bytes {
		if err := s.Rotate(); err != nil {
			return 0, err
		}
	}
	if !s.begun {
		s.since, s.begun = now, true
	}
	return byte(s.key.number), nil
}

// Rotate turns to the next key, whatever the limits say: headers need the key epoch of a Next after it. Receivers follow
// one turn at a time, and each key only after something sealed with it reached them: a Rotate right after another costs
// them a hello. ErrKeysSpent: there is no next key.
func (s *Sealer) Rotate() error {
	if s.key.number >= s.lastKey {
		return ErrKeysSpent
	}
	next, err := s.schedule.key(s.key.number + 1)
	if err != nil {
		return fmt.Errorf("seal: next key: %w", err)
	}
	s.key, s.packets, s.bytes, s.begun = next, 0, 0, false
	return nil
}

// Seal writes packet number, encrypted body and tag to dst, len(body)+Overhead bytes, and returns their count. The header
// is complete: length, suite and key epoch as they travel. dst and body share no memory, unless body is exactly
// dst[8:8+len(body)], which is sealed in place; dst may be the memory behind header.
//
// ErrKeysSpent stops the session. ErrKeyDue and ErrOldKey say that Next was not asked. io.ErrShortBuffer: dst has no
// room, or header is not 32 bytes.
func (s *Sealer) Seal(dst, header, body []byte) (int, error) {
	switch {
	case len(header) != HeaderSize || len(dst) < len(body)+Overhead:
		return 0, io.ErrShortBuffer
	case header[keyEpochAt] != byte(s.key.number):
		return 0, ErrOldKey
	case s.number >= s.lastNumber:
		return 0, ErrKeysSpent
	case s.packets >= 2*s.limits.Packets || s.bytes >= 2*s.limits.Bytes:
		return 0, ErrKeyDue
	}
	s.number++ // before it is used: a panic half way burns the number
	s.packets++
	s.bytes += uint64(len(body))
	return s.x.seal(s.key, dst, header, body, s.number), nil
}
