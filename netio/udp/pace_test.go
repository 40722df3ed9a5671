package udp

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/alphapulse/transport/seal"
)

// quiet lets time pass until a heartbeat has just left and the next one is a whole Heartbeat away.
func (b *bed) quiet() {
	b.t.Helper()
	for range 4 * DefaultHeartbeat / time.Millisecond { // it takes less to get from the first heartbeat's distance to the last's
		b.step()
	}
	before := b.send.Datagrams
	b.until("a heartbeat", func() bool { return b.send.Datagrams > before })
}

// TestPaceBoundsWhatLeavesOnEachLine always has more to send than the pace allows. At no instant more has left than the time is
// worth, and in the end not less.
func TestPaceBoundsWhatLeavesOnEachLine(t *testing.T) {
	const (
		pace   = 1_000_000    // bytes a second
		burst  = pace/100 + 1 // what is saved up at most
		excess = DefaultMTU   // the last datagram may go beyond, by what exceeds one byte
		each   = pace / 1000  // bytes per millisecond
		length = 3000         // milliseconds
	)
	all := variants(t)
	all["two lines"] = func() (SenderOptions, ReceiverOptions) { return SenderOptions{}, ReceiverOptions{Lines: twoLines()} }
	all["two lines, sealed"] = func() (SenderOptions, ReceiverOptions) {
		so, ro := variants(t)["sealed"]()
		ro.Lines = twoLines()
		return so, ro
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		t.Run(name, func(t *testing.T) {
			so, ro := all[name]()
			so.Pace = pace
			b := newBed(t, so, ro, nil)
			if so.Secret != nil {
				b.until("session", func() bool { return len(b.recv.all) > 0 })
			}
			lines := max(len(ro.Lines), 1)
			b.pass(time.Second) // of which no more is saved up than the burst
			before := b.recv.tally.Stats
			for i := 1; i <= length; i++ {
				for b.pub.Seq()-b.send.Frames < 5*each { // thousands of messages wait, however well they are compressed
					b.offer(64)
				}
				b.step()
				b.got = b.got[:0]
				if now := b.recv.tally.Bytes - before.Bytes; int(now) > lines*(i*each+burst+excess) {
					t.Fatalf("%d bytes on %d lines after %d ms", now, lines, i)
				}
			}
			got := b.recv.tally.Bytes - before.Bytes
			if want := lines * length * each; int(got) < want*95/100 {
				t.Errorf("%d bytes on %d lines, of %d", got, lines, want)
			}
		})
	}
}

// TestPacedFragmentsKeepTheAverage: a record in fragments leaves as a whole, and those behind it wait the longer.
func TestPacedFragmentsKeepTheAverage(t *testing.T) {
	const pace, size, length = 1_000_000, 40_000, 3000
	b := newBed(t, SenderOptions{Pace: pace}, ReceiverOptions{}, nil)
	b.pass(0)
	for i := 1; i <= length; i++ {
		for b.pub.Seq()-b.send.Frames < 10 {
			b.offer(size)
		}
		b.step()
		if got := b.recv.tally.Bytes; got > uint64(i*pace/1000+pace/100+size*11/10) {
			t.Fatalf("%d bytes after %d ms", got, i)
		}
	}
	if got := b.recv.tally.Bytes; got < pace*length/1000*95/100 {
		t.Errorf("%d bytes of %d", got, pace*length/1000)
	}
}

// fits is how many messages of 64 bytes a datagram has room for.
func fits(sealed bool) int {
	room := DefaultMTU - 28 - seal.HeaderSize
	if sealed {
		room -= seal.Overhead
	}
	return room / 80
}

// TestFramesThatAreThereTogetherTravelTogether counts datagrams: as few as it takes, one per frame when they are to be separate, and
// nothing waits for more to come.
func TestFramesThatAreThereTogetherTravelTogether(t *testing.T) {
	secret := seal.NewSecret()
	for name, c := range map[string]struct {
		so  SenderOptions
		per int
	}{
		"together":         {SenderOptions{}, fits(false)},
		"together, sealed": {SenderOptions{Secret: &secret}, fits(true)},
		"separate":         {SenderOptions{Separate: true}, 1},
		"separate, sealed": {SenderOptions{Separate: true, Secret: &secret}, 1},
	} {
		for _, rel := range []Reliability{BestEffort, Repaired} {
			t.Run(name+", "+rel.String(), func(t *testing.T) {
				c.so.Reliability = rel
				b := newBed(t, c.so, ReceiverOptions{Reliability: rel, Secret: c.so.Secret}, nil)
				if c.so.Secret != nil {
					b.until("session", func() bool { return len(b.recv.all) > 0 })
				}
				b.publish(1, 64)
				b.until("a start", func() bool { return len(b.got) == 1 })
				b.pass(0)
				for _, n := range []int{1, 2, c.per, c.per + 1, 10 * c.per, 10*c.per + 1, 180} {
					b.quiet()
					before := b.send.Datagrams
					b.publish(n, 64)
					if b.step(); n == 1 && b.send.Datagrams != before+1 {
						t.Error("a lone frame waited")
					}
					for range 4 {
						b.step()
					}
					want := uint64((n + c.per - 1) / c.per)
					if sent := b.send.Datagrams - before; sent != want+1 { // and the first heartbeat
						t.Errorf("%d frames took %d datagrams, want %d", n, sent-1, want)
					}
				}
				b.verify(1, b.pub.Seq()-1, false)
			})
		}
	}
}

// TestLingerWaitsForCompanyAndNotLonger: less than half a datagram waits for others until its time is over, more goes at once.
func TestLingerWaitsForCompanyAndNotLonger(t *testing.T) {
	const linger = 5 * time.Millisecond
	for _, rel := range []Reliability{BestEffort, Repaired} {
		for _, waits := range []bool{true, false} {
			t.Run(map[bool]string{true: "linger, ", false: "none, "}[waits]+rel.String(), func(t *testing.T) {
				so := SenderOptions{Reliability: rel}
				if waits {
					so.Linger = linger
				}
				b := newBed(t, so, ReceiverOptions{Reliability: rel}, nil)
				b.publish(1, 64)
				b.until("a start", func() bool { return len(b.got) == 1 })
				b.pass(0)
				trial := func(n int, every time.Duration) (sent uint64) {
					before := b.send.Datagrams
					for range n {
						b.publish(1, 64)
						_, err := b.send.Do()
						must(t, err)
						b.pass(every)
					}
					return b.send.Datagrams - before
				}
				for range 3 {
					b.quiet()
					few := fits(false)/2 - 1
					before := b.send.Datagrams
					if sent := trial(few, linger/time.Duration(few+1)); sent != map[bool]uint64{true: 0, false: uint64(few)}[waits] {
						t.Fatalf("%d frames took %d datagrams within the time", few, sent)
					}
					if !waits {
						break
					}
					if b.send.Drained() {
						t.Error("drained, though frames wait")
					}
					b.pass(linger / time.Duration(few))
					_, err := b.send.Do()
					must(t, err)
					if sent := b.send.Datagrams - before; sent != 1 {
						t.Errorf("%d frames took %d datagrams when the time was over", few, sent)
					}
					b.quiet()
					before = b.send.Datagrams
					b.publish(fits(false)/2+2, 64)
					_, err = b.send.Do()
					must(t, err)
					if sent := b.send.Datagrams - before; sent != 1 {
						t.Errorf("more than half a datagram: %d were sent", sent)
					}
				}
				b.until("delivery", func() bool { return uint64(len(b.got)) == b.pub.Seq()-1 })
				b.verify(1, b.pub.Seq()-1, false)
			})
		}
	}
}
