package tally

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/alphapulse/transport/internal/sys"
)

// Reading is what a file said when it was read.
type Reading struct {
	Node, Process string
	PID           int // as the owner wrote it: another pid namespace counts differently
	Started, Beat time.Time
	Alive         bool // the owner lives; a stopped process does
	Entries       []Entry
}

// Entry is one of its numbers.
type Entry struct {
	Kind   Kind
	Text   string
	Value  uint64  // a count, or a float64's bits
	Counts *Counts // of a histogram
}

// Alive reports whether a living process owns the file. A file that is not there has no owner.
func Alive(path string) (bool, error) {
	f, err := sys.OpenShared(path, false)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("tally: %w", err)
	}
	held, err := sys.ByteHeld(f, ownerByte)
	return held, errors.Join(err, f.Close())
}

// Read reads the file at path. Nothing in it is believed: what is no entry is passed over, and what changes while it is read is read again at
// most three times.
func Read(path string) (r *Reading, err error) {
	f, err := sys.OpenShared(path, false)
	if err != nil {
		return nil, fmt.Errorf("tally: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if i, err := f.Stat(); err != nil || !i.Mode().IsRegular() || i.Size() != fileSize {
		return nil, errors.Join(fmt.Errorf("tally: %s: %w", path, ErrCorrupt), err)
	}
	m, err := sys.Map(f, 0, fileSize, false)
	if err != nil {
		return nil, fmt.Errorf("tally: %w", err)
	}
	defer func() { err = errors.Join(err, m.Unmap()) }()
	m.OnFault(fmt.Errorf("tally: %s: %w", path, ErrCorrupt))
	r = &Reading{}
	if err := sys.Guard(func() error { return r.take(m.Mem, path) }); err != nil {
		return nil, err
	}
	r.Alive, err = sys.ByteHeld(f, ownerByte)
	return r, err
}

func (r *Reading) take(m sys.Mem, path string) error {
	if m.Load64(hdrMagic) != magic || m.Load32(hdrVersion) != version {
		return fmt.Errorf("tally: %s: %w", path, ErrCorrupt)
	}
	r.Node, r.Process, r.PID = text(m, hdrNode), text(m, hdrProcess), int(m.Load32(hdrPID))
	r.Started, r.Beat = time.Unix(0, int64(m.Load64(hdrStarted))), time.Unix(0, int64(m.Load64(hdrBeat)))
	for i := range min(m.Load64(hdrEntries), entries) {
		if e, ok := entryAt(m, i); ok {
			r.Entries = append(r.Entries, e)
		}
	}
	return nil
}

// text is a name of the header.
func text(m sys.Mem, off uint64) string {
	b := make([]byte, nameSize)
	m.CopyTo(b, off)
	b, _, _ = bytes.Cut(b, []byte{0})
	return string(b)
}

func entryAt(all sys.Mem, i uint64) (e Entry, ok bool) {
	m := all.At(headerSize + i*entrySize)
	for range 3 {
		state := m.Load64(entState)
		if state == 0 {
			return e, false
		}
		if state%2 == 1 {
			continue
		}
		kind, length, value := Kind(m.Load32(entKind)), m.Load32(entLength), m.Load64(entValue)
		if kind < Counter || kind > Histogram || length > textSize || kind == Histogram && value >= blocks {
			return e, false
		}
		b := make([]byte, length)
		m.CopyTo(b, entText)
		e = Entry{Kind: kind, Text: string(b), Value: value}
		if kind == Histogram {
			e.Counts = countsOf(all.At(blocksOffset + value*blockSize))
		}
		if m.Load64(entState) == state {
			return e, true
		}
	}
	return e, false
}

func countsOf(m sys.Mem) *Counts {
	c := &Counts{Each: make([]uint64, Buckets)}
	for i := range c.Each {
		c.Each[i] = m.Load64(hisCounts + 8*uint64(i))
		c.Total += c.Each[i]
	}
	c.Max, c.Sum = m.Load64(hisMax), m.Load64(hisSum)
	return c
}

// Remove takes away a file whose owner is dead.
func Remove(path string) error {
	if alive, err := Alive(path); err != nil || alive {
		return errors.Join(fmt.Errorf("tally: %s: %w", path, ErrOwned), err)
	}
	return os.Remove(path)
}
