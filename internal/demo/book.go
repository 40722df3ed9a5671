package demo

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/alphapulse/transport/internal/sys"
)

// A book is a process's counts in a small mapped file beside the rings. Its process alone writes it, with plain stores,
// message by message; whoever watches maps it and reads. So a process that is killed takes no count with it, and its
// successor goes on where it stood: next of an input's row is stored once a message is done with, and only then is the
// message released, so what comes again after a kill is recognised by its number.
//
//	   0  magic u64 · version u64 · lives u64 · pid u64
//	  64  output row: source · first · next · epoch
//	 128  waits u64 · waited u64 (ns)
//	 144  own u64: 1 in a directory that is a demo's own, see dir.go
//	 256  of the network: datagrams u64 · again u64 · naks u64 · lost u64 · 32 × dropped u64, by udp.Reason
//	4096  accounts, each: gaps, repeated, reordered, corrupt u64 · lost u64 · at 64 rows of 32 bytes · at 4096 the histogram
//
// A row: source u64 · first seq u64 · next seq u64 · epoch u64. A row with next 0 is free.
const (
	bookMagic   = 0x4b4f4f4245534c50 // "PLSEBOOK"
	bookVersion = 1
	bookSuffix  = ".book"

	bookLives  = 16
	bookPID    = 24
	bookOutput = 64
	bookWaits  = 128
	bookWaited = 136
	bookOwn    = 144

	bookNet     = 256
	bookDropped = bookNet + 4*8

	accountBase = 4096
	accountRows = 64
	accountHist = 4096
	accountSize = accountHist + (histLen*8+4095)&^4095
	accounts    = 2

	rowSize = 32
	maxRows = (accountHist - accountRows) / rowSize

	bookSize = accountBase + accounts*accountSize
	bookLock = 1 << 20 // beyond the end: the byte whose lock is ownership
)

var (
	// ErrBusy: a living process of that name works in the directory. Stop it, or choose another --name or --dir.
	ErrBusy = errors.New("demo: already running there")

	// ErrBook: a file in the place of a book is none, or of another version. Remove it and start again.
	ErrBook = errors.New("demo: not a book")
)

// book is one process's counts, mapped.
type book struct {
	sys.Mem
	mapping *sys.Mapping
	file    *os.File
}

// openBook opens or makes the book of the process name in dir and takes it over.
func openBook(dir, name string) (*book, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	path := filepath.Join(dir, name+bookSuffix)
	for range 8 {
		b, err := mapBook(path, true)
		if errors.Is(err, fs.ErrNotExist) {
			if err = makeBook(dir, path); err == nil || errors.Is(err, fs.ErrExist) {
				continue // made by us or by somebody quicker
			}
		}
		if err != nil {
			return nil, err
		}
		mine, err := sys.LockByte(b.file, bookLock)
		if err == nil && !mine {
			err = fmt.Errorf("%w: %s in %s, process %d", ErrBusy, name, dir, b.Load64(bookPID))
		}
		if err != nil {
			return nil, errors.Join(err, b.close())
		}
		b.Store64(bookPID, uint64(os.Getpid()))
		return b, nil
	}
	return nil, fmt.Errorf("demo: %s is made and removed by others all the time", path)
}

// makeBook makes an empty book, whole before it has a name.
func makeBook(dir, path string) (err error) {
	f, err := sys.Unlinked(dir, bookSize, 0o600, -1)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	m, err := sys.Map(f, 0, accountBase, true)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	m.Store64(0, bookMagic)
	m.Store64(8, bookVersion)
	if err := m.Unmap(); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	return sys.Link(f, path)
}

// mapBook maps an existing book.
func mapBook(path string, writable bool) (*book, error) {
	f, err := sys.OpenShared(path, writable)
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	facts, err := sys.Facts(f)
	switch {
	case err != nil:
	case !facts.Regular || facts.Size != bookSize:
		err = fmt.Errorf("%w: %s has %d bytes, not %d: remove it and start again", ErrBook, path, facts.Size, bookSize)
	case facts.UID != os.Geteuid() || facts.Mode&0o077 != 0:
		err = fmt.Errorf("%w: %s belongs to user %d with mode %04o: remove it and start again", ErrBook, path, facts.UID, facts.Mode)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	m, err := sys.Map(f, 0, bookSize, writable)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("demo: %w", err), f.Close())
	}
	m.OnFault(fmt.Errorf("%w: %s was cut short while in use", ErrBook, path))
	b := &book{m.Mem, m, f}
	if b.Load64(0) != bookMagic || b.Load64(8) != bookVersion {
		err := fmt.Errorf("%w: %s has another magic or version: remove it and start again", ErrBook, path)
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

func (b *book) close() error { return errors.Join(b.mapping.Unmap(), b.file.Close()) }

// begin notes that the process is ready for work.
func (b *book) begin() { b.Store64(bookLives, b.Load64(bookLives)+1) }

func (b *book) add(at, n uint64) { b.Store64(at, b.Load64(at)+n) }

// output notes where the process's own ring ends: next is the number of the next message.
func (b *book) output(source, next, epoch uint64) {
	r := row{b.At(bookOutput)}
	if r.source() != source {
		r.Store64(rowFirst, next)
		r.Store64(rowSource, source)
	}
	r.Store64(rowEpoch, epoch)
	r.Store64(rowNext, next)
}

// account is one side's view of a way that messages take: which came, which did not, and how long each took.
func (b *book) account(i int) account { return account{Mem: b.At(accountBase + uint64(i)*accountSize)} }

const (
	rowSource = 0
	rowFirst  = 8
	rowNext   = 16
	rowEpoch  = 24
)

type row struct{ sys.Mem }

func (r row) source() uint64 { return r.Load64(rowSource) }
func (r row) next() uint64   { return r.Load64(rowNext) }

// yield gives the ownership up and goes on reading.
func (b *book) yield() error { return sys.UnlockByte(b.file, bookLock) }
