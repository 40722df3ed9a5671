package udp

import (
	"testing"
	"time"

	"github.com/alphapulse/transport/netio"
)

// A frame that the receiver's mirror, or its stash, can never take is passed and counted: nothing waits for it.
func TestFrameBeyondTheReceiverIsPassed(t *testing.T) {
	for name, c := range map[string]struct {
		mirror, stash, frame int
	}{
		"a datagram of it":   {4096, DefaultStash, 900},
		"fragments of it":    {64 << 10, DefaultStash, 20_000},
		"beyond the stash":   {0, 64 << 10, 100_000},
		"as large as a ring": {0, DefaultStash, 130_960},
	} {
		for _, rel := range []Reliability{BestEffort, Repaired} {
			t.Run(name+", "+rel.String(), func(t *testing.T) {
				var gaps []Event
				b := newBed(t, SenderOptions{Reliability: rel}, ReceiverOptions{Reliability: rel, Stash: c.stash,
					Inbox: netio.InboxOptions{Capacity: c.mirror}, Events: func(e Event) {
						if e.Kind == Gap {
							gaps = append(gaps, e)
						}
					}}, nil)
				b.publish(3, 64)
				b.until("the start", func() bool { return len(b.got) == 3 })
				b.publish(2, 64)
				b.publish(1, c.frame)
				b.publish(2, 64)
				b.until("what is behind it", func() bool { return len(b.got) == 7 })
				b.verify(1, 8, true)
				s := b.recv.Stats()
				if s.Lost != 1 || s.Drops(TooLarge) == 0 || s.Drops(Malformed) != 0 || b.mirrors[0].Lost() != 1 {
					t.Errorf("%+v; the mirror lost %d", s, b.mirrors[0].Lost())
				}
				if len(gaps) != 1 || gaps[0].First != 6 || gaps[0].Last != 6 {
					t.Errorf("told: %+v", gaps)
				}
				if rel == Repaired {
					b.until("confirmation", b.send.Drained)
				}
			})
		}
	}
}

// Workers that are run seldom, and without a loop's clock, know the time nevertheless.
func TestSeldomRunWorkersStayConnected(t *testing.T) {
	var told events
	b := newBed(t, SenderOptions{Reliability: Repaired, Events: told.add}, ReceiverOptions{Reliability: Repaired, Events: told.add}, nil)
	b.publish(1, 64)
	b.until("delivery", func() bool { return len(b.got) == 1 && b.send.Drained() })
	told = nil
	tick := time.NewTicker(15 * time.Millisecond)
	defer tick.Stop()
	worst, last := time.Duration(0), time.Now()
	for range 2 * int(DefaultLiveness/(15*time.Millisecond)) {
		now := <-tick.C
		worst, last = max(worst, now.Sub(last)), now
		b.step()
	}
	if worst < DefaultLiveness/3 && told.count(Disconnected) > 0 {
		t.Errorf("nothing went wrong, and yet %+v", told)
	}
}

// A best-effort frame in parts may take longer than Reorder to arrive, as long as its parts come; when they stop coming it is passed.
func TestFrameInPartsMayTakeItsTime(t *testing.T) {
	for _, reorder := range []time.Duration{0, -1} {
		b := newBed(t, SenderOptions{Socket: Socket{NoOffload: true}}, ReceiverOptions{Reorder: reorder, Socket: Socket{NoOffload: true}}, nil)
		b.publish(1, 64)
		b.until("the start", func() bool { return len(b.got) == 1 })
		b.publish(1, 40_000) // 28 parts, of which a Do takes 8
		_, err := b.send.Do()
		must(t, err)
		before := b.recv.tally.Datagrams
		for end := time.Now().Add(10 * time.Second); len(b.got) < 2 && time.Now().Before(end); {
			b.pass(DefaultReorder * 9 / 10)
			_, err := b.recv.Do()
			must(t, err)
			b.poll()
		}
		if s := b.recv.Stats(); len(b.got) != 2 || s.Lost != 0 || s.Datagrams-before < 28 {
			t.Errorf("reorder %s: %d frames, %+v", reorder, len(b.got), s)
		}
	}
}
