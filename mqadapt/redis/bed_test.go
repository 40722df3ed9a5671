package redis

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/alphapulse/transport/internal/brokers"
	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/mqadapt/queuetest"
	"github.com/alphapulse/transport/seal"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := errors.Join(brokers.StopAll(), goleak.Find()); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// shared is the server that tests have together. It is not to be killed, and not to be set otherwise.
func shared(t testing.TB) string {
	t.Helper()
	b, err := brokers.Use(brokers.KindRedis)
	return skipped(t, b, err).URL
}

// private is a server of the test's own.
func private(t testing.TB) *brokers.Broker {
	t.Helper()
	b, err := brokers.Redis("")
	skipped(t, b, err)
	t.Cleanup(func() {
		if err := b.Stop(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func skipped(t testing.TB, b *brokers.Broker, err error) *brokers.Broker {
	t.Helper()
	if errors.Is(err, brokers.ErrMissing) || errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var streams atomic.Uint64

// fresh is a name that no stream has.
func fresh() string {
	return "pulse-test-" + strconv.Itoa(os.Getpid()) + "-" + strconv.FormatUint(streams.Add(1), 10)
}

// bed opens a queue that is closed and removed with the test.
func bed(t testing.TB, o Options) *Queue {
	t.Helper()
	if o.Stream == "" {
		o.Stream = fresh()
	}
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

// remove deletes a stream at the end of a test.
func remove(t testing.TB, url, stream string) {
	t.Cleanup(func() { client(t, url).Del(context.Background(), stream) })
}

// client is the plain client, for what a test does behind the queue's back.
func client(t testing.TB, url string) *redis.Client {
	t.Helper()
	o, err := (Options{URL: url, Patience: time.Minute}).dialing()
	if err != nil {
		t.Fatal(err)
	}
	c := redis.NewClient(o)
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// set changes a setting of a server.
func set(t testing.TB, c *redis.Client, name, value string) {
	t.Helper()
	if err := c.ConfigSet(context.Background(), name, value).Err(); err != nil {
		t.Fatal(err)
	}
}

func envelope(source, seq uint64, size int) mqadapt.Envelope {
	body := make([]byte, size)
	for i := range body {
		body[i] = byte(seq + uint64(i))
	}
	return mqadapt.Envelope{Header: seal.Header{Kind: seal.Data, Channel: 1, Source: source, Epoch: 3, Seq: seq}, Body: body}
}

// numberOf checks that an envelope is what was put, and returns its number.
func numberOf(b []byte) (uint64, error) {
	var h seal.Header
	if err := h.Parse(b); err != nil {
		return 0, err
	}
	want := envelope(h.Source, h.Seq, h.Length)
	got := make([]byte, want.Size())
	want.PutBytes(got)
	if string(got) != string(b) {
		return 0, fmt.Errorf("envelope %d is not what was put", h.Seq)
	}
	return h.Seq, nil
}

// settle returns n outcomes.
func settle(t testing.TB, p mqadapt.Producer, n int) []mqadapt.Outcome {
	t.Helper()
	out, got := make([]mqadapt.Outcome, n), 0
	for end := time.Now().Add(20 * time.Second); got < n; {
		k, err := p.Settle(out[got:], 10*time.Millisecond)
		if err != nil || time.Now().After(end) {
			t.Fatalf("%d of %d outcomes: %v", got, n, err)
		}
		got += k
	}
	return out
}

// put puts envelopes from..to of source 1 and wants them accepted.
func put(t testing.TB, p mqadapt.Producer, from, to uint64, size int) {
	t.Helper()
	for seq := from; seq <= to; {
		var batch []mqadapt.Envelope
		for ; seq <= to && len(batch) < 32; seq++ {
			batch = append(batch, envelope(1, seq, size))
		}
		n, err := p.Put(batch)
		if err != nil || n != len(batch) {
			t.Fatalf("took %d of %d: %v", n, len(batch), err)
		}
		for _, o := range settle(t, p, n) {
			if o.Verdict != mqadapt.Accepted {
				t.Fatalf("%s: %v", o.Verdict, o.Why)
			}
		}
	}
}

func scaled(full int) int {
	scale, err := strconv.Atoi(os.Getenv("PULSE_SCALE"))
	if err != nil || scale < 1 {
		scale = 20
	}
	return max(1, full/scale)
}

func TestRedisIsAQueue(t *testing.T) {
	url := shared(t)
	with := func(o Options) func(*testing.T) func() (mqadapt.Queue, error) {
		return func(t *testing.T) func() (mqadapt.Queue, error) {
			o.URL, o.Stream = url, fresh()
			remove(t, url, o.Stream)
			return func() (mqadapt.Queue, error) { return Open(o) }
		}
	}
	parents := func(t *testing.T, q mqadapt.Queue, n int) (all []string) {
		entries, err := client(t, url).XRangeN(context.Background(), q.(*Queue).options.Stream, "-", "+", int64(n)).Result()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			text, _ := e.Values[parentField].(string)
			all = append(all, text)
		}
		return all
	}
	queuetest.Run(t, queuetest.Bed{New: with(Options{}), Bounded: with(Options{MaxLen: 100}), Full: 100, Parents: parents})
}
