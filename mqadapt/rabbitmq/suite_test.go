package rabbitmq

import (
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/mqadapt/queuetest"
)

// TestRabbitMQIsAQueue runs against a real broker.
func TestRabbitMQIsAQueue(t *testing.T) {
	const most = 100
	for _, kind := range []Kind{Quorum, Classic, Stream} {
		t.Run(kind.String(), func(t *testing.T) {
			with := func(o Options) func(t *testing.T) func() (mqadapt.Queue, error) {
				return func(t *testing.T) func() (mqadapt.Queue, error) {
					o := o
					o.Kind = kind
					o = fresh(t, o)
					return func() (mqadapt.Queue, error) { return Open(o) }
				}
			}
			b := queuetest.Bed{Patience: 3 * time.Minute, Parents: parents, New: with(Options{Groups: []string{"g", "early", "late", "slow", "fast", "mirror"}})}
			if kind != Stream { // which drops its oldest
				b.Bounded, b.Full = with(Options{MaxLength: most, Prefetch: 16}), most+64
			}
			queuetest.Run(t, b)
		})
	}
}

// parents reads the queue of group g as any client does, and gives back what it had.
func parents(t *testing.T, q mqadapt.Queue, n int) (all []string) {
	o := &q.(*Queue).options
	s, err := o.dial("foreign")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		s.close(closeWait)
		<-s.ended
	}()
	args := amqp.Table{}
	if o.Kind == Stream {
		args["x-stream-offset"] = "first"
	}
	if err := s.ch.Qos(n, 0, false); err != nil {
		t.Fatal(err)
	}
	in, err := s.ch.Consume(o.queue("g"), "", false, false, false, false, args)
	if err != nil {
		t.Fatal(err)
	}
	for range n {
		select {
		case d := <-in:
			text, _ := d.Headers[parentKey].(string)
			all = append(all, text)
		case <-time.After(20 * time.Second):
			t.Fatalf("%d messages", len(all))
		}
	}
	return all
}
