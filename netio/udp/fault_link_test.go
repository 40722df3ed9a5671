package udp

import (
	"net/netip"
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
