package mqadapt

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"
)

// DefaultDead is how many bytes DeadLetters keep at most.
const DefaultDead = 64 << 20

// DeadLetter is one line of a file of dead letters.
type DeadLetter struct {
	Time     time.Time `json:"time"`
	Channel  string    `json:"channel"`
	Position uint64    `json:"position"` // in the queue, as its consumer counts
	Why      string    `json:"why"`
	Envelope []byte    `json:"envelope"` // as the queue had it; base64 in the file
}

// DeadLetters keep what a Taker gives up, for somebody to look at: a line of JSON for each delivery in a file that only its owner may read.
// They belong to one taker.
type DeadLetters struct {
	channel string
	most    int64
	file    *os.File
	size    int64
}

// OpenDeadLetters opens the file of a channel's dead letters, or makes it. It holds at most so many bytes, 0 means DefaultDead; then Add fails,
// until somebody has moved the file away and the taker was started anew: dead letters are never overwritten.
func OpenDeadLetters(path, channel string, most int64) (*DeadLetters, error) {
	if most == 0 {
		most = DefaultDead
	}
	if most < 0 {
		return nil, fmt.Errorf("mqadapt: %w: %d bytes of dead letters", ErrOptions, most)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("mqadapt: dead letters of channel %q: %w", channel, err)
	}
	d := &DeadLetters{channel: channel, most: most, file: f}
	if err := d.resume(); err != nil {
		return nil, errors.Join(fmt.Errorf("mqadapt: dead letters of channel %q: %w", channel, err), f.Close())
	}
	return d, nil
}

// resume ends a line that whoever wrote it did not end.
func (d *DeadLetters) resume() error {
	facts, err := d.file.Stat()
	if err != nil {
		return err
	}
	d.size = facts.Size()
	if d.size == 0 {
		return nil
	}
	var last [1]byte
	if _, err := d.file.ReadAt(last[:], d.size-1); err != nil || last[0] == '\n' {
		return err
	}
	n, err := d.file.WriteString("\n")
	d.size += int64(n)
	return err
}

// Add writes one down; TakerOptions.Refused takes it. What it returned nil for outlives this process. ErrFull: the file has no room.
func (d *DeadLetters) Add(letter Delivery, why error) error {
	line, err := json.Marshal(DeadLetter{Time: time.Now(), Channel: d.channel, Position: letter.Position, Why: why.Error(), Envelope: letter.Envelope})
	if err != nil {
		return fmt.Errorf("mqadapt: dead letter: %w", err)
	}
	line = append(line, '\n')
	if d.size+int64(len(line)) > d.most {
		return fmt.Errorf("mqadapt: dead letters of channel %q: %w: %s has %d bytes: look at it, move it away and start again; the last one: %w",
			d.channel, ErrFull, d.file.Name(), d.size, why)
	}
	n, err := d.file.Write(line)
	d.size += int64(n)
	if err != nil {
		return fmt.Errorf("mqadapt: dead letters of channel %q: %w", d.channel, err)
	}
	return nil
}

// Close closes the file.
func (d *DeadLetters) Close() error { return d.file.Close() }
