package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/alphapulse/transport/mqadapt"
)

const (
	mostBlock   = time.Second           // one XREAD that waits
	standby     = 20 * time.Millisecond // between two tries for the lease
	claimAtOnce = 1000
	ackAtOnce   = 512
	trimEvery   = 1024 // entries acknowledged
	trimAfter   = time.Second
)

var errLease = errors.New("another member has the group: nothing was read within the lease")

// consumer is a member of a group. It belongs to one goroutine, but for Close.
type consumer struct {
	q      *Queue
	client *redis.Client
	group  string
	token  string
	lease  string
	closed atomic.Bool

	active  bool
	history bool // what a member before had and did not acknowledge comes first
	last    id   // read
	lent    []lent
	entries []entry
	lostNow uint64

	read    uint64 // entries of the stream up to last, those dropped counted
	counted bool   // read is known
	tells   uint64 // position of a delivery with Lost that is not acknowledged; 0: there is none

	position uint64 // lent last
	acked    uint64
	toTrim   int
	trimmed  time.Time
}

// lent is a delivery that is not acknowledged.
type lent struct {
	position uint64
	id       id
}

// found makes the group, if there is none. It looks first: a server without memory refuses to make one, whether there is one or not.
func (c *consumer) found() error {
	ctx := context.Background()
	groups, err := c.client.XInfoGroups(ctx, c.q.options.Stream).Result()
	if err == nil && slices.ContainsFunc(groups, func(g redis.XInfoGroup) bool { return g.Name == c.group }) {
		return nil
	}
	args := []any{"xgroup", "create", c.q.options.Stream, c.group, "0", "mkstream"}
	if c.q.options.DropOldest { // what was dropped before there was a group was never its
		args = append(args, "entriesread", c.removed(ctx))
	}
	if err = c.client.Do(ctx, args...).Err(); err != nil && !redis.HasErrorPrefix(err, "BUSYGROUP") {
		return c.fault(err)
	}
	return nil
}

// removed is how many entries the stream had that are not there any more; 0 without a stream.
func (c *consumer) removed(ctx context.Context) int64 {
	info, err := c.client.XInfoStream(ctx, c.q.options.Stream).Result()
	if err != nil {
		return 0
	}
	return max(info.EntriesAdded-info.Length, 0)
}

func (c *consumer) fault(err error) error {
	if err == nil {
		return nil
	}
	if redis.HasErrorPrefix(err, "NOGROUP") {
		err = fmt.Errorf("the stream or its group was deleted, and what it held is gone: open it again: %w", err)
	}
	return c.q.fault(fmt.Errorf("group %s: %w", c.group, err))
}

// Get reads the next entries, for who has the group. Others wait.
func (c *consumer) Get(batch []mqadapt.Delivery, wait time.Duration) (n int, err error) {
	until := time.Now().Add(wait)
	for {
		if c.closed.Load() {
			return 0, c.fault(mqadapt.ErrClosed)
		}
		if n, err = c.get(batch); err != nil {
			return 0, c.fault(err)
		}
		left := time.Until(until)
		if n > 0 || wait <= 0 || left <= 0 || len(batch) == 0 {
			return n, nil
		}
		if err := c.await(min(left, mostBlock)); err != nil {
			return 0, c.fault(err)
		}
	}
}

// await waits for an entry after the last one, without taking it, or for the next try.
func (c *consumer) await(d time.Duration) error {
	if !c.active || d < time.Millisecond {
		time.Sleep(min(d, standby))
		return nil
	}
	err := c.client.XRead(context.Background(), &redis.XReadArgs{Streams: []string{c.q.options.Stream, c.last.String()}, Count: 1, Block: d}).Err()
	if errors.Is(err, redis.Nil) {
		return nil
	}
	return err
}

func (c *consumer) get(batch []mqadapt.Delivery) (n int, err error) {
	if !c.active {
		if ok, err := c.begin(); !ok || err != nil {
			return 0, err
		}
	}
	for len(batch) > 0 {
		history := c.history
		l, err := c.next(len(batch))
		if err != nil {
			return 0, err
		}
		if n, err = c.lend(batch, l); n > 0 || err != nil {
			return n, err
		}
		if !history && len(l.entries) == 0 {
			return 0, nil
		}
	}
	return 0, nil
}

// begin takes the group, if nobody has it, and goes where it is.
func (c *consumer) begin() (bool, error) {
	ctx := context.Background()
	ok, err := c.q.scripts.begin.Run(ctx, c.client, c.keys(), c.token, c.q.options.Lease.Milliseconds()).Bool()
	if !ok || err != nil {
		return false, err
	}
	if err := c.claim(ctx); err != nil {
		return false, err
	}
	groups, err := c.client.XInfoGroups(ctx, c.q.options.Stream).Result()
	if err != nil {
		return false, err
	}
	for _, g := range groups {
		if g.Name == c.group {
			c.read, c.counted = uint64(max(g.EntriesRead, 0)), c.q.options.DropOldest
		}
	}
	c.active, c.history, c.trimmed = true, true, time.Now()
	return true, nil
}

// claim takes what was given out under other names. Since Redis 7 it also hears of entries that were given out and trimmed, here and never again.
func (c *consumer) claim(ctx context.Context) error {
	for start := "0-0"; ; {
		reply, err := c.client.Do(ctx, "xautoclaim", c.q.options.Stream, c.group, member, 0, start, "count", claimAtOnce, "justid").Slice()
		if err != nil {
			return err
		}
		next, gone, err := parseClaim(reply)
		if err != nil {
			return err
		}
		c.lostNow += gone
		if start = next; next == "0-0" {
			return nil
		}
	}
}

func (c *consumer) keys() []string { return []string{c.q.options.Stream, c.lease} }

// next reads at most n entries.
func (c *consumer) next(n int) (lot, error) {
	from, ask := ">", 0
	if c.history {
		from = c.last.String()
	} else if c.counted {
		ask = 1
	}
	reply, err := c.q.scripts.read.Run(context.Background(), c.client, c.keys(), c.token, c.q.options.Lease.Milliseconds(), c.group, member, from, n, ask).Slice()
	if err != nil {
		return lot{}, err
	}
	l, err := parseLot(reply, c.entries[:0])
	if err == nil && !l.ours {
		err = errLease
	}
	if l.entries != nil {
		c.entries = l.entries
	}
	if c.history && len(l.entries) == 0 {
		c.history = false
	}
	return l, err
}

// lend makes deliveries of what was read. Of what is gone the group learns how much it was.
func (c *consumer) lend(batch []mqadapt.Delivery, l lot) (n int, err error) {
	fresh := !c.history
	if fresh && c.counted && len(l.entries) > 0 {
		c.count(l)
	}
	var gone []string
	for _, e := range l.entries {
		c.last = e.id
		if e.gone {
			gone = append(gone, e.id.String())
			c.lostNow++
			continue
		}
		c.position = e.id.position(c.position)
		batch[n] = mqadapt.Delivery{Envelope: e.envelope, Position: c.position, Lost: c.lostNow}
		c.lent = append(c.lent, lent{c.position, e.id})
		if c.lostNow > 0 {
			c.tells = c.position
		}
		c.lostNow = 0
		n++
	}
	if len(gone) > 0 {
		err = c.client.XAck(context.Background(), c.q.options.Stream, c.group, gone...).Err()
	}
	return n, err
}

// count compares the entries that were trimmed with those that were read, where the first that was read is the oldest there is.
func (c *consumer) count(l lot) {
	lost := uint64(0)
	if l.told && l.entries[0].id.String() == l.first && l.removed > c.read {
		lost = l.removed - c.read
	}
	c.read += lost + uint64(len(l.entries))
	c.lostNow += lost
}

// told sets right what the server counts as read by the group, which lacks what was dropped. It comes after the acknowledgement: until then a
// member that takes over tells it again.
func (c *consumer) told(ctx context.Context) error {
	c.tells = 0
	err := c.client.Do(ctx, "xgroup", "setid", c.q.options.Stream, c.group, c.last.String(), "entriesread", c.read).Err()
	if redis.HasErrorPrefix(err, "OOM") { // told again, then
		return nil
	}
	return err
}

// Ack acknowledges all that was lent up to position.
func (c *consumer) Ack(position uint64) error {
	if c.closed.Load() {
		return c.fault(mqadapt.ErrClosed)
	}
	if position > c.position {
		return c.fault(fmt.Errorf("%w: position %d, deliveries up to %d were lent", mqadapt.ErrOptions, position, c.position))
	}
	n := 0
	for n < len(c.lent) && c.lent[n].position <= position {
		n++
	}
	if n == 0 {
		return nil
	}
	ctx := context.Background()
	pipe := c.client.Pipeline()
	for from := 0; from < n; from += ackAtOnce {
		args := []any{"xack", c.q.options.Stream, c.group}
		for _, l := range c.lent[from:min(n, from+ackAtOnce)] {
			args = append(args, l.id.String())
		}
		pipe.Do(ctx, args...)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return c.fault(err)
	}
	c.acked = c.lent[n-1].position
	c.lent = c.lent[:copy(c.lent, c.lent[n:])]
	if c.tells != 0 && c.tells <= c.acked && c.counted && !c.history {
		if err := c.told(ctx); err != nil {
			return c.fault(err)
		}
	}
	if c.toTrim += n; c.toTrim >= trimEvery || time.Since(c.trimmed) >= trimAfter {
		c.toTrim, c.trimmed = 0, time.Now()
		return c.fault(c.q.trim(ctx, c.client))
	}
	return nil
}

// Position returns the position acknowledged last.
func (c *consumer) Position() uint64 { return c.acked }

// Close gives the group, and what was not acknowledged, to its next member. If the server does not hear of it, that is when the lease is over.
func (c *consumer) Close() error {
	if !c.closed.CompareAndSwap(false, true) {
		return c.fault(mqadapt.ErrClosed)
	}
	c.q.release(c)
	_ = c.q.scripts.release.Run(context.Background(), c.client, c.keys(), c.token, c.q.options.Lease.Milliseconds()).Err()
	return c.client.Close()
}
