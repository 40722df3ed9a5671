package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/mqadapt/rabbitmq"
	"github.com/alphapulse/transport/seal"
)

// rabbitQueue is the queue of a lane, and the plain client. What was counted is purged.
type rabbitQueue struct {
	options rabbitmq.Options
	conn    *amqp.Connection
	ch      *amqp.Channel
	before  uint64 // messages that were counted and purged
}

func newRabbitQueue(s laneSpec) (*rabbitQueue, error) {
	r := &rabbitQueue{options: rabbitmq.Options{URL: s.Broker, Name: depotName(s), Groups: []string{brokerGroup}, Window: brokerWindow, Patience: brokerPatience}}
	ctx, cancel := context.WithTimeout(context.Background(), brokerPatience)
	defer cancel()
	if _, err := rabbitmq.Provision(ctx, r.options, false); err != nil {
		return nil, err
	}
	var err error
	if r.conn, err = amqp.Dial(s.Broker); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	if r.ch, err = r.conn.Channel(); err != nil {
		return nil, errors.Join(fmt.Errorf("bench: %w", err), r.conn.Close())
	}
	return r, nil
}

func (r *rabbitQueue) open() (mqadapt.Queue, error) {
	q, err := rabbitmq.Open(r.options)
	if err != nil {
		return nil, err // not a nil *Queue in an interface
	}
	return q, nil
}

func (r *rabbitQueue) name() string { return r.options.Name + "." + brokerGroup }

func (r *rabbitQueue) holds(want uint64) error {
	n, err := r.ch.QueuePurge(r.name(), false)
	if err != nil {
		return fmt.Errorf("bench: queue %s: %w", r.name(), err)
	}
	if r.before += uint64(n); r.before != want {
		return fmt.Errorf("%w: %d of %d are in the queue", ErrCorrupt, r.before, want)
	}
	return nil
}

func (r *rabbitQueue) close() error {
	_, e1 := r.ch.QueueDelete(r.name(), false, false, false)
	_, e2 := r.ch.QueueDelete(r.options.Name+".dead", false, false, false)
	return errors.Join(e1, e2, r.ch.ExchangeDelete(r.options.Name, false, false), r.conn.Close())
}

// rabbitBareNear is amqp091-go alone: publishes with deferred confirms, a window of them, to the queue that the adapter would have.
type rabbitBareNear struct {
	queue    *rabbitQueue
	ch       *amqp.Channel
	body     []byte
	deferred [brokerWindow]*amqp.DeferredConfirmation
	next     uint64
	settled  uint64
	batch    int
}

func newRabbitBareNear(s laneSpec, seed uint64) (*rabbitBareNear, error) {
	l := &rabbitBareNear{body: newPayload(seed, seal.HeaderSize+recordHead+s.Size), batch: s.Batch}
	var err error
	if l.queue, err = newRabbitQueue(s); err != nil {
		return nil, err
	}
	if l.ch, err = l.queue.conn.Channel(); err == nil {
		err = l.ch.Confirm(false)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("bench: %w", err), l.close())
	}
	return l, nil
}

func (l *rabbitBareNear) run(s *slice) error {
	o := &l.queue.options
	before := l.next
	for more := true; more; more = s.counting(s.clock.now(), l.settled) {
		for range l.batch {
			if l.next-l.settled == brokerWindow {
				if err := l.settle(s, true); err != nil {
					return err
				}
			}
			binary.LittleEndian.PutUint64(l.body, l.next)
			d, err := l.ch.PublishWithDeferredConfirmWithContext(context.Background(), o.Name, o.Name, false, false,
				amqp.Publishing{DeliveryMode: amqp.Persistent, Body: l.body})
			if err != nil {
				return fmt.Errorf("bench: exchange %s: %w", o.Name, err)
			}
			l.deferred[l.next%brokerWindow] = d
			l.next++
		}
		if err := l.settle(s, false); err != nil {
			return err
		}
	}
	for l.settled < l.next {
		if err := l.settle(s, true); err != nil {
			return err
		}
	}
	s.sent = l.next - before
	return l.queue.holds(l.next)
}

// settle takes the confirms there are, and waits for the oldest if it must.
func (l *rabbitBareNear) settle(s *slice, must bool) error {
	for ; l.settled < l.next; l.settled++ {
		d := l.deferred[l.settled%brokerWindow]
		select {
		case <-d.Done():
		default:
			if !must {
				return nil
			}
			if err := l.await(s, d); err != nil {
				return err
			}
		}
		if must = false; !d.Acked() {
			return fmt.Errorf("bench: exchange %s: message %d is not confirmed", l.queue.options.Name, l.settled)
		}
	}
	return nil
}

func (l *rabbitBareNear) await(s *slice, d *amqp.DeferredConfirmation) error {
	t := time.NewTimer(time.Second)
	defer t.Stop()
	for {
		select {
		case <-d.Done():
			return nil
		case <-t.C:
			if err := s.look(); err != nil {
				return err
			}
			t.Reset(time.Second)
		}
	}
}

func (l *rabbitBareNear) close() error { return l.queue.close() }
