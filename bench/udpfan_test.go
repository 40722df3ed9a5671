package bench

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/ring"
)

// fanBed opens both ends of a fan-out on loopback.
func fanBed(t *testing.T, last string) (*fanSource, *fanSink) {
	t.Helper()
	s := onLoopback(t, laneSpec{Kind: kindUDP, Pattern: patternFan, Size: payloadSize, Rate: 1, Fan: &fan{netip.MustParseAddr("239.195.77.3"), last}})
	mem := sys.Heap(udpArea)
	near := newFanSource(s, mem, 1)
	far, err := newFanSink(s, mem)
	if err != nil {
		t.Fatal(err)
	}
	if err := near.dial(); err != nil {
		t.Fatal(errors.Join(err, far.close()))
	}
	t.Cleanup(func() {
		if err := errors.Join(near.close(), far.close()); err != nil {
			t.Error(err)
		}
	})
	return near, far
}

// serveOnce is a cycle of the far side, and says how far it is.
func serveOnce(l *fanSink, t *turn) error {
	_, err := l.once(t)
	l.mem.Store64(udpSeen, l.level())
	return err
}

// TestFanOutSleepsAndWakesItsFourth publishes while the fourth sleeps: the others have all, and it has all, or knows its loss, once awake.
func TestFanOutSleepsAndWakesItsFourth(t *testing.T) {
	for _, last := range []string{"", lastRuns, lastStops, lastWakes, lastIsFull} {
		t.Run(last, func(t *testing.T) {
			near, far := fanBed(t, last)
			s := alone(false)
			s.limit = newBound(s.clock, 10*time.Second)
			b, turn := stoppedTurn(t, 0)
			b.start()
			publish := func(n int) {
				t.Helper()
				for range n {
					if err := near.publish(s, s.clock.now()); err != nil {
						t.Fatal(err)
					}
					s.sent++
				}
			}
			settle := func() {
				t.Helper()
				near.wake(true)
				b.stop(s.sent) // serve ends as soon as all is there, and until then this thread runs the sender, too
				for !near.out.sender.Drained() || near.mem.Load64(udpSeen) < near.next {
					if err := errors.Join(near.tend(), s.look(), serveOnce(far, turn)); err != nil {
						t.Fatal(err)
					}
				}
				if !far.over(turn) || turn.bad != 0 || turn.messages != s.sent {
					t.Fatalf("%d sent, %d seen, %d wrong", s.sent, turn.messages, turn.bad)
				}
				turn.messages *= fanTimed
			}
			publish(1)
			settle()
			near.wake(false)
			near.wakeAt = ^uint64(0)
			publish(400)
			for !near.out.sender.Drained() || far.members[0].want < near.next { // the ring lets go
				if err := errors.Join(near.tend(), s.look(), serveOnce(far, turn)); err != nil {
					t.Fatal(err)
				}
			}
			if far.last != nil && far.last.want != 2 {
				t.Errorf("the fourth read up to %d in its sleep", far.last.want)
			}
			settle()
			if far.last == nil {
				return
			}
			st := far.last.receiver.Stats()
			if level := st.Frames+st.Lost == near.next-1; !level && last != lastIsFull || (st.Lost > 0) != (last == lastWakes) {
				t.Errorf("the fourth has %d and lost %d of %d", st.Frames, st.Lost, near.next-1)
			}
			if read := far.last.want == near.next; read != (last == lastRuns || last == lastStops) {
				t.Errorf("the fourth read up to %d of %d", far.last.want-1, near.next-1)
			}
		})
	}
}

func TestFanOutBelievesNoGapOfThoseWhoAreTimed(t *testing.T) {
	record := func(number uint64) ring.Record {
		r, err := ring.Create(ring.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		w, err1 := r.Writer()
		reader, err2 := r.Reader(ring.ReaderOptions{})
		if err := errors.Join(err1, err2, w.Continue(1, number, 0)); err != nil {
			t.Fatal(err)
		}
		p, err := w.Claim(payloadSize)
		if err != nil {
			t.Fatal(err)
		}
		binary.LittleEndian.PutUint64(p, number)
		if err := w.Commit(payloadSize); err != nil {
			t.Fatal(err)
		}
		var batch [1]ring.Record
		if reader.Peek(batch[:]) != 1 {
			t.Fatal("nothing there")
		}
		return batch[0]
	}
	for _, c := range []struct {
		number              uint64
		timedBad, fourthBad uint64
	}{{5, 0, 0}, {6, 1, 0}, {4, 1, 1}} {
		_, turn := stoppedTurn(t, 0)
		m := &member{want: 5}
		l := &fanSink{}
		l.take(turn, m, record(c.number))
		if turn.bad != c.timedBad {
			t.Errorf("%d where 5 is due: %d wrong", c.number, turn.bad)
		}
		turn.bad = 0
		l.last, m.want = m, 5
		l.take(turn, m, record(c.number))
		if turn.bad != c.fourthBad || turn.messages != 1 {
			t.Errorf("%d where 5 is due to the fourth: %d wrong, %d counted", c.number, turn.bad, turn.messages)
		}
	}
}
