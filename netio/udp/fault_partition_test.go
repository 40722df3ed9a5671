package udp

import (
	"net/netip"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/netlab"
	"github.com/alphapulse/transport/seal"
)

const (
	cutLiveness  = 100 * time.Millisecond
	cutHeartbeat = 25 * time.Millisecond
	cutShort     = 60 * time.Millisecond  // nobody may notice
	cutLong      = 275 * time.Millisecond // both have had time to notice, one after the other
)

// partition is a cut between the sender and the first receiver: the hosts that hear nothing.
type partition struct {
	name string
	deaf []string
}

var partitions = []partition{{"both ways", []string{"tx", "rx0"}}, {"the receiver is deaf", []string{"rx0"}}, {"the sender is deaf", []string{"tx"}}}

func (c partition) deafens(host string) bool {
	for _, h := range c.deaf {
		if h == host {
			return true
		}
	}
	return false
}

// set cuts the deaf off from the other end, or heals.
func (c partition) set(t testing.TB, l *netlab.Lab, on bool) {
	t.Helper()
	for _, h := range c.deaf {
		from := map[string]string{"tx": "rx0", "rx0": "tx"}[h]
		if on {
			must(t, l.Partition(h, from))
		} else {
			must(t, l.Heal(h, from))
		}
	}
}

// silence is what one end tells of the other, and when, by the clock that it is lent.
type silence struct {
	now       func() time.Duration
	connected int
	gone      []time.Duration
}

func (s *silence) add(e Event) {
	switch e.Kind {
	case Connected:
		s.connected++
	case Disconnected:
		s.gone = append(s.gone, s.now())
	}
}

// TestACutIsToldInTimeAndLosesNothing cuts a repaired channel in both directions and in each alone, for less and for more than its
// liveness. Who hears nothing for so long tells it; a receiver that hears nothing says nothing, so that the sender tells it, too.
func TestACutIsToldInTimeAndLosesNothing(t *testing.T) {
	for _, c := range partitions {
		for _, long := range []bool{false, true} {
			name, lasts := c.name+", short", cutShort
			if long {
				name, lasts = c.name+", long", cutLong
			}
			t.Run(name, func(t *testing.T) { cutRepaired(t, c, lasts, long) })
		}
	}
}

func cutRepaired(t *testing.T, c partition, lasts time.Duration, long bool) {
	var sent, received silence
	b := newLabBed(t, 1, netip.Addr{}, SenderOptions{Reliability: Repaired, Heartbeat: cutHeartbeat, Liveness: cutLiveness, Events: sent.add},
		ReceiverOptions{Reliability: Repaired, Liveness: cutLiveness, Events: received.add})
	b.watch = newStopwatch()
	sent.now = func() time.Duration { return b.send.clock.now }
	received.now = func() time.Duration { return b.recv.clock.now }
	one := b.beds[0]
	b.publish(500, 64)
	b.all("a start", b.beds, func() bool { return b.send.Drained() && len(one.got) == 500 })

	c.set(t, b.lab, true)
	full := 0
	var sentHeard, receivedHeard time.Duration // when each end heard the other last
	for end := b.watch.now.Add(lasts); b.watch.now.Before(end); {
		for range 10 {
			if !b.offer(1000) {
				full++
				break
			}
		}
		b.turn(b.beds)
		receivedHeard = b.recv.all[0].heardAt
		for _, r := range b.send.feeds[0].receivers {
			sentHeard = r.heardAt
		}
	}
	total := b.pub.Seq() - 1
	if long && full == 0 {
		t.Error("the publisher was never told that the ring is full")
	}
	// By the clock they are lent, each end is late by its own look at time and by the turn's length, never more.
	const late = tickEvery + 2*longestTurn
	inTime := func(who string, s *silence, tells bool, heard time.Duration) {
		t.Helper()
		switch {
		case len(s.gone) > 1 || (len(s.gone) == 1) != tells:
			t.Errorf("%s told the end of the other %d times, connected %d times", who, len(s.gone), s.connected)
		case tells && (s.gone[0] < heard+cutLiveness || s.gone[0] > heard+cutLiveness+late):
			t.Errorf("%s told it %s after the last word, liveness is %s", who, s.gone[0]-heard, cutLiveness)
		}
	}
	inTime("the receiver", &received, long && c.deafens("rx0"), receivedHeard)
	inTime("the sender", &sent, long, sentHeard)

	c.set(t, b.lab, false)
	b.all("delivery", b.beds, func() bool { return uint64(len(one.got)) == total })
	b.all("confirmation", b.beds, b.send.Drained)
	one.verify(1, total, false)
	if sent.connected != 1+len(sent.gone) || received.connected != 1+len(received.gone) {
		t.Errorf("the return is told by the sender %d times, by the receiver %d times", sent.connected-1, received.connected-1)
	}
	if s := b.recv.Stats(); s.Lost != 0 {
		t.Errorf("lost %d", s.Lost)
	}
	for _, h := range []string{"tx", "rx0"} {
		n, err := b.lab.Counters(h)
		must(t, err)
		if (n.Partitioned > 0) != c.deafens(h) {
			t.Errorf("%s was cut off from %d datagrams", h, n.Partitioned)
		}
	}
}

// TestANetworkThatFlapsLosesNothing cuts a repaired channel between namespaces again and again, for less than its liveness: both ways, then
// to the receiver, then to the sender. Everything arrives once, in order, and neither end tells that the other is gone.
func TestANetworkThatFlapsLosesNothing(t *testing.T) {
	cuts, lasts := 50, 100*time.Millisecond
	if scaled(100_000) < 100_000 {
		cuts, lasts = 18, 10*time.Millisecond
	}
	const liveness, some = 400 * time.Millisecond, 500
	var sent, received events
	secret := seal.NewSecret()
	b := newLabBed(t, 1, netip.Addr{},
		SenderOptions{Reliability: Repaired, Heartbeat: cutHeartbeat, Liveness: liveness, Secret: &secret, Events: sent.add},
		ReceiverOptions{Reliability: Repaired, Liveness: liveness, Secret: &secret, Events: received.add})
	b.watch = newStopwatch()
	one := b.beds[0]
	b.publish(some, 64)
	b.all("a start", b.beds, func() bool { return b.send.Drained() && len(one.got) == some })
	meanwhile := func() {
		most := b.pub.Seq() + some
		for end := b.watch.now.Add(lasts); b.watch.now.Before(end); b.turn(b.beds) {
			if b.pub.Seq() < most {
				b.publish(5, 100)
			}
		}
	}
	for i := range cuts {
		c := partitions[i%len(partitions)]
		c.set(t, b.lab, true)
		meanwhile()
		c.set(t, b.lab, false)
		meanwhile()
	}
	total := b.pub.Seq() - 1
	b.all("delivery", b.beds, func() bool { return uint64(len(one.got)) == total })
	b.all("confirmation", b.beds, b.send.Drained)
	one.verify(1, total, false)
	if sent.count(Disconnected)+received.count(Disconnected) > 0 || sent.count(Connected) != 1 || received.count(Connected) != 1 {
		t.Errorf("the sender tells %v, the receiver %v", sent, received)
	}
	if s := b.recv.tally.Stats; s.Lost != 0 || s.Naks == 0 {
		t.Errorf("lost %d, %d ranges asked for", s.Lost, s.Naks)
	}
	for _, h := range []string{"tx", "rx0"} {
		if n, err := b.lab.Counters(h); err != nil || n.Partitioned == 0 {
			t.Errorf("%s was cut off from %d datagrams: %v", h, n.Partitioned, err)
		}
	}
	t.Logf("%d frames, %d sent again", total, b.send.tally.Again)
}

// TestADeafReceiverDoesNotHoldTheOthers cuts one of two receivers off from what the sender says, while what it says itself arrives.
func TestADeafReceiverDoesNotHoldTheOthers(t *testing.T) {
	var sent, received silence
	b := newLabBed(t, 2, netip.MustParseAddr("239.7.7.10"),
		SenderOptions{Reliability: Repaired, Heartbeat: cutHeartbeat, Liveness: cutLiveness, Events: sent.add},
		ReceiverOptions{Reliability: Repaired, Liveness: cutLiveness, Events: received.add})
	b.watch = newStopwatch()
	sent.now = func() time.Duration { return b.send.clock.now }
	received.now = func() time.Duration { return b.recv.clock.now }
	b.all("two receivers", b.beds, func() bool { return len(b.send.feeds) == 1 && len(b.send.feeds[0].receivers) == 2 })
	b.publish(500, 64)
	b.all("a start", b.beds, b.send.Drained)

	must(t, b.lab.Partition("rx1", "tx"))
	for b.pub.Seq() <= 5000 { // several rings full
		b.offer(1000)
		b.all("room", b.beds, func() bool { return b.pub.Seq()-b.recv.all[0].next < 500 })
	}
	total := b.pub.Seq() - 1
	b.all("delivery to the one that hears", b.beds, func() bool { return uint64(len(b.beds[0].got)) == total })
	if len(sent.gone) != 1 || len(received.gone) != 1 {
		t.Errorf("the sender told %d ends, the deaf receiver %d", len(sent.gone), len(received.gone))
	}
	must(t, b.lab.Heal("rx1", "tx"))
	deaf := b.beds[1]
	b.all("the rest", b.beds, func() bool { return deaf.settled(total) && sent.connected == 3 })
	b.publish(20, 64) // a mirror says what is lost before what follows it
	total += 20
	b.all("both", b.beds, func() bool { return b.beds[0].settled(total) && deaf.settled(total) })
	b.beds[0].verify(1, total, false)
	deaf.verify(1, total, true)
	if s := deaf.recv.tally.Stats; s.Lost == 0 || s.Lost != total-uint64(len(deaf.got)) || deaf.mirrors[0].Lost() != s.Lost {
		t.Errorf("%d of %d came, %d are said to be lost", len(deaf.got), total, s.Lost)
	}
}

// TestBestEffortCountsWhatACutTook cuts a best-effort channel in both directions and in each alone, once in the middle of the stream and
// once at its end, where only heartbeats tell.
func TestBestEffortCountsWhatACutTook(t *testing.T) {
	for _, c := range partitions {
		t.Run(c.name, func(t *testing.T) {
			var received silence
			b := newLabBed(t, 1, netip.Addr{}, SenderOptions{Heartbeat: cutHeartbeat, Liveness: cutLiveness},
				ReceiverOptions{Liveness: cutLiveness, Events: received.add})
			b.watch = newStopwatch()
			received.now = func() time.Duration { return b.recv.clock.now }
			one := b.beds[0]
			const some = 500
			b.publish(some, 64)
			b.all("a start", b.beds, func() bool { return one.settled(some) })
			for round := range 2 {
				c.set(t, b.lab, true)
				for end := b.watch.now.Add(cutLiveness * 3 / 2); b.watch.now.Before(end); b.turn(b.beds) {
					if b.pub.Seq() <= uint64(some*(2+2*round)) {
						b.publish(1, 64)
					}
				}
				c.set(t, b.lab, false)
				if round == 0 {
					b.publish(some, 64)
				}
				total := b.pub.Seq() - 1
				b.all("the end", b.beds, func() bool { return one.settled(total) })
			}
			total := b.pub.Seq() - 1
			one.verify(1, total, true)
			missing := total - uint64(len(one.got))
			want := uint64(0)
			if c.deafens("rx0") {
				want = 2 * some
			}
			s := b.recv.tally.Stats
			if missing != want || s.Lost != missing || s.Dropped[Missing] != missing || s.Frames != uint64(len(one.got)) {
				t.Errorf("%d of %d are missing, want %d; the receiver says %+v", missing, total, want, s)
			}
			if told := 2 * int(want/(2*some)); len(received.gone) != told || received.connected != 1+told {
				t.Errorf("the receiver told %d ends and %d beginnings, want %d", len(received.gone), received.connected, told)
			}
		})
	}
}
