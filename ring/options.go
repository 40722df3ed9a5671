package ring

import (
	"errors"
	"fmt"
	"io/fs"
	"math/bits"
	"os"

	"github.com/alphapulse/transport/internal/sys"
)

// Bounds and defaults of Options.
const (
	DefaultCapacity = 1 << 20 // 1 MiB: inside the L2 cache of a server core
	MaxCapacity     = 1 << 30 // 1 GiB
	MaxReaders      = 64
	cursorsSuffix   = ".cursors"
)

// Options say how a ring is made. The zero value is an anonymous ring of DefaultCapacity.
type Options struct {
	// Path names the data file; the cursors lie beside it as Path + ".cursors". Any file system that can be mapped
	// shared will do, /dev/shm is the usual one. Empty: an anonymous ring, within this process or passed on by Files.
	Path string

	// Capacity is the size of the data in bytes: a power of two, a multiple of the page size, at most MaxCapacity.
	// 0 means DefaultCapacity. Small rings stay in cache: 64 KiB to 1 MiB streams fastest.
	Capacity int

	// HugePages asks for 2 MiB pages: from the pool for an anonymous ring (normal pages when the pool is empty, see
	// Info), from hugetlbfs for a named one (Path must lie there).
	HugePages bool

	// Heap puts the ring on the Go heap, single-mapped: for the race detector, which is blind on mapped memory, and for
	// systems without shared mappings. It excludes Path.
	Heap bool

	// Instance and First are for mirrors, which carry another ring's records: the instance of that ring, and the number
	// of the first record there will be. 0 means an instance drawn at random, and 1.
	Instance, First uint64

	// GID lets the members of one group use a named ring (files 0660 instead of 0600). 0 means nobody but the owner.
	GID int

	looking bool // see Look: nothing is stored and nothing believed, so whose the files are does not matter
}

// checked returns o with its defaults, or all its faults.
func (o Options) checked() (Options, error) {
	if o.Capacity == 0 {
		o.Capacity = max(DefaultCapacity, o.page())
	}
	if o.Instance == 0 {
		o.Instance = newInstance()
	}
	o.First = max(o.First, firstSeq)
	var faults []error
	if page := o.page(); o.Capacity < page || o.Capacity > MaxCapacity || bits.OnesCount(uint(o.Capacity)) != 1 {
		faults = append(faults, fmt.Errorf("%w: capacity %d is not a power of two from %d to %d", ErrOptions, o.Capacity, page, MaxCapacity))
	}
	if o.Heap && (o.Path != "" || o.HugePages) {
		faults = append(faults, fmt.Errorf("%w: a ring on the heap has neither path nor huge pages", ErrOptions))
	}
	if o.GID < 0 {
		faults = append(faults, fmt.Errorf("%w: negative group %d", ErrOptions, o.GID))
	}
	return o, errors.Join(faults...)
}

func (o Options) page() int {
	if o.HugePages {
		return sys.HugePage
	}
	return os.Getpagesize()
}

func (o Options) mode() fs.FileMode {
	if o.GID > 0 {
		return 0o660
	}
	return 0o600
}

// Mode says what a reader's lag means to the writer.
type Mode uint8

const (
	// Gate readers hold the writer back: nothing they have not released is overwritten.
	Gate Mode = iota
	// Lossy readers hold nobody back: they copy what they peek and may be lapped.
	Lossy
)

// String returns "gate" or "lossy".
func (m Mode) String() string {
	if m == Lossy {
		return "lossy"
	}
	return "gate"
}

// From says where a new reader starts.
type From uint8

const (
	// Now starts after what is committed already.
	Now From = iota
	// Oldest starts at the oldest record boundary the ring remembers: all that was written, in a ring not yet lapped.
	Oldest
)

// ReaderOptions say how a reader attaches. The zero value is a nameless gating reader that starts now.
type ReaderOptions struct {
	Mode Mode
	From From

	// Name labels the reader in Readers and in lag reports, at most 40 bytes. A durable reader needs one.
	Name string

	// Durable keeps the slot when its owner dies or closes: it goes on gating, and the next durable reader of that Name
	// takes it over where it stood, whatever From says. The bound is the ring itself: a dead durable reader that would
	// make Claim answer ErrFull is evicted, and its successor learns from Lost how much it missed. Gate only.
	Durable bool

	// Held has the writer wait for a durable reader's place after its death, too, however full the ring is, until a successor takes it or
	// Ring.Forget frees it. It is the place's: successors need not say it again.
	Held bool
}

const maxName = 40

func (o ReaderOptions) check() error {
	var faults []error
	if len(o.Name) > maxName {
		faults = append(faults, fmt.Errorf("%w: reader name of %d bytes, at most %d", ErrOptions, len(o.Name), maxName))
	}
	if o.Mode > Lossy || o.From > Oldest {
		faults = append(faults, fmt.Errorf("%w: unknown reader mode %d or start %d", ErrOptions, o.Mode, o.From))
	}
	if o.Durable && (o.Name == "" || o.Mode != Gate) {
		faults = append(faults, fmt.Errorf("%w: a durable reader gates and has a name", ErrOptions))
	}
	if o.Held && !o.Durable {
		faults = append(faults, fmt.Errorf("%w: only a durable reader's place is held", ErrOptions))
	}
	return errors.Join(faults...)
}
