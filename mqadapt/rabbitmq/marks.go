package rabbitmq

import (
	"context"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"
)

// markType is what a mark's content is called: see gauge.
const markType = "application/vnd.pulse.mark"

// mostMarks bounds the marks that wait to be answered. One that finds no room is not: who put it asks again.
const mostMarks = 16

// marks are those that a consumer has met. Each is acknowledged, and answered, once everything lent before it is acknowledged.
//
// They are answered on a connection of their own: the broker does not read one that publishes while it has an alarm, and the consumer's words
// of acknowledgement would wait there.
type marks struct {
	mu    sync.Mutex
	met   []mark   // at most the prefetch: they are not acknowledged yet
	speak *session // that answers; nil until it is needed

	due  chan mark
	over chan struct{} // answer has ended
}

// mark is one that was met: who wants to know, and what is acknowledged before.
type mark struct {
	tag, after uint64
	to, name   string
}

func newMarks() *marks { return &marks{due: make(chan mark, mostMarks), over: make(chan struct{})} }

// add takes a mark that came behind a delivery.
func (m *marks) add(d *amqp.Delivery, after uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.met = append(m.met, mark{d.DeliveryTag, after, d.ReplyTo, d.CorrelationId})
}

// reached has the marks answered before which everything is acknowledged, and returns the tags of those that are still to be.
func (m *marks) reached(acked uint64) (tags []uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.met) > 0 && m.met[0].after <= acked {
		one := m.met[0]
		m.met = m.met[1:]
		if one.tag > acked { // or it was acknowledged with what came after it
			tags = append(tags, one.tag)
		}
		select {
		case m.due <- one:
		default:
		}
	}
	return tags
}

// answer answers until the consumer ends. Who asked and is gone, or is not reached, hears nothing.
func (m *marks) answer(o *Options, stop, ended chan struct{}) {
	defer close(m.over)
	for {
		select {
		case <-stop:
			return
		case <-ended:
			return
		case one := <-m.due:
			if s := m.session(o); s != nil {
				_ = s.ch.PublishWithContext(context.Background(), "", one.to, false, false, amqp.Publishing{ContentType: markType, CorrelationId: one.name})
			}
		}
	}
}

// session connects, unless there is one that lives. nil: not now.
func (m *marks) session(o *Options) *session {
	m.mu.Lock()
	s := m.speak
	m.mu.Unlock()
	if s != nil {
		select {
		case <-s.ended:
		default:
			return s
		}
	}
	s, err := o.dial("answers")
	if err != nil {
		return nil
	}
	m.mu.Lock()
	m.speak = s
	m.mu.Unlock()
	return s
}

// end ends what answer waits for, and answer.
func (m *marks) end() {
	m.hangUp()
	<-m.over
	m.hangUp() // it may have connected meanwhile
}

func (m *marks) hangUp() {
	m.mu.Lock()
	s := m.speak
	m.speak = nil
	m.mu.Unlock()
	if s != nil {
		s.close(closeWait)
		<-s.ended
	}
}
