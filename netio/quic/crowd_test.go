package quic

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/simnet"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/netio/link"
	"github.com/alphapulse/transport/ring"
)

// Of 64 channels over one link one has a subscriber that stands still: its publisher has no room soon, and the others do not feel it. When
// it goes on nothing is missing.
func TestSubscriberThatStandsStillHoldsUpItsOwnChannelOnly(t *testing.T) {
	const channels = 64
	b := newBed(t)
	var all []*source
	var names []string
	for i := range channels {
		names = append(names, fmt.Sprint("channel ", i))
	}
	b.channels(link.Reliable, netio.InboxOptions{Capacity: 1 << 14}, names...)
	b.open().connect()
	for _, name := range names {
		one := newSource(t, ring.Options{Capacity: 1 << 14})
		all = append(all, one)
		must(t, b.link.Add(name, one.ring))
	}
	next := func(one *source) uint64 {
		if k := b.sinks.of(one.ring); k != nil {
			return k.next
		}
		return 0
	}
	// rounds sends one message in each channel, again and again, and returns the middle and the slow end of what a round took.
	rounds := func(n int, who []*source) (p50, p99 time.Duration) {
		var took []time.Duration
		for range n {
			began := time.Now()
			for _, one := range who {
				until(t, "there is room", func() bool { return one.publish(100) })
			}
			for end := began.Add(20 * time.Second); ; time.Sleep(50 * time.Microsecond) {
				b.sinks.drain()
				if !slices.ContainsFunc(who, func(one *source) bool { return next(one) != one.next }) {
					break
				}
				if time.Now().After(end) {
					t.Fatal("a round did not come to its end")
				}
			}
			took = append(took, time.Since(began))
		}
		slices.Sort(took)
		return took[len(took)/2], took[len(took)*99/100]
	}
	rounds(3, all)
	p50, p99 := rounds(scaled(200), all[1:])
	stopped := all[0]
	b.sinks.of(stopped.ring).still = true
	full := 0 // times in a row that there was no room: the last confirmations may be on their way
	until(t, "the stopped channel is full", func() bool {
		for full++; stopped.publish(100); full = 0 {
		}
		return full > 100
	})
	q50, q99 := rounds(scaled(200), all[1:])
	t.Logf("rounds over %d channels: p50 %s, p99 %s; with one stopped p50 %s, p99 %s", channels-1, p50, p99, q50, q99)
	if stopped.publish(100) {
		t.Error("the stopped channel has room")
	}
	b.sinks.of(stopped.ring).still = false
	until(t, "the stopped channel goes on", func() bool { b.sinks.drain(); return next(stopped) == stopped.next })
	if n := b.tx.count(link.Disconnected); n != 0 {
		t.Errorf("%d times disconnected", n)
	}
}

// Frames of a best-effort channel go as datagrams: what is lost on the way is counted by its numbers, the rest comes once and in order, and
// what is too large for a datagram goes by the stream.
func TestDatagramsThatAreLostAreCounted(t *testing.T) {
	b := newBed(t)
	b.dial.Datagrams = []string{"ticks"}
	b.channels(link.BestEffort, netio.InboxOptions{Capacity: 1 << 18}, "ticks")
	b.open()
	b.across(simnet.Config{Seed: 7, Up: simnet.Faults{Loss: 0.1, Reorder: 0.05, Delay: 200 * time.Microsecond}})
	b.connect()
	one := newSource(t, ring.Options{Capacity: 1 << 18})
	must(t, b.link.Add("ticks", one.ring))
	rx := b.listener.Link("tx")
	until(t, "the first arrives", func() bool { one.publish(64); return b.sinks.drain() > 0 })
	for end := one.next + uint64(scaled(20000)); one.next < end; b.sinks.drain() {
		for range 16 {
			one.publish(200)
		}
		time.Sleep(50 * time.Microsecond)
	}
	until(t, "all is carried", b.link.Drained)
	until(t, "a large one goes by the stream", func() bool {
		large := one.next
		one.publish(20000)
		for range 1000 {
			if b.sinks.drain(); b.sinks.of(one.ring).next > large {
				return true
			}
			time.Sleep(time.Millisecond)
		}
		return false
	})
	k, s := b.sinks.of(one.ring), rx.Stats()
	if lost := s.Drops(link.Missing) + s.Drops(link.Full); lost == 0 || k.first+uint64(k.got)+lost != k.next || k.reader.Lost() != lost {
		t.Errorf("%d to %d: %d came, %d are counted as lost, %d here; %+v", k.first, k.next, k.got, lost, k.reader.Lost(), s)
	}
	if in := rx.Counters(); in.DatagramsIn == 0 || in.DatagramsIn >= b.link.Counters().DatagramsOut || in.DatagramsOdd != 0 {
		t.Errorf("%+v there, %+v here", b.link.Counters(), in)
	}
}
