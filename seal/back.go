package seal

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
)

// NewReceiver draws the number of a receiver, never 0: it stands in the Seq of what it says. Each life of a receiver draws one, and each session it opens anew: back keys
// are derived from it, and packet numbers begin at 1, so a number used twice would repeat nonces.
func NewReceiver() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // ends the program rather than fail, since Go 1.24
	return max(1, binary.LittleEndian.Uint64(b[:]))
}

// BackSealer seals what a receiver says to the sender of a session: nak and status. It has one key, key epoch 0, and packet
// numbers of its own. It belongs to one goroutine.
type BackSealer struct {
	x      scratch
	key    *key
	number uint64
	bytes  uint64

	lastNumber, lastBytes uint64
}

// NewBackSealer seals for one receiver, whose number NewReceiver drew for this session and nothing else.
func NewBackSealer(secret Secret, suite Suite, s Session, salt Salt, receiver uint64) (*BackSealer, error) {
	k, err := backKey(secret, suite, s, salt, receiver)
	if err != nil {
		return nil, fmt.Errorf("seal: back sealer: %w", err)
	}
	return &BackSealer{key: k, lastNumber: backPackets, lastBytes: backBytes}, nil
}

// Seal does what Sealer.Seal does. ErrKeysSpent: the receiver draws a new number, says hello with it and goes on with a new
// BackSealer; that comes after 2^32 packets.
func (b *BackSealer) Seal(dst, header, body []byte) (int, error) {
	switch {
	case len(header) != HeaderSize || len(dst) < len(body)+Overhead:
		return 0, io.ErrShortBuffer
	case header[keyEpochAt] != 0:
		return 0, ErrOldKey
	case b.number >= b.lastNumber || b.bytes >= b.lastBytes:
		return 0, ErrKeysSpent
	}
	b.number++
	b.bytes += uint64(len(body))
	return b.x.seal(b.key, dst, header, body, b.number), nil
}

// BackOpener opens what one receiver sealed with its BackSealer. It belongs to one goroutine and, like an Opener, lives as
// long as what it opens.
type BackOpener struct {
	x            scratch
	key          *key
	forgeryLimit uint64
	window       Replay
}

// NewBackOpener opens what this receiver says. It derives a key: a sender bounds how often a hello makes it do so.
func NewBackOpener(secret Secret, suite Suite, s Session, salt Salt, receiver uint64) (*BackOpener, error) {
	k, err := backKey(secret, suite, s, salt, receiver)
	if err != nil {
		return nil, fmt.Errorf("seal: back opener: %w", err)
	}
	return &BackOpener{key: k, forgeryLimit: forgeryLimit}, nil
}

// Open does what Opener.Open does, with key epoch 0 and without a clock.
func (b *BackOpener) Open(dst, header, sealed []byte) (int, error) {
	if len(sealed) < Overhead || len(header) != HeaderSize {
		return 0, ErrShort
	}
	size := len(sealed) - Overhead
	if len(dst) < size {
		return 0, io.ErrShortBuffer
	}
	n := binary.LittleEndian.Uint64(sealed)
	switch {
	case !b.window.Check(n):
		return 0, ErrReplayed
	case header[keyEpochAt] != 0 || b.key.forged >= b.forgeryLimit:
		return 0, ErrOldKey
	case !b.x.open(b.key, dst, header, sealed, n):
		b.key.forged++
		return 0, ErrForged
	}
	b.window.Commit(n)
	return size, nil
}

func backKey(secret Secret, suite Suite, s Session, salt Salt, receiver uint64) (*key, error) {
	schedule, err := newSchedule(labelBack, secret, suite, s, salt)
	if err != nil {
		return nil, err
	}
	return schedule.key(receiver)
}
