package xdp

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Attach says where the program sits.
type Attach uint8

const (
	AttachAuto    Attach = iota // native where the driver can, or else generic
	AttachNative                // in the driver, before the kernel has a packet of it
	AttachGeneric               // in the kernel's common receive path: every interface, at a price
	AttachNone                  // of a Mode: nothing is attached, the device only sends
)

// String is "auto", "native", "generic" or "none".
func (a Attach) String() string {
	return [...]string{"auto", "native", "generic", "none"}[min(a, AttachNone)]
}

// Copying says whether the kernel copies packets into the chunks and out of them.
type Copying uint8

const (
	CopyAuto Copying = iota // zero-copy where the driver can, or else copied
	Copy                    // copied
	ZeroCopy                // the device itself reads and writes chunks; it takes AttachNative
)

// String is "auto", "copy" or "zero-copy".
func (c Copying) String() string { return [...]string{"auto", "copy", "zero-copy"}[min(c, ZeroCopy)] }

// Defaults and bounds of options.
const (
	DefaultReceiveChunks = 2048 // of each queue
	DefaultSendChunks    = 1024 // of each queue
	MaxPorts             = 64
	MaxMemory            = 1 << 30 // bytes of all chunks
	maxQueues            = 1024
	maxRing              = 1 << 16
	minRing              = 64
)

// Options describe a device. Interface has no default.
type Options struct {
	// Interface is the name, in the network namespace of the thread that calls Open.
	Interface string

	// Ports are the UDP destination ports whose datagrams come here instead of to the kernel, up to MaxPorts. Without, the device only
	// sends, attaches nothing, and copies.
	Ports []uint16

	// Queues are the interface's queues that get a socket each; nil means all. What comes to our ports on another queue stays the
	// kernel's.
	Queues []int

	// Attach and Copying are what is allowed; the best that works is taken, and Mode says which and why.
	Attach  Attach
	Copying Copying

	// ChunkSize is 2048 or 4096 bytes; 0 means the smaller one in which a packet of the interface's MTU fits, with the kernel's
	// headroom of 256. Larger packets take several.
	ChunkSize int

	// ReceiveChunks and SendChunks are powers of two, 64 to 65536, for each queue; 0 means the defaults.
	ReceiveChunks, SendChunks int

	// HugePages asks for pages of 2 MiB, and takes normal ones when the pool has too few.
	HugePages bool

	// Bind asks for memory of the NUMA node Node, which must be there.
	Bind bool
	Node int

	// BusyPoll has our calls drive the device's queue for so long, instead of its interrupts; 0 means interrupts. BusyBudget is
	// packets at a time; 0 means 64.
	BusyPoll   time.Duration
	BusyBudget int

	// Loss is a percentage of datagrams to our ports that the program throws away, 0 to 100, each drawn by itself: for tests.
	Loss float64
}

// checked fills in defaults that do not depend on the interface and reports all faults at once.
func (o Options) checked() (Options, error) {
	var faults []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	o.Ports, o.Queues = slices.Clone(o.Ports), slices.Clone(o.Queues)
	if o.ReceiveChunks == 0 {
		o.ReceiveChunks = DefaultReceiveChunks
	}
	if o.SendChunks == 0 {
		o.SendChunks = DefaultSendChunks
	}
	if o.BusyBudget == 0 {
		o.BusyBudget = 64
	}
	fault(o.Interface == "", "no interface")
	fault(len(o.Ports) > MaxPorts, "%d ports, at most %d", len(o.Ports), MaxPorts)
	fault(slices.Contains(o.Ports, 0), "port 0")
	for i, q := range o.Queues {
		fault(q < 0 || q >= maxQueues, "queue %d is not 0 to %d", q, maxQueues-1)
		fault(slices.Contains(o.Queues[:i], q), "queue %d is named twice", q)
	}
	fault(o.Queues != nil && len(o.Queues) == 0, "no queues")
	fault(o.Attach > AttachGeneric, "attach %d", o.Attach)
	fault(o.Copying > ZeroCopy, "copying %d", o.Copying)
	fault(o.Copying == ZeroCopy && o.Attach == AttachGeneric, "zero-copy takes a native program")
	fault(o.Copying == ZeroCopy && len(o.Ports) == 0, "zero-copy takes a program, and so a port")
	fault(o.ChunkSize != 0 && o.ChunkSize != 2048 && o.ChunkSize != 4096, "chunks of %d bytes are not 2048 or 4096", o.ChunkSize)
	for _, n := range []int{o.ReceiveChunks, o.SendChunks} {
		fault(n < minRing || n > maxRing || n&(n-1) != 0, "%d chunks are not a power of two from %d to %d", n, minRing, maxRing)
	}
	fault(o.BusyPoll < 0 || o.BusyPoll > time.Second, "busy poll of %v is not 0 to 1s", o.BusyPoll)
	fault(o.BusyBudget < 1 || o.BusyBudget > 1024, "busy poll budget of %d is not 1 to 1024", o.BusyBudget)
	fault(!(o.Loss >= 0 && o.Loss <= 100), "a loss of %v is not 0 to 100 percent", o.Loss)
	if err := errors.Join(faults...); err != nil {
		return o, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	if len(o.Ports) == 0 {
		o.ReceiveChunks = 0
	}
	return o, nil
}
