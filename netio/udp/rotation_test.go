package udp

import (
	"testing"
	"time"

	"github.com/alphapulse/transport/seal"
)

// TestKeysTurnUnderLoadWithoutLoss turns keys every few milliseconds while frames flow over a network that reorders.
func TestKeysTurnUnderLoadWithoutLoss(t *testing.T) {
	secret := seal.NewSecret()
	for _, suite := range []seal.Suite{seal.ChaCha20Poly1305, seal.AES128GCM} {
		t.Run(suite.String(), func(t *testing.T) {
			via, _ := relay(t, 8, "reorder=2%,dup=1%,jitter=500us", "loss=0%")
			b := newBed(t, SenderOptions{Reliability: Repaired, Secret: &secret, Suite: suite, Limits: seal.Limits{Time: 20 * time.Millisecond}},
				ReceiverOptions{Reliability: Repaired, Secret: &secret}, via)
			total, turns := uint64(0), 0
			for began := time.Now(); time.Since(began) < 250*time.Millisecond; b.step() {
				if b.pub.Seq()-uint64(len(b.got)) < 2000 {
					b.publish(10, 200)
					total += 10
				}
				if total%700 == 0 {
					b.send.Rotate()
					turns++
				}
			}
			b.until("delivery", func() bool { return uint64(len(b.got)) == total })
			b.verify(1, total, false)
			for _, s := range b.recv.all {
				if key := s.sessions[0].opener.Key(); key < 5 {
					t.Errorf("only %d keys were used, %d turns forced", key+1, turns)
				}
			}
			if s := b.recv.Stats(); s.Lost != 0 {
				t.Errorf("receiver: %+v", s)
			}
		})
	}
}
