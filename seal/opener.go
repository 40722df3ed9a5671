package seal

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"time"
)

// Opener decrypts one session: what one sender sealed on one path for one source. It belongs to one goroutine and lives as
// long as the session: an opener made anew has forgotten what it opened and would open it again.
//
// A sealed body is judged in the order of cost: its packet number by the replay window, its key epoch by the keys that are
// open, its tag by the cipher. Only then do window and key move. So forgeries cost a tag each and change nothing.
type Opener struct {
	x       scratch
	current *key
	before  *key // open until ends; nil when there is none
	after   *key // derived when its epoch first shows up and kept, however many forgeries name it
	ends    time.Duration
	reorder time.Duration

	forgeryLimit uint64
	schedule     *schedule
	window       Replay
	first        uint64 // the lowest packet number that was not yet sealed when the session was announced
}

// NewOpener opens the session with this salt from key w.Key and packet w.Packet on, as its announce says. It answers ErrSecret, ErrSuite or
// ErrLimits.
func NewOpener(secret Secret, suite Suite, s Session, salt Salt, w Window) (*Opener, error) {
	schedule, err := newSchedule(labelKey, secret, suite, s, salt)
	if err != nil {
		return nil, fmt.Errorf("seal: opener: %w", err)
	}
	w, err = w.checked()
	if err != nil {
		return nil, fmt.Errorf("seal: opener: %w", err)
	}
	first, err := schedule.key(w.Key)
	if err != nil {
		return nil, fmt.Errorf("seal: opener: %w", err)
	}
	return &Opener{current: first, reorder: w.Reorder, forgeryLimit: forgeryLimit, schedule: schedule, first: w.Packet}, nil
}

// Key is the number of the current key.
func (o *Opener) Key() uint64 { return o.current.number }

// Open writes the body of sealed to dst and returns its size, len(sealed)-Overhead. keyEpoch is the header's. now is any
// clock that does not go back. dst and sealed share no memory, unless dst begins at sealed[8], which is opened in place.
// After an error dst holds nothing of use; opened in place, the sealed bytes are lost.
//
// ErrShort, ErrReplayed, ErrOldKey and ErrForged are counted and skipped. io.ErrShortBuffer: dst has no room.
func (o *Opener) Open(dst, header, sealed []byte, keyEpoch uint8, now time.Duration) (int, error) {
	if len(sealed) < Overhead || len(header) != HeaderSize {
		return 0, ErrShort
	}
	size := len(sealed) - Overhead
	if len(dst) < size {
		return 0, io.ErrShortBuffer
	}
	n := binary.LittleEndian.Uint64(sealed)
	if n < o.first || !o.window.Check(n) {
		return 0, ErrReplayed
	}
	k, err := o.choose(keyEpoch, now)
	if err != nil {
		return 0, err
	}
	if !o.x.open(k, dst, header, sealed, n) {
		k.forged++
		return 0, ErrForged
	}
	o.window.Commit(n)
	if k == o.after {
		o.turn(k, o.current, now)
	}
	return size, nil
}

// Advance turns to the key and the packet number of a, for a session that is announced again after it was out of reach for
// longer than a key lasts; a.Salt is the session's. Both only go forward: an older announce changes nothing.
func (o *Opener) Advance(a Announce, now time.Duration) error {
	o.first = max(o.first, a.Packet)
	if a.Key <= o.current.number {
		return nil
	}
	k, err := o.schedule.key(a.Key)
	if err != nil {
		return fmt.Errorf("seal: opener: %w", err)
	}
	before := o.current
	if before.number != a.Key-1 {
		before = nil // its epoch could be taken for another key's
	}
	o.turn(k, before, now)
	return nil
}

// turn makes k the current key and keeps the one before it for the reorder window.
func (o *Opener) turn(k, before *key, now time.Duration) {
	o.current, o.before, o.after = k, before, nil
	o.ends = now + o.reorder
}

// choose finds the key that a key epoch names.
func (o *Opener) choose(epoch uint8, now time.Duration) (k *key, err error) {
	if o.before != nil && now >= o.ends {
		o.before = nil
	}
	switch {
	case epoch == byte(o.current.number):
		k = o.current
	case o.before != nil && epoch == byte(o.before.number):
		k = o.before
	case epoch == byte(o.current.number+1) && o.current.number < math.MaxUint64:
		if o.after == nil {
			if o.after, err = o.schedule.key(o.current.number + 1); err != nil {
				return nil, fmt.Errorf("seal: next key: %w", err)
			}
		}
		k = o.after
	}
	if k == nil || k.forged >= o.forgeryLimit {
		return nil, ErrOldKey
	}
	return k, nil
}
