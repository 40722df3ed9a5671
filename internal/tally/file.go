package tally

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/alphapulse/transport/internal/sys"
)

var (
	// ErrFull says that a file has no room for another entry or histogram. The number is not kept; nothing else is wrong.
	ErrFull = errors.New("tally: no room for another entry")

	// ErrOwned says that a living process writes the file.
	ErrOwned = errors.New("tally: another process writes it")

	// ErrCorrupt says that a file is none of this package, of another version, or cut short.
	ErrCorrupt = errors.New("tally: not a stats file of this version")
)

// File is a stats file as its owner has it. Its methods may be called from any goroutine; what they return says whose it is.
type File struct {
	file *os.File
	mem  *sys.Mapping

	mu      sync.Mutex
	used    [entries]bool
	blocks  [blocks]bool
	spreads [blocks]*Spread // by their blocks
	copied  [blocks]uint64  // sums when they were copied last
	closed  bool
}

// Create makes the file at path, in place of one whose owner is dead: node and process say whose it is, in at most 64 bytes each.
func Create(path, node, process string) (f *File, err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("tally: %w", err)
	}
	turn, err := sys.LockDir(dir)
	if err != nil {
		return nil, fmt.Errorf("tally: %w", err)
	}
	defer func() { err = errors.Join(err, turn.Close()) }()
	if owned, err := Alive(path); err != nil || owned {
		return nil, errors.Join(fmt.Errorf("tally: %s: %w", path, ErrOwned), err)
	}
	file, err := sys.Unlinked(dir, blocksOffset, 0o600, -1)
	if err != nil {
		return nil, fmt.Errorf("tally: %w", err)
	}
	f = &File{file: file}
	if err := f.fill(path, node, process); err != nil {
		return nil, errors.Join(fmt.Errorf("tally: %s: %w", path, err), f.Close())
	}
	return f, nil
}

// fill maps the file, writes its header and gives it its name.
func (f *File) fill(path, node, process string) (err error) {
	if err = f.file.Truncate(fileSize); err != nil { // the histograms' blocks come when they are asked for
		return err
	}
	if f.mem, err = sys.Map(f.file, 0, fileSize, true); err != nil {
		return err
	}
	f.mem.OnFault(fmt.Errorf("%w: %s was cut short", ErrCorrupt, path))
	now := uint64(time.Now().UnixNano())
	f.mem.Store32(hdrPID, uint32(os.Getpid()))
	f.mem.Store64(hdrStarted, now)
	f.mem.Store64(hdrBeat, now)
	copy(f.mem.Bytes(hdrNode, nameSize), node)
	copy(f.mem.Bytes(hdrProcess, nameSize), process)
	f.mem.Store32(hdrVersion, version)
	f.mem.Store64(hdrMagic, magic)
	if alone, err := sys.LockByte(f.file, ownerByte); err != nil || !alone {
		return errors.Join(ErrOwned, err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return sys.Link(f.file, path)
}

// Beat says that the owner is there.
func (f *File) Beat(now time.Time) { f.mem.Store64(hdrBeat, uint64(now.UnixNano())) }

// Value is one number. It belongs to one goroutine at a time; a nil Value keeps nothing.
type Value struct {
	file *File
	at   int
	mem  sys.Mem
}

// Set stores a counter's count.
func (v *Value) Set(n uint64) {
	if v != nil {
		v.mem.Store64(entValue, n)
	}
}

// SetFloat stores a gauge's value.
func (v *Value) SetFloat(x float64) { v.Set(math.Float64bits(x)) }

// Remove takes the number out of the file. It may not be set any more.
func (v *Value) Remove() {
	if v != nil {
		v.file.release(v.at, -1)
	}
}

// Value makes an entry for a counter or a gauge: text names it, in at most 232 bytes.
func (f *File) Value(kind Kind, text string) (*Value, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at, err := f.entry(kind, text, 0)
	if err != nil {
		return nil, err
	}
	return &Value{f, at, f.mem.At(uint64(headerSize + at*entrySize))}, nil
}

// Spread makes a histogram. Where somebody has cut the file short, the error is that.
func (f *File) Spread(text string) (s *Spread, err error) {
	fault := sys.Guard(func() error {
		s, err = f.spread(text)
		return err
	})
	return s, fault
}

func (f *File) spread(text string) (*Spread, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	block := free(f.blocks[:])
	if block < 0 {
		return nil, fmt.Errorf("%w: %d histograms", ErrFull, blocks)
	}
	off := blocksOffset + block*blockSize
	if err := f.mem.Populate(off, blockSize); err != nil {
		return nil, fmt.Errorf("tally: memory of a histogram: %w", err)
	}
	clear(f.mem.Bytes(uint64(off), blockSize))
	at, err := f.entry(Histogram, text, uint64(block))
	if err != nil {
		return nil, err
	}
	s := &Spread{mem: sys.Heap(blockSize), file: f, at: at, block: block}
	f.blocks[block], f.spreads[block], f.copied[block] = true, s, 0
	return s, nil
}

// Publish copies the histograms into which something has come since it was called last.
func (f *File) Publish() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	for block, s := range f.spreads {
		if s == nil {
			continue
		}
		sum := s.mem.Load64(hisSum) // stored last: the counts are as new at least
		if sum == f.copied[block] {
			continue
		}
		f.copied[block] = sum
		to := f.mem.At(uint64(blocksOffset + block*blockSize))
		for off := uint64(hisCounts); off < hisCounts+8*Buckets; off += 8 {
			to.Store64(off, s.mem.Load64(off))
		}
		to.Store64(hisMax, s.mem.Load64(hisMax))
		to.Store64(hisSum, sum)
	}
}

// Remove takes the histogram out of the file. Nothing may be recorded any more.
func (s *Spread) Remove() {
	if s != nil {
		s.file.release(s.at, s.block)
	}
}

// entry fills a free entry: readers take it for whole only once its state is even again.
func (f *File) entry(kind Kind, text string, value uint64) (int, error) {
	if f.closed {
		return 0, fmt.Errorf("tally: %w", fs.ErrClosed)
	}
	if len(text) > textSize {
		return 0, fmt.Errorf("tally: %q: longer than %d bytes", text, textSize)
	}
	at := free(f.used[:])
	if at < 0 {
		return 0, fmt.Errorf("%w: %d entries", ErrFull, entries)
	}
	f.used[at] = true
	if most := uint64(at + 1); most > f.mem.Load64(hdrEntries) {
		f.mem.Store64(hdrEntries, most)
	}
	m := f.mem.At(uint64(headerSize + at*entrySize))
	state := m.Load64(entState)
	m.Swap64(entState, state+1)
	m.Store32(entKind, uint32(kind))
	m.Store32(entLength, uint32(len(text)))
	m.Store64(entValue, value)
	clear(m.Bytes(entText, textSize))
	copy(m.Bytes(entText, textSize), text)
	m.Store64(entState, state+2)
	return at, nil
}

// release frees an entry, and a histogram's block with it.
func (f *File) release(at, block int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	m := f.mem.At(uint64(headerSize + at*entrySize))
	state := m.Load64(entState)
	m.Swap64(entState, state+1)
	m.Store32(entKind, 0)
	m.Store64(entState, state+2)
	f.used[at] = false
	if block >= 0 {
		f.blocks[block], f.spreads[block] = false, nil
	}
}

// free is the first place that is not taken, -1 when all are.
func free(taken []bool) int {
	for i, t := range taken {
		if !t {
			return i
		}
	}
	return -1
}

// Close gives the file up; what it says stays for whoever reads it. Nobody may be using its numbers any more.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return fmt.Errorf("tally: %w", fs.ErrClosed)
	}
	f.closed = true
	var faults []error
	if f.mem != nil {
		faults = append(faults, f.mem.Unmap())
	}
	return errors.Join(append(faults, f.file.Close())...)
}
