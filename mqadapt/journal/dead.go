package journal

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/mqadapt"
)

// What dead letters take at most, and what is kept of one.
const (
	DeadSegment = 4 << 20
	DeadBytes   = 64 << 20

	mostReason = 1 << 10
)

// Dead is what a journal knows of a dead letter beside its bytes.
type Dead struct {
	Position uint64 // in the queue, as its consumer counted
	Why      string
}

// letter takes a dead letter's record apart.
func (r *record) letter() error {
	b := r.payload
	if len(b) < deadHeader {
		return fmt.Errorf("a dead letter of %d bytes", len(b))
	}
	n := binary.LittleEndian.Uint32(b[8:])
	if uint64(n) > uint64(len(b)-deadHeader) {
		return fmt.Errorf("a dead letter of %d bytes with a reason of %d", len(b), n)
	}
	r.dead = &Dead{Position: binary.LittleEndian.Uint64(b), Why: string(b[deadHeader : deadHeader+n])}
	r.payload = b[deadHeader+n:]
	return nil
}

// Bury appends a dead letter: the bytes as a queue had them, and why they were given up. What is longer than a record is cut. It is in the
// journal, as durably as that is asked, when Bury returns nil.
func (a *Appender) Bury(d Dead, letter []byte) error {
	d.Why = d.Why[:min(len(d.Why), mostReason)]
	letter = letter[:min(len(letter), maxEntry-deadHeader-len(d.Why))]
	length := uint32(deadHeader + len(d.Why) + len(letter))
	if a.broken != nil {
		return a.broken
	}
	err := sys.Guard(func() error {
		if err := a.fenced(); err != nil {
			return err
		}
		now := a.clock.now()
		if a.off+stride(uint64(length))+endSize > a.seg.size {
			if why, err := a.grow(now); err != nil || why != nil {
				return errors.Join(err, why)
			}
		}
		if err := a.prepare(stride(uint64(length))); err != nil {
			return err
		}
		b := a.payload(length)
		binary.LittleEndian.PutUint64(b, d.Position)
		binary.LittleEndian.PutUint64(b[8:], uint64(len(d.Why)))
		copy(b[deadHeader+copy(b[deadHeader:], d.Why):], letter)
		a.finishRecord(kindDead, length, now)
		a.publish()
		return nil
	})
	if err != nil {
		return err
	}
	var out [1]mqadapt.Outcome
	if _, err := a.Settle(out[:], 0); err != nil {
		return err
	}
	return out[0].Why
}

// DeadLetters are a journal of what a channel's queue held and nobody could take: pulse journal shows it, and replays what was an envelope. It
// keeps DeadBytes; then the oldest go. They belong to one goroutine.
type DeadLetters struct {
	journal  *Journal
	appender *Appender
}

var _ mqadapt.Dead = (*DeadLetters)(nil)

// OpenDead opens the journal of dead letters in dir, or begins one.
func OpenDead(dir string) (mqadapt.Dead, error) {
	j, err := Open(Options{Dir: dir, Segment: DeadSegment, MaxBytes: DeadBytes, DropOldest: true})
	if err != nil {
		return nil, err
	}
	a, err := j.Appender()
	if err != nil {
		return nil, errors.Join(err, j.Close())
	}
	return &DeadLetters{j, a}, nil
}

// Add keeps a delivery. What it returned nil for outlives this process.
func (d *DeadLetters) Add(letter mqadapt.Delivery, why error) error {
	if err := d.appender.Bury(Dead{letter.Position, why.Error()}, letter.Envelope); err != nil {
		return fmt.Errorf("journal: dead letter: %w", err)
	}
	return nil
}

// Close closes the journal.
func (d *DeadLetters) Close() error { return d.journal.Close() }
