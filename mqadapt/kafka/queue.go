package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/alphapulse/transport/mqadapt"
)

// Bounds on waiting. Put and Get wait for none of it.
const (
	openWait  = 10 * time.Second // for the broker to answer what Open, Producer and Consumer ask
	closeWait = 3 * time.Second  // for what is under way
	questions = 2                // tries of a question after the first
)

// Queue is a topic: the place where its producers and consumers come from. Its methods may be called from any goroutine. The zero Queue is
// not valid: use Open.
type Queue struct {
	options Options
	base    []kgo.Opt
	client  *kgo.Client // for questions
	counts  counts

	mu     sync.Mutex
	closed bool
	open   map[closer]bool
}

type closer interface{ shut() error }

var _ mqadapt.Queue = (*Queue)(nil)

// counts are those of all producers and consumers of a queue.
type counts struct {
	accepted, rejected, refused, unknown, renewed, delivered, revoked, lost atomic.Uint64
	trouble                                                                 atomic.Pointer[error]
}

// Stats is what a queue's producers and consumers have seen since Open.
type Stats struct {
	Accepted uint64
	Rejected uint64 // by the broker, or while the topic could not be had
	Refused  uint64 // too large
	Unknown  uint64
	Renewed  uint64 // times that a producer learned its topic anew

	Delivered uint64
	Revoked   uint64 // lent or fetched, and given to another member before they were acknowledged
	Lost      uint64 // dropped by retention before the group had them
}

// Open asks the brokers for the topic and says what is wrong with either. It makes nothing: see Provision.
func Open(o Options) (*Queue, error) {
	o, err := o.checked()
	if err != nil {
		return nil, err
	}
	q := &Queue{options: o, open: map[closer]bool{}}
	if q.base, err = o.access(); err != nil {
		return nil, err
	}
	q.base = append(q.base, kgo.WithHooks(watcher{&q.counts}))
	if q.client, err = asking(q.base); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), openWait)
	defer cancel()
	if err = o.speaks(ctx, q.client); err == nil {
		_, err = o.learn(ctx, q.client)
	}
	if err != nil {
		q.client.Close()
		return nil, err
	}
	return q, nil
}

// asking makes a client for questions. It does not ask often: whoever asks wants to know what is wrong.
func asking(base []kgo.Opt) (*kgo.Client, error) {
	cl, err := kgo.NewClient(append(base[:len(base):len(base)], kgo.RequestRetries(questions))...)
	if err != nil {
		return nil, fmt.Errorf("kafka: %w: %w", mqadapt.ErrOptions, err)
	}
	return cl, nil
}

// Producer opens a producer. Under Options.Transaction it fences the one before.
func (q *Queue) Producer() (mqadapt.Producer, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return nil, q.shutError()
	}
	p, err := newProducer(q)
	if err != nil {
		return nil, err
	}
	q.open[p] = true
	return p, nil
}

// Consumer opens a member of a group. It waits until the group has it, at most joinWait.
func (q *Queue) Consumer(group string) (mqadapt.Consumer, error) {
	if group == "" {
		return nil, fmt.Errorf("kafka: %w: a group without a name", mqadapt.ErrOptions)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return nil, q.shutError()
	}
	c, err := newConsumer(q, group)
	if err != nil {
		return nil, err
	}
	q.open[c] = true
	return c, nil
}

// Lag returns how many records the topic holds that a group has not acknowledged; of a group that was never there, all. Records that end
// transactions count, too.
func (q *Queue) Lag(ctx context.Context, group string) (n uint64, err error) {
	defer func() {
		if err != nil {
			n, err = 0, q.options.explain(fmt.Sprintf("lag of group %s", group), err)
		}
	}()
	admin := kadm.NewClient(q.client)
	had, err := admin.FetchOffsets(ctx, group)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return 0, err
	}
	starts, err := admin.ListStartOffsets(ctx, q.options.Topic)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return 0, err
	}
	ends, err := admin.ListEndOffsets(ctx, q.options.Topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return 0, err
	}
	if len(ends[q.options.Topic]) == 0 {
		return 0, errors.New("the topic has no partitions")
	}
	ends.Each(func(end kadm.ListedOffset) {
		from, ok := starts.Lookup(end.Topic, end.Partition)
		if !ok {
			err = fmt.Errorf("partition %d has an end and no beginning", end.Partition)
			return
		}
		next := from.Offset
		if at, ok := had.Lookup(end.Topic, end.Partition); ok {
			if at.Err != nil {
				err = at.Err
				return
			}
			next = max(next, at.At)
		}
		n += uint64(max(end.Offset-next, 0))
	})
	return n, err
}

// Stats may be called at any time.
func (q *Queue) Stats() Stats {
	c := &q.counts
	return Stats{c.accepted.Load(), c.rejected.Load(), c.refused.Load(), c.unknown.Load(), c.renewed.Load(), c.delivered.Load(), c.revoked.Load(),
		c.lost.Load()}
}

// Trouble returns what last went wrong between a client and a broker: both try again by themselves, so that no call answers it. nil when
// nothing ever did, or a broker was reached since.
func (q *Queue) Trouble() error {
	if p := q.counts.trouble.Load(); p != nil {
		return *p
	}
	return nil
}

// Close closes producers and consumers.
func (q *Queue) Close() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return q.shutError()
	}
	q.closed = true
	var faults []error
	for c := range q.open {
		faults = append(faults, c.shut())
	}
	q.open = nil
	q.client.Close()
	return errors.Join(faults...)
}

// release closes c, once.
func (q *Queue) release(c closer) error {
	q.mu.Lock()
	if !q.open[c] {
		q.mu.Unlock()
		return q.shutError()
	}
	delete(q.open, c)
	q.mu.Unlock()
	return c.shut()
}

func (q *Queue) shutError() error {
	return fmt.Errorf("kafka: topic %s: %w", q.options.Topic, mqadapt.ErrClosed)
}
