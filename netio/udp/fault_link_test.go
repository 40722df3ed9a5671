package udp

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/alphapulse/transport/seal"
)

// TestALinkThatGoesDownAndUpLosesNothing takes the device of either end down under a repaired channel, and up again. What the sender's
// kernel refuses meanwhile is told and counted, and all arrives once, in order.
func TestALinkThatGoesDownAndUpLosesNothing(t *testing.T) {
	secret := seal.NewSecret()
	for _, c := range []struct {
		host string
		key  *seal.Secret
	}{{"tx", nil}, {"rx0", &secret}} {
		t.Run(c.host, func(t *testing.T) {
			var sent troubles
			b := newLabBed(t, 1, netip.Addr{}, SenderOptions{Reliability: Repaired, Secret: c.key, Events: sent.add},
				ReceiverOptions{Reliability: Repaired, Secret: c.key})
			one := b.beds[0]
			b.watch = newStopwatch()
			total := 0
			for range 2 {
				for range 20 {
					b.publish(10, 300)
					b.turn(b.beds)
				}
				must(t, b.lab.LinkDown(c.host))
				refused := b.send.tally.Dropped[Unsendable] + b.recv.tally.Dropped[Unsendable]
				b.all("a full ring", b.beds, func() bool { return !b.offer(1000) })
				b.all("a refusal", b.beds, func() bool {
					return b.send.tally.Dropped[Unsendable]+b.recv.tally.Dropped[Unsendable] > refused
				})
				must(t, b.lab.LinkUp(c.host))
				total = int(b.pub.Seq() - 1)
				b.all("delivery", b.beds, func() bool { return len(one.got) == total })
				b.all("confirmation", b.beds, b.send.Drained)
			}
			one.verify(1, uint64(total), false)
			s := b.recv.tally.Stats
			if s.Lost != 0 || c.host == "tx" != sent.named() || sent.recovered != len(sent.told) {
				t.Errorf("lost %d; told %q, recovered %d times", s.Lost, sent.told, sent.recovered)
			}
			t.Logf("refused %d to the sender, %d to the receiver; told %q", b.send.tally.Dropped[Unsendable], s.Dropped[Unsendable], sent.told)
		})
	}
}

// TestALinkThatGoesDownTakesFromBestEffortWhatIsCounted takes the device of either end down under a best-effort channel, and up again.
// What was sent before is there, what is sent meanwhile is lost, and the receiver tells the numbers of exactly what is missing.
func TestALinkThatGoesDownTakesFromBestEffortWhatIsCounted(t *testing.T) {
	const some = 500
	for _, host := range []string{"tx", "rx0"} {
		t.Run(host, func(t *testing.T) {
			var sent troubles
			var received events
			b := newLabBed(t, 1, netip.Addr{}, SenderOptions{Heartbeat: cutHeartbeat, Events: sent.add}, ReceiverOptions{Events: received.add})
			one := b.beds[0]
			var lost []uint64 // while the device was down
			for range 2 {
				b.publish(some, 64)
				b.all("a start", b.beds, func() bool { return one.settled(b.pub.Seq() - 1) })
				must(t, b.lab.LinkDown(host))
				for range some {
					lost = append(lost, b.pub.Seq())
					b.publish(1, 64)
					b.turn(b.beds)
				}
				must(t, b.lab.LinkUp(host))
				before := len(one.got)
				b.all("a frame", b.beds, func() bool { b.publish(1, 64); return len(one.got) > before })
			}
			b.publish(some, 64)
			total := b.pub.Seq() - 1
			b.all("the end", b.beds, func() bool { return one.settled(total) })

			var missing, gaps []uint64
			next := uint64(1)
			for _, m := range append(one.got, message{seq: total + 1}) {
				for ; next < m.seq; next++ {
					missing = append(missing, next)
				}
				next++
			}
			for _, e := range received {
				for seq := e.First; e.Kind == Gap && seq <= e.Last; seq++ {
					gaps = append(gaps, seq)
				}
			}
			one.verify(1, total, true)
			s := b.recv.tally.Stats
			if !slices.Equal(gaps, missing) || s.Lost != uint64(len(missing)) || s.Dropped[Missing] != s.Lost || s.Dropped[Duplicate] != 0 {
				t.Errorf("%d of %d are missing, %d are told; the receiver says %+v", len(missing), total, len(gaps), s)
			}
			if slices.ContainsFunc(lost, func(seq uint64) bool { return !slices.Contains(missing, seq) }) {
				t.Errorf("of %d frames that were sent while the device was down some arrived", len(lost))
			}
			refused := b.send.tally.Dropped[Unsendable]
			if host == "tx" && (refused == 0 || !sent.named()) || sent.recovered != len(sent.told) {
				t.Errorf("%d were refused; told %q, recovered %d times", refused, sent.told, sent.recovered)
			}
			t.Logf("%d of %d are missing, %d were refused; told %q", len(missing), total, refused, sent.told)
		})
	}
}
