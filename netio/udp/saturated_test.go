package udp

import (
	"net/netip"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/netlab"
	"github.com/alphapulse/transport/seal"
)

// TestSaturatedSenderDoesItsChores has more to send than the link takes, so that its socket is full after every Do. Receivers are
// answered, and keys are turned, nevertheless.
func TestSaturatedSenderDoesItsChores(t *testing.T) {
	secret := seal.NewSecret()
	b := newLabBed(t, 1, netip.Addr{}, SenderOptions{Secret: &secret, Socket: Socket{SendBuffer: 16 << 10}}, ReceiverOptions{Secret: &secret})
	if _, err := b.lab.Exec("tx", "tc", "qdisc", "add", "dev", netlab.Device, "root", "tbf", "rate", "40mbit", "burst", "64k", "limit", "10m"); err != nil {
		t.Skipf("no token bucket on a link: %v", err)
	}
	full, turned := 0, func() bool {
		if len(b.send.feeds) == 0 || b.send.feeds[0].sessions[0] == nil {
			return false
		}
		return b.send.feeds[0].sessions[0].sealer.Announce(seal.Nonce{}).Key > 0
	}
	for end := time.Now().Add(3 * time.Second); full < 100 || !turned() || len(b.beds[0].got) == 0; {
		for range 500 {
			if !b.offer(1000) {
				break
			}
		}
		if full == 50 {
			b.send.Rotate()
		}
		_, err := b.send.Do()
		must(t, err)
		if b.send.unsent {
			full++
		}
		_, err = b.recv.Do()
		must(t, err)
		b.beds[0].poll()
		if time.Now().After(end) {
			t.Fatalf("key turned: %v, %d messages, socket full %d times: %+v", turned(), len(b.beds[0].got), full, b.send.Stats())
		}
	}
}
