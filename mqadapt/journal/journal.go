package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/mqadapt"
)

// Journal is an open journal: the place where its producer and its consumers come from. Its methods may be called from any goroutine. The
// zero Journal is not valid: use Open.
type Journal struct {
	options Options
	state   *small

	mu     sync.Mutex
	closed bool
	open   map[closer]bool
}

type closer interface{ shut() error }

var _ mqadapt.Queue = (*Journal)(nil)

// Open opens the journal in o.Dir, or begins one. It writes nothing to one that exists and asks for no lock: Producer does.
func Open(o Options) (*Journal, error) {
	o, err := o.checked()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	state, err := openState(o.Dir, true)
	if err != nil {
		return nil, err
	}
	return &Journal{options: o, state: state, open: map[closer]bool{}}, nil
}

// Producer opens the journal's one producer, an *Appender. It recovers what a killed one left. It answers mqadapt.ErrOwned, with the name of
// the process, while another lives, and mqadapt.ErrCorrupt with file and offset.
func (j *Journal) Producer() (mqadapt.Producer, error) {
	a, err := j.Appender()
	if err != nil {
		return nil, err // not a nil *Appender in an interface
	}
	return a, nil
}

// Consumer opens a member of a group. Its name is 1 to 40 letters, digits, '.', '_' or '-', and does not begin with '.'. Of a group's members
// one gets everything; the others get nothing until it is closed or dead.
func (j *Journal) Consumer(group string) (mqadapt.Consumer, error) {
	if err := nameFault(group); err != nil {
		return nil, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return nil, fmt.Errorf("journal: %s: %w", j.options.Dir, mqadapt.ErrClosed)
	}
	c, err := newConsumer(j, group)
	if err != nil {
		return nil, err
	}
	j.open[c] = true
	return c, nil
}

// Close closes producer and consumers.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return fmt.Errorf("journal: %s: %w", j.options.Dir, mqadapt.ErrClosed)
	}
	j.closed = true
	var faults []error
	for c := range j.open {
		faults = append(faults, c.shut())
	}
	j.open = nil
	return errors.Join(append(faults, j.state.close())...)
}

// release closes c, once.
func (j *Journal) release(c closer) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.open[c] {
		return fmt.Errorf("journal: %s: %w", j.options.Dir, mqadapt.ErrClosed)
	}
	delete(j.open, c)
	return c.shut()
}

const maxName = 40

// nameFault says why name cannot be part of a file's name.
func nameFault(name string) error {
	ok := name != "" && len(name) <= maxName && name[0] != '.' && !strings.ContainsFunc(name, func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		return !letter && (r < '0' || r > '9') && !strings.ContainsRune("._-", r)
	})
	if ok {
		return nil
	}
	return fmt.Errorf("journal: %w: group %q: 1 to %d letters, digits, '.', '_' or '-', not starting with '.'", mqadapt.ErrOptions, name, maxName)
}

// Forget lets a group go: it holds no segment any more, and its next member begins with the oldest entry. A group whose reading member lives
// answers mqadapt.ErrOwned.
func Forget(dir, group string) error {
	if err := nameFault(group); err != nil {
		return err
	}
	path := filepath.Join(dir, group+cursorSuffix)
	f, err := sys.OpenShared(path, true)
	if err != nil {
		return fmt.Errorf("journal: group %s: %w", group, err)
	}
	ok, err := sys.LockByte(f, lockByte)
	switch {
	case err != nil:
	case !ok:
		err = fmt.Errorf("journal: group %s: %w", group, mqadapt.ErrOwned)
	default:
		err = os.Remove(path)
	}
	return errors.Join(err, f.Close())
}
