package udp

import (
	"math"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// says has a receiver of this number say something to the sender.
func (b *bed) says(id uint64, kind seal.Kind, body []byte) {
	b.t.Helper()
	d := make([]byte, seal.HeaderSize+len(body))
	(&seal.Header{Kind: kind, Channel: b.send.channel, Source: b.source.Info().Instance, Epoch: 1, Length: len(body), Seq: id}).Put(d)
	copy(d[seal.HeaderSize:], body)
	from, err := sys.AddressOf(b.recv.Local(0))
	must(b.t, err)
	must(b.t, b.send.heardOne(b.send.wires[0], d, &from, b.send.clock.now))
}

// waitsFor has it say that it waits for a number, and may be sent all there is.
func (b *bed) waitsFor(id, next uint64) {
	body := make([]byte, seal.StatusSize)
	(&seal.StatusBody{Next: next, Window: 1 << 30, Receiver: id}).Put(body)
	b.says(id, seal.Status, body)
}

func (b *bed) misses(id, first, last uint64) {
	b.says(id, seal.Nak, seal.AppendNak(nil, []seal.Range{{First: first, Last: last}}))
}

// A receiver that asks for everything again and again takes half of what a paced sender may send, and not all of it.
func TestPacedNewsDoNotWaitBehindRepairs(t *testing.T) {
	const pace, seconds = 1 << 20, 1
	b := newBedOf(t, ring.Options{Capacity: 8 << 20}, SenderOptions{Reliability: Repaired, Pace: pace}, ReceiverOptions{Reliability: Repaired}, nil)
	b.pass(0)
	b.publish(100, 64)
	b.until("delivery", b.send.Drained)
	b.waitsFor(9, 101)
	b.publish(2000, 64)
	b.until("delivery", func() bool { return len(b.got) == 2100 })
	before := b.send.tally.Stats
	for range seconds * 1000 {
		for b.pub.Seq()-b.send.Frames < 1000 && b.offer(64) {
		}
		b.waitsFor(9, 101)
		b.misses(9, 101, 2100)
		b.step()
	}
	news, again := (b.send.Frames-before.Frames)*80, (b.send.Again-before.Again)*80
	if least := uint64(pace * seconds / 4); news < least || again < least {
		t.Errorf("%d bytes of news and %d of repairs in %d s at %d bytes a second", news, again, seconds, pace)
	}
}

// A large record that is sent again leaves half of the batch to news, too.
func TestLargeRepairsLeaveRoomForNews(t *testing.T) {
	b := newBedOf(t, ring.Options{Capacity: 8 << 20}, SenderOptions{Reliability: Repaired}, ReceiverOptions{Reliability: Repaired}, nil)
	b.publish(1, 500_000)
	b.until("a part of it", func() bool { return b.send.Frames == 1 })
	b.waitsFor(9, 1)
	b.misses(9, 1, 1)
	f, w := b.send.feeds[0], b.send.wires[0]
	must(t, b.send.repair(f, b.send.clock.now))
	if len(f.wants) == 0 || w.bytes > sendBytes/2+w.room || w.bytes < sendBytes/4 {
		t.Errorf("%d of %d bytes of the batch are repairs", w.bytes, sendBytes)
	}
}

// What is asked for again before it was sent is sent once.
func TestImpatientReceiverIsAnsweredOnce(t *testing.T) {
	b := newBed(t, SenderOptions{Reliability: Repaired}, ReceiverOptions{Reliability: Repaired}, nil)
	b.publish(100, 64)
	b.until("delivery", b.send.Drained)
	b.publish(100, 64)
	must(t, b.send.fillAll(b.send.clock.now))
	must(t, b.send.flushAll())
	b.waitsFor(9, 101)
	before := b.send.Again
	for range 10 {
		b.misses(9, 101, 150)
		b.misses(9, 120, 130)
	}
	must(t, b.send.fillAll(b.send.clock.now))
	if n := b.send.Again - before; n != 50 {
		t.Errorf("%d frames were sent again for 50", n)
	}
}

// A receiver beyond its budget asks in vain, which says nothing of the path.
func TestWhoIsBeyondItsBudgetDoesNotShrinkDatagrams(t *testing.T) {
	b := newBed(t, SenderOptions{Reliability: Repaired, Budget: 1}, ReceiverOptions{Reliability: Repaired}, nil)
	b.pass(0)
	b.publish(2000, 64)
	b.until("delivery", b.send.Drained)
	b.publish(2000, 64)
	must(t, b.send.fillAll(b.send.clock.now))
	must(t, b.send.flushAll())
	room := b.send.wires[0].room
	for range 4 * DefaultLiveness / time.Millisecond {
		b.waitsFor(9, 2001)
		b.misses(9, 2001, 2100)
		b.step()
	}
	if b.send.wires[0].room != room || b.send.tally.Dropped[OverBudget] == 0 {
		t.Errorf("datagrams of %d bytes instead of %d: %+v", b.send.wires[0].room, room, b.send.tally.Stats)
	}
}

// A budget, a pace or a window that means no bound is none.
func TestBoundsMayBeAsLargeAsNumbersAre(t *testing.T) {
	b := newBed(t, SenderOptions{Reliability: Repaired, Budget: math.MaxInt64, Pace: math.MaxInt64, Window: math.MaxInt}, ReceiverOptions{Reliability: Repaired}, nil)
	b.pass(0)
	for range 10 {
		b.pass(time.Second)
		b.publish(100, 64)
		b.waitsFor(9, 1)
		b.misses(9, 1, 5)
		b.until("delivery", func() bool { return uint64(len(b.got)) == b.pub.Seq()-1 })
	}
	if s := b.send.tally.Stats; s.Again < 45 || s.Dropped[OverBudget] != 0 {
		t.Errorf("%+v", s)
	}
}

// A receiver that names a window beyond all numbers stops nobody.
func TestWindowBeyondAllNumbersStopsNobody(t *testing.T) {
	b := newBed(t, SenderOptions{Reliability: Repaired}, ReceiverOptions{Reliability: Repaired}, nil)
	b.publish(100, 64)
	b.until("delivery", b.send.Drained)
	body := make([]byte, seal.StatusSize)
	(&seal.StatusBody{Next: 101, Window: math.MaxUint64, Receiver: 9}).Put(body)
	b.says(9, seal.Status, body)
	if f := b.send.feeds[0]; f.limit <= f.reader.Position() {
		t.Errorf("limit %d at position %d", f.limit, f.reader.Position())
	}
}

// A pace is kept by a loop that spins, too, in whose cycles less than a byte is earned.
func TestPaceIsKeptHoweverShortACycleIs(t *testing.T) {
	const pace, cycle, cycles = 1 << 20, 500 * time.Nanosecond, 100_000
	b := newBed(t, SenderOptions{Pace: pace}, ReceiverOptions{}, nil)
	b.pass(0)
	for range cycles {
		if b.pub.Seq()-b.send.Frames < 100 {
			b.offer(64)
		}
		b.now = b.now.Add(cycle)
		b.send.SetNow(b.now)
		_, err := b.send.Do()
		must(t, err)
	}
	want := float64(pace) * (cycle * cycles).Seconds()
	if got := float64(b.send.Bytes); got < want*0.9 || got > want*1.1+pace/100 {
		t.Errorf("%.0f bytes in %s, want %.0f", got, cycle*cycles, want)
	}
}
