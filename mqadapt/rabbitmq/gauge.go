package rabbitmq

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/alphapulse/transport/mqadapt"
)

// How a group's queue is found empty.
//
// A broker tells how many messages are ready. Those that a member has and has not acknowledged are not among them, and there is no telling how
// many they are: a number of 0 says nothing. So when none is ready a mark is put behind all: a message that is no envelope. The member that
// meets it answers once everything before it is acknowledged; if it dies before, what it had and the mark go to the next one, in their order.
// The answer is a backlog of 0 if none of the queue's producers had anything accepted since the mark was put: it lies behind everything then.
//
// One mark is out at a time. While nobody takes, it lies in the queue, is itself what is ready, and no other is put.

const (
	replyTo     = "amq.rabbitmq.reply-to" // a queue of the channel alone, which the broker makes up
	answerWait  = 500 * time.Millisecond
	mostReplies = 16 // to former marks, read in one wait
)

var _ mqadapt.Backlogged = (*Queue)(nil)

// gauge is the connection that backlogs are asked through. Backlog has it alone.
type gauge struct {
	*session
	replies <-chan amqp.Delivery
	out     string // name of the mark that has no answer; empty: there is none
	since   time.Time
	at      uint64 // envelopes accepted before it was put
}

func (g *gauge) shut() {
	g.close(closeWait)
	<-g.ended
}

// Backlog returns about how many envelopes a group has not acknowledged: those that are ready, and at least 1 unless a member says that it has
// all that this queue's producers put. It waits for the broker at most Options.Patience, and for a member half a second. Of a stream nobody knows.
func (q *Queue) Backlog(group string) (envelopes uint64, err error) {
	if q.options.Kind == Stream {
		return 0, fmt.Errorf("rabbitmq: %s: a stream does not say what a group has acknowledged: %w", q.options.Name, errors.ErrUnsupported)
	}
	q.asking.Lock()
	defer q.asking.Unlock()
	g, err := q.gauge()
	if err != nil {
		return 0, err
	}
	n, err := g.backlog(q, q.options.queue(group))
	if err != nil {
		q.asks = nil
		_ = q.release(g) // Close may have come first
	}
	return n, err
}

// gauge connects when it is asked first, and when its connection ended.
func (q *Queue) gauge() (*gauge, error) {
	if q.asks != nil {
		return q.asks, nil
	}
	if err := q.shutError(); err != nil {
		return nil, err
	}
	s, err := q.options.dial("gauge")
	if err != nil {
		return nil, err
	}
	g := &gauge{session: s}
	defer s.hurry(&q.options)()
	if g.replies, err = s.ch.Consume(replyTo, "", true, false, false, false, nil); err != nil {
		g.shut()
		return nil, q.options.explain("replies", err)
	}
	if err := q.keep(g); err != nil {
		return nil, err
	}
	q.asks = g
	return g, nil
}

func (g *gauge) backlog(q *Queue, name string) (uint64, error) {
	o, accepted := &q.options, q.counts.accepted.Load()
	defer g.hurry(o)()
	there, err := g.ch.QueueDeclarePassive(name, true, false, false, false, nil)
	switch {
	case err != nil:
		return 0, o.explain("queue "+name, err)
	case there.Messages > 0:
		return uint64(there.Messages), nil
	case g.blocked.Load(): // it takes no mark
		return 1, nil
	}
	if g.out != "" && time.Since(g.since) < o.Patience {
		if !g.answered() {
			return 1, nil
		}
		if g.at == accepted {
			return 0, nil
		}
	}
	g.out, g.since, g.at = rand.Text(), time.Now(), accepted
	err = g.ch.PublishWithContext(context.Background(), "", name, false, false,
		amqp.Publishing{ContentType: markType, ReplyTo: replyTo, CorrelationId: g.out, DeliveryMode: amqp.Persistent})
	if err != nil {
		return 0, o.explain("queue "+name, err)
	}
	if g.answered() {
		return 0, nil
	}
	return 1, nil
}

// answered waits for the answer to the mark that is out.
func (g *gauge) answered() bool {
	timer := time.NewTimer(answerWait)
	defer timer.Stop()
	for range mostReplies {
		select {
		case r, ok := <-g.replies:
			if !ok {
				return false // the next question says why
			}
			if r.CorrelationId == g.out {
				g.out = ""
				return true
			}
		case <-timer.C:
			return false
		}
	}
	return false
}
