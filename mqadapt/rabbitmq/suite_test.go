package rabbitmq

import (
	"testing"
	"time"

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
			b := queuetest.Bed{Patience: 3 * time.Minute, New: with(Options{Groups: []string{"g", "early", "late", "slow", "fast", "mirror"}})}
			if kind != Stream { // which drops its oldest
				b.Bounded, b.Full = with(Options{MaxLength: most, Prefetch: 16}), most+64
			}
			queuetest.Run(t, b)
		})
	}
}
