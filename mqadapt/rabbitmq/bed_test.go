package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/alphapulse/transport/internal/brokers"
	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/seal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(closing{m}) }

// closing ends the broker that the tests share before anybody looks for goroutines.
type closing struct{ *testing.M }

func (c closing) Run() int {
	code := c.M.Run()
	if err := brokers.StopAll(); err != nil {
		fmt.Println(err)
		return max(code, 1)
	}
	return code
}

// broker is the one that all tests share.
func broker(t testing.TB) *brokers.Broker {
	t.Helper()
	b, err := brokers.Use(brokers.KindRabbitMQ)
	if errors.Is(err, brokers.ErrMissing) || errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// private is the shared broker, if it may be hurt.
func private(t testing.TB) *brokers.Broker {
	t.Helper()
	b := broker(t)
	if !b.Private() {
		t.Skip("the broker is somebody else's: it is not killed")
	}
	return b
}

var names atomic.Uint64

// fresh are options of queues that were just made; they go with the test.
func fresh(t testing.TB, o Options) Options {
	t.Helper()
	o.URL = broker(t).URL
	o.Name = fmt.Sprintf("pulse-test-%d-%d", os.Getpid(), names.Add(1))
	if o.Groups == nil {
		o.Groups = []string{"g"}
	}
	if _, err := Provision(context.Background(), o, false); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { remove(t, o) })
	return o
}

// remove deletes what Provision made.
func remove(t testing.TB, o Options) {
	t.Helper()
	o, err := o.checked()
	if err != nil {
		t.Fatal(err)
	}
	s, err := o.dial("cleaning")
	if err != nil {
		t.Error(err)
		return
	}
	for _, e := range o.wanted() {
		if e.kind != "" {
			err = s.ch.ExchangeDelete(e.name, false, false)
		} else {
			_, err = s.ch.QueueDelete(e.name, false, false, false)
		}
		if err != nil {
			t.Error(err)
		}
	}
	s.close(closeWait)
	<-s.ended
}

func open(t testing.TB, o Options) *Queue {
	t.Helper()
	q, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := q.Close(); err != nil && !errors.Is(err, mqadapt.ErrClosed) {
			t.Error(err)
		}
	})
	return q
}

func envelope(seq uint64, size int) mqadapt.Envelope {
	return mqadapt.Envelope{Header: seal.Header{Kind: seal.Data, Channel: 1, Source: 2, Epoch: 3, Seq: seq}, Body: make([]byte, size)}
}

// settle returns n outcomes, or the error that ended the producer.
func settle(t testing.TB, p mqadapt.Producer, n int) ([]mqadapt.Outcome, error) {
	t.Helper()
	out, got := make([]mqadapt.Outcome, n), 0
	for end := time.Now().Add(20 * time.Second); got < n; {
		k, err := p.Settle(out[got:], 10*time.Millisecond)
		if err != nil {
			return out[:got], err
		}
		if got += k; time.Now().After(end) {
			t.Fatalf("%d of %d outcomes", got, n)
		}
	}
	return out, nil
}

// until waits for a condition.
func until(t testing.TB, what string, most time.Duration, fn func() bool) {
	t.Helper()
	for end := time.Now().Add(most); !fn(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %s", what, most)
		}
	}
}

// scaled divides a full count as the scripts ask.
func scaled(full int) int {
	scale, err := strconv.Atoi(os.Getenv("PULSE_SCALE"))
	if err != nil || scale < 1 {
		scale = 20
	}
	return max(1, full/scale)
}
