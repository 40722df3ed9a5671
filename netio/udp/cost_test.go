package udp

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/check"
)

// twoLines is what a receiver listens on when its stream comes twice.
func twoLines() []Listen { return []Listen{{Bind: anyPort()}, {Bind: anyPort()}} }

// emit publishes n messages of size bytes and has the sender carry them, with looks to spare for what receivers say.
func (b *bed) emit(n, size int) {
	for range n {
		if _, err := b.pub.Claim(size); err != nil {
			b.t.Fatal(err)
		}
		if err := b.pub.Commit(size); err != nil {
			b.t.Fatal(err)
		}
	}
	for tries := 0; tries < 2*backEvery || b.send.Frames+1 < b.pub.Seq(); tries++ {
		if _, err := b.send.Do(); err != nil {
			b.t.Fatal(err)
		}
		if tries > 1_000_000 {
			b.t.Fatalf("%d of %d messages were carried", b.send.Frames, b.pub.Seq()-1)
		}
	}
}

// absorb has the receiver take what arrives until the mirrors' readers have seen every message, and keeps nothing.
func (b *bed) absorb() {
	for tries := 0; tries < 64 || b.mirrors[0].Seq() < b.pub.Seq(); tries++ {
		b.take()
		if tries > 1_000_000 {
			b.t.Fatalf("%d of %d messages arrived", b.mirrors[0].Seq()-1, b.pub.Seq()-1)
		}
	}
}

// take is one step of that.
func (b *bed) take() {
	if _, err := b.recv.Do(); err != nil {
		b.t.Fatal(err)
	}
	for n := b.mirrors[0].Peek(b.batch[:]); n > 0; n = b.mirrors[0].Peek(b.batch[:]) {
		if err := b.mirrors[0].Release(n); err != nil {
			b.t.Fatal(err)
		}
	}
}

// TestSenderAndReceiverAllocateNothing counts what is allocated on either side while messages flow, hearts beat, statuses go back
// and forth and nothing is to be done. All of a hundred turns is counted: an allocation in one of them would be seen.
func TestSenderAndReceiverAllocateNothing(t *testing.T) {
	if check.On {
		t.Log("with the invariants in, only that it runs")
	}
	all := variants(t)
	all["two lines"] = func() (SenderOptions, ReceiverOptions) { return SenderOptions{}, ReceiverOptions{Lines: twoLines()} }
	all["two lines, sealed"] = func() (SenderOptions, ReceiverOptions) {
		so, ro := variants(t)["sealed"]()
		ro.Lines = twoLines()
		return so, ro
	}
	all["paced, lingering"] = func() (SenderOptions, ReceiverOptions) {
		return SenderOptions{Pace: 1 << 40, Linger: time.Nanosecond}, ReceiverOptions{}
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		for _, rel := range []Reliability{BestEffort, Repaired} {
			t.Run(name+", "+rel.String(), func(t *testing.T) {
				so, ro := all[name]()
				so.Reliability, ro.Reliability = rel, rel
				b := newBed(t, so, ro, nil)
				if so.Secret != nil { // what is sent before the session is open is lost
					b.until("session", func() bool { return len(b.recv.all) > 0 })
				}
				b.publish(50, 64)
				b.until("a start", func() bool { return len(b.got) == 50 })
				b.until("confirmation", b.send.Drained)
				for _, one := range []struct{ n, size int }{{40, 64}, {40, 700}, {8, 5000}, {0, 0}} {
					sent, received := b.turns(one.n, one.size)
					if sent != 0 || received != 0 { // the runtime allocates for itself now and then, but not as often as turns do
						sent, received = b.turns(one.n, one.size)
					}
					if (sent != 0 || received != 0) && !check.On {
						t.Errorf("%d messages of %d bytes a turn: %d allocations by the sender, %d by the receiver", one.n, one.size, sent, received)
					}
				}
			})
		}
	}
}

// TestRepairAllocatesNothing has the receiver's socket overflow, so that most of what is sent is asked for and sent again.
func TestRepairAllocatesNothing(t *testing.T) {
	for name, options := range variants(t) {
		t.Run(name, func(t *testing.T) {
			so, ro := options()
			so.Reliability, ro.Reliability, ro.Socket.RecvBuffer = Repaired, Repaired, 8<<10
			so.Socket.NoOffload = true
			b := newBed(t, so, ro, nil)
			b.publish(50, 64)
			b.until("a start", func() bool { return len(b.got) == 50 })
			b.until("confirmation", b.send.Drained)
			turns := func() (n uint64) {
				for range turnsCounted() {
					n += allocations(func() {
						for range 40 {
							b.emit(1, 700)
						}
						for b.mirrors[0].Seq() < b.pub.Seq() {
							b.pass(time.Millisecond)
							b.emit(0, 0)
							b.take()
						}
					})
				}
				return n
			}
			before := b.send.tally.Stats
			n := turns()
			if n != 0 {
				n = turns()
			}
			if n != 0 && !check.On {
				t.Errorf("%d allocations", n)
			}
			if again, naks := b.send.tally.Again-before.Again, b.send.tally.Naks-before.Naks; again == 0 || naks == 0 {
				t.Errorf("%d frames were sent again for %d ranges asked for", again, naks)
			}
		})
	}
}

// turnsCounted is how many turns are counted.
func turnsCounted() int {
	if check.On { // not for what it counts
		return 10
	}
	return 50
}

// turns carries n messages of size bytes, time and again, and returns what either side allocates thereby.
func (b *bed) turns(n, size int) (sent, received uint64) {
	for range turnsCounted() {
		b.pass(time.Millisecond)
		sent += allocations(func() { b.emit(n, size) })
		received += allocations(b.absorb)
	}
	return sent, received
}

// allocations counts what f allocates.
func allocations(f func()) uint64 {
	first := true
	return uint64(testing.AllocsPerRun(1, func() {
		if first { // the run that is not counted
			first = false
			return
		}
		f()
	}))
}
