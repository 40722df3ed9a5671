package journal

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/netio"
)

// Medium is the journal as a node of a topology has it: transport.Config.Queues takes one. Of each channel's publishers a node has a journal of
// its own, since a journal has one producer, in a directory below the one that the file names. Who takes from it is on the same machine.
type Medium struct {
	// Options of the journals; Dir and Durability are the topology's.
	Options Options
}

// Backend is what topologies call it.
func (m Medium) Backend() string { return "journal" }

// Open joins a node to the journals of its machine.
func (m Medium) Open(site netio.QueueSite) (netio.Queues, error) {
	if site.Directory == "" {
		return nil, fmt.Errorf("journal: %w: no directory: say where journals lie with queues: { journal: { directory: /var/lib/pulse } }", mqadapt.ErrOptions)
	}
	name := func(l netio.QueueLine) string {
		dir := l.Queue + ".from." + l.From
		if l.To != "" {
			dir += ".to." + l.To
		}
		return filepath.Join(site.Directory, dir)
	}
	return mqadapt.NewHub(site, mqadapt.Backend{Kind: m.Backend(), Name: name, Dead: OpenDead, Open: func(l netio.QueueLine) (mqadapt.Queue, error) {
		o := m.Options
		o.Dir = name(l)
		if l.Durability == "memory" {
			o.Durability = mqadapt.Memory
		}
		j, err := Open(o)
		if err != nil {
			return nil, err // not a nil *Journal in an interface
		}
		return j, nil
	}}), nil
}

var _ mqadapt.Backlogged = (*Journal)(nil)

// Backlog returns how many entries a group has not acknowledged; of a group that was never there, all.
func (j *Journal) Backlog(group string) (entries uint64, err error) {
	if err := nameFault(group); err != nil {
		return 0, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return 0, fmt.Errorf("journal: %s: %w", j.options.Dir, mqadapt.ErrClosed)
	}
	var end uint64
	for c := range j.open {
		if a, ok := c.(*Appender); ok {
			end = a.recovery.Next + a.entries.Load()
		}
	}
	if end == 0 {
		return 0, fmt.Errorf("journal: %s: %w: only its producer knows how much it holds", j.options.Dir, errors.ErrUnsupported)
	}
	firsts, err := segments(j.options.Dir)
	if err != nil || len(firsts) == 0 {
		return 0, fmt.Errorf("journal: %s: %w", j.options.Dir, err)
	}
	next, err := readCursor(filepath.Join(j.options.Dir, group+cursorSuffix), j.state.journal)
	if gone(err) {
		next, err = firsts[0], nil
	}
	if err != nil {
		return 0, fmt.Errorf("journal: group %s: %w", group, err)
	}
	if next = max(next, firsts[0]); next > end {
		return 0, corrupt(filepath.Join(j.options.Dir, group+cursorSuffix), cursorNext, fmt.Errorf("the group is at entry %d, and the journal ends before %d", next, end))
	}
	return end - next, nil
}
