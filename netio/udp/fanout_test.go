package udp

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// hostBed is a sender and several receivers of one group on one host, which share the group's port. One thread runs all of them, and
// lends them a time that moves by a step a cycle, so that how long anybody waits does not depend on the machine.
type hostBed struct {
	*bed
	beds    []*bed // one per receiver, for what it got
	now     time.Time
	size    int // of messages
	full    int // messages that found the ring full
	moved   time.Time
	frames  uint64
	blocked time.Duration // the longest time without a step while something waited
}

const cycleStep = 20 * time.Microsecond

// newHostBed opens both ends on loopback; each completes the options of a receiver.
func newHostBed(t *testing.T, receivers, capacity int, so SenderOptions, each func(i int, o *ReceiverOptions)) *hostBed {
	t.Helper()
	group := netip.MustParseAddr("239.77.7.10")
	b := &hostBed{bed: &bed{t: t}, size: 64}
	b.source = mustRing(t, ring.Options{Capacity: capacity})
	var err error
	b.pub, err = b.source.Writer()
	must(t, err)
	at := netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
	for i := range receivers {
		one := &bed{t: t}
		b.beds = append(b.beds, one)
		o := ReceiverOptions{Channel: "signals", Reliability: Repaired, Lines: []Listen{{Bind: at, Group: group, Interface: "lo"}}}
		o.Socket.ReusePort = true
		o.Inbox.Opened = func(r *ring.Ring) {
			reader, err := r.Reader(ring.ReaderOptions{From: ring.Oldest})
			must(t, err)
			one.mirrors = append(one.mirrors, reader)
		}
		each(i, &o)
		one.recv, err = NewReceiver(o)
		must(t, err)
		at = one.recv.Local(0)
		t.Cleanup(func() {
			for _, m := range one.mirrors {
				must(t, m.Close())
			}
			must(t, one.recv.Close())
		})
	}
	so.Channel, so.Reliability, so.Socket.Loopback = "signals", Repaired, true
	so.Lines = []Dial{{To: netip.AddrPortFrom(group, at.Port()), Interface: "lo"}}
	b.send, err = NewSender(so)
	must(t, err)
	t.Cleanup(func() { must(t, b.send.Close()) })
	must(t, b.send.Add(b.source))
	b.now = time.Now()
	b.moved = b.now
	return b
}

// cycle runs the sender and these receivers once, and polls the mirrors of the latter.
func (b *hostBed) cycle(run []*bed) {
	b.t.Helper()
	b.now = b.now.Add(cycleStep)
	b.send.SetNow(b.now)
	_, err := b.send.Do()
	must(b.t, err)
	if b.send.Frames != b.frames || b.pub.Seq() == b.send.Frames+1 {
		b.moved, b.frames = b.now, b.send.Frames
	}
	b.blocked = max(b.blocked, b.now.Sub(b.moved))
	for _, one := range run {
		one.recv.SetNow(b.now)
		_, err := one.recv.Do()
		must(b.t, err)
		one.poll()
	}
}

// publishFor publishes a message every cycle for d of the lent time, and drops those that find the ring full.
func (b *hostBed) publishFor(d time.Duration, run []*bed) {
	b.t.Helper()
	for end := b.now.Add(d); b.now.Before(end); b.cycle(run) {
		_, err := b.pub.Claim(b.size)
		if errors.Is(err, ring.ErrFull) {
			b.full++
			continue
		}
		must(b.t, err)
		b.pub.Abort()
		b.publish(1, b.size)
	}
}

// until runs cycles until ok.
func (b *hostBed) until(what string, run []*bed, ok func() bool) {
	b.t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); b.cycle(run) {
		if time.Now().After(end) {
			b.t.Fatalf("%s did not come about: sender %+v, receivers %+v", what, b.send.Stats(), b.stats(b.beds))
		}
	}
}

func (b *hostBed) stats(of []*bed) (all []Stats) {
	for _, one := range of {
		all = append(all, one.recv.Stats())
	}
	return all
}

// published is how many messages there are.
func (b *hostBed) published() uint64 { return b.pub.Seq() - 1 }

// start publishes until all receivers are known to the sender and have everything.
func (b *hostBed) start() {
	b.t.Helper()
	b.publishFor(cycleStep, b.beds)
	b.until("a start", b.beds, func() bool {
		return len(b.send.feeds) == 1 && len(b.send.feeds[0].receivers) == len(b.beds) && b.have(b.beds) && b.send.Drained()
	})
	b.blocked, b.full = 0, 0
}

// have reports whether these have all that was published.
func (b *hostBed) have(run []*bed) bool {
	for _, one := range run {
		if uint64(len(one.got)) != b.published() {
			return false
		}
	}
	return true
}

// undisturbed checks that these got everything once, in order, and nothing that was meant for another.
func (b *hostBed) undisturbed(run []*bed) {
	b.t.Helper()
	for i, one := range run {
		one.verify(1, b.published(), false)
		s := one.recv.tally.Stats
		if s.Naks != 0 || s.Lost != 0 || s.Dropped != [reasons]uint64{} || s.Datagrams != run[0].recv.tally.Datagrams {
			b.t.Errorf("receiver %d: %+v", i, s)
		}
	}
}

// TestReceiversOfOneHostAreEachRepaired has receivers that share a group's port lose, in turns, what their sockets have no room for.
func TestReceiversOfOneHostAreEachRepaired(t *testing.T) {
	secret := seal.NewSecret()
	for name, key := range map[string]*seal.Secret{"plain": nil, "sealed": &secret} {
		t.Run(name, func(t *testing.T) {
			b := newHostBed(t, 3, 0, SenderOptions{Secret: key, Liveness: time.Second}, func(_ int, o *ReceiverOptions) {
				o.Secret, o.Socket.RecvBuffer = key, 16<<10
			})
			b.start()
			for i := range b.beds {
				others := append(append([]*bed{}, b.beds[:i]...), b.beds[i+1:]...)
				b.publishFor(500*cycleStep, others)
				b.until("delivery", b.beds, func() bool { return b.have(b.beds) })
			}
			for i, one := range b.beds {
				one.verify(1, b.published(), false)
				if s := one.recv.Stats(); s.Naks == 0 || s.Lost != 0 {
					t.Errorf("receiver %d: %+v", i, s)
				}
			}
		})
	}
}

// TestStoppedReceiverHoldsTheOthersAsLongAsItsFlowSays stops one of four for three times its liveness and wakes it.
func TestStoppedReceiverHoldsTheOthersAsLongAsItsFlowSays(t *testing.T) {
	const (
		liveness = 100 * time.Millisecond
		reorder  = 10 * time.Millisecond
	)
	for _, c := range []struct {
		name string
		flow Flow
		tag  uint64
	}{{"min", FlowMin, 0}, {"tagged", FlowTagged, 7}} {
		t.Run(c.name, func(t *testing.T) {
			var told events
			so := SenderOptions{Flow: c.flow, Tag: c.tag, Heartbeat: liveness / 3, Liveness: liveness, Window: 32 << 10, Events: told.add}
			b := newHostBed(t, 4, 128<<10, so, func(i int, o *ReceiverOptions) {
				o.Stash, o.Reorder, o.Tag = 64<<10, reorder, c.tag
				if i == 3 {
					o.Tag, o.Socket.RecvBuffer = 0, 16<<10
				}
			})
			three, fourth := b.beds[:3], b.beds[3]
			b.start()

			b.publishFor(3*liveness, three)
			b.until("delivery to three", three, func() bool { return b.have(three) })
			b.undisturbed(three)
			if told.count(Disconnected) != 1 || len(b.send.feeds[0].receivers) != 3 {
				t.Errorf("told %v", told)
			}
			if s := b.send.tally.Stats; s.Again != 0 || s.Naks != 0 || s.Lost != 0 {
				t.Errorf("sent again for nobody: %+v", s)
			}
			t.Logf("stopped: %d published, %d found the ring full, blocked %s", b.published(), b.full, b.blocked)
			switch waited := b.blocked > statusSoon || b.full > 0; {
			case c.flow == FlowMin && (!waited || b.blocked > liveness+2*tickEvery):
				t.Errorf("held for %s, and its liveness is %s", b.blocked, liveness)
			case c.flow == FlowTagged && waited:
				t.Errorf("held for %s by one that is not waited for, %d refused", b.blocked, b.full)
			}

			b.blocked, b.full = 0, 0
			b.publishFor(liveness, b.beds)
			level := func() bool {
				s := fourth.recv.tally.Stats
				return b.have(three) && s.Frames+s.Lost == b.published()
			}
			b.until("the fourth to be level", b.beds, level)
			b.undisturbed(three)
			s, r := b.send.tally.Stats, fourth.recv.tally.Stats
			t.Logf("woken: blocked %s, %d refused; the fourth lost %d of %d and asked %d times; %d frames sent again, %d declared lost", b.blocked, b.full,
				r.Lost, b.published(), r.Naks, s.Again, s.Lost)
			fourth.verify(1, b.published(), true)
			if lost := b.published() - uint64(len(fourth.got)); r.Lost != lost || fourth.mirrors[0].Lost() != lost || lost == 0 {
				t.Errorf("%d missing; receiver says %d, its mirror %d", lost, r.Lost, fourth.mirrors[0].Lost())
			}
			if told.count(Connected) != 5 {
				t.Errorf("told %v", told)
			}
			if c.flow == FlowTagged && (b.full > 0 || b.blocked > statusSoon) {
				t.Errorf("held for %s by one that came back, %d refused", b.blocked, b.full)
			}
		})
	}
}

// TestReturningReceiverIsRepairedWithinItsBudget stops one of four for less than its liveness. What its socket had no room for is read
// again from the ring, for it alone and no faster than its budget, while the others go on.
func TestReturningReceiverIsRepairedWithinItsBudget(t *testing.T) {
	const (
		budget = 8 << 20 // bytes a second
		size   = 1000
		record = 16 + size
	)
	so := SenderOptions{Liveness: 10 * time.Second, Window: 8 << 20, Budget: budget}
	b := newHostBed(t, 4, 16<<20, so, func(i int, o *ReceiverOptions) {
		o.Stash, o.Reorder, o.Liveness, o.Inbox.Capacity = 16<<20, 10*time.Millisecond, so.Liveness, 16<<20
		if i == 3 {
			o.Socket.RecvBuffer = 16 << 10
		}
	})
	three, fourth := b.beds[:3], b.beds[3]
	b.start()
	b.size = size
	b.publishFor(4000*cycleStep, three)
	b.until("delivery to three", three, func() bool { return b.have(three) })
	b.undisturbed(three)
	if s := b.send.tally.Stats; s.Again != 0 || s.Naks != 0 {
		t.Errorf("sent again for nobody: %+v", s)
	}
	missed := b.published() - uint64(len(fourth.got))
	woke := b.now
	b.publishFor(1000*cycleStep, b.beds)
	if !b.have(three) {
		t.Error("the others wait for the repairs of the fourth")
	}
	b.until("delivery to four", b.beds, func() bool { return b.have(b.beds) })
	took := b.now.Sub(woke)
	b.undisturbed(three)
	fourth.verify(1, b.published(), false)
	s, r := b.send.tally.Stats, fourth.recv.tally.Stats
	t.Logf("missed %d, blocked %s; asked for %d ranges, %d frames sent again in %s, %d of them twice, %d refused", missed, b.blocked, s.Naks, s.Again, took,
		r.Dropped[Duplicate], s.Dropped[OverBudget])
	if r.Lost != 0 || b.full > 0 || b.blocked > 0 {
		t.Errorf("lost %d, refused %d, held for %s", r.Lost, b.full, b.blocked)
	}
	if most := budgetBurst + int(took.Seconds()*budget) + DefaultMTU; int(s.Again)*record > most || s.Dropped[OverBudget] == 0 {
		t.Errorf("%d bytes sent again, %d are within the budget; %d refused", s.Again*record, most, s.Dropped[OverBudget])
	}
	if s.Again > 3*missed {
		t.Errorf("%d frames sent again for %d that were missed", s.Again, missed)
	}
}

// TestReceiverWithoutRoomDisturbsNobody has the consumer of one of four stop reading: mirror and stash fill up, and it still lives.
func TestReceiverWithoutRoomDisturbsNobody(t *testing.T) {
	so := SenderOptions{Flow: FlowTagged, Tag: 7, Window: 32 << 10}
	b := newHostBed(t, 4, 128<<10, so, func(i int, o *ReceiverOptions) {
		o.Stash, o.Reorder, o.Tag = 64<<10, 10*time.Millisecond, 7
		if i == 3 {
			o.Tag, o.Inbox.Capacity = 0, 64<<10
		}
	})
	three, fourth := b.beds[:3], b.beds[3]
	b.start()
	mirrors := fourth.mirrors
	fourth.mirrors = nil // nobody reads
	b.publishFor(400*time.Millisecond, b.beds)
	b.until("delivery to three", b.beds, func() bool { return b.have(three) })
	b.undisturbed(three)
	s, r := b.send.tally.Stats, fourth.recv.tally.Stats
	t.Logf("full: %d published, %d refused, blocked %s; %d ranges asked for, %d frames sent again, %d declared lost; the fourth dropped %v",
		b.published(), b.full, b.blocked, s.Naks, s.Again, s.Lost, r.Dropped)
	if b.full > 0 || b.blocked > statusSoon {
		t.Errorf("held for %s by one that is not waited for, %d refused", b.blocked, b.full)
	}
	if len(b.send.feeds[0].receivers) != 4 || r.Dropped[StashFull] == 0 {
		t.Errorf("not what this test is about: %+v", r)
	}
	fourth.mirrors = mirrors
	b.until("the fourth to be level", b.beds, func() bool { return fourth.recv.tally.Frames+fourth.recv.tally.Stats.Lost == b.published() })
	fourth.verify(1, b.published(), true)
	if lost := b.published() - uint64(len(fourth.got)); fourth.recv.tally.Stats.Lost != lost || lost == 0 {
		t.Errorf("%d missing, receiver says %d", lost, fourth.recv.tally.Stats.Lost)
	}
	b.undisturbed(three)
}

func TestTellingALossAllocatesNothing(t *testing.T) {
	b := newBed(t, SenderOptions{Reliability: Repaired}, ReceiverOptions{Reliability: Repaired}, nil)
	b.publish(10, 64)
	b.until("a start", b.send.Drained)
	f, w := b.send.feeds[0], b.send.wires[0]
	if n := testing.AllocsPerRun(100, func() {
		w.reset()
		must(t, b.send.lost(f, &f.receivers[0], w, seal.Range{First: 1, Last: 5}, 0))
	}); n != 0 {
		t.Errorf("%g allocations", n)
	}
}
