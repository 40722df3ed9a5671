package kafka

import (
	"errors"
	"testing"
	"time"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/seal"
)

func TestMembersShareSourcesAndWhatOneLeavesComesToAnother(t *testing.T) {
	shared(t, fake(t).ListenAddrs())
}

// shared lets members of one group come and go while envelopes come, and acknowledges half of what they get.
func shared(t *testing.T, brokers []string) {
	const sources, each = 20, 300
	o := fresh(t, brokers, Options{Partitions: 4})
	q := open(t, o)
	p := producerOf(t, q)
	acked := map[uint64]uint64{} // by source: everything up to there is acknowledged
	seen := map[uint64]uint64{}
	both := 0 // members that got something in the same step
	members := []mqadapt.Consumer{consumerOf(t, q, "g"), consumerOf(t, q, "g")}
	batch := make([]mqadapt.Delivery, 16)
	get := func(c mqadapt.Consumer, acknowledge bool) (n int) {
		n, err := c.Get(batch, 5*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range batch[:n] {
			var h seal.Header
			if err := h.Parse(d.Envelope); err != nil {
				t.Fatal(err)
			}
			if h.Seq > seen[h.Source]+1 {
				t.Fatalf("source %d: %d after %d", h.Source, h.Seq, seen[h.Source])
			}
			seen[h.Source] = max(seen[h.Source], h.Seq)
			if acknowledge {
				acked[h.Source] = max(acked[h.Source], h.Seq)
			}
		}
		if n > 0 && acknowledge {
			if err := c.Ack(batch[n-1].Position); err != nil {
				t.Fatal(err)
			}
		}
		return n
	}
	for round := range uint64(3) {
		for s := uint64(1); s <= sources; s++ {
			putAll(t, p, s, round*each/3+1, (round+1)*each/3)
		}
		for i := range 20 {
			if n := get(members[0], i%2 == 0); n > 0 && get(members[1], true) > 0 {
				both++
			}
		}
		// One leaves with what it has not acknowledged, and another comes.
		if err := members[0].Close(); err != nil {
			t.Fatal(err)
		}
		members = []mqadapt.Consumer{members[1], consumerOf(t, q, "g")}
	}
	until(t, "all of it acknowledged", func() bool {
		get(members[0], true)
		get(members[1], true)
		for s := uint64(1); s <= sources; s++ {
			if seen[s] < each {
				return false
			}
		}
		lag, err := q.consumed("g")
		return lag == 0 && err == nil
	})
	if both == 0 {
		t.Error("the members never had something at the same time")
	}
}

func TestAckOfWhatWasNeverLentIsRefused(t *testing.T) {
	q := open(t, fresh(t, fake(t).ListenAddrs(), Options{}))
	c := consumerOf(t, q, "g")
	if err := c.Ack(1); !errors.Is(err, mqadapt.ErrOptions) {
		t.Error(err)
	}
	if _, err := q.Consumer(""); !errors.Is(err, mqadapt.ErrOptions) {
		t.Error(err)
	}
}

func TestSecondProducerOfATransactionIdFencesTheFirst(t *testing.T) {
	fencing(t, fake(t).ListenAddrs())
}

func fencing(t *testing.T, brokers []string) {
	o := fresh(t, brokers, Options{})
	o.Transaction = o.Topic
	q := open(t, o)
	first := producerOf(t, q)
	putAll(t, first, 1, 1, 10)
	second := producerOf(t, q)
	putAll(t, second, 1, 11, 20)
	var err error
	until(t, "the first being fenced", func() bool {
		if _, err = first.Put([]mqadapt.Envelope{envelope(1, 99, 100)}); err == nil {
			_, err = first.Settle(make([]mqadapt.Outcome, 1), 10*time.Millisecond)
		}
		return err != nil
	})
	if !errors.Is(err, mqadapt.ErrFenced) {
		t.Error(err)
	}
	putAll(t, second, 1, 21, 30)
	all, _ := numbers(t, consumerOf(t, q, "g"), 30, true)
	for i, seq := range all {
		if seq != uint64(i+1) {
			t.Fatalf("%v", all)
		}
	}
}
