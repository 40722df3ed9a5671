package simnet

import (
	"errors"
	"fmt"
	"time"
)

// ErrFaults says that Faults, or the text for them, are wrong; the message names each fault. The caller mends them.
var ErrFaults = errors.New("simnet: faults")

// Faults is what one direction does to datagrams. The zero Faults does nothing. Shares are fractions from 0 to 1, drawn for each
// datagram by itself.
type Faults struct {
	Loss      float64 // share lost
	Burst     Burst   // lost in a row; apart from Loss
	Delay     time.Duration
	Jitter    time.Duration // up to so much on top of Delay; never changes the order
	Reorder   float64       // share held back until later datagrams have gone
	ReorderBy int           // how many later ones go first; 0 means 3
	Duplicate float64       // share sent twice, back to back
	Corrupt   float64       // share with one bit turned
	Truncate  float64       // share cut short, anywhere from nothing to one byte less
	Rate      int64         // bytes per second of payload; 0 is unlimited
	Queue     int64         // bytes that wait for Rate; 0 means 100 ms of Rate. More are dropped
	Outage    Outage        // when nothing passes
}

// Burst is the Gilbert–Elliott model: a direction is good until a burst starts, bad until it ends, and loses only what passes while
// it is bad. The zero Burst never starts.
type Burst struct {
	Start float64 // share of datagrams with which a good direction turns bad
	Mean  float64 // datagrams a burst lasts on average, at least 1
	Loss  float64 // share lost while bad; 0 means 1
}

// Outage is a schedule: everything passes for After, nothing for For, and so on Times times; then everything passes. It counts from
// when the direction got its Faults. The zero Outage never happens.
type Outage struct {
	After, For time.Duration
	Times      int // 0 means 1
}

const (
	reorderBy  = 3
	maxBehind  = 1024
	maxDelay   = time.Hour
	maxRate    = 1_000_000_000_000
	maxQueue   = 1 << 30
	queueTime  = 100 * time.Millisecond
	maxOutages = 1 << 30
	maxMean    = 1e9
)

// Check returns all that is wrong with f as one ErrFaults.
func (f Faults) Check() error {
	var faults []error
	share := func(name string, v float64) {
		if !(v >= 0 && v <= 1) { // not a number is neither
			faults = append(faults, fmt.Errorf("%s %v is not a share from 0%% to 100%%", name, v))
		}
	}
	span := func(name string, d time.Duration) {
		if d < 0 || d > maxDelay {
			faults = append(faults, fmt.Errorf("%s %s is not from 0 to %s", name, d, maxDelay))
		}
	}
	size := func(name string, v, most int64) {
		if v < 0 || v > most {
			faults = append(faults, fmt.Errorf("%s %d is not from 0 to %d bytes", name, v, most))
		}
	}
	share("loss", f.Loss)
	share("burst", f.Burst.Start)
	share("burst loss", f.Burst.Loss)
	if b := f.Burst; b.Start > 0 && !(b.Mean >= 1 && b.Mean <= maxMean) {
		faults = append(faults, fmt.Errorf("a burst of %v datagrams on average is not from 1 to 1e9", b.Mean))
	}
	span("delay", f.Delay)
	span("jitter", f.Jitter)
	share("reorder", f.Reorder)
	if f.ReorderBy < 0 || f.ReorderBy > maxBehind {
		faults = append(faults, fmt.Errorf("reorder by %d datagrams is not from 1 to %d", f.ReorderBy, maxBehind))
	}
	share("dup", f.Duplicate)
	share("corrupt", f.Corrupt)
	share("truncate", f.Truncate)
	size("rate", f.Rate, maxRate)
	size("queue", f.Queue, maxQueue)
	if f.Queue > 0 && f.Rate == 0 {
		faults = append(faults, errors.New("queue without rate: nothing waits"))
	}
	span("partition after", f.Outage.After)
	span("partition for", f.Outage.For)
	if o := f.Outage; o.Times < 0 || o.Times > maxOutages || o.For == 0 && (o.After > 0 || o.Times > 0) {
		faults = append(faults, fmt.Errorf("partition %s/%s/%d lasts no time or happens no number of times", o.After, o.For, o.Times))
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("%w: %w", ErrFaults, err)
	}
	return nil
}

// at reports whether the outage is on, d after the schedule began.
func (o Outage) at(d time.Duration) bool {
	if o.For == 0 || d < 0 {
		return false
	}
	period := o.After + o.For
	return d/period < time.Duration(max(o.Times, 1)) && d%period >= o.After
}

// queueWait is how long the last byte of a full queue waits for Rate.
func (f Faults) queueWait() time.Duration {
	if f.Queue == 0 {
		return queueTime
	}
	return time.Duration(f.Queue) * time.Second / time.Duration(f.Rate)
}
