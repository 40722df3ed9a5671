package rabbitmq

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alphapulse/transport/mqadapt"
)

// closeWait bounds how long Close waits for what is under way, and for the broker to say goodbye.
const closeWait = 2 * time.Second

// Queue is a channel's queues at a broker: the place where its producers and consumers come from. Its methods may be called from any
// goroutine. The zero Queue is not valid: use Open.
type Queue struct {
	options Options
	limit   atomic.Int64 // bytes of the largest message, once the broker has complained; 0: unknown
	counts  struct{ accepted, rejected, returned, refused, ended atomic.Uint64 }

	asking sync.Mutex
	asks   *gauge // nil until it is needed

	mu     sync.Mutex
	closed bool
	open   map[closer]bool
}

type closer interface{ shut() }

// member is a consumer of either kind.
type member interface {
	mqadapt.Consumer
	closer
}

var _ mqadapt.Queue = (*Queue)(nil)

// Open connects to nothing yet: Producer and Consumer do, each with a connection of its own, and say what is wrong.
func Open(o Options) (*Queue, error) {
	o, err := o.checked()
	if err != nil {
		return nil, err
	}
	return &Queue{options: o, open: map[closer]bool{}}, nil
}

// Producer connects a producer. It waits for the broker at most Options.Patience for each answer. There may be several.
func (q *Queue) Producer() (mqadapt.Producer, error) {
	if err := q.shutError(); err != nil {
		return nil, err
	}
	p, err := newProducer(q)
	if err != nil {
		return nil, err
	}
	if err := q.keep(p); err != nil {
		return nil, err
	}
	return p, nil
}

// Consumer connects a member of a group, which Provision has made a queue for. One member of a group has everything, and the others wait.
func (q *Queue) Consumer(group string) (mqadapt.Consumer, error) {
	if !named(group) || group == deadGroup {
		return nil, fmt.Errorf("rabbitmq: %w: group %q: 1 to %d letters, digits, '.', '_' or '-', and not %q", mqadapt.ErrOptions, group, mostName,
			deadGroup)
	}
	if err := q.shutError(); err != nil {
		return nil, err
	}
	var c member
	var err error
	if q.options.Kind == Stream {
		c, err = newFollower(q, group)
	} else {
		c, err = newConsumer(q, group)
	}
	if err == nil {
		err = q.keep(c)
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// keep remembers c, for Close. Close may have come first.
func (q *Queue) keep(c closer) error {
	q.mu.Lock()
	if !q.closed {
		q.open[c] = true
		q.mu.Unlock()
		return nil
	}
	q.mu.Unlock()
	c.shut()
	return q.shutError()
}

func (q *Queue) shutError() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return q.overError()
	}
	return nil
}

func (q *Queue) overError() error {
	return fmt.Errorf("rabbitmq: %s at %s: %w", q.options.Name, q.options.host(), mqadapt.ErrClosed)
}

// release closes c, once.
func (q *Queue) release(c closer) error {
	q.mu.Lock()
	there := q.open[c]
	delete(q.open, c)
	q.mu.Unlock()
	if !there {
		return q.overError()
	}
	c.shut()
	return nil
}

// Close closes producers and consumers.
func (q *Queue) Close() error {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return q.overError()
	}
	all := q.open
	q.closed, q.open = true, nil
	q.mu.Unlock()
	var wg sync.WaitGroup
	for c := range all { // together: each waits for its own connection
		wg.Go(c.shut)
	}
	wg.Wait()
	return nil
}

// Stats is what a queue's producers and consumers have seen since Open.
type Stats struct {
	Accepted uint64
	Rejected uint64 // by the broker: a queue is full
	Returned uint64 // rejected, too: no queue is bound
	Refused  uint64 // too large, for us or for the broker
	Ended    uint64 // connections that ended by themselves
}

// Stats may be called at any time.
func (q *Queue) Stats() Stats {
	c := &q.counts
	return Stats{c.accepted.Load(), c.rejected.Load(), c.returned.Load(), c.refused.Load(), c.ended.Load()}
}

// learn takes what a connection's end says about all that come after it.
func (q *Queue) learn(why error) {
	q.counts.ended.Add(1)
	if errors.Is(why, ErrLimit) {
		if n := limitIn(why.Error()); n > 0 {
			q.limit.Store(n)
		}
	}
}
