package numa

import (
	"errors"
	"testing"
	"time"
)

// quota is a worker that does something n times, then ends the loop.
type quota struct{ left int }

func (q *quota) Do() (int, error) {
	if q.left--; q.left < 0 {
		return 0, errDone
	}
	return 1, nil
}

// borrower is a quota that borrows the clock.
type borrower struct {
	quota
	now time.Time
}

func (b *borrower) SetNow(now time.Time) { b.now = now }

func benchmarkCycle(b *testing.B, last Worker, others ...Worker) {
	b.ReportAllocs()
	if err := new(Loop).Run(b.Context(), append(others, last)...); !errors.Is(err, errDone) {
		b.Fatal(err)
	}
}

func BenchmarkCycle(b *testing.B) { benchmarkCycle(b, &quota{b.N}) }

func BenchmarkCycleOfFour(b *testing.B) {
	benchmarkCycle(b, &quota{b.N}, &quota{b.N + 1}, &quota{b.N + 1}, &quota{b.N + 1})
}

func BenchmarkCycleWithClock(b *testing.B) { benchmarkCycle(b, &borrower{quota: quota{b.N}}) }

// BenchmarkParkedHop measures a wake-up from one parked loop to another.
func BenchmarkParkedHop(b *testing.B) {
	ping, pong := newBox(1), newBox(0)
	rounds := int64(b.N/2 + 1)
	relay := func(from, to *box) func(int64) error {
		return func(n int64) error {
			if n > 0 {
				to.put(n)
			}
			if from.taken >= rounds {
				return errDone
			}
			return nil
		}
	}
	ping.took, pong.took = relay(ping, pong), relay(pong, ping)
	ended := make(chan error, 2)
	for _, w := range []*box{ping, pong} {
		go func() {
			l := Loop{Idle: forever}
			ended <- l.Run(b.Context(), w)
		}()
	}
	for range 2 {
		if err := <-ended; !errors.Is(err, errDone) {
			b.Fatal(err)
		}
	}
}
