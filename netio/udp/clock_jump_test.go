package udp

import (
	"net/netip"
	"testing"
	"time"
	"unsafe"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// jumped is the instant at as it reads after somebody has set the wall clock by d: the monotonic reading is the same. A time.Time
// that has both keeps one bit, 33 bits of seconds and 30 bits of nanoseconds in its first word.
func jumped(t testing.TB, at time.Time, d time.Duration) time.Time {
	t.Helper()
	set := at
	*(*uint64)(unsafe.Pointer(&set)) += uint64(d/time.Second) << 30
	if set.Sub(at) != 0 || set.Round(0).Sub(at.Round(0)) != d {
		t.Fatalf("%s set by %s reads %s", at, d, set)
	}
	return set
}

// jumps are where a wall clock goes: nowhere, an hour ahead, an hour back, and an age of years.
var jumps = []time.Duration{0, time.Hour, -time.Hour, time.Hour, 50 * 365 * 24 * time.Hour, -50 * 365 * 24 * time.Hour}

// jump sets the wall clocks of both ends, each by its own measure.
func (b *bed) jump(i int) {
	b.send.SetNow(jumped(b.t, b.now, jumps[i%len(jumps)]))
	b.recv.SetNow(jumped(b.t, b.now, jumps[i/7%len(jumps)]))
}

// TestWallClockMayJump sets the wall clocks of both ends in every cycle, while messages flow and keys turn. Nothing is lost
// and nobody is taken for dead; keys turn as often as the monotonic clock says, and one line is no further behind the other than it is.
func TestWallClockMayJump(t *testing.T) {
	const length, turns = 2000, 20 // milliseconds; of which a key lasts so many
	for name, options := range variants(t) {
		for _, rel := range []Reliability{BestEffort, Repaired} {
			t.Run(name+", "+rel.String(), func(t *testing.T) {
				var sent, received events
				so, ro := options()
				so.Reliability, so.Events, so.Limits.Time = rel, sent.add, turns*time.Millisecond
				ro.Reliability, ro.Events, ro.Lines = rel, received.add, twoLines()
				b := newBed(t, so, ro, nil)
				if so.Secret != nil {
					b.until("sessions", func() bool {
						return len(b.recv.all) > 0 && b.recv.all[0].sessions[0].opener != nil && b.recv.all[0].sessions[1].opener != nil
					})
				}
				b.publish(1, 64)
				b.until("a start", func() bool { return len(b.got) == 1 })
				b.pass(0)
				for i := range length {
					b.now = b.now.Add(time.Millisecond)
					b.jump(i)
					for range 2 {
						if !b.offer(64) {
							t.Fatal("the ring is full")
						}
					}
					_, err := b.send.Do()
					must(t, err)
					_, err = b.recv.Do()
					must(t, err)
					b.poll()
				}
				last := b.pub.Seq() - 1
				b.until("delivery", func() bool { return uint64(len(b.got)) == last })
				b.verify(1, last, false)
				if s := b.recv.Stats(); s.Lost != 0 || s.Drops(OldKey)+s.Drops(Replayed)+s.Drops(Forged) != 0 {
					t.Errorf("receiver: %+v", s)
				}
				if len(sent) != sent.count(Connected) || received.count(Connected) != 1 || len(received) != 1 {
					t.Errorf("sender told %v, receiver %v", sent, received)
				}
				for _, l := range b.recv.Lines() {
					if l.Skew < 0 || l.Skew > time.Millisecond || l.Lost != 0 {
						t.Errorf("line %+v", l)
					}
				}
				if so.Secret == nil {
					return
				}
				if key := b.recv.all[0].sessions[0].opener.Key(); key < length/turns*9/10 || key > length/turns+1 {
					t.Errorf("%d keys in %d ms, of %d ms each", key, length, turns)
				}
			})
		}
	}
}

// TestSilenceIsMeasuredByTheMonotonicClock stops one end, sets the other's wall clock now and then, and waits for the disconnection.
func TestSilenceIsMeasuredByTheMonotonicClock(t *testing.T) {
	const liveness = int(DefaultLiveness / time.Millisecond)
	for _, by := range jumps {
		var sent, received events
		b := newBed(t, SenderOptions{Reliability: Repaired, Events: sent.add}, ReceiverOptions{Reliability: Repaired, Events: received.add}, nil)
		b.publish(10, 64)
		b.until("a start", b.send.Drained)
		b.pass(0)
		b.step()
		waits := func(told *events, end interface {
			SetNow(time.Time)
			Do() (int, error)
		}) (after int) {
			for ; told.count(Disconnected) == 0; after++ {
				b.now = b.now.Add(time.Millisecond)
				end.SetNow(jumped(t, b.now, by*time.Duration(after/10%2)))
				_, err := end.Do()
				must(t, err)
				if after > 2*liveness {
					t.Fatalf("wall clock set by %s: not told after %d ms", by, after)
				}
			}
			return after
		}
		for range 100 { // until a status and a heartbeat have just been heard
			b.step()
		}
		b.quiet()
		told := waits(&received, b.recv)
		if told < liveness-1 || told > liveness*11/10 {
			t.Errorf("wall clock set by %s: the receiver told after %d ms", by, told)
		}
		b.until("return", func() bool {
			return received.count(Connected) == 2 && sent.count(Connected) == sent.count(Disconnected)+1
		})
		sent = nil
		if told = waits(&sent, b.send); told < liveness-int(statusIdle/time.Millisecond)-1 || told > liveness*11/10 {
			t.Errorf("wall clock set by %s: the sender told after %d ms", by, told)
		}
	}
}

// TestWallClockMayJumpUnderInlineWorkers is for ends that read the clock themselves. That it was set since they opened shows in
// when they think they opened.
func TestWallClockMayJumpUnderInlineWorkers(t *testing.T) {
	secret := seal.NewSecret()
	var sent, received events
	b := newBed(t, SenderOptions{Reliability: Repaired, Secret: &secret, Events: sent.add, Liveness: 3 * time.Second},
		ReceiverOptions{Reliability: Repaired, Secret: &secret, Events: received.add, Liveness: 3 * time.Second}, nil)
	b.until("session", func() bool { return len(b.recv.all) > 0 })
	send, recv := b.send.clock.opened, b.recv.clock.opened
	for i := range scaled(20000) / 20 {
		b.send.clock.opened = jumped(t, send, -jumps[i%len(jumps)])
		b.recv.clock.opened = jumped(t, recv, -jumps[i/7%len(jumps)])
		b.publish(20, 64)
		for range 20 {
			b.step()
		}
	}
	last := b.pub.Seq() - 1
	b.until("delivery", func() bool { return uint64(len(b.got)) == last })
	b.verify(1, last, false)
	if s := b.recv.Stats(); s.Lost != 0 || len(sent) != 1 || len(received) != 1 {
		t.Errorf("sender told %v, receiver %v: %+v", sent, received, s)
	}
}

// TestMonotonicClocksOfTwoMachinesDiffer gives the receiver a process whose monotonic clock is days ahead. Nothing depends on it,
// and stamps arrive as they were given.
func TestMonotonicClocksOfTwoMachinesDiffer(t *testing.T) {
	const ahead = 300_000 // seconds
	wrap := aheadOf(t, ahead)
	c := startChild(t, wrap...)
	if c.clock < sys.Monotonic()+(ahead-1000)*uint64(time.Second) {
		t.Fatalf("the child's clock reads %d, this one's %d", c.clock, sys.Monotonic())
	}
	var told events
	b := newCrowd(t, ring.Options{Capacity: crowdRing}, SenderOptions{Liveness: 10 * time.Second, Events: told.add}, []netip.AddrPort{c.addr})
	total := scaled(20000)
	for int(b.pub.Seq()) <= total {
		b.offer(64)
		_, err := b.send.Do()
		must(t, err)
	}
	b.all("confirmation", nil, func() bool { return b.met(1)() && b.send.Drained() })
	if len(told) != 1 || told.count(Connected) != 1 {
		t.Errorf("told %v", told)
	}
	c.ends(t, uint64(total), false)
}
