package kafka

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/seal"
)

// admin is a client for what a test does behind the queue's back.
func admin(t testing.TB, brokers []string, opts ...kgo.Opt) *kadm.Client {
	t.Helper()
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(brokers...))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return kadm.NewClient(cl)
}

func producerOf(t testing.TB, q *Queue) mqadapt.Producer {
	t.Helper()
	p, err := q.Producer()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func consumerOf(t testing.TB, q *Queue, group string) mqadapt.Consumer {
	t.Helper()
	c, err := q.Consumer(group)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// numbers gets deliveries until so many came, and returns the numbers of their envelopes and what was lost.
func numbers(t testing.TB, c mqadapt.Consumer, n int, acknowledge bool) (all []uint64, lost uint64) {
	t.Helper()
	batch := make([]mqadapt.Delivery, 64)
	until(t, fmt.Sprintf("%d deliveries", n), func() bool {
		k, err := c.Get(batch[:min(64, n-len(all))], 10*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range batch[:k] {
			var h seal.Header
			if err := h.Parse(d.Envelope); err != nil {
				t.Fatal(err)
			}
			all, lost = append(all, h.Seq), lost+d.Lost
		}
		if k > 0 && acknowledge {
			if err := c.Ack(batch[k-1].Position); err != nil {
				t.Fatal(err)
			}
		}
		return len(all) == n
	})
	return all, lost
}

func TestTopicDeletedUnderUsIsSaidAndItsSuccessorIsTaken(t *testing.T) {
	topicDeleted(t, fake(t).ListenAddrs())
}

func topicDeleted(t *testing.T, brokers []string) {
	o := fresh(t, brokers, Options{})
	q := open(t, o)
	p, c := producerOf(t, q), consumerOf(t, q, "g")
	putAll(t, p, 1, 1, 20)
	numbers(t, c, 20, true)
	if _, err := admin(t, brokers).DeleteTopic(context.Background(), o.Topic); err != nil {
		t.Fatal(err)
	}
	var why error
	until(t, "a rejection that says why", func() bool {
		out := offer(t, p, 1, 21, 21, 100)[0]
		why = out.Why
		return out.Verdict == mqadapt.Rejected
	})
	if errors.Is(why, mqadapt.ErrRefused) || !strings.Contains(why.Error(), o.Topic) || !strings.Contains(why.Error(), "provision") {
		t.Error(why)
	}
	if _, err := q.Consumer("other"); err == nil || !strings.Contains(err.Error(), "provision") {
		t.Error(err)
	}
	if _, err := Provision(context.Background(), o, false); err != nil {
		t.Fatal(err)
	}
	until(t, "the new topic taking it", func() bool { return offer(t, p, 1, 21, 21, 100)[0].Verdict == mqadapt.Accepted })
	putAll(t, p, 1, 22, 30)
	if q.Stats().Renewed == 0 {
		t.Errorf("%+v", q.Stats())
	}
	// A consumer of the old topic ends, and says why. Its successor gets what the new one holds.
	until(t, "the consumer's end", func() bool {
		_, err := c.Get(make([]mqadapt.Delivery, 1), 10*time.Millisecond)
		return err != nil && strings.Contains(err.Error(), o.Topic)
	})
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if all, _ := numbers(t, consumerOf(t, q, "fresh"), 10, true); all[0] != 21 || all[9] != 30 {
		t.Error(all)
	}
}

func TestLimitLoweredUnderUsRefusesWhatIsTooLargeAndNothingElse(t *testing.T) {
	limitLowered(t, fake(t).ListenAddrs())
}

func limitLowered(t *testing.T, brokers []string) {
	o := fresh(t, brokers, Options{})
	q := open(t, o)
	p := producerOf(t, q)
	putAll(t, p, 1, 1, 5)
	limit := "3000"
	if _, err := admin(t, brokers).AlterTopicConfigs(context.Background(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: largestKey, Value: &limit}}, o.Topic); err != nil {
		t.Fatal(err)
	}
	seq := uint64(6)
	until(t, "the large one being refused for good", func() bool {
		out := offer(t, p, 1, seq, seq, 20_000)[0]
		seq++
		return errors.Is(out.Why, mqadapt.ErrRefused) // a broker takes it until it has heard of its own new limit
	})
	small := offer(t, p, 1, seq, seq+53, 2000) // in batches they would be too large, too
	for i, out := range small {
		if out.Verdict != mqadapt.Accepted {
			t.Fatalf("%d: %s: %v", i, out.Verdict, out.Why)
		}
	}
}

func TestBrokerThatFailsAfterItAppliedIsToldOnce(t *testing.T) {
	f := fake(t)
	o := fresh(t, f.ListenAddrs(), Options{Partitions: 2})
	q := open(t, o)
	p := producerOf(t, q)
	putAll(t, p, 1, 1, 1)
	for _, err := range []*kerr.Error{kerr.NotEnoughReplicas, kerr.RequestTimedOut, kerr.NotEnoughReplicasAfterAppend, kerr.NotLeaderForPartition} {
		f.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: o.Topic, Err: err, Count: 2})
	}
	for seq := uint64(2); seq <= 200; seq += 10 {
		putAll(t, p, 1, seq, min(seq+9, 200))
	}
	all, _ := numbers(t, consumerOf(t, q, "g"), 200, true)
	for i, seq := range all {
		if seq != uint64(i+1) {
			t.Fatalf("%d where %d is due", seq, i+1)
		}
	}
	if n, err := q.consumed("g"); n != 0 || err != nil {
		t.Errorf("%d more: %v", n, err)
	}
}

// consumed returns the lag of a group once it is known to be nothing, or what it stays at.
func (q *Queue) consumed(group string) (lag uint64, err error) {
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if lag, err = q.Lag(context.Background(), group); lag == 0 && err == nil {
			break
		}
	}
	return lag, err
}

func TestLagIsWhatAGroupHasNotAcknowledged(t *testing.T) { lagging(t, fake(t).ListenAddrs()) }

func lagging(t *testing.T, brokers []string) {
	q := open(t, fresh(t, brokers, Options{Partitions: 3}))
	p, c := producerOf(t, q), consumerOf(t, q, "g")
	for source := range uint64(8) {
		putAll(t, p, source+1, 1, 10)
	}
	if lag, err := q.Lag(context.Background(), "g"); lag != 80 || err != nil {
		t.Errorf("lag %d: %v", lag, err)
	}
	numbers(t, c, 80, true)
	if lag, err := q.consumed("g"); lag != 0 || err != nil {
		t.Errorf("lag %d: %v", lag, err)
	}
}

func TestWhatRetentionDroppedIsTold(t *testing.T) { dropped(t, fake(t).ListenAddrs()) }

func dropped(t *testing.T, brokers []string) {
	o := fresh(t, brokers, Options{})
	q := open(t, o)
	p, c := producerOf(t, q), consumerOf(t, q, "g")
	putAll(t, p, 1, 1, 10)
	numbers(t, c, 10, true)
	if _, err := q.consumed("g"); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	putAll(t, p, 1, 11, 40)
	var to kadm.Offsets
	to.AddOffset(o.Topic, 0, 25, -1)
	if _, err := admin(t, brokers).DeleteRecords(context.Background(), to); err != nil {
		t.Fatal(err)
	}
	all, lost := numbers(t, consumerOf(t, q, "g"), 15, true)
	if all[0] != 26 || lost != 15 || q.Stats().Lost != 15 {
		t.Errorf("%v, lost %d, %+v", all, lost, q.Stats())
	}
}

func TestTraceContextIsInTheRecordsHeader(t *testing.T) {
	brokers := fake(t).ListenAddrs()
	o := fresh(t, brokers, Options{})
	q := open(t, o)
	p := producerOf(t, q)
	traced := envelope(1, 1, 64)
	traced.Traced = true
	trace := seal.Trace{0x4b, 0xf9, 0x2f, 0x35, 0x77, 0xb3, 0x4d, 0xa6, 0xa3, 0xce, 0x92, 0x9d, 0x0e, 0x0e, 0x47, 0x36, 0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7, 1}
	copy(traced.Body[64-seal.TraceSize:], trace[:])
	if n, err := p.Put([]mqadapt.Envelope{traced, envelope(1, 2, 64)}); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(o.Topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	var got []*kgo.Record
	until(t, "two records", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		got = append(got, cl.PollFetches(ctx).Records()...)
		return len(got) == 2
	})
	h := got[0].Headers
	if len(h) != 1 || h[0].Key != "traceparent" || string(h[0].Value) != "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" {
		t.Errorf("%+v", h)
	}
	if len(got[1].Headers) != 0 {
		t.Errorf("%+v", got[1].Headers)
	}
}

func TestSourceHasOnePartitionAndSourcesAreSpread(t *testing.T) {
	for _, n := range []uint64{1, 3, 8, 100} {
		tp, at := topic{partitions: n}, map[int32]int{}
		for source := uint64(1); source <= 1000*n; source++ {
			for _, s := range []uint64{source, source << 40} {
				where := tp.of(s)
				if where != tp.of(s) || where < 0 || uint64(where) >= n {
					t.Fatal(where)
				}
				at[where]++
			}
		}
		for where, k := range at {
			if k < 1600 || k > 2400 {
				t.Errorf("%d partitions: %d of %d sources in partition %d", n, k, 2000*n, where)
			}
		}
	}
}
