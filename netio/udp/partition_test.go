package udp

import (
	"errors"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/simnet"
	"github.com/alphapulse/transport/ring"
)

// events collects what one end tells.
type events []Event

func (e *events) add(one Event) { *e = append(*e, one) }

func (e events) count(kind EventKind) (n int) {
	for _, one := range e {
		if one.Kind == kind {
			n++
		}
	}
	return n
}

// TestPartitionIsToldAndSurvived cuts a repaired channel for less and for more than its liveness. While it lasts the
// publisher gets ErrFull and nobody hangs; afterwards everything arrives.
func TestPartitionIsToldAndSurvived(t *testing.T) {
	for _, c := range []struct {
		name string
		cut  time.Duration
		told bool
	}{{"shorter than liveness", 100 * time.Millisecond, false}, {"longer than liveness", 900 * time.Millisecond, true}} {
		t.Run(c.name, func(t *testing.T) {
			const liveness = 400 * time.Millisecond
			var sent, received events
			via, net := relay(t, 5, "loss=0%", "loss=0%")
			b := newBed(t, SenderOptions{Reliability: Repaired, Liveness: liveness, Events: sent.add},
				ReceiverOptions{Reliability: Repaired, Liveness: liveness, Events: received.add}, via)
			b.publish(100, 64)
			b.until("a start", b.send.Drained)
			(*net).Partition(simnet.Both, true)
			began := time.Now()
			total, full := uint64(100), 0
			var toldAfter time.Duration
			for time.Since(began) < c.cut {
				if p, err := b.pub.Claim(1000); errors.Is(err, ring.ErrFull) {
					full++
				} else {
					must(t, err)
					clear(p)
					must(t, b.pub.Commit(1000))
					total++
				}
				b.step()
				if toldAfter == 0 && received.count(Disconnected) > 0 {
					toldAfter = time.Since(began)
				}
			}
			if told := received.count(Disconnected) == 1 && sent.count(Disconnected) == 1; told != c.told {
				t.Errorf("sender told %v, receiver %v", sent, received)
			}
			if c.told && toldAfter < liveness*8/10 {
				t.Errorf("told after %s", toldAfter)
			}
			if c.told && full == 0 {
				t.Error("the publisher was never told that the ring is full")
			}
			(*net).Partition(simnet.Both, false)
			b.until("delivery", func() bool { return uint64(len(b.got)) == total })
			b.until("confirmation", b.send.Drained)
			for i, m := range b.got {
				if m.seq != uint64(i+1) {
					t.Fatalf("message %d where %d is due", m.seq, i+1)
				}
			}
			if s := b.recv.Stats(); s.Lost != 0 {
				t.Errorf("lost %d", s.Lost)
			}
		})
	}
}

// TestFlappingNetworkLosesNothing cuts and heals, fifty times.
func TestFlappingNetworkLosesNothing(t *testing.T) {
	via, net := relay(t, 6, "loss=1%", "loss=1%")
	b := newBed(t, SenderOptions{Reliability: Repaired}, ReceiverOptions{Reliability: Repaired}, via)
	total := uint64(0)
	for i := range scaled(50) {
		(*net).Partition(simnet.Direction(i%3), i%2 == 0)
		for began := time.Now(); time.Since(began) < 20*time.Millisecond; b.step() {
			if b.pub.Seq()-uint64(len(b.got)) < 2000 {
				b.publish(5, 100)
				total += 5
			}
		}
	}
	(*net).Partition(simnet.Both, false)
	b.until("delivery", func() bool { return uint64(len(b.got)) == total })
	b.verify(1, total, false)
}
