package netio

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// ErrSources: more sources send than the inbox was opened for. The receiver counts and drops their frames; the operator
// raises Sources, or looks for who sends there without leave.
var ErrSources = errors.New("netio: too many sources")

// DefaultSources is how many sources an inbox takes unless told otherwise.
const DefaultSources = 16

const leastCapacity = 4096 // bytes: a page

// InboxOptions say where arriving frames go. The zero value keeps them in anonymous rings of the default capacity.
type InboxOptions struct {
	// Dir holds the channel's rings, one file per source, as transport.Config.Dir with the channel's name does. Empty:
	// anonymous rings, which Opened hands on.
	Dir string

	// Capacity of a mirror in bytes, a power of two; 0 means ring.DefaultCapacity. An existing file keeps its own.
	Capacity int

	// Sources bounds the mirrors; 0 means DefaultSources.
	Sources int

	// Opened, if set, is told of each mirror before its first frame is in it. It runs on the receiver's thread.
	Opened func(*ring.Ring)

	// Shared, if set, has the mirrors, for this inbox and others; nothing else is heeded then. nil: the inbox has its own.
	Shared *Mirrors
}

// Inbox is the mirrors of one channel. It belongs to one goroutine. The zero Inbox is not valid: use NewInbox.
type Inbox struct {
	options InboxOptions
	mirrors map[uint64]*Mirror
}

// Mirror is one source's ring here, and its writing end.
type Mirror struct {
	*ring.Writer
	Ring *ring.Ring

	gate   *gate  // nil: one inbox has it
	voice  uint64 // epoch of the record that Bring brought last; no epoch before
	turned bool   // Continue was told of a record that did not come
	about  uint64 // number of the record that trace is about, once it comes
	trace  seal.Trace
}

// NewInbox checks the options.
func NewInbox(o InboxOptions) (*Inbox, error) {
	if o.Sources == 0 {
		o.Sources = DefaultSources
	}
	var faults []error
	if o.Sources < 0 {
		faults = append(faults, fmt.Errorf("netio: inbox: %d sources", o.Sources))
	}
	if c := o.Capacity; c != 0 && c < leastCapacity || c > ring.MaxCapacity || c&(c-1) != 0 {
		faults = append(faults, fmt.Errorf("netio: inbox: capacity %d is not a power of two from %d to %d", c, leastCapacity, ring.MaxCapacity))
	}
	return &Inbox{options: o, mirrors: map[uint64]*Mirror{}}, errors.Join(faults...)
}

// Sources returns how many mirrors there may be.
func (b *Inbox) Sources() int {
	if s := b.options.Shared; s != nil {
		return s.inbox.options.Sources
	}
	return b.options.Sources
}

// Held returns the mirror of a source if the inbox has it open or a former life left its file; nil when there is none. Its
// Seq says which number is due.
func (b *Inbox) Held(source uint64) (*Mirror, error) {
	if m := b.mirrors[source]; m != nil {
		return m, nil
	}
	if s := b.options.Shared; s != nil {
		return b.keep(source)(s.held(source))
	}
	if b.options.Dir == "" {
		return nil, nil
	}
	if _, err := os.Lstat(b.path(source)); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b.Open(source, 1)
}

// Open returns the mirror of a source, and makes it with first as its first number if there is none. A file of a former
// life goes on where that ended. It answers ErrSources, ring.ErrOwned when another process receives this source into the
// same directory, or what opening a ring answers.
func (b *Inbox) Open(source, first uint64) (*Mirror, error) {
	if m := b.mirrors[source]; m != nil {
		return m, nil
	}
	if s := b.options.Shared; s != nil {
		return b.keep(source)(s.open(source, first))
	}
	if len(b.mirrors) >= b.options.Sources {
		return nil, fmt.Errorf("%w: %d", ErrSources, len(b.mirrors))
	}
	o := ring.Options{Capacity: b.options.Capacity, Instance: source, First: first}
	open := ring.Create
	if b.options.Dir != "" {
		o.Path, open = b.path(source), ring.Open
	}
	r, err := open(o)
	if err != nil {
		return nil, fmt.Errorf("netio: source %x: %w", source, err)
	}
	w, err := r.Writer()
	if err != nil {
		return nil, fmt.Errorf("netio: source %x: %w", source, errors.Join(err, r.Close()))
	}
	m := &Mirror{Writer: w, Ring: r, voice: ^uint64(0)}
	b.mirrors[source] = m
	if b.options.Opened != nil {
		b.options.Opened(r)
	}
	return m, nil
}

// keep remembers a mirror that is shared.
func (b *Inbox) keep(source uint64) func(*Mirror, error) (*Mirror, error) {
	return func(m *Mirror, err error) (*Mirror, error) {
		if m != nil {
			b.mirrors[source] = m
		}
		return m, err
	}
}

func (b *Inbox) path(source uint64) string {
	return filepath.Join(b.options.Dir, fmt.Sprintf("%016x.ring", source))
}

// Forget closes the mirror of a source that is gone and makes room for another. Its file stays. One that is shared is closed when another
// needs its room.
func (b *Inbox) Forget(source uint64) error {
	m := b.mirrors[source]
	if m == nil {
		return nil
	}
	delete(b.mirrors, source)
	if s := b.options.Shared; s != nil {
		s.forget(source)
		return nil
	}
	return errors.Join(m.Writer.Close(), m.Ring.Close())
}

// Close closes all mirrors that are not shared. Files stay for the next life; anonymous rings live on while somebody reads them.
func (b *Inbox) Close() error {
	var faults []error
	for source := range b.mirrors {
		faults = append(faults, b.Forget(source))
	}
	return errors.Join(faults...)
}
