package journal

import (
	"errors"
	"fmt"
	"time"

	"github.com/alphapulse/transport/mqadapt"
)

// Bounds and defaults of Options.
const (
	DefaultSegment  = 64 << 20
	DefaultMaxBytes = 4 << 30

	leastSegment = 128 << 10
	mostSegment  = 1 << 30
	pageBytes    = 4096
)

// Options say where a journal lies and what it keeps. The zero value of all but Dir is the default.
type Options struct {
	// Dir holds the journal's files and nothing else. It is made when it is missing.
	Dir string

	// Durability is what an accepted envelope outlives. mqadapt.Process, the default, is a store into a mapped file: it outlives a kill at
	// any point. mqadapt.OS waits for fdatasync, one for all that was put between two calls of Settle. mqadapt.Memory accepts before the
	// record is whole; a kill loses what was put since the last Settle, at most openEntries entries.
	Durability mqadapt.Durability

	// Segment is the size of a file in bytes, a multiple of 4096 from 128 KiB to 1 GiB; 0 means DefaultSegment. It counts for segments that
	// are made from now on.
	Segment int

	// MaxBytes bounds all segments together; 0 means DefaultMaxBytes. At the bound the oldest segment goes if every group has passed it.
	// If one has not, Put answers rejected, with mqadapt.ErrFull and the group's name: see DropOldest.
	MaxBytes int64

	// MaxAge lets segments go whose last entry is older, once every group has passed them; 0 keeps them.
	MaxAge time.Duration

	// DropOldest has segments go although a group has not passed them. The group learns how many entries it lost.
	DropOldest bool
}

// checked returns o with its defaults, or all its faults.
func (o Options) checked() (Options, error) {
	if o.Segment == 0 {
		o.Segment = DefaultSegment
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = max(DefaultMaxBytes, 2*int64(o.Segment))
	}
	var faults []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf("journal: %w: "+format, append([]any{mqadapt.ErrOptions}, args...)...))
		}
	}
	fault(o.Dir == "", "no directory")
	fault(o.Segment < leastSegment || o.Segment > mostSegment || o.Segment%pageBytes != 0,
		"a segment of %d bytes is no multiple of %d from %d to %d", o.Segment, pageBytes, leastSegment, mostSegment)
	fault(o.MaxBytes < 2*int64(o.Segment), "at most %d bytes: two segments of %d have no room", o.MaxBytes, o.Segment)
	fault(o.MaxAge < 0, "negative age %s", o.MaxAge)
	fault(o.Durability > mqadapt.OS, "unknown durability %d", o.Durability)
	return o, errors.Join(faults...)
}
