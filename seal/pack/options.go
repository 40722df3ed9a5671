package pack

import (
	"errors"
	"fmt"
	"time"

	"github.com/klauspost/compress/zstd"
)

// DefaultMinSize is the smallest body that is packed unless Options.MinSize says otherwise: below it LZ4 spends its time on
// clearing its table and nobody saves a hundred bytes.
const DefaultMinSize = 256

// maxLevel is the highest level in the numbering of the zstd program.
const maxLevel = 22

// Options say how a Codec packs and what it expands. The zero value packs nothing and expands everything.
type Options struct {
	// Method is how Pack packs.
	Method Method

	// Level is how hard Zstd tries, 1 to 22 as the zstd program counts; 0 is 1. The library knows four: below 3, below 6, below
	// 10, and the rest. For Zstd and Adaptive only.
	Level int

	// Dictionary is what Zstd bodies may refer to, in the format of zstd --train; BuildDictionary makes one. Both ends need the
	// same. A Codec that has one still expands bodies without, so receivers get it first, then senders. It is kept, not copied.
	Dictionary []byte

	// MinSize is the smallest body that is packed, in bytes; 0 is DefaultMinSize, 1 packs whatever gets smaller.
	MinSize int

	// Accept lists what Unpack expands; empty is all. None stands for nothing, so a list of None alone refuses everything.
	Accept []Method

	// Clock measures what a method costs, as the time since any instant; only Adaptive reads it, twice per measurement. Nil is
	// the monotonic clock.
	Clock func() time.Duration
}

// checked returns o with its defaults and the number of its dictionary (0 without one), or all its faults.
func (o Options) checked() (_ Options, dictionary uint32, _ error) {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("%w: "+format, append([]any{ErrOptions}, args...)...))
	}
	if o.Method > Adaptive {
		fault("no method has the number %d", uint8(o.Method))
	}
	if o.Level < 0 || o.Level > maxLevel {
		fault("level %d is not 0 to %d", o.Level, maxLevel)
	}
	if o.Level != 0 && o.Method != Zstd && o.Method != Adaptive {
		fault("%s has no level", o.Method)
	}
	if o.MinSize < 0 || o.MinSize > MaxExpanded {
		fault("smallest size %d is not 0 to %d", o.MinSize, MaxExpanded)
	}
	for _, m := range o.Accept {
		if int(m) >= methods {
			fault("%s does not travel and cannot be accepted", m)
		}
	}
	if len(o.Dictionary) > 0 {
		d, err := zstd.InspectDictionary(o.Dictionary)
		if err != nil {
			faults = append(faults, fmt.Errorf("%w: %w", ErrDictionary, err))
		} else {
			dictionary = d.ID()
		}
	}
	if o.MinSize == 0 {
		o.MinSize = DefaultMinSize
	}
	if o.Level == 0 {
		o.Level = 1
	}
	if o.Clock == nil {
		start := time.Now()
		o.Clock = func() time.Duration { return time.Since(start) }
	}
	return o, dictionary, errors.Join(faults...)
}

// accepts returns the set of codec numbers that Unpack expands.
func (o Options) accepts() (set [methods]bool) {
	if len(o.Accept) == 0 {
		return [methods]bool{LZ4: true, Zstd: true, Snappy: true}
	}
	for _, m := range o.Accept {
		set[m] = m != None // a body that travels as it is has nothing to expand
	}
	return set
}
