package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/fnv"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/mqadapt"
)

// What the parts of a journal agree on, in the file journal.state. The producer alone writes it:
//
//	  0  magic u64 · version u32 · crc32c u32 of bytes 16 to 63
//	 16  journal u64 · kind u64 · value u64, zeroes
//	128  epoch      register: of the last producer
//	192  boot       register: the boot of the machine in which the last producer ran
//	256  visible    register: consumers have entries below it; all bits set where no sync is waited for
//	320  synced     register: entries below it are known to be on the device
//	512  owner      128 bytes of text, for people
//
// A cursor, GROUP.cursor, has the same beginning, and at 128 the register of the number that the group gets next.
const (
	fileMagic   = 0x544154_53_4c4a4c50 // "PLJLSTAT"
	fileVersion = 1
	fileSize    = 4096
	fileHeader  = 64

	kindState  = 1
	kindCursor = 2

	stateEpoch   = 128
	stateBoot    = 192
	stateVisible = 256
	stateSynced  = 320
	stateOwner   = 512
	ownerSize    = 128

	cursorNext = 128

	stateName    = "journal.state"
	cursorSuffix = ".cursor"
	lockByte     = 1 << 20 // of the state: the producer; of a cursor: its reading member

	allVisible = ^uint64(0)
)

// small is the state or a cursor.
type small struct {
	*mapped
	journal uint64
}

func (s *small) register(off uint64) register { return register{s.At(off)} }

func putSmall(m sys.Mem, journal, kind uint64) {
	b := m.Bytes(0, fileHeader)
	le := binary.LittleEndian
	le.PutUint64(b, fileMagic)
	le.PutUint32(b[8:], fileVersion)
	le.PutUint64(b[16:], journal)
	le.PutUint64(b[24:], kind)
	le.PutUint32(b[12:], crc32.Checksum(b[16:fileHeader], castagnoli))
}

// openSmall opens a state or cursor; journal 0 takes any.
func openSmall(path string, journal, kind uint64, writable bool) (*small, error) {
	m, err := open(path, fileSize, writable)
	if err != nil {
		return nil, err
	}
	s := &small{mapped: m}
	if err := sys.Guard(func() error { return s.check(journal, kind) }); err != nil {
		return nil, errors.Join(err, m.close())
	}
	return s, nil
}

func (s *small) check(journal, kind uint64) error {
	b, le := s.Bytes(0, fileHeader), binary.LittleEndian
	switch {
	case le.Uint64(b) != fileMagic:
		return corrupt(s.path, 0, fmt.Errorf("no file of a journal: magic %#x", le.Uint64(b)))
	case le.Uint32(b[8:]) != fileVersion:
		return corrupt(s.path, 8, fmt.Errorf("layout version %d, this program knows %d", le.Uint32(b[8:]), fileVersion))
	case crc32.Checksum(b[16:fileHeader], castagnoli) != le.Uint32(b[12:]):
		return corrupt(s.path, 12, errors.New("header checksum"))
	case le.Uint64(b[24:]) != kind:
		return corrupt(s.path, 24, fmt.Errorf("kind %d, not %d", le.Uint64(b[24:]), kind))
	}
	if s.journal = le.Uint64(b[16:]); journal != 0 && s.journal != journal {
		return corrupt(s.path, 16, fmt.Errorf("of journal %x, this one is %x: remove it", s.journal, journal))
	}
	return nil
}

// get reads a register.
func (s *small) get(off uint64) (uint64, error) {
	v, err := s.register(off).load()
	if err != nil {
		return 0, corrupt(s.path, off, err)
	}
	return v, nil
}

func (s *small) set(off, v uint64) error {
	if err := s.register(off).store(v); err != nil {
		return corrupt(s.path, off, err)
	}
	return nil
}

// openState opens a journal's state, or makes it.
func openState(dir string, writable bool) (*small, error) {
	path := filepath.Join(dir, stateName)
	for range 8 { // another process may create it meanwhile
		s, err := openSmall(path, 0, kindState, writable)
		if !gone(err) {
			return s, err
		}
		if !writable {
			return nil, fmt.Errorf("journal: %s is no journal: %w", dir, err)
		}
		if all, err := segments(dir); err != nil || len(all) > 0 {
			return nil, errors.Join(err, corrupt(path, 0, fmt.Errorf("missing, and %d segments lie beside it", len(all))))
		}
		id := rand.Uint64() | 1
		m, err := create(path, fileSize, func(m sys.Mem) {
			putSmall(m, id, kindState)
			for _, off := range []uint64{stateEpoch, stateBoot, stateVisible, stateSynced} {
				register{m.At(off)}.init(0)
			}
		})
		if err == nil {
			return &small{m, id}, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("journal: %s is created and removed by others all the time", path)
}

// own takes the producer's lock and says so, or answers ErrOwned with the name of who has it.
func (s *small) own() error {
	ok, err := sys.LockByte(s.file, lockByte)
	if err != nil {
		return fmt.Errorf("journal: lock %s: %w", s.path, err)
	}
	owner := s.Bytes(stateOwner, ownerSize)
	if !ok {
		text, _, _ := bytes.Cut(owner, []byte{0})
		return fmt.Errorf("journal: %w: %s is written by %s", mqadapt.ErrOwned, filepath.Dir(s.path), bytes.ToValidUTF8(text, []byte("?")))
	}
	clear(owner)
	copy(owner[:ownerSize-1], fmt.Sprintf("process %d (%s)", os.Getpid(), filepath.Base(os.Args[0])))
	return nil
}

// bootNow names this boot of the machine; a machine that does not say has one boot for ever.
func bootNow() uint64 {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return 1
	}
	h := fnv.New64a()
	_, _ = h.Write(bytes.TrimSpace(b)) // never fails
	return h.Sum64() | 1
}
