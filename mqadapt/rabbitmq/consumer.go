package rabbitmq

import (
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/alphapulse/transport/mqadapt"
)

// consumer is one member of a group. Positions are delivery tags: they rise within a connection, and the broker has no others. Words of
// acknowledgement go out on a goroutine of their own, the newest for all: a broker that does not read holds nobody up.
type consumer struct {
	q *Queue
	*session
	in      <-chan amqp.Delivery
	acked   atomic.Uint64
	fresh   chan struct{} // acked was moved, or a mark came
	ones    chan uint64   // acknowledged by themselves; there is room for all that are lent
	stop    chan struct{}
	stopped chan struct{}
	over    atomic.Bool
	lost    bool   // Get only: the end was counted
	lent    uint64 // Get only: tag of the delivery lent last
	marks   *marks
}

func newConsumer(q *Queue, group string) (*consumer, error) {
	o := &q.options
	s, err := o.dial("consumer of " + group)
	if err != nil {
		return nil, err
	}
	defer s.hurry(o)()
	if err := o.same(s, o.queueOf(group)); err != nil {
		s.close(closeWait)
		return nil, err
	}
	c := &consumer{q: q, session: s, fresh: make(chan struct{}, 1), ones: make(chan uint64, o.Prefetch), stop: make(chan struct{}),
		stopped: make(chan struct{}), marks: newMarks()}
	if err = s.ch.Qos(o.Prefetch, 0, false); err == nil {
		c.in, err = s.ch.Consume(o.queue(group), "", false, false, false, false, nil)
	}
	if err != nil {
		s.close(closeWait)
		return nil, o.explain("queue "+o.queue(group), err)
	}
	go c.work()
	go c.marks.answer(o, c.stop, c.ended)
	return c, nil
}

// work tells the broker what is acknowledged.
func (c *consumer) work() {
	defer close(c.stopped)
	var t tags
	tell := func() {
		if last := t.all(c.acked.Load()); last > 0 {
			_ = c.ch.Ack(last, true) // a fault is the connection's end, which Get tells
		}
		for _, tag := range c.marks.reached(t.told) {
			if t.one(tag) {
				_ = c.ch.Ack(tag, false)
			}
		}
	}
	for {
		select {
		case one := <-c.ones:
			if t.one(one) {
				_ = c.ch.Ack(one, false)
			}
		case <-c.fresh:
			tell()
		case <-c.stop:
			tell()
			return
		case <-c.ended:
			return
		}
	}
}

// Get lends the broker's deliveries.
func (c *consumer) Get(batch []mqadapt.Delivery, wait time.Duration) (n int, err error) {
	if c.over.Load() {
		return 0, c.q.overError()
	}
	n, err = receive(c.in, len(batch), wait, func(i int, d *amqp.Delivery) bool {
		if d.ContentType == markType {
			c.marks.add(d, c.lent)
			signal(c.fresh)
			return false
		}
		c.lent = d.DeliveryTag
		batch[i] = mqadapt.Delivery{Envelope: d.Body, Position: d.DeliveryTag}
		return true
	})
	if err != nil {
		return n, c.endError()
	}
	return n, nil
}

// receive takes up to most deliveries that take agrees with, and waits for the first one at most so long. Its error says that there will be
// no more.
func receive(in <-chan amqp.Delivery, most int, wait time.Duration, take func(i int, d *amqp.Delivery) bool) (n int, err error) {
	for n < most {
		select {
		case d, ok := <-in:
			if !ok {
				if n > 0 {
					return n, nil
				}
				return 0, amqp.ErrClosed
			}
			if take(n, &d) {
				n++
			}
			continue
		default:
		}
		if n > 0 || wait <= 0 {
			return n, nil
		}
		timer := time.NewTimer(wait)
		select {
		case d, ok := <-in:
			timer.Stop()
			if !ok {
				return 0, amqp.ErrClosed
			}
			if take(n, &d) {
				n++
			}
		case <-timer.C:
			return 0, nil
		}
	}
	return n, nil
}

// endError is why there are no more deliveries: the connection ended, or the queue was deleted under us.
func (c *consumer) endError() error {
	if c.over.Load() {
		return c.q.overError()
	}
	err := c.session.endError(c.q)
	if !c.lost {
		c.lost = true
		c.q.learn(err)
	}
	return err
}

// Ack moves the position; the broker hears of it soon.
func (c *consumer) Ack(position uint64) error {
	if c.over.Load() {
		return c.q.overError()
	}
	if position > c.acked.Load() {
		c.acked.Store(position)
		signal(c.fresh)
	}
	return nil
}

// AckOne gives the broker room for another.
func (c *consumer) AckOne(position uint64) error {
	if c.over.Load() {
		return c.q.overError()
	}
	select {
	case c.ones <- position:
	case <-c.stopped: // Get tells why
	}
	return nil
}

// Position returns the position that is acknowledged.
func (c *consumer) Position() uint64 { return c.acked.Load() }

// Close tells the broker what is acknowledged; it gives the rest to the next member.
func (c *consumer) Close() error { return c.q.release(c) }

func (c *consumer) shut() {
	c.over.Store(true)
	close(c.stop)
	select {
	case <-c.stopped:
	case <-time.After(closeWait):
	}
	c.close(closeWait)
	<-c.ended
	<-c.stopped
	c.marks.end()
}
