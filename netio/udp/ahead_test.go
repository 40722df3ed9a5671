package udp

import (
	"path/filepath"
	"testing"

	"github.com/alphapulse/transport/ring"
)

// A receiver may have more than a sender that starts again has sent: what was never confirmed to the life before. It is heard, and the
// sender catches up with it, however little it may run ahead at first.
func TestSenderCatchesUpWithItsReceiver(t *testing.T) {
	so := SenderOptions{Reliability: Repaired, Window: 4096}
	b := newBedOf(t, ring.Options{Path: filepath.Join(t.TempDir(), "feed.0.ring")}, so, ReceiverOptions{Reliability: Repaired}, nil)
	b.publish(10, 64)
	b.until("a start", b.send.Drained)
	b.publish(500, 64)
	for len(b.got) < 510 { // and nothing of what the receiver says is heard any more
		must(t, b.send.fillAll(b.send.clock.read()))
		must(t, b.send.flushAll())
		_, err := b.recv.Do()
		must(t, err)
		b.poll()
	}
	must(t, b.send.Close())
	so.Channel, so.Lines = "signals", b.send.options.Lines
	var err error
	b.send, err = NewSender(so)
	must(t, err)
	must(t, b.send.Add(b.source))
	b.publish(500, 64)
	b.until("confirmation", b.send.Drained)
	b.verify(1, 1010, false)
}
