package udp

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/numa"
	"github.com/alphapulse/transport/ring"
)

// small is a ring that a slow reader fills soon: 64 KiB, 819 messages of 64 bytes.
var small = ring.Options{Capacity: 1 << 16}

const smallHolds = 1 << 16 / 80

// slowly runs both ends, each cycle a millisecond of their clocks, until total messages are published or refuse says so. The
// mirrors are read every nth cycle only; 0 is never.
func (b *bed) slowly(total, every int, refuse func() bool) {
	b.t.Helper()
	for i := 1; int(b.pub.Seq()) <= total; i++ {
		for range 8 {
			if int(b.pub.Seq()) <= total && !b.offer(64) && refuse() {
				return
			}
		}
		b.pass(time.Millisecond)
		_, err := b.send.Do()
		must(b.t, err)
		_, err = b.recv.Do()
		must(b.t, err)
		if every > 0 && i%every == 0 {
			b.read(16)
		}
	}
}

// read takes at most n messages out of the first mirror.
func (b *bed) read(n int) {
	for _, m := range b.mirrors[:1] {
		n = m.Peek(b.batch[:n])
		for i, r := range b.batch[:n] {
			b.got = append(b.got, message{m.Epoch(), m.First() + uint64(i), r.Stamp(), string(r.Payload()), nil})
		}
		must(b.t, m.Release(n))
	}
}

// TestSlowReaderHoldsBackARepairedPublisher: the mirror fills, then the sender's ring, and then the publisher is told. However slow
// the reader, it gets every message, and nobody takes it for dead.
func TestSlowReaderHoldsBackARepairedPublisher(t *testing.T) {
	for name, options := range variants(t) {
		for _, every := range []int{1, 10, 100, 0} {
			t.Run(fmt.Sprintf("%s, a read every %d cycles", name, every), func(t *testing.T) {
				var sent, received events
				so, ro := options()
				so.Reliability, so.Events = Repaired, sent.add
				ro.Reliability, ro.Events, ro.Inbox.Capacity = Repaired, received.add, small.Capacity
				b := newBedOf(t, small, so, ro, nil)
				b.publish(1, 64)
				b.until("a start", func() bool { return len(b.got) == 1 })
				b.until("confirmation", b.send.Drained)
				const total = 5 * smallHolds
				again, naks, refused := b.send.Stats().Again, b.recv.Stats().Naks, 0
				b.slowly(total, every, func() bool { refused++; return every == 0 && refused > 8*1000 })
				if held := int(b.pub.Seq()) - 1 - len(b.got); held > 2*smallHolds || every == 0 && held < smallHolds*3/2 {
					t.Errorf("two rings hold %d messages, %d fit into each", held, smallHolds)
				}
				if (refused > 0) != (every != 1) {
					t.Errorf("the publisher was refused %d times", refused)
				}
				s, r := b.send.Stats(), b.recv.Stats()
				if s.Again != again || r.Naks != naks { // what waits is there, and not missing
					t.Errorf("%d frames were sent again, %d ranges asked for, dropped %v", s.Again, r.Naks, r.Dropped)
				}
				last := b.pub.Seq() - 1
				b.until("delivery", func() bool { return uint64(len(b.got)) == last })
				b.verify(1, last, false)
				b.until("confirmation", b.send.Drained)
				b.until("the count", func() bool { return b.recv.Stats().Frames == last })
				if r := b.recv.Stats(); r.Lost != 0 || r.Drops(Full) != 0 {
					t.Errorf("receiver: %+v", r)
				}
				if len(sent) != sent.count(Connected) || len(received) != received.count(Connected) {
					t.Errorf("sender told %v, receiver %v", sent, received)
				}
			})
		}
	}
}

// TestSlowReaderOfABestEffortChannelLosesByCount: the sender goes on, and what finds no room is counted for that reason alone.
func TestSlowReaderOfABestEffortChannelLosesByCount(t *testing.T) {
	for _, every := range []int{1, 10, 100, 0} {
		t.Run(fmt.Sprintf("a read every %d cycles", every), func(t *testing.T) {
			b := newBedOf(t, small, SenderOptions{}, ReceiverOptions{Inbox: netio.InboxOptions{Capacity: small.Capacity}}, nil)
			b.publish(1, 64)
			b.until("a start", func() bool { return len(b.got) == 1 })
			const total = 5 * smallHolds
			b.slowly(total, every, func() bool { t.Fatal("the publisher was refused"); return true })
			if lag := b.mirrors[0].Lag(); every == 0 && (lag < 1<<16-8*80 || lag > 1<<16) {
				t.Errorf("a full mirror's reader lags by %d bytes", lag)
			}
			b.until("the end", func() bool { return b.settled(total) })
			b.publish(1, 64) // behind which the mirror's reader sees how many are missing
			b.until("the last", func() bool { return b.got[len(b.got)-1].seq == total+1 })
			b.verify(1, total+1, true)
			missing := total + 1 - uint64(len(b.got))
			s := b.recv.Stats()
			if s.Drops(Full) != missing || s.Lost != missing || s.Frames != uint64(len(b.got)) || b.mirrors[0].Lost() != missing {
				t.Errorf("%d missing, the mirror's reader says %d, the receiver %+v", missing, b.mirrors[0].Lost(), s)
			}
			s.Dropped[Full] = 0
			if s.Dropped != [reasons]uint64{} || (missing > 0) != (every != 1) {
				t.Errorf("%d missing, dropped for other reasons: %v", missing, s.Dropped)
			}
		})
	}
}

// TestSlowChannelLeavesOthersOnItsLoopAlone runs both ends of two channels in one loop. Nobody reads the first one's mirror.
func TestSlowChannelLeavesOthersOnItsLoopAlone(t *testing.T) {
	for _, rel := range []Reliability{BestEffort, Repaired} {
		t.Run(rel.String(), func(t *testing.T) {
			slow := newBedOf(t, small, SenderOptions{Reliability: rel}, ReceiverOptions{Reliability: rel, Inbox: netio.InboxOptions{Capacity: 1 << 16}}, nil)
			fast := newBed(t, SenderOptions{Reliability: Repaired}, ReceiverOptions{Reliability: Repaired}, nil)
			for _, b := range []*bed{slow, fast} { // once there are mirrors, the loop opens none
				b.publish(1, 64)
				b.until("a start", func() bool { return len(b.got) == 1 })
			}
			ctx, stop := context.WithCancel(context.Background())
			var running sync.WaitGroup
			running.Go(func() {
				if err := (&numa.Loop{}).Run(ctx, slow.send, slow.recv, fast.send, fast.recv); !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			})
			defer running.Wait()
			defer stop()
			total := scaled(20000)
			refused := 0
			deadline := time.Now().Add(20 * time.Second)
			late := func() bool { return time.Now().After(deadline) }
			for len(fast.got) < total && !late() {
				for range 16 {
					if !slow.offer(64) {
						refused++
					}
					if int(fast.pub.Seq()) <= total {
						fast.offer(64)
					}
				}
				fast.poll()
			}
			if len(fast.got) != total || late() {
				t.Fatalf("%d of %d messages beside a slow channel; it: %+v", len(fast.got), total, slow.recv.Stats())
			}
			fast.verify(1, uint64(total), false)
			if rel == Repaired && refused == 0 {
				t.Error("the slow channel's publisher was never refused")
			}
			last := slow.pub.Seq() - 1
			for rel == Repaired && uint64(len(slow.got)) < last && !late() {
				slow.poll()
			}
			if rel == Repaired {
				slow.verify(1, last, false)
			}
			for rel == BestEffort && !late() {
				if s := slow.recv.Stats(); s.Frames+s.Lost == last && s.Drops(Full) == s.Lost && s.Lost > 0 {
					return
				}
			}
			if s := slow.recv.Stats(); rel == BestEffort || s.Lost != 0 {
				t.Errorf("%d published; receiver: %+v", last, s)
			}
		})
	}
}

// TestSlowMirrorLeavesOtherSourcesAlone has one sender carry two rings to one receiver. Only the second one's mirror is read.
func TestSlowMirrorLeavesOtherSourcesAlone(t *testing.T) {
	b := newBedOf(t, small, SenderOptions{Reliability: Repaired}, ReceiverOptions{Reliability: Repaired, Inbox: netio.InboxOptions{Capacity: 1 << 16}}, nil)
	b.publish(1, 64)
	b.until("a start", func() bool { return len(b.got) == 1 })
	other := mustRing(t, small)
	pub, err := other.Writer()
	must(t, err)
	must(t, b.send.Add(other))
	stuck, first := b.pub, b.mirrors
	for refused := 0; refused < 1000; { // the first source, to the brim
		if !b.offer(64) {
			refused++
		}
		b.mirrors = nil
		b.step()
		b.mirrors = append(first[:1:1], b.mirrors...)
	}
	if len(b.mirrors) != 1 || len(b.got) != 1 {
		t.Fatalf("%d mirrors, %d messages", len(b.mirrors), len(b.got))
	}
	b.pub, b.got, b.mirrors = pub, nil, nil
	total := 5 * smallHolds
	b.publish(total, 64) // polls what is new in mirrors
	b.until("delivery", func() bool { return len(b.got) == total })
	b.verify(1, uint64(total), false)
	b.got, b.mirrors = nil, append(b.mirrors, first...)
	last := stuck.Seq() - 1
	b.until("delivery of the first", func() bool { return uint64(len(b.got)) == last-1 })
	b.verify(2, last, false)
	if s := b.recv.Stats(); s.Lost != 0 {
		t.Errorf("receiver: %+v", s)
	}
}
