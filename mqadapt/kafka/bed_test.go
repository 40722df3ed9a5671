package kafka

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
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

// fake is a broker within the process: it says what brokers say, and keeps nothing.
func fake(t testing.TB, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

var topics atomic.Uint64

// fresh are options of a topic that was just made.
func fresh(t testing.TB, brokers []string, o Options) Options {
	t.Helper()
	o.Brokers = brokers
	if o.Topic == "" {
		name := strings.Map(func(r rune) rune {
			if topicName(string(r)) {
				return r
			}
			return '-'
		}, t.Name())
		o.Topic = fmt.Sprintf("%.150s-%d-%d", name, time.Now().UnixNano(), topics.Add(1))
	}
	if _, err := Provision(context.Background(), o, false); err != nil {
		t.Fatal(err)
	}
	return o
}

// open opens a queue that is closed with the test.
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

// envelope is the one of a number: its body follows from it.
func envelope(source, seq uint64, size int) mqadapt.Envelope {
	body := make([]byte, max(size, 16))
	for i := range body {
		body[i] = byte(seq*31 + uint64(i))
	}
	return mqadapt.Envelope{Header: seal.Header{Kind: seal.Data, Channel: 1, Source: source, Epoch: 3, Seq: seq}, Body: body}
}

// putAll puts envelopes from..to of a source and wants them accepted.
func putAll(t testing.TB, p mqadapt.Producer, source, from, to uint64) {
	t.Helper()
	for i, o := range offer(t, p, source, from, to, 100) {
		if o.Verdict != mqadapt.Accepted || o.Why != nil {
			t.Fatalf("envelope %d: %s: %v", from+uint64(i), o.Verdict, o.Why)
		}
	}
}

// offer puts envelopes from..to of a source and returns their outcomes.
func offer(t testing.TB, p mqadapt.Producer, source, from, to uint64, size int) (all []mqadapt.Outcome) {
	t.Helper()
	var batch []mqadapt.Envelope
	for seq := from; seq <= to; seq++ {
		batch = append(batch, envelope(source, seq, size))
	}
	out, want := make([]mqadapt.Outcome, 64), len(batch)
	for end := time.Now().Add(20 * time.Second); len(all) < want; {
		n, err := p.Put(batch)
		if err != nil {
			t.Fatal(err)
		}
		batch = batch[n:]
		if n, err = p.Settle(out, 10*time.Millisecond); err != nil || time.Now().After(end) {
			t.Fatalf("%d of %d outcomes: %v", len(all), want, err)
		}
		all = append(all, out[:n]...)
	}
	return all
}

// until calls fn until it is true.
func until(t testing.TB, what string, fn func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !fn(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within a minute", what)
		}
	}
}
