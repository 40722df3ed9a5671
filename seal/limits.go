package seal

import (
	"errors"
	"fmt"
	"time"
)

// Limits say when a sender turns to its next key, by whichever comes first. Zero means the suite's default. A key seals at
// most twice its packets and bytes, however seldom Next is called.
type Limits struct {
	// Time is how long one key is used: 2 minutes, 1 millisecond to 24 hours.
	Time time.Duration

	// Packets is how many packets one key seals: 2^22 with AES-128-GCM, at most 2^23; 2^32 with ChaCha20-Poly1305, at most
	// 2^48.
	Packets uint64

	// Bytes is how much body one key seals: 2^36 with AES-128-GCM, at most 2^37; 2^44 with ChaCha20-Poly1305, at most 2^50.
	Bytes uint64
}

// The most one AES-128-GCM key may seal keeps what an observer gains below 2^-60: (blocks)² / 2^129 with 2^34 blocks in
// twice the packets and bytes below (RFC 9001 §B.1, SP 800-38D §8). ChaCha20-Poly1305 has no such bound; its own are
// round numbers.
var limitsOf = map[Suite]struct{ usual, most Limits }{
	AES128GCM:        {Limits{2 * time.Minute, 1 << 22, 1 << 36}, Limits{24 * time.Hour, 1 << 23, 1 << 37}},
	ChaCha20Poly1305: {Limits{2 * time.Minute, 1 << 32, 1 << 44}, Limits{24 * time.Hour, 1 << 48, 1 << 50}},
}

// checked returns l with the suite's defaults, or all its faults.
func (l Limits) checked(suite Suite) (Limits, error) {
	usual, most := limitsOf[suite].usual, limitsOf[suite].most
	if l.Time == 0 {
		l.Time = usual.Time
	}
	if l.Packets == 0 {
		l.Packets = usual.Packets
	}
	if l.Bytes == 0 {
		l.Bytes = usual.Bytes
	}
	var faults []error
	if l.Time < time.Millisecond || l.Time > most.Time {
		faults = append(faults, fmt.Errorf("%w: a key for %v, which is not from 1ms to %v", ErrLimits, l.Time, most.Time))
	}
	if l.Packets > most.Packets {
		faults = append(faults, fmt.Errorf("%w: %d packets a key, at most %d with %s", ErrLimits, l.Packets, most.Packets, suite))
	}
	if l.Bytes > most.Bytes {
		faults = append(faults, fmt.Errorf("%w: %d bytes a key, at most %d with %s", ErrLimits, l.Bytes, most.Bytes, suite))
	}
	return l, errors.Join(faults...)
}

// A back key is never turned, so its end is a stop. What it seals is small: 2^32 packets with their tags and 2^38 bytes are
// 2^35 blocks at most, by the same measure 2^-59.
const (
	backPackets = 1 << 32
	backBytes   = 1 << 38
)

// forgeryLimit is how many tags may fail under one key before it opens nothing any more (RFC 9001 §6.6, for the weaker of
// the suites). A key that is turned every few minutes never comes near it.
const forgeryLimit = 1 << 36

// defaultReorder is how long the previous key stays open unless a Window says otherwise.
const defaultReorder = time.Second

// Window says what a receiver accepts besides the current key. The zero value starts at key 0 and waits a second.
type Window struct {
	// Key is the number of the key to begin with, as announced.
	Key uint64

	// Packet is the number of the next packet, as announced. Whatever has a lower number counts as opened: the announce is
	// fresh, so such a packet is older than the receiver's question.
	Packet uint64

	// Reorder is how long the previous key stays open after a turn: at least the time by which the network reorders
	// packets, and two round trips where lost ones are sent again. 0 means one second; at most an hour.
	Reorder time.Duration
}

// checked returns w with defaults, or its fault.
func (w Window) checked() (Window, error) {
	if w.Reorder == 0 {
		w.Reorder = defaultReorder
	}
	if w.Reorder < 0 || w.Reorder > time.Hour {
		return w, fmt.Errorf("%w: a reorder window of %v, which is not from 0 to 1h", ErrLimits, w.Reorder)
	}
	return w, nil
}
