package tally

import (
	"math/bits"

	"github.com/alphapulse/transport/internal/sys"
)

// Buckets is how many a histogram has. They are those of an HDR histogram of 1 to 2^36 - 1 with two significant digits: each power of two is
// divided into 128, so a value is known to within 1/128 of itself, and counts may be handed to HDR libraries as they are.
const Buckets = 30 * halfCount

const (
	halfBits  = 7
	halfCount = 1 << halfBits
	maxValue  = 1<<36 - 1
)

// Spread is a histogram of nanoseconds. It belongs to one goroutine at a time; a nil Spread records nothing.
//
// It is kept in memory of the process, which whoever records never has to be afraid of, and copied into the file by Publish.
type Spread struct {
	mem   sys.Mem // a block
	sum   uint64
	max   uint64
	file  *File
	at    int // its entry
	block int
}

// Record counts a value: what is 0 counts as 1, what is larger than 68.7 s as that.
func (s *Spread) Record(ns uint64) {
	if s == nil {
		return
	}
	ns = min(max(ns, 1), maxValue)
	at := hisCounts + 8*index(ns)
	s.mem.Store64(at, s.mem.Load64(at)+1)
	if ns > s.max {
		s.max = ns
		s.mem.Store64(hisMax, ns)
	}
	s.sum += ns
	s.mem.Store64(hisSum, s.sum)
}

// index is the bucket of a value.
func index(v uint64) uint64 {
	shift := uint64(bits.Len64(v|(2*halfCount-1))) - halfBits - 1
	return shift<<halfBits + v>>shift
}

// Low is the least value of bucket i.
func Low(i int) uint64 {
	if i < 2*halfCount {
		return uint64(i)
	}
	shift := i>>halfBits - 1
	return uint64(i-shift<<halfBits) << shift
}

// Counts is what a histogram said when it was read.
type Counts struct {
	Total uint64
	Sum   uint64   // ns; 0 once it has passed 584 years
	Max   uint64   // ns
	Each  []uint64 // by bucket: Buckets of them
}

// Quantile is the value that a share q of all, 0 to 1, does not pass: the largest of its bucket, and never more than Max. 0: there is none.
func (c *Counts) Quantile(q float64) uint64 {
	if c.Total == 0 {
		return 0
	}
	want, seen := uint64(min(max(q, 0), 1)*float64(c.Total)+0.5), uint64(0)
	want = max(want, 1)
	for i, n := range c.Each {
		if seen += n; seen >= want {
			return min(Low(i+1)-1, max(c.Max, Low(i)))
		}
	}
	return c.Max
}

// Since is what was counted after before was read: of the same histogram, or else it is c.
func (c *Counts) Since(before *Counts) Counts {
	d := Counts{Each: make([]uint64, Buckets)}
	if before == nil || before.Total > c.Total {
		before = &Counts{Each: make([]uint64, Buckets)}
	}
	for i, n := range c.Each {
		if n < before.Each[i] {
			return *c // it began anew
		}
		if d.Each[i] = n - before.Each[i]; d.Each[i] > 0 {
			d.Max = min(Low(i+1)-1, max(c.Max, Low(i)))
		}
		d.Total += d.Each[i]
	}
	d.Sum = c.Sum - min(before.Sum, c.Sum)
	return d
}

// Add counts what another counted, too.
func (c *Counts) Add(other *Counts) {
	if c.Each == nil {
		c.Each = make([]uint64, Buckets)
	}
	for i, n := range other.Each {
		c.Each[i] += n
	}
	c.Total += other.Total
	c.Sum += other.Sum
	c.Max = max(c.Max, other.Max)
}
