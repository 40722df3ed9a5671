package redis

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/alphapulse/transport/mqadapt"
)

// get gets n deliveries at most within a while.
func get(t testing.TB, c *consumer, n int) []mqadapt.Delivery {
	t.Helper()
	batch := make([]mqadapt.Delivery, n)
	got, err := c.Get(batch, 5*time.Second)
	if err != nil || got == 0 {
		t.Fatal(got, err)
	}
	return batch[:got]
}

func TestFrozenMemberLosesItsGroupAndReadsNothingMore(t *testing.T) {
	url := shared(t)
	o := Options{URL: url, Stream: fresh(), Lease: 50 * time.Millisecond}
	remove(t, url, o.Stream)
	q := bed(t, o)
	put(t, bedProducer(t, q), 1, 20, 10)
	frozen, other := bedConsumer(t, q, "g"), bedConsumer(t, q, "g")
	get(t, frozen, 5)
	if n, err := other.Get(make([]mqadapt.Delivery, 5), 0); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	next := uint64(1)
	for next <= 20 { // what the frozen one had comes first
		for _, d := range get(t, other, 5) {
			if got, err := numberOf(d.Envelope); got != next || err != nil {
				t.Fatalf("%d where %d is due: %v", got, next, err)
			}
			next++
		}
	}
	if _, err := frozen.Get(make([]mqadapt.Delivery, 5), 0); !errors.Is(err, errLease) {
		t.Error(err)
	}
}

func TestSlowMemberKeepsAGroupThatNobodyElseWants(t *testing.T) {
	url := shared(t)
	o := Options{URL: url, Stream: fresh(), Lease: leastWait}
	remove(t, url, o.Stream)
	q := bed(t, o)
	put(t, bedProducer(t, q), 1, 20, 10)
	c := bedConsumer(t, q, "g")
	get(t, c, 5)
	time.Sleep(2 * o.Lease) // the lease runs out; there is no condition to wait for
	if got, err := numberOf(get(t, c, 5)[0].Envelope); got != 6 || err != nil {
		t.Error(got, err)
	}
}

func TestWhatOthersLeftBehindInTheGroupComesFirst(t *testing.T) {
	url := shared(t)
	o := Options{URL: url, Stream: fresh()}
	remove(t, url, o.Stream)
	q := bed(t, o)
	put(t, bedProducer(t, q), 1, 10, 10)
	c := bedConsumer(t, q, "g")
	for _, name := range []string{"somebody", "else"} {
		if err := client(t, url).XReadGroup(context.Background(), &redis.XReadGroupArgs{Group: "g", Consumer: name,
			Streams: []string{o.Stream, ">"}, Count: 3, Block: -1}).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for next := uint64(1); next <= 10; {
		for _, d := range get(t, c, 4) {
			if got, err := numberOf(d.Envelope); got != next || err != nil {
				t.Fatalf("%d where %d is due: %v", got, next, err)
			}
			next++
		}
	}
}

func TestOnlyWhatEveryGroupHasAcknowledgedIsTrimmed(t *testing.T) {
	url := shared(t)
	o := Options{URL: url, Stream: fresh()}
	remove(t, url, o.Stream)
	q := bed(t, o)
	p := bedProducer(t, q)
	raw, ctx := client(t, url), context.Background()
	put(t, p, 1, 100, 10)
	length := func() int64 {
		if err := q.trim(ctx, raw); err != nil {
			t.Fatal(err)
		}
		return raw.XLen(ctx, o.Stream).Val()
	}
	if n := length(); n != 100 {
		t.Errorf("without a group %d are left", n)
	}
	quick, slow := bedConsumer(t, q, "quick"), bedConsumer(t, q, "slow")
	all := get(t, quick, 100)
	if err := quick.Ack(all[len(all)-1].Position); err != nil || len(all) != 100 {
		t.Fatal(len(all), err)
	}
	if n := length(); n != 100 {
		t.Errorf("one group has read nothing, and %d are left", n)
	}
	if err := slow.Ack(get(t, slow, 50)[29].Position); err != nil {
		t.Fatal(err)
	}
	if n := length(); n != 70 {
		t.Errorf("one group has acknowledged 30 of 100, and %d are left", n)
	}
}

func TestGroupLearnsExactlyHowManyWereDropped(t *testing.T) {
	url := shared(t)
	o := Options{URL: url, Stream: fresh(), MaxLen: 100, DropOldest: true}
	remove(t, url, o.Stream)
	q := bed(t, o)
	p := bedProducer(t, q)
	put(t, p, 1, 1000, 100)
	c := bedConsumer(t, q, "g")
	had, lost := uint64(0), uint64(0)
	first := uint64(0)
	drain := func(to uint64) {
		t.Helper()
		for had+lost+first < to {
			for _, d := range get(t, c, 16) {
				got, err := numberOf(d.Envelope)
				if first == 0 && had == 0 {
					first = got - 1 // it was never the group's
				}
				had++
				if lost += d.Lost; err != nil || got != first+had+lost {
					t.Fatalf("envelope %d: %d before the group, %d had, %d lost: %v", got, first, had, lost, err)
				}
				if err := c.Ack(d.Position); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	drain(1000)
	if first < 500 || lost != 0 {
		t.Errorf("begins after %d, %d lost", first, lost)
	}
	put(t, p, 1001, 3000, 100)
	get(t, c, 3) // and does not acknowledge: they are trimmed under it
	put(t, p, 3001, 5000, 100)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	c = bedConsumer(t, q, "g")
	drain(5000)
	before := lost
	put(t, p, 5001, 5100, 100)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	c = bedConsumer(t, q, "g") // what was told is not told again
	drain(5100)
	if before == 0 || lost != before {
		t.Errorf("%d lost, and then %d", before, lost)
	}
}
