package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/alphapulse/transport/internal/sys"
)

const (
	defaultFor  = 10 * time.Second
	defaultRate = 100_000
	defaultSize = 48
	maxSize     = 4096
	maxRate     = 5_000_000
	minSize     = 16
)

// Setup says how a workload is measured. The zero Setup is the default: ten seconds, two processes, the first two processors.
type Setup struct {
	For       time.Duration // the measured time, all lanes together; 0 is 10 s
	Rate      float64       // open loop: messages per second; 0 is 100 000, or the workload's own default; any other loop refuses it
	Size      int           // payload bytes of the subject, 16 to 4096; 0 is the workload's own default
	Seed      uint64        // payload bytes and the order of lanes in a round; 0 takes one from the clock
	CPUs      []int         // the near side's processor, then the far side's; nil is the first two it may use
	InProcess bool          // the far side is a thread of this process instead of a process of its own
	Dir       string        // where the run makes its directory of ring files; "" is /dev/shm where there is one
	Slice     time.Duration // the measured part of a slice; 0 is 25 ms
	Net       string        // over UDP: NetLoopback, also when empty, or NetVeth; any other workload refuses it

	// Peer is the command that ends up in [ServePeer]; nil is this program with the argument "bench-peer".
	Peer []string

	patience time.Duration // how long one side waits for the other; 0 is 3 s
}

// ErrSetup says a Setup asks for what cannot be measured; the text names every fault. Correct the setup.
var ErrSetup = errors.New("bench: bad setup")

// Workload is something to be measured and the alternatives it is measured against.
type Workload interface {
	// Run measures until the setup's time is over or ctx ends, and reports what it has seen. A peer that dies or stays silent ends it
	// with an error within seconds.
	Run(ctx context.Context) (*Report, error)
}

// filled returns s with defaults in place of zeroes, or every fault it has. Only an open loop takes a rate.
func (s Setup) filled(size int, openLoop bool) (Setup, error) {
	if s.For == 0 {
		s.For = defaultFor
	}
	if s.Rate == 0 && openLoop {
		s.Rate = defaultRate
	}
	if s.Size == 0 {
		s.Size = size
	}
	if s.Slice == 0 {
		s.Slice = 25 * time.Millisecond
	}
	if s.patience == 0 {
		s.patience = defaultPatience
	}
	if s.CPUs == nil {
		s.CPUs = twoProcessors()
	}
	for s.Seed == 0 {
		s.Seed = uint64(time.Now().UnixNano())
	}
	var faults []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	fault(s.For < 0, "negative time %s", s.For)
	fault(s.Slice < 0, "negative slice %s", s.Slice)
	fault(!openLoop && s.Rate != 0, "rate %g: this workload is not an open loop", s.Rate)
	fault(openLoop && !(s.Rate > 0 && s.Rate <= maxRate), "rate %g is not within 0 and %d messages per second", s.Rate, maxRate)
	fault(s.Size < minSize || s.Size > maxSize, "size %d is not within %d and %d bytes", s.Size, minSize, maxSize)
	fault(s.Net != "" && s.Net != NetLoopback && s.Net != NetVeth, "network %q: it is %s or %s", s.Net, NetLoopback, NetVeth)
	fault(len(s.CPUs) != 2, "%d processors named, two are needed", len(s.CPUs))
	for _, c := range s.CPUs {
		fault(c < 0, "processor %d does not exist", c)
	}
	if len(faults) > 0 {
		return s, fmt.Errorf("%w: %w", ErrSetup, errors.Join(faults...))
	}
	return s, nil
}

// twoProcessors returns the first two processors this process may use, or the only one twice.
func twoProcessors() []int {
	allowed, err := sys.Affinity()
	if err != nil || len(allowed) == 0 {
		return []int{0, min(1, runtime.NumCPU()-1)}
	}
	return []int{allowed[0], allowed[min(1, len(allowed)-1)]}
}
