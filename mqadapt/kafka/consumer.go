package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/alphapulse/transport/mqadapt"
)

const (
	joinWait    = 10 * time.Second       // until a group has its new member
	aliveWait   = 10 * time.Second       // without a word, then others have a member's partitions
	beat        = 500 * time.Millisecond // between two words; so long a member takes at most to see that it is to give some up
	fetchWait   = 200 * time.Millisecond // of a request that finds nothing: so long a partition that comes to a member waits for it
	commitEvery = 100 * time.Millisecond
	lentMost    = 1 << 16  // deliveries that are lent and not acknowledged; past that Get waits for Ack
	unpackMost  = 64 << 20 // bytes that a compressed batch may come to
	fetchMost   = 16 << 20 // bytes that are fetched ahead of each broker
)

// consumer is a member of a group. Get and Ack belong to one goroutine; partitions come and go on one of the client's.
//
// A position counts the deliveries of this member: its offsets are those of several partitions, which do not come in one order. What a
// position stands for is kept until it is acknowledged; offsets of a partition that the member has not any more count for nothing then.
type consumer struct {
	q      *Queue
	group  string
	client *kgo.Client
	joined chan struct{}
	join   sync.Once
	ended  error

	next  uint64 // position of the next delivery
	acked uint64
	lent  []lent // in order, from first on
	first int
	marks map[string]map[int32]kgo.EpochOffset

	mu     sync.Mutex
	had    map[int32]hold // partitions of this member
	turn   uint64         // of the last assignment
	closed bool
}

// hold is what is known of a partition that this member has.
type hold struct {
	turn uint64
	due  int64 // offset of the next record, if nothing was dropped; below 0: not known
}

// lent is what one position stands for.
type lent struct {
	position  uint64
	turn      uint64
	partition int32
	at        kgo.EpochOffset // behind it
}

var _ mqadapt.Consumer = (*consumer)(nil)

func newConsumer(q *Queue, group string) (*consumer, error) {
	c := &consumer{q: q, group: group, next: 1, joined: make(chan struct{}), had: map[int32]hold{},
		marks: map[string]map[int32]kgo.EpochOffset{q.options.Topic: {}}}
	ctx, cancel := context.WithTimeout(context.Background(), openWait)
	defer cancel()
	if _, err := q.options.learn(ctx, q.client); err != nil {
		return nil, err
	}
	opts := append(q.base[:len(q.base):len(q.base)], kgo.ConsumerGroup(group), kgo.ConsumeTopics(q.options.Topic),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxBytes(fetchMost), kgo.FetchMaxWait(fetchWait), kgo.MaxDecompressBatchBytes(unpackMost),
		kgo.SessionTimeout(aliveWait), kgo.HeartbeatInterval(beat),
		kgo.AutoCommitMarks(), kgo.AutoCommitInterval(commitEvery),
		kgo.OnPartitionsAssigned(c.assigned), kgo.AdjustFetchOffsetsFn(c.starts), kgo.OnPartitionsRevoked(c.revoked), kgo.OnPartitionsLost(c.lost))
	var err error
	if c.client, err = kgo.NewClient(opts...); err != nil {
		return nil, fmt.Errorf("kafka: %w: %w", mqadapt.ErrOptions, err)
	}
	select {
	case <-c.joined:
	case <-time.After(joinWait): // others are slow to give way; it will have partitions when they do
	}
	return c, nil
}

// assigned is told of partitions that this member has from now on.
func (c *consumer) assigned(_ context.Context, _ *kgo.Client, got map[string][]int32) {
	c.mu.Lock()
	c.turn++
	for _, p := range got[c.q.options.Topic] {
		c.had[p] = hold{turn: c.turn, due: -1}
	}
	c.mu.Unlock()
	c.join.Do(func() { close(c.joined) })
}

// starts is told where the group stands in partitions that were assigned.
func (c *consumer) starts(_ context.Context, at map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for p, o := range at[c.q.options.Topic] {
		if h, ok := c.had[p]; ok {
			h.due = o.EpochOffset().Offset
			c.had[p] = h
		}
	}
	return at, nil
}

// revoked commits what is acknowledged before others have these partitions.
func (c *consumer) revoked(ctx context.Context, cl *kgo.Client, gone map[string][]int32) {
	if len(gone) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, closeWait)
	defer cancel()
	if err := cl.CommitMarkedOffsets(ctx); err != nil { // then what was acknowledged last comes again
		err = c.q.options.explain("commit of group "+c.group, err)
		c.q.counts.trouble.Store(&err)
	}
	c.lost(ctx, cl, gone)
}

// lost is told of partitions that others have already, or nobody.
func (c *consumer) lost(_ context.Context, _ *kgo.Client, gone map[string][]int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range gone[c.q.options.Topic] {
		delete(c.had, p)
	}
}

// Get lends what was fetched.
func (c *consumer) Get(batch []mqadapt.Delivery, wait time.Duration) (n int, err error) {
	if err := c.over(); err != nil {
		return 0, err
	}
	if room := lentMost - (len(c.lent) - c.first); room < len(batch) {
		batch = batch[:room]
	}
	if len(batch) == 0 {
		return 0, nil
	}
	var ctx context.Context // nil: what is there
	if wait > 0 {
		limited, cancel := context.WithTimeout(context.Background(), wait)
		defer cancel()
		ctx = limited
	}
	fetched := c.client.PollRecords(ctx, len(batch))
	fetched.EachPartition(func(p kgo.FetchTopicPartition) {
		if p.Err != nil {
			c.fault(p.Err)
		}
		n += c.lend(batch[n:], p)
	})
	c.q.counts.delivered.Add(uint64(n))
	if n == 0 && c.ended != nil {
		return 0, c.ended
	}
	return n, nil
}

// lend gives each record of a partition its position.
func (c *consumer) lend(batch []mqadapt.Delivery, p kgo.FetchTopicPartition) int {
	if len(p.Records) == 0 {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	h, ok := c.had[p.Partition]
	if !ok { // it was taken away meanwhile, and who has it now gets them
		c.q.counts.revoked.Add(uint64(len(p.Records)))
		return 0
	}
	lost := uint64(0)
	if h.due >= 0 && p.LogStartOffset > h.due {
		lost = uint64(p.LogStartOffset - h.due)
		c.q.counts.lost.Add(lost)
	}
	for i, r := range p.Records {
		batch[i] = mqadapt.Delivery{Envelope: r.Value, Position: c.next, Lost: lost}
		lost = 0
		c.lent = append(c.lent, lent{c.next, h.turn, p.Partition, kgo.EpochOffset{Epoch: r.LeaderEpoch, Offset: r.Offset + 1}})
		h.due = r.Offset + 1
		c.next++
	}
	c.had[p.Partition] = h
	return len(p.Records)
}

// fault ends the consumer, unless the client goes on by itself.
func (c *consumer) fault(err error) {
	var (
		session *kgo.ErrGroupSession
		ahead   *kgo.ErrDataLoss
	)
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.Is(err, kgo.ErrClientClosed):
	case errors.As(err, &session) && !errors.Is(err, kerr.GroupAuthorizationFailed) && !errors.Is(err, kerr.TopicAuthorizationFailed), errors.As(err, &ahead):
		err = c.q.options.explain("group "+c.group, err)
		c.q.counts.trouble.Store(&err)
	case c.ended == nil:
		c.ended = c.q.options.explain("group "+c.group+" of topic "+c.q.options.Topic, err)
	}
}

func (c *consumer) over() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.q.shutError()
	}
	return nil
}

// Ack marks what is to be committed.
func (c *consumer) Ack(position uint64) error {
	if err := c.over(); err != nil {
		return err
	}
	if position >= c.next {
		return fmt.Errorf("kafka: group %s: %w: position %d, deliveries up to %d were lent", c.group, mqadapt.ErrOptions, position, c.next-1)
	}
	marks := c.marks[c.q.options.Topic]
	clear(marks)
	c.mu.Lock()
	for ; c.first < len(c.lent) && c.lent[c.first].position <= position; c.first++ {
		l := &c.lent[c.first]
		if h, ok := c.had[l.partition]; ok && h.turn == l.turn {
			marks[l.partition] = l.at
		} else {
			c.q.counts.revoked.Add(1)
		}
	}
	c.mu.Unlock()
	if c.first == len(c.lent) || c.first > lentMost/2 {
		c.lent = c.lent[:copy(c.lent, c.lent[c.first:])]
		c.first = 0
	}
	c.acked = max(c.acked, position)
	if len(marks) > 0 {
		c.client.MarkCommitOffsets(c.marks)
	}
	return nil
}

// Position returns how many deliveries of this member are acknowledged.
func (c *consumer) Position() uint64 { return c.acked }

// Close commits what is acknowledged and leaves the group, within closeWait.
func (c *consumer) Close() error { return c.q.release(c) }

func (c *consumer) shut() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), closeWait)
	defer cancel()
	err := c.client.LeaveGroupContext(ctx) // and before that, revoked
	if err != nil {
		err = c.q.options.explain("leaving group "+c.group, err)
	}
	c.client.Close()
	return err
}
