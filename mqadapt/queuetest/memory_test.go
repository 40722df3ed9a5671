package queuetest_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/mqadapt/queuetest"
	"github.com/alphapulse/transport/seal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a queue of slices: what the suite is tried on.
type memory struct {
	mu     sync.Mutex
	most   int // envelopes that some group has not acknowledged; 0: no bound
	kept   [][]byte
	acked  map[string]uint64
	reader map[string]*member
}

// link is one connection to it.
type link struct {
	m      *memory
	closed bool
}

type maker struct {
	l    *link
	done []mqadapt.Outcome
	over bool
}

type member struct {
	l     *link
	group string
	next  uint64
	over  bool
}

var errShut = fmt.Errorf("memory: %w", mqadapt.ErrClosed)

func newMemory(most int) *memory {
	return &memory{most: most, acked: map[string]uint64{}, reader: map[string]*member{}}
}

func (m *memory) connect() (mqadapt.Queue, error) { return &link{m: m}, nil }

func (l *link) Producer() (mqadapt.Producer, error) {
	if l.closed {
		return nil, errShut
	}
	return &maker{l: l}, nil
}

func (l *link) Consumer(group string) (mqadapt.Consumer, error) {
	if l.closed {
		return nil, errShut
	}
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	l.m.acked[group] += 0
	return &member{l: l, group: group}, nil
}

func (l *link) Close() error {
	if l.closed {
		return errShut
	}
	l.closed = true
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	for group, r := range l.m.reader {
		if r.l == l {
			delete(l.m.reader, group)
		}
	}
	return nil
}

func (p *maker) Put(batch []mqadapt.Envelope) (int, error) {
	if p.over || p.l.closed {
		return 0, errShut
	}
	p.l.m.mu.Lock()
	defer p.l.m.mu.Unlock()
	for i := range batch {
		o := mqadapt.Outcome{Verdict: mqadapt.Accepted}
		switch {
		case len(batch[i].Body) > seal.MaxBody:
			o = mqadapt.Outcome{Verdict: mqadapt.Rejected, Why: mqadapt.ErrRefused}
		case p.l.m.full():
			o = mqadapt.Outcome{Verdict: mqadapt.Rejected, Why: mqadapt.ErrFull}
		default:
			b := make([]byte, batch[i].Size())
			batch[i].PutBytes(b)
			p.l.m.kept = append(p.l.m.kept, b)
		}
		p.done = append(p.done, o)
	}
	return len(batch), nil
}

func (m *memory) full() bool {
	for _, acked := range m.acked {
		if m.most > 0 && len(m.kept)-int(acked) >= m.most {
			return true
		}
	}
	return false
}

func (p *maker) Settle(out []mqadapt.Outcome, _ time.Duration) (int, error) {
	if p.over || p.l.closed {
		return 0, errShut
	}
	n := copy(out, p.done)
	p.done = p.done[n:]
	return n, nil
}

func (p *maker) Close() error {
	if p.over || p.l.closed {
		return errShut
	}
	p.over = true
	return nil
}

func (c *member) Get(batch []mqadapt.Delivery, wait time.Duration) (n int, err error) {
	if c.over || c.l.closed {
		return 0, errShut
	}
	c.l.m.mu.Lock()
	defer c.l.m.mu.Unlock()
	if c.l.m.reader[c.group] == nil {
		c.l.m.reader[c.group], c.next = c, c.l.m.acked[c.group]
	}
	for ; c.l.m.reader[c.group] == c && n < len(batch) && int(c.next) < len(c.l.m.kept); n++ {
		batch[n] = mqadapt.Delivery{Envelope: c.l.m.kept[c.next], Position: c.next + 1}
		c.next++
	}
	return n, nil
}

func (c *member) Ack(position uint64) error {
	if c.over || c.l.closed {
		return errShut
	}
	c.l.m.mu.Lock()
	defer c.l.m.mu.Unlock()
	c.l.m.acked[c.group] = max(c.l.m.acked[c.group], position)
	return nil
}

func (c *member) Position() uint64 {
	c.l.m.mu.Lock()
	defer c.l.m.mu.Unlock()
	return c.l.m.acked[c.group]
}

func (c *member) Close() error {
	if c.over || c.l.closed {
		return errShut
	}
	c.over = true
	c.l.m.mu.Lock()
	defer c.l.m.mu.Unlock()
	if c.l.m.reader[c.group] == c {
		delete(c.l.m.reader, c.group)
	}
	return nil
}

func TestQueueInMemoryPassesTheSuite(t *testing.T) {
	fresh := func(most int) func(*testing.T) func() (mqadapt.Queue, error) {
		return func(*testing.T) func() (mqadapt.Queue, error) { return newMemory(most).connect }
	}
	queuetest.Run(t, queuetest.Bed{New: fresh(0), Bounded: fresh(100), Full: 100})
}

func ExampleBed() {
	b := queuetest.Bed{New: func(*testing.T) func() (mqadapt.Queue, error) { return newMemory(0).connect }}
	// A backend's test has one line more: queuetest.Run(t, b)
	q, err := b.New(nil)()
	fmt.Println(err, errors.Join(q.Close()))
	// Output: <nil> <nil>
}
